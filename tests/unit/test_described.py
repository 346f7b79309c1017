"""A description may come from anywhere: what it says is held to what something real has."""

import json
import math
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
from safetensors.numpy import load_file, save_file
from torch import nn

from models import registry
from models.backbones import BackboneShape, CompactBackbone, build_network
from models.bert_network import BertFrameTextNetwork, BertFrameTextShape
from models.checkpoint import beside, file_hash, read_checkpoint, write_checkpoint
from models.described import stored_size, within_weights
from models.errors import CheckpointError
from models.local_checkpoints import KINDS, LOCAL_VARIABLE
from models.residency import Residents

SHIPPED = registry.CHECKPOINTS_DIR


def changed(folder: Path, **parts: Any) -> Path:
    """Of architecture and preprocessing what is given is changed, of the rest it is replaced."""
    path = folder / "config.json"
    described = json.loads(path.read_text())
    for part, values in parts.items():
        held = isinstance(values, dict) and part in ("architecture", "preprocessing")
        described[part] = {**described[part], **values} if held else values
    path.write_text(json.dumps(described))
    return folder


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    folder = tmp_path / "seen"
    shutil.copytree(SHIPPED / "backbone", folder)
    return changed(folder, name="seen")


@pytest.mark.parametrize("name", ["backbone", "compact", "keyframe_scorer", "action_classifier",
                                  "captioner", "trigger_detector", "compact_detector"])  # fmt: skip
def test_shipped_descriptions_are_within_bounds(name: str) -> None:
    assert read_checkpoint(SHIPPED / name).name == name


