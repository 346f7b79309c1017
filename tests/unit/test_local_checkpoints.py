"""Checkpoints of this machine are models beside the shipped ones, by the names of their folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models import registry
from models.backbone_encoder import BackboneEncoder
from models.backbones import BackboneShape, CompactBackbone
from models.catalogue import model_facts
from models.checkpoint import write_checkpoint
from models.errors import CheckpointError, ModelUnavailableError
from models.local_checkpoints import LOCAL_VARIABLE
from models.residency import Residents


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path))
    monkeypatch.setattr(registry, "_residents", Residents())
    return tmp_path


def trunk(folder: Path) -> BackboneShape:
    shape = BackboneShape("resnet18", 512, normalisation="imagenet", head=False)
    torch.manual_seed(0)
    network = CompactBackbone(shape).eval()
    from models.backbones import PictureFeatures

    described = {
        "kind": "backbone",
        "architecture": {
            "architecture": "resnet18", "feature_dim": 512, "normalisation": "imagenet",
            "head": False,
        },
        "preprocessing": {"side_px": 64},
    }  # fmt: skip
    kept = PictureFeatures(network).network
    write_checkpoint(folder, kept, config=described, metrics={}, card="", half=False)
    return shape


def test_any_trunk_is_a_frame_encoder_of_its_own_features(local: Path) -> None:
    shape = trunk(local / "my resnet")
    assert "my resnet" in registry.names("frame_encoder")
    encoder: BackboneEncoder = registry.load("my resnet")
    frames = np.random.default_rng(0).integers(0, 255, (2, 90, 160, 3), np.uint8)
    found = encoder.encode_frames(frames)
    assert found.shape == (2, 512) and encoder.dim == 512
    # The same by hand: ImageNet's mean and deviation, RGB, the trunk's pooled features.
    import timm

    from models.squash import squash_all

    torch.manual_seed(0)
    plain = timm.create_model("resnet18", pretrained=False, num_classes=0).eval()
    pixels = torch.from_numpy(squash_all(frames, 64)).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        wanted = plain((pixels - mean[:, None, None]) / std[:, None, None]).numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.allclose(found, wanted, atol=2e-3)
    assert shape.feature_dim == 512


def test_the_feature_dim_of_a_bare_trunk_is_checked() -> None:
    with pytest.raises(ValueError, match="resnet18 without a head has 512 features, not 2048"):
        CompactBackbone(BackboneShape("resnet18", 2048, head=False))


def test_what_is_no_checkpoint_is_no_model(local: Path) -> None:
    (local / "empty").mkdir()
    (local / "odd").mkdir()
    (local / "odd" / "config.json").write_text(json.dumps({"kind": "of the future"}))
    (local / "broken").mkdir()
    (local / "broken" / "config.json").write_text("{")
    assert set(registry.entries()) == set(registry.MODELS)
    with pytest.raises(ModelUnavailableError, match="no model named 'odd'"):
        registry.load("odd")


def test_a_damaged_one_is_listed_with_what_is_wrong(local: Path) -> None:
    trunk(local / "cut")
    (local / "cut" / "model.safetensors").write_bytes(b"0")
    facts = model_facts(registry.entry_of("cut"))
    assert facts.problem is not None and "hash" in facts.problem
    with pytest.raises(CheckpointError):
        registry.load("cut")


def test_a_shipped_name_keeps_its_meaning(local: Path) -> None:
    trunk(local / "backbone")
    assert registry.entry_of("backbone").folder is None
    assert list(registry.entries()) == list(registry.MODELS)


def test_it_reads_the_encoder_beside_it_or_a_shipped_one(local: Path) -> None:
    folder = local / "my compact"
    shutil.copytree(registry.CHECKPOINTS_DIR / "compact", folder)
    words = registry.load("my compact")
    assert words.encode_texts(["a dog"]).shape == (1, words.dim)
    trunk(local / "backbone")  # another one of that name, beside it
    del words
    registry.let_go("my compact")
    with pytest.raises(CheckpointError, match="hash"):
        registry.load("my compact")
