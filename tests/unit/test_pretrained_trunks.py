"""First weights of a trunk: each source gives what it says, or says what is wrong."""

import time
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from models import hub
from train.pretrained import load_trunk


def test_a_file_gives_its_weights_and_its_classifier_is_left(tmp_path: Path) -> None:
    torch.manual_seed(1)
    source = timm.create_model("resnet18", pretrained=False)
    save_file(source.state_dict(), tmp_path / "r.safetensors")
    torch.save({"state_dict": source.state_dict()}, tmp_path / "r.pth")
    for name in ("r.safetensors", "r.pth"):
        trunk = load_trunk("resnet18", str(tmp_path / name))
        assert torch.equal(trunk.state_dict()["conv1.weight"], source.state_dict()["conv1.weight"])
        assert "fc.weight" not in trunk.state_dict()


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "r.safetensors")
    with pytest.raises(ValueError, match="does not fit resnet18"):
        load_trunk("resnet18", str(tmp_path / "r.safetensors"))
    (tmp_path / "pickled.pt").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="holds no weights"):
        load_trunk("resnet18", str(tmp_path / "pickled.pt"))
    for source in ("imagenet", str(tmp_path / "missing.pth")):
        with pytest.raises(ValueError, match="random, hub, or a file"):
            load_trunk("resnet18", source)
    with pytest.raises(ValueError, match="model of timm"):
        load_trunk("resnet-eighteen", "random")


def test_without_the_hub_it_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "why_not_asked", lambda: "the model hub cannot be reached")
    started_s = time.monotonic()
    with pytest.raises(ValueError, match="cannot be reached: set it to random"):
        load_trunk("resnet18", "hub")
    assert time.monotonic() - started_s < 5