@pytest.mark.parametrize(
    "parts",
    [
        {"name": "../../elsewhere"},
        {"name": "a/b"},
        {"name": 5},
        {"architecture": {"architecture": "hf-hub:somebody/model"}},
        {"architecture": {"architecture": "local-dir:/tmp/x"}},
        {"architecture": {"architecture": ["resnet18"]}},
        {"architecture": {"trunk_options": {"checkpoint_path": "/tmp/x.pth"}}},
        {"architecture": {"trunk_options": {"pretrained_cfg": {"url": "https://x"}}}},
        {"architecture": {"trunk_options": {"img_size": 100_000}}},
        {"architecture": {"trunk_options": {"layers": [2, 2, 2, 10_000]}}},
        {"architecture": {"trunk_options": {"depths": [[[[[[1]]]]]]}}},
        {"architecture": {"feature_dim": 10**12}},
        {"architecture": {"activation_limit": math.nan}},
        {"architecture": {"layers": 10**6}},
        {"architecture": {"text": {"attn_implementation": "somebody/kernel"}}},
        {"architecture": {"text": {"max_position_embeddings": 10**9}}},
        {"architecture": {"trunk": "x" * 10**6}},
        {"preprocessing": {"encoder": "../../elsewhere"}},
        {"preprocessing": {"backbone": "/etc"}},
        {"preprocessing": {"frame_text": "..\\x"}},
        {"preprocessing": {"space": 1}},
        {"preprocessing": {"side_px": 100_000}},
        {"preprocessing": {"side_px": "160"}},
        {"preprocessing": {"short_side_px": 0}},
        {"preprocessing": {"frames": 10**6}},
        {"preprocessing": {"segment_s": 0}},
        {"preprocessing": {"middle_share": math.nan}},
        {"labels": ["a"] * 100_000},
        {"labels": "all"},
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_in_a_sentence(
    backbone: Path, parts: dict[str, Any]
) -> None:
    changed(backbone, **parts)
    with pytest.raises(CheckpointError, match="out of bounds") as refused:
        read_checkpoint(backbone)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("content", ["[" * 200_000, "{}" + " " * 17_000_000])
def test_descriptions_that_are_no_descriptions_are_refused(backbone: Path, content: str) -> None:
    (backbone / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(backbone)


def test_a_network_is_not_built_past_the_weights_that_are_stored(backbone: Path) -> None:
    checkpoint = read_checkpoint(changed(backbone, architecture={"architecture": "resnet152"}))
    with pytest.raises(CheckpointError, match="larger than the weights"):
        build_network(checkpoint)
    wide = changed(
        backbone,
        architecture={"architecture": "mobilenetv4_conv_small", "feature_dim": 2**20},
    )
    with pytest.raises(CheckpointError, match="larger than the weights"):
        build_network(read_checkpoint(wide))


def test_what_is_too_large_is_refused_before_memory_is_taken() -> None:
    """Of a layer of 32 GB not one number is written."""
    import psutil

    before = psutil.Process().memory_info().rss
    weights = SHIPPED / "keyframe_scorer" / "model.safetensors"
    with within_weights(weights), pytest.raises((ValueError, RuntimeError)):
        nn.Linear(2**20, 2**13)
    assert psutil.Process().memory_info().rss - before < 2**28


def test_unknown_networks_and_options_are_refused(backbone: Path) -> None:
    for described in (
        {"architecture": "no_such_network"},
        {"architecture": "mobilenetv4_conv_small", "trunk_options": {"num_heads": 3}},
        {"architecture": "resnet18", "trunk_options": {"layers": 2}},
    ):
        checkpoint = read_checkpoint(changed(backbone, architecture=described))
        with pytest.raises(CheckpointError, match="cannot be built"):
            build_network(checkpoint)


def test_others_build_what_they_like_meanwhile_and_afterwards(tmp_path: Path) -> None:
    weights = SHIPPED / "trigger_detector" / "model.safetensors"
    built = []
    with within_weights(weights):
        other = threading.Thread(target=lambda: built.append(nn.Linear(4000, 1000)))
        other.start()
        other.join()
        with pytest.raises(ValueError, match="larger"):
            nn.Linear(4000, 1000)
    assert built and nn.Linear(4000, 1000).in_features == 4000


def test_only_the_header_says_how_much_is_stored() -> None:
    weights = SHIPPED / "keyframe_scorer" / "model.safetensors"
    tensors, numbers = stored_size(weights)
    assert tensors > 20 and 2 * numbers <= weights.stat().st_size < 2 * numbers + 20_000


def test_a_small_sentence_network_is_built_and_a_large_one_is_not(tmp_path: Path) -> None:
    text = {"vocab_size": 50, "dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2}
    shape = BertFrameTextShape(feature_dim=8, text=text, dim=8, text_limit=16)
    described = {"kind": "bert_frame_text", "architecture": shape.to_json(), "preprocessing": {}}
    checkpoint = write_checkpoint(
        tmp_path / "said", BertFrameTextNetwork(shape), config=described, metrics={}, card="",
        half=False,
    )  # fmt: skip
    from models.bert_frame_text import _network

    assert _network(checkpoint).shape == shape
    large = changed(checkpoint.folder, architecture={"text": {**text, "n_layers": 200}})
    with pytest.raises(CheckpointError, match="larger than the weights"):
        _network(read_checkpoint(large))


def test_every_network_of_timm_that_trains_here_fits_in_its_own_weights(tmp_path: Path) -> None:
    """Batch norms that are folded leave fewer numbers than the network has that is built first."""
    for architecture in ("resnet18", "efficientnet_b0"):
        trunk: Any = timm.create_model(architecture, num_classes=0)
        shape = BackboneShape(architecture, int(trunk.head_hidden_size), head=False)
        from models.backbones import PictureFeatures

        made = PictureFeatures(CompactBackbone(shape)).network
        names = {name: getattr(shape, name) for name in shape.__slots__}
        described = {"kind": "backbone", "architecture": names, "preprocessing": {"side_px": 64}}
        checkpoint = write_checkpoint(
            tmp_path / architecture, made, config=described, metrics={}, card="", half=True
        )
        assert isinstance(build_network(checkpoint), PictureFeatures)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path / "local"))
    monkeypatch.setattr(registry, "_residents", Residents())
    (tmp_path / "local").mkdir()
    yield tmp_path / "local"


@pytest.mark.parametrize("name", ["backbone", "keyframe_scorer", "trigger_detector",
                                  "action_classifier", "compact", "captioner"])  # fmt: skip
def test_a_checkpoint_that_lacks_what_it_should_say_is_refused_in_a_sentence(
    local: Path, name: str
) -> None:
    shutil.copytree(SHIPPED / name, local / "mine")
    path = local / "mine" / "config.json"
    described = json.loads(path.read_text())
    path.write_text(json.dumps({**described, "name": "mine", "preprocessing": {}}))
    with pytest.raises(CheckpointError):
        registry.load("mine")


def test_a_captioner_of_this_machine_reads_what_ships(local: Path) -> None:
    shutil.copytree(SHIPPED / "captioner", local / "mine")
    changed(local / "mine", name="mine")
    assert registry.load("mine").index_encoder == "backbone"
    assert KINDS["captioner"].protocol == "scene_describer"
    assert beside(local / "mine", "backbone") == SHIPPED / "backbone"


def test_a_folder_of_a_shipped_name_is_not_taken_for_the_shipped_model(local: Path) -> None:
    """The index would be of the shipped one, and mean nothing to who was trained on the other."""
    shutil.copytree(SHIPPED / "backbone", local / "backbone")
    weights = local / "backbone" / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: 2 * tensor for name, tensor in tensors.items()}, weights)
    other = file_hash(weights)
    changed(local / "backbone", weights_sha256=other)
    shutil.copytree(SHIPPED / "compact", local / "mine")
    changed(local / "mine", name="mine", preprocessing={"backbone_hash": other})
    with pytest.raises(CheckpointError, match="mine reads another backbone than the one that ship"):
        registry.load("mine")
