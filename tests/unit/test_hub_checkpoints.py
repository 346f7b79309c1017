"""A checkpoint goes to the hub and comes back as a model; what is no checkpoint stays there."""

import json
import pickle
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli import main
from models import hub, registry
from models.catalogue import model_facts
from models.errors import (
    CancelledError,
    CheckpointError,
    ModelUnavailableError,
    RequestError,
    UserFacingError,
)
from models.hub_checkpoints import Address, add_checkpoint, origin_of, read_address
from models.local_checkpoints import LOCAL_VARIABLE
from models.residency import Residents
from tests.unit.checkpoint_hub import Hub, serve_hub
from train import push

SHIPPED = registry.CHECKPOINTS_DIR / "keyframe_scorer"
OURS = Address("somebody", "my-scorer")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    yield from serve_hub(monkeypatch)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path / "local"))
    monkeypatch.setattr(registry, "_residents", Residents())
    return tmp_path / "local"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A checkpoint of one's own: the shipped one, under another name."""
    folder = tmp_path / "mine" / "my_scorer"
    shutil.copytree(SHIPPED, folder)
    rewrite(folder, name="my_scorer")
    return folder


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("somebody/my-scorer", OURS),
        (" somebody/my-scorer@v1.0 ", Address("somebody", "my-scorer", "v1.0")),
        ("https://huggingface.co/somebody/my-scorer", OURS),
        ("some_body/a.b@refs/pr/1", Address("some_body", "a.b", "refs/pr/1")),
    ],
)
def test_addresses_are_read(text: str, wanted: Address) -> None:
    assert read_address(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "scorer", "a/b/c", "../../etc", "a/..", "a/b@../c", "a/b@-c", "-a/b", "a/b--c", "a/b.git",
     "a/b\n", "a/b@\n", "a b/c", "a/b@main --token", "http://127.0.0.1/a", "file:///etc/passwd",
     "a/" + "b" * 200, "a/b@" + "c" * 200, "ａ/b", "a/b\x00", "/a/b", "a//b", "a/b@@c"],
)  # fmt: skip
def test_other_text_is_no_address(text: str) -> None:
    if text == "a/b\n":  # the end of a pasted line
        assert read_address(text) == Address("a", "b")
        return
    with pytest.raises(RequestError, match="is no address on the model hub"):
        read_address(text)


def test_pushed_fetched_loaded(
    served: Hub, local: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "notes.txt").write_text("not part of it")
    (mine / "hub.json").write_text("{}")
    (mine / "old.bin").write_bytes(pickle.dumps("never"))
    assert push.main([str(mine), "somebody/my-scorer", "--private"]) == 0
    assert "somebody/my-scorer/commit/" in capsys.readouterr().out
    assert served.private == {"somebody/my-scorer": True}
    pushed = served.repositories["somebody/my-scorer"]
    parts = ["MODEL_CARD.md", "config.json", "metrics.json", "model.safetensors"]
    assert sorted(pushed) == sorted([*parts, "README.md"])
    assert all(pushed[name] == (mine / name).read_bytes() for name in parts)
    front, card = pushed["README.md"].decode().removeprefix("---\n").split("---\n", 1)
    assert "license: other" in front and "- keyframe_scorer" in front
    assert "pipeline_tag: video-classification" in front
    assert card == (mine / "MODEL_CARD.md").read_text()

    said: list[tuple[str, float | None]] = []
    name = add_checkpoint(OURS, lambda words, share: said.append((words, share)))
    assert name == "my_scorer"
    assert sorted(path.name for path in (local / name).iterdir()) == sorted([*parts, "hub.json"])
    assert [path.name for path in local.iterdir()] == [name]
    assert said[0][0] == "Asking the model hub for somebody/my-scorer"
    assert ("Fetching somebody/my-scorer", None) in said
    commit = served.commit("somebody/my-scorer")
    assert origin_of(local / name) == f"somebody/my-scorer@{commit[:12]}"
    assert name in registry.names("frame_scorer")
    facts = model_facts(registry.entry_of(name))
    assert facts.place == f"from the hub: somebody/my-scorer@{commit[:12]}"
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20, 256)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    times_s = np.arange(20) / 2
    wanted = registry.load("keyframe_scorer").score(rows, times_s)
    np.testing.assert_array_equal(registry.load(name).score(rows, times_s), wanted)


def test_a_newer_commit_takes_the_place_of_the_older(served: Hub, local: Path, mine: Path) -> None:
    served.give(OURS.repo_id, mine)
    assert add_checkpoint(OURS) == "my_scorer"
    rewrite(mine, labels=["other"])
    served.give(OURS.repo_id, mine)
    assert add_checkpoint(OURS) == "my_scorer"
    assert json.loads((local / "my_scorer/config.json").read_text())["labels"] == ["other"]
    served.give("other/thing", mine)
    assert add_checkpoint(Address("other", "thing")) == "other_my_scorer"
    assert len(list(local.iterdir())) == 2


