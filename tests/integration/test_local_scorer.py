"""A keyframe system that was trained on this machine summarizes a real video in the application."""

import json
import shutil
from pathlib import Path

import pytest

from app.cli import main
from app.pipelines.requests import SummaryRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from models.errors import RequestError
from models.summary_methods import METHODS, methods
from tests.real_media import gradio_media
from tests.unit import two_stage_toys
from train import export, keyframes_resnet50
from train.keyframes_resnet50_config import load_config

NAME = "toy_keyframes"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained, broken off in stage 2, resumed, exported."""
    folder = tmp_path_factory.mktemp("local_scorer")
    two_stage_toys.write_data(folder)
    broken_off = {"max_rounds": two_stage_toys.FROZEN_ROUNDS + 1}
    path = two_stage_toys.write_config(folder, run=broken_off)
    keyframes_resnet50.fit(load_config(path), resume=False)
    path = two_stage_toys.write_config(folder)
    assert keyframes_resnet50.main(["fit", "--config", str(path), "--resume"]) == 0
    assert keyframes_resnet50.main(["test", "--config", str(path)]) == 0
    to = folder / "checkpoints" / NAME
    assert export.main(["keyframes_resnet50", "--config", str(path), "--to", str(to)]) == 0
    return folder / "checkpoints"


@pytest.fixture
def services(tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("FRAMESCRY_CHECKPOINTS_DIR", str(exported))
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(tmp_path / "data"))
    return Services(Settings.from_environment())


def test_it_is_a_method_among_the_others(services: Services) -> None:
    assert list(methods()) == [*METHODS, NAME]
    assert methods()[NAME].scorer == NAME


def test_it_summarizes_a_real_video(services: Services) -> None:
    (opened,) = (
        step.value
        for step in services.inspect_file(gradio_media("b.mp4"))
        if isinstance(step, Done)
    )
    request = SummaryRequest(method=NAME, keyframes=3, compare="key_shots")
    *_, last = services.summarize(opened, request)
    assert last.complete and last.result is not None
    result = last.result
    assert result.method == NAME and result.model.name == NAME
    assert result.model.quality is not None and "not measured" not in result.model.quality.lower()
    assert len(result.keyframes) == 3
    assert all(0 <= frame.score <= 1 for frame in result.frames)
    assert len({frame.score for frame in result.frames}) > 1


def test_another_index_is_refused_in_a_sentence(services: Services) -> None:
    video = gradio_media("b.mp4")
    (info,) = (s.value for s in services.inspect_file(video) if isinstance(s, Done))
    request = SummaryRequest(method=NAME, compare="keyframe_scorer")
    with pytest.raises(RequestError, match="keyframe_scorer reads the index of backbone"):
        list(services.summarize(info, request))


def test_the_command_line_knows_it(
    services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    asked = ["summarize", str(gradio_media("b.mp4")), "--json", str(out), "--method", NAME]
    assert main(asked) == 0
    assert json.loads(out.read_text())["model"]["name"] == NAME


def test_a_trunk_of_other_weights_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    other = tmp_path / "checkpoints"
    shutil.copytree(exported, other)
    config = other / NAME / "config.json"
    described = json.loads(config.read_text())
    described["preprocessing"]["encoder_hash"] = "0" * 64
    config.write_text(json.dumps(described))
    monkeypatch.setenv("FRAMESCRY_CHECKPOINTS_DIR", str(other))
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(tmp_path / "data"))
    out = str(tmp_path / "out.json")
    assert main(["summarize", str(gradio_media("b.mp4")), "--json", out, "--method", NAME]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "000000000000" in said


def test_the_page_offers_it(services: Services) -> None:
    from app.demo import build_demo

    dropdowns = {
        block.elem_id: [value for _, value in block.choices]
        for block in build_demo(services).blocks.values()
        if getattr(block, "elem_id", None) in ("summarize-method", "summarize-compare")
    }
    assert NAME in dropdowns["summarize-method"] and NAME in dropdowns["summarize-compare"]
