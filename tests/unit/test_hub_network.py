"""Networks by the hub's own verbs: saved as our checkpoints, and read from them, here or there."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from models import registry
from models.action_network import ActionNetwork
from models.checkpoint import read_checkpoint
from models.errors import CheckpointError
from models.hub_network import HubNetwork
from models.keyframe_network import ScorerNetwork
from models.keyframe_scorer import KeyframeScorer
from models.trigger_network import TriggerNetwork
from tests.unit.checkpoint_hub import Hub, serve_hub

NETWORKS: dict[str, type[HubNetwork]] = {
    "keyframe_scorer": ScorerNetwork,
    "action_classifier": ActionNetwork,
    "trigger_detector": TriggerNetwork,
}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    yield from serve_hub(monkeypatch)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_saved_and_read_again(name: str, tmp_path: Path) -> None:
    shipped = registry.CHECKPOINTS_DIR / name
    network = NETWORKS[name].from_pretrained(str(shipped))
    assert not network.training
    network.save_pretrained(tmp_path / "mine")
    written = read_checkpoint(tmp_path / "mine", kind=NETWORKS[name].checkpoint_kind)
    assert written.name == "mine" and written.metrics == {}
    assert written.preprocessing == read_checkpoint(shipped).preprocessing
    again = NETWORKS[name].from_pretrained(str(tmp_path / "mine"))
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key


def test_what_was_saved_is_what_the_application_runs(tmp_path: Path) -> None:
    shipped = registry.CHECKPOINTS_DIR / "keyframe_scorer"
    network = ScorerNetwork.from_pretrained(str(shipped))
    network.save_pretrained(tmp_path / "mine")
    rows = np.random.default_rng(0).standard_normal((9, 256)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    times_s = np.arange(9) / 2
    found = KeyframeScorer(tmp_path / "mine").score(rows, times_s)
    np.testing.assert_allclose(found, KeyframeScorer(shipped).score(rows, times_s), atol=1e-5)


def test_another_kind_or_damage_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(registry.CHECKPOINTS_DIR / "keyframe_scorer", folder)
    with pytest.raises(CheckpointError, match="where a action_classifier is needed"):
        ActionNetwork.from_pretrained(str(folder))
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="have the hash"):
        ScorerNetwork.from_pretrained(str(folder))


def test_pushed_and_read_from_the_hub(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = served.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    network = ScorerNetwork.from_pretrained(str(registry.CHECKPOINTS_DIR / "keyframe_scorer"))
    with torch.no_grad():
        network.project.bias += 1.0
    network.push_to_hub("somebody/changed")
    described = json.loads(served.repositories["somebody/changed"]["config.json"])
    assert described["kind"] == "keyframe_scorer" and "weights_sha256" in described
    again = ScorerNetwork.from_pretrained("somebody/changed", cache_dir=tmp_path / "cache")
    assert torch.equal(again.project.bias, network.project.bias)
