"""A summary says which models it used, and names the one that cannot be."""

import json
import shutil
from pathlib import Path

import pytest

from app.cli import main
from models import registry
from models.catalogue import all_model_facts
from models.residency import Residents
from tests.real_media import gradio_media


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be damaged; models are loaded from it anew."""
    copy = tmp_path / "checkpoints"
    shutil.copytree(registry.CHECKPOINTS_DIR, copy)
    monkeypatch.setattr(registry, "CHECKPOINTS_DIR", copy)
    monkeypatch.setattr(registry, "_residents", Residents())
    return copy


def test_compared_and_steered_from_one_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = gradio_media("b.mp4"), tmp_path / "out.json"
    asked = ["--compare", "kmeans", "--query", "a large animal -car", "--keyframes", "3"]
    assert main(["summarize", str(video), "--json", str(out), *asked]) == 0
    result = json.loads(out.read_text())
    facts = {facts.name: facts for facts in all_model_facts()}["keyframe_scorer"]
    assert result["model"] == {
        "name": facts.name, "hash": facts.weights_hash, "quality": facts.quality.short,
    }  # fmt: skip
    assert result["query"] == "a large animal -car" and result["steered"] in (True, False)
    compared = result["compared"]
    assert compared["method"] == "kmeans" and compared["model"]["name"] == "backbone"
    times = [frame["time_s"] for frame in result["frames"]]
    assert [frame["time_s"] for frame in compared["frames"]] == times
    said = capsys.readouterr().err
    assert "a large animal -car" in said and "agree" in said


def test_a_scorer_that_is_missing_is_named_and_the_rest_works(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkpoints / "keyframe_scorer" / "model.safetensors").unlink()
    asked = ["summarize", str(gradio_media("b.mp4")), "--json", str(tmp_path / "out.json")]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "keyframe_scorer" in said
    assert main([*asked, "--method", "key_shots"]) == 0
    assert main([*asked, "--method", "key_shots", "--compare", "keyframe_scorer"]) == 2


def test_a_scorer_of_another_backbone_is_refused(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = checkpoints / "keyframe_scorer" / "config.json"
    described = json.loads(config.read_text())
    described["preprocessing"]["encoder_hash"] = "0" * 64
    config.write_text(json.dumps(described))
    asked = ["summarize", str(gradio_media("b.mp4")), "--json", str(tmp_path / "out.json")]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "000000000000" in said


def test_without_a_backbone_the_encoder_without_weights_still_serves(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(checkpoints / "backbone")
    out = tmp_path / "out.json"
    asked = ["summarize", str(gradio_media("b.mp4")), "--json", str(out), "--method", "key_shots"]
    assert main(asked) == 2
    assert "backbone" in capsys.readouterr().err
    assert main([*asked, "--encoder", "colour"]) == 0
    assert json.loads(out.read_text())["model"]["name"] == "colour"
    assert main([*asked, "--encoder", "compact"]) == 2
    assert "makes no index" in capsys.readouterr().err
