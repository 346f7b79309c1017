"""The actions of real videos with the models that are shipped, from the command line."""

import csv
import json
from pathlib import Path

import pytest

from app.action_results import NONE_OF_THESE
from app.cli import main
from tests.real_media import gradio_media, shared_video


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: a video is looked at once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def own_data_dir(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(data_dir))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def actions(video: Path, out: Path, *options: object) -> dict:  # type: ignore[type-arg]
    assert run("actions", video, "--json", out, *options) == 0
    return json.loads(out.read_text("utf-8"))  # type: ignore[no-any-return]


def test_trained_actions_and_every_file(tmp_path: Path) -> None:
    video = gradio_media("world.mp4")
    files = ("--csv", tmp_path / "a.csv", "--vtt", tmp_path / "new folder" / "a.vtt")
    result = actions(video, tmp_path / "a.json", *files)
    assert result["model"]["name"] == "action_classifier" and len(result["model"]["hash"]) == 64
    assert result["zero_shot"] is False and len(result["labels"]) > 10
    assert len(result["top"]) == 5
    chances = [chance["probability"] for chance in result["top"]]
    assert chances == sorted(chances, reverse=True) and sum(chances) <= 1.0 + 1e-6
    assert result["unknown"] == all(w["label"] == NONE_OF_THESE for w in result["windows"])
    known = set(result["labels"]) | {NONE_OF_THESE}
    for window in result["windows"]:
        assert window["start_s"] < window["end_s"] and window["label"] in known
        assert sum(f["weight"] for f in window["looked_at"]) == pytest.approx(1.0, abs=1e-3)
    stretches = result["stretches"]
    assert stretches[0]["start_s"] == pytest.approx(0.0, abs=0.05)
    assert stretches[-1]["end_s"] == pytest.approx(result["video"]["duration_s"], abs=0.51)
    for one, other in zip(stretches, stretches[1:], strict=False):
        assert one["end_s"] == other["start_s"] and one["label"] != other["label"]
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(stretches)
    assert (tmp_path / "new folder" / "a.vtt").read_text().startswith("WEBVTT")


def test_own_labels_read_the_same_index(tmp_path: Path) -> None:
    video = gradio_media("world.mp4")
    run("actions", video, "--json", tmp_path / "first.json")
    result = actions(
        video, tmp_path / "own.json", "--labels", "the earth from space, a man cooking"
    )
    assert result["timing"]["from_index"] is True
    assert result["zero_shot"] is True and result["model"]["name"] == "compact"
    assert result["labels"] == ["the earth from space", "a man cooking"]
    assert result["top"][0]["label"] == "the earth from space"


def test_more_frames_a_second_are_looked_at(tmp_path: Path) -> None:
    few = actions(gradio_media("b.mp4"), tmp_path / "few.json")
    many = actions(gradio_media("b.mp4"), tmp_path / "many.json", "--fps", 8)
    assert many["sampling"]["frames"] > 3 * few["sampling"]["frames"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--labels", ""], "no label"),
        (["--labels", ",;"], "no label"),
        (["--labels", "собака, кошка"], "собака"),
        (["--labels", "x" * 100], "shorten"),
        (["--labels", "none of these"], "leave it out"),
        (["--checkpoint", "compact"], "choose one of"),
        (["--fps", "0"], "Frames a second"),
    ],
)
def test_bad_input_is_one_sentence(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.json"
    assert run("actions", gradio_media("b.mp4"), "--json", out, *options) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]
    assert not out.exists()


def test_typed_labels_are_told_apart(tmp_path: Path) -> None:
    pancake = shared_video("flipping_a_pancake.mkv")
    result = actions(pancake, tmp_path / "a.json", "--labels", "sport, cooking")
    assert result["top"][0]["label"] == "cooking"