def test_names_of_shipped_ones_and_hostile_names_are_not_taken(
    served: Hub, local: Path, mine: Path
) -> None:
    rewrite(mine, name="keyframe_scorer")
    served.give(OURS.repo_id, mine)
    assert add_checkpoint(OURS) == "somebody_keyframe_scorer"
    assert registry.load("somebody_keyframe_scorer").name == "somebody_keyframe_scorer"
    for number, name in enumerate(("../../escaped", "/tmp/x", ".hidden", "", "a\nb")):
        rewrite(mine, name=name)
        address = Address("evil", f"repo{number}")
        served.give(address.repo_id, mine)
        with pytest.raises(CheckpointError, match="out of bounds: name is a plain name"):
            add_checkpoint(address)
    assert all(folder.parent == local for folder in local.iterdir())
    assert not (local.parent.parent / "escaped").exists()


def test_damaged_and_foreign_ones_are_refused_whole(served: Hub, local: Path, mine: Path) -> None:
    def refused(error: type[UserFacingError], match: str, **changes: Any) -> None:
        files = served.give(OURS.repo_id, mine)
        described = json.loads(files["config.json"])
        files["config.json"] = json.dumps({**described, **changes}).encode()
        with pytest.raises(error, match=match):
            add_checkpoint(OURS)
        assert list(local.iterdir()) == []

    refused(CheckpointError, "weights of somebody/my-scorer have the hash", weights_sha256="0" * 64)
    refused(ModelUnavailableError, "written by another version", format_version=2)
    refused(ModelUnavailableError, "a kind of model that this program does not", kind="pickle")
    refused(CheckpointError, "architecture is an object", architecture=3)
    refused(CheckpointError, "somebody/my-scorer.*out of bounds", preprocessing={"encoder": "../x"})
    refused(CheckpointError, "cannot be understood|no graph.xml", graph={"sha256": 1})
    files = served.give(OURS.repo_id, mine)
    files["config.json"] = b'{"model_type": "bert"}'
    asked = len(served.asked)
    with pytest.raises(ModelUnavailableError, match="holds no checkpoint that was written by"):
        add_checkpoint(OURS)
    assert not any("model.safetensors" in path for path in served.asked[asked:])
    del files["model.safetensors"]
    files["pytorch_model.bin"] = pickle.dumps("never")
    with pytest.raises(ModelUnavailableError, match="holds no checkpoint"):
        add_checkpoint(OURS)


def test_only_data_is_fetched(served: Hub, local: Path, mine: Path) -> None:
    files = served.give(OURS.repo_id, mine)
    for name in ("pytorch_model.bin", "modeling.py", "inner/config.json", "graph.xml", "a b.json"):
        files[name] = b"{}"
    name = add_checkpoint(OURS)
    kept = {path.name for path in (local / name).rglob("*")}
    assert kept == {"MODEL_CARD.md", "config.json", "metrics.json", "model.safetensors", "hub.json"}


def test_what_is_not_there_is_said(served: Hub, local: Path, mine: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="the hub has no somebody/my-scorer"):
        add_checkpoint(OURS)
    served.give(OURS.repo_id, mine)
    with pytest.raises(ModelUnavailableError, match="somebody/my-scorer on the hub has no revis"):
        add_checkpoint(Address("somebody", "my-scorer", "v9"))
    assert list(local.iterdir()) == []


def test_fetching_can_be_stopped(served: Hub, local: Path, mine: Path) -> None:
    served.give(OURS.repo_id, mine)
    served.go_on.clear()
    began = time.monotonic()

    def stop(_words: str, share: float | None) -> None:
        if time.monotonic() - began > 1.5 or share:
            raise CancelledError

    with pytest.raises(CancelledError):
        add_checkpoint(OURS, stop)
    assert time.monotonic() - began < 8
    assert list(local.iterdir()) == []


def test_without_the_hub_it_is_said_at_once(
    local: Path, mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hub, "why_not_asked", lambda: "the model hub cannot be reached")
    with pytest.raises(ModelUnavailableError, match="the model hub cannot be reached; put its"):
        add_checkpoint(OURS)
    assert push.main([str(mine), OURS.repo_id]) == 2
    assert "was not pushed: the model hub cannot be reached" in capsys.readouterr().err
    assert not local.exists()


def test_a_damaged_checkpoint_is_not_pushed(
    served: Hub, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "model.safetensors").write_bytes(b"cut")
    assert push.main([str(mine), OURS.repo_id]) == 2
    assert "have the hash" in capsys.readouterr().err
    assert push.main([str(mine), "no address"]) == 2
    assert served.asked == []


def test_added_by_the_command_line(
    served: Hub,
    local: Path,
    mine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(mine.parent / "data"))
    served.give(OURS.repo_id, mine)
    assert main(["models", "--add", OURS.repo_id]) == 0
    said = capsys.readouterr().out
    assert "my_scorer was added" in said and "my_scorer  " in said
    assert main(["models", "--add", "somebody/nothing"]) == 2
    assert "the hub has no somebody/nothing" in capsys.readouterr().err
    monkeypatch.setenv("FRAMESCRY_ADD_MODELS", "0")
    assert main(["models", "--add", OURS.repo_id]) == 2
    assert "by whoever runs this program" in capsys.readouterr().err
