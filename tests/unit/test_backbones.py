"""Backbones are rebuilt from their folder, and say what is wrong with one they cannot use."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.backbone_encoder import KIND, BackboneEncoder
from models.backbones import BackboneShape, CompactBackbone, PictureFeatures, as_input
from models.checkpoint import write_checkpoint
from models.errors import CheckpointError
from models.squash import squash_to_square

SIDE_PX = 64
SMALL = BackboneShape("mobilenetv4_conv_small_035", 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    target = tmp_path_factory.mktemp("checkpoints") / "small"
    write_checkpoint(
        target,
        PictureFeatures(CompactBackbone(SMALL)).network,
        config={
            "kind": KIND,
            "architecture": {"architecture": SMALL.architecture, "feature_dim": SMALL.feature_dim},
            "preprocessing": {"side_px": SIDE_PX},
        },
        metrics={},
        card="",
        half=False,
    )
    return target


def test_embeddings_have_length_one_and_do_not_depend_on_the_batch(folder: Path) -> None:
    encoder = BackboneEncoder(folder)
    frames = np.random.default_rng(0).integers(0, 255, (40, 36, 64, 3)).astype(np.uint8)
    together = encoder.encode_frames(frames)
    assert together.shape == (40, 24)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(encoder.encode_frames(frames[33:34])[0], together[33], atol=1e-4)
    assert encoder.encode_frames(frames[:0]).shape == (0, 24)


def test_frames_of_another_kind_are_refused(folder: Path) -> None:
    encoder = BackboneEncoder(folder)
    with pytest.raises(ValueError, match="u8"):
        encoder.encode_frames(np.zeros((2, 8, 8, 4), np.uint8))


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    path = folder / "config.json"
    kept = path.read_text()
    config = json.loads(kept)
    config["architecture"]["architecture"] = "no_such_network"
    path.write_text(json.dumps(config))
    try:
        with pytest.raises(CheckpointError, match="cannot be built"):
            BackboneEncoder(folder)
    finally:
        path.write_text(kept)


@torch.inference_mode()
def test_folding_batch_norms_changes_no_feature() -> None:
    torch.manual_seed(1)
    network = CompactBackbone(SMALL).eval()
    for name, values in network.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            values.normal_(std=0.2)
        elif name.endswith("running_var"):
            values.uniform_(0.5, 2.0)
    pixels = torch.randint(0, 255, (2, SIDE_PX, SIDE_PX, 3), dtype=torch.uint8)
    folded = PictureFeatures(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    wanted = network(as_input(pixels))
    assert torch.allclose(folded(pixels), wanted, atol=1e-4 * float(wanted.abs().max()))


@torch.inference_mode()
def test_a_channel_that_wakes_up_does_not_drown_the_others() -> None:
    torch.manual_seed(1)
    network = CompactBackbone(dataclasses.replace(SMALL, activation_limit=10.0)).eval()
    pixels = torch.randint(0, 255, (2, SIDE_PX, SIDE_PX, 3), dtype=torch.uint8)
    calm = PictureFeatures(network)(pixels)
    first = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert first.running_var is not None
    assert first.weight is not None
    first.running_var[0] = 0.0
    first.weight[0] = 100.0
    unlimited = PictureFeatures(CompactBackbone(SMALL))
    unlimited.network.load_state_dict(PictureFeatures(network).network.state_dict())
    assert PictureFeatures(network)(pixels).norm() < 30 * calm.norm()
    assert unlimited(pixels).norm() > 300 * calm.norm()


def test_squashing_keeps_both_sides_of_a_wide_picture() -> None:
    picture = np.zeros((20, 80, 3), np.uint8)
    picture[:, 40:] = 200
    square = squash_to_square(picture, 16)
    assert square.shape == (16, 16, 3)
    assert square[:, :6].max() == 0
    assert square[:, 10:].min() == 200
