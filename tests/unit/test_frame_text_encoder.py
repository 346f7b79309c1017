"""The frame-text encoder from its folder: what it gives, and what it refuses."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models.backbone_encoder import KIND as BACKBONE_KIND
from models.backbone_encoder import BackboneEncoder
from models.backbones import BackboneShape, CompactBackbone, PictureFeatures
from models.checkpoint import write_checkpoint
from models.errors import CheckpointError
from models.frame_text_encoder import (
    KIND,
    VOCABULARY_FILE,
    Calibration,
    FrameTextEncoder,
    FrameTextShape,
    pad_ids,
)
from models.subwords import Subwords, count_words, learn_subwords
from train.frame_text_network import FrameTextNetwork

FEATURE_DIM = 24
TEXTS = ["a dog runs", "a man is cooking in a very large pan", "", "日本", "Zyzzyva!", "a dog runs"]


def vocabulary() -> Subwords:
    return learn_subwords(count_words(["a dog runs", "a man is cooking in a pan"] * 3), 100)


@pytest.fixture(scope="module")
def network() -> FrameTextNetwork:
    torch.manual_seed(0)
    shape = FrameTextShape(
        vocabulary=len(vocabulary()),
        feature_dim=FEATURE_DIM,
        dim=16,
        width=12,
        layers=2,
        heads=3,
        inner_width=20,
        text_limit=12,
    )
    made = FrameTextNetwork(shape).eval()
    for parameter in made.parameters():  # far from the beginning, where much is 0 or 1
        torch.nn.init.normal_(parameter, std=0.4)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, network: FrameTextNetwork) -> Path:
    """checkpoints/compact with checkpoints/backbone beside it."""
    torch.manual_seed(1)
    root = tmp_path_factory.mktemp("checkpoints")
    shape = BackboneShape("mobilenetv4_conv_small_035", FEATURE_DIM)
    backbone = write_checkpoint(
        root / "backbone",
        PictureFeatures(CompactBackbone(shape)).network,
        config={
            "kind": BACKBONE_KIND,
            "architecture": dataclasses.asdict(shape),
            "preprocessing": {"side_px": 64},
        },
        metrics={},
        card="",
        half=False,
    )
    target = root / "compact"
    target.mkdir()
    text = vocabulary().to_json()
    (target / VOCABULARY_FILE).write_text(text)
    write_checkpoint(
        target,
        network,
        config={
            "kind": KIND,
            "architecture": dataclasses.asdict(network.shape),
            "preprocessing": {
                "backbone": "backbone",
                "backbone_hash": backbone.weights_hash,
                "side_px": 64,
            },
            "calibration": {"slope": 10.0, "offset": -2.0, "crowd": 0.5},
            "picture_calibration": {"slope": 4.0, "offset": -2.0, "crowd": 0.8},
            "subwords_sha256": hashlib.sha256(text.encode()).hexdigest(),
        },
        metrics={},
        card="",
        half=False,
    )
    return target


def test_texts_are_embedded_as_torch_does(folder: Path, network: FrameTextNetwork) -> None:
    encoder = FrameTextEncoder(folder)
    found = encoder.encode_texts(TEXTS)
    ids = pad_ids([vocabulary().encode(text) for text in TEXTS], network.shape.text_limit)
    with torch.inference_mode():
        wanted = network.embed_texts(torch.from_numpy(ids)).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found[0], found[-1], atol=1e-6)
    with torch.inference_mode():  # many texts, which the network reads in groups of like length
        many = network.embed_texts(torch.from_numpy(ids).repeat(40, 1)).numpy()
    np.testing.assert_allclose(many, np.tile(found, (40, 1)), atol=2e-5)
    # A text means the same whatever longer ones it is encoded with.
    np.testing.assert_allclose(encoder.encode_texts(TEXTS[:1])[0], found[0], atol=1e-5)
    assert encoder.encode_texts([]).shape == (0, 16)


def test_frames_are_embedded_as_torch_does_from_the_backbone(
    folder: Path, network: FrameTextNetwork
) -> None:
    encoder = FrameTextEncoder(folder)
    frames = np.random.default_rng(0).integers(0, 255, (5, 40, 60, 3)).astype(np.uint8)
    found = encoder.encode_frames(frames)
    features = BackboneEncoder(folder.parent / "backbone").features(frames)
    with torch.inference_mode():
        wanted = network.embed_features(torch.from_numpy(features)).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_allclose(encoder.project(features * 7), found, atol=1e-5)
    assert encoder.encode_frames(frames[:0]).shape == (0, encoder.dim)
    assert encoder.short_side_px == 64
    with pytest.raises(ValueError, match="features"):
        encoder.project(features[:, 1:])


def test_probability_rises_with_the_score_and_falls_with_the_crowd(folder: Path) -> None:
    encoder = FrameTextEncoder(folder)
    scores = np.asarray([[-1.0, 0.2], [0.2001, 1.0]], np.float32)
    said = encoder.probability(scores)
    assert said.shape == scores.shape
    assert said[0, 1] == pytest.approx(0.5, abs=1e-3)
    assert (np.diff(said.ravel()) > 0).all()
    assert (encoder.probability(scores, searched=100) < said).all()
    assert Calibration(1e6, 0.0).probability(np.asarray([-1.0, 1.0])).round(9).tolist() == [
        0.0,
        1.0,
    ]


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder.parent, tmp_path / "checkpoints")
    return tmp_path / "checkpoints" / "compact"


def test_another_backbone_is_refused(copied: Path) -> None:
    path = copied / "config.json"
    config = json.loads(path.read_text())
    config["preprocessing"]["backbone_hash"] = "0" * 64
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="was trained on a backbone"):
        FrameTextEncoder(copied)


def test_a_missing_backbone_is_named(copied: Path) -> None:
    shutil.rmtree(copied.parent / "backbone")
    with pytest.raises(CheckpointError, match="backbone"):
        FrameTextEncoder(copied)


def test_another_vocabulary_is_refused(copied: Path) -> None:
    path = copied / VOCABULARY_FILE
    path.write_text(path.read_text() + "\n")
    with pytest.raises(CheckpointError, match="hash"):
        FrameTextEncoder(copied)
    path.unlink()
    with pytest.raises(CheckpointError, match=f"no {VOCABULARY_FILE}"):
        FrameTextEncoder(copied)


def test_tensors_of_another_shape_are_refused(copied: Path) -> None:
    path = copied / "config.json"
    config = json.loads(path.read_text())
    config["architecture"]["dim"] = 17
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="text_out.weight has the shape"):
        FrameTextEncoder(copied)


def test_every_stored_tensor_is_described(network: FrameTextNetwork) -> None:
    stored = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert stored == network.shape.tensors()
