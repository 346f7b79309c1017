"""Events of real videos from the command line: what is found, written and said, and bad input."""

import csv
import json
import wave
from pathlib import Path

import pytest

from app.cli import main
from app.trigger_service import NO_DESCRIBER, NO_DETECTOR
from models import registry
from tests.real_media import gradio_media, shared_video

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: a video is looked at once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def shared_data_dir(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(data_dir))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def analyzed(video: Path, out: Path, *options: object) -> dict:  # type: ignore[type-arg]
    assert run("triggers", video, *options, "--json", out) == 0
    return json.loads(out.read_text("utf-8"))  # type: ignore[no-any-return]


def test_several_triggers_at_once_with_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = analyzed(
        EXAMPLES / "tour.mp4", tmp_path / "t.json",
        "--trigger", "change of scene", "--trigger", "a tower @ 0.6",
        "--example", gradio_media("cheetah.jpg"), "--csv", tmp_path / "t.csv",
        "--vtt", tmp_path / "t.vtt", "--speech", tmp_path / "t.wav", "--describe", "none",
    )  # fmt: skip
    found = {looked["name"]: looked["found"] for looked in result["thresholds"]}
    assert 4 <= found["change of scene"] <= 8 and found["a tower"] >= 1
    (cheetah,) = [t for t in result["triggers"] if t["kind"] == "example"]
    assert (
        cheetah["start_s"]
        <= cheetah["timestamp"]
        <= cheetah["end_s"]
        <= result["video"]["duration_s"]
    )
    assert result["num_triggers_detected"] == len(result["triggers"])
    times = [trigger["start_s"] for trigger in result["triggers"]]
    assert times == sorted(times)
    for trigger in result["triggers"]:
        for box in trigger["boxes"]:
            x0, y0, x1, y1 = box["xyxy"]
            assert -1 <= x0 < x1 <= result["video"]["width"] + 1
            assert -1 <= y0 < y1 <= result["video"]["height"] + 1
    with (tmp_path / "t.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 1 + len(result["triggers"])
    assert (tmp_path / "t.vtt").read_text().count("-->") == len(result["triggers"])
    with wave.open(str(tmp_path / "t.wav")) as spoken:
        assert spoken.getnframes() > 5 * spoken.getframerate()
    assert "a tower" in result["video_summary"] and result["timing"]["speak_s"] > 0
    said = capsys.readouterr().err
    assert "a tower" in said and f"{len(result['triggers'])} events" in said


def test_people_who_enter_one_by_one_move(tmp_path: Path) -> None:
    video = shared_video("one_by_one_person.mp4")
    result = analyzed(video, tmp_path / "m.json", "--trigger", "motion", "--describe", "none")
    assert 7 <= len(result["triggers"]) <= 16
    assert all(t["end_s"] - t["start_s"] < 8 for t in result["triggers"])
    fewer = analyzed(
        video, tmp_path / "f.json", "--trigger", "motion", "--max-events", 3, "--describe", "none"
    )
    assert len(fewer["triggers"]) == 3
    assert fewer["num_left_out"] == len(result["triggers"]) - 3


def test_a_quiet_video_stays_quiet_at_a_low_threshold(tmp_path: Path) -> None:
    result = analyzed(
        gradio_media("world.mp4"), tmp_path / "q.json", "--threshold", 0.05,
        "--trigger", "change of scene", "--trigger", "change of motion",
    )  # fmt: skip
    assert result["triggers"] == []
    assert "Nothing of it is found with confidence." in result["video_summary"]


def test_speech_that_cannot_be_written_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    out, sound = tmp_path / "s.json", tmp_path / "a file" / "s.wav"
    cuts = ("--trigger", "change of scene", "--describe", "none", "--speech", sound)
    assert run("triggers", EXAMPLES / "cuts.mp4", *cuts, "--json", out) == 2
    assert json.loads(out.read_text("utf-8"))["num_triggers_detected"] > 0


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test leaves the machine, and no model that lies on it is used."""
    monkeypatch.setenv("FRAMESCRY_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr("models.hub.why_not_asked", lambda: "the model hub cannot be reached")


@pytest.mark.usefixtures("offline")
def test_what_is_not_here_is_one_sentence_beside_the_events(tmp_path: Path) -> None:
    result = analyzed(
        EXAMPLES / "tour.mp4", tmp_path / "h.json", "--trigger", "change of scene",
        "--detector", "detr-resnet-50", "--describe", "smolvlm2-500m", "--max-events", 2,
    )  # fmt: skip
    assert len(result["triggers"]) == 2
    assert len(result["remarks"]) == 2 and all(r.endswith(".") for r in result["remarks"])
    assert "detr-resnet-50" in result["remarks"][0]


def test_defaults_that_do_not_come_with_the_program_are_said(tmp_path: Path) -> None:
    cuts = ("--trigger", "change of scene", "--max-events", 1)
    result = analyzed(EXAMPLES / "cuts.mp4", tmp_path / "d.json", *cuts)
    assert (NO_DETECTOR in result["remarks"]) == ("compact_detector" not in registry.MODELS)
    assert (NO_DESCRIBER in result["remarks"]) == ("captioner" not in registry.MODELS)


@pytest.mark.parametrize(
    "options",
    [
        ("--trigger", ""), ("--trigger", "a car @ 3"), ("--threshold", 0), ("--max-events", 0),
        ("--describe", "gpt"), ("--detector", "yolo"), ("--trigger", "猫"),
        ("--example", "missing.jpg"), ("--trigger", "a car", "--trigger", "A CAR"),
        ("--like", "nan"), ("--fps", 0),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(
    options: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b.json"
    more = ("--trigger", "a car") if options[0] in ("--threshold", "--max-events") else ()
    assert run("triggers", EXAMPLES / "cuts.mp4", *options, *more, "--json", out) == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and said.startswith("framescry: ") and said.endswith(".")
    assert not out.exists()
