"""The command line on real videos: what it writes, its exit codes, its one line for bad input."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from app.cli import main
from models.summary_methods import METHODS
from tests.real_media import gradio_media, shared_media, shared_video


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def summary(video: Path, out: Path, *options: object) -> dict:  # type: ignore[type-arg]
    assert run("summarize", video, "--json", out, *options) == 0
    return json.loads(out.read_text("utf-8"))  # type: ignore[no-any-return]


def test_every_shared_video_goes_through(tmp_path: Path) -> None:
    for video in shared_media():
        assert run("probe", video, "--json", tmp_path / "probe.json") == 0, video.name
        probed = json.loads((tmp_path / "probe.json").read_text())
        assert run("frames", video, "--fps", 2, "--json", tmp_path / "frames.json") == 0
        times = json.loads((tmp_path / "frames.json").read_text())["times_s"]
        assert times == sorted(set(times)) and len(times) >= 2 * probed["duration_s"] * 0.9 - 1
        result = summary(video, tmp_path / "summary.json")
        assert result["video"] == probed
        assert [frame["time_s"] for frame in result["frames"]] == times, video.name
        assert {k["time_s"] for k in result["keyframes"]} <= set(times)
        assert result["shots"][0]["start_s"] == times[0]
        assert result["shots"][-1]["end_s"] == pytest.approx(
            max(probed["start_s"] + probed["duration_s"], times[-1]), abs=1e-3
        )


def test_upright_and_in_proportion(tmp_path: Path) -> None:
    assert run("probe", shared_video("sar_2by3.mp4"), "--json", tmp_path / "p.json") == 0
    probed = json.loads((tmp_path / "p.json").read_text())
    assert (probed["width"], probed["height"]) in {(427, 360), (426, 360), (640, 540)}


def test_every_file_is_written_and_right(tmp_path: Path) -> None:
    video = gradio_media("world.mp4")
    result = summary(
        video, tmp_path / "s.json", "--keyframes", 4, "--csv", tmp_path / "s.csv",
        "--vtt", tmp_path / "s.vtt", "--edl", tmp_path / "s.edl", "--fcpxml", tmp_path / "s.fcpxml",
        "--plot", tmp_path / "new folder" / "s.png", "--frames-dir", tmp_path / "frames",
        "--cut", tmp_path / "cut.mp4",
    )  # fmt: skip
    assert len(result["keyframes"]) == 4
    with (tmp_path / "s.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 5
    assert (tmp_path / "s.vtt").read_text().startswith("WEBVTT")
    assert "TITLE:" in (tmp_path / "s.edl").read_text()
    assert "<fcpxml" in (tmp_path / "s.fcpxml").read_text()
    assert (tmp_path / "new folder" / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert len(list((tmp_path / "frames").glob("*.jpg"))) == 4
    chosen_s = sum(s["end_s"] - s["start_s"] for s in result["shots"] if s["chosen"])
    with av.open(str(tmp_path / "cut.mp4")) as cut:
        assert {stream.codec_context.name for stream in cut.streams} == {"h264", "aac"}
        assert cut.duration is not None
        assert cut.duration / 1e6 == pytest.approx(chosen_s, abs=0.15)


def test_a_second_question_decodes_nothing(tmp_path: Path) -> None:
    video = gradio_media("world.mp4")
    first = summary(video, tmp_path / "1.json")
    second = summary(video, tmp_path / "2.json", "--method", "kmeans")
    assert not first["timing"]["from_index"] and first["timing"]["frames_processed"] > 0
    assert second["timing"]["from_index"] and second["timing"]["frames_processed"] == 0
    assert second["timing"]["decode_s"] == 0


def test_the_same_question_gets_the_same_answer(tmp_path: Path) -> None:
    video = gradio_media("a.mp4")
    for method in METHODS:
        first, second = (summary(video, tmp_path / f"{n}.json", "--method", method) for n in (1, 2))
        assert {**first, "timing": None} == {**second, "timing": None}


def bad_inputs(folder: Path) -> dict[str, Path]:
    made = {
        "empty": folder / "empty.mp4",
        "text": folder / "text.mp4",
        "folder": folder / "folder.mp4",
        "missing": folder / "missing.mp4",
        "sparse": folder / "sparse.mp4",
        "odd name": folder / "a 'quoted\" \n\u202e gpj.mp4",
        "pipe": folder / "pipe.mp4",
    }
    made["empty"].touch()
    made["text"].write_text("This is no video. " * 200)
    made["folder"].mkdir()
    with made["sparse"].open("wb") as file:
        file.truncate(3 * 10**9)
    made["odd name"].write_bytes(b"\0" * 5000)
    os.mkfifo(made["pipe"])
    return made


@pytest.mark.parametrize(
    "kind", ["empty", "text", "folder", "missing", "sparse", "odd name", "pipe"]
)
def test_bad_input_is_one_sentence(
    kind: str, tmp_path: Path, own_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = bad_inputs(tmp_path)[kind]
    for command in ("probe", "frames", "summarize"):
        assert run(command, video, "--json", tmp_path / "out.json") == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert said.startswith("framescry: ") and said.rstrip().endswith(".")
        assert str(tmp_path) not in said and "Traceback" not in said and "\u202e" not in said
    assert not (tmp_path / "out.json").exists()
    assert not list(own_data_dir.rglob("*.mp4")), "nothing may be left behind"


@pytest.mark.parametrize(
    "options",
    [
        ("--keyframes", "0"), ("--ratio", "2"), ("--keyframes", "3", "--ratio", "0.1"),
        ("--method", "best"), ("--fps", "0"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_one_sentence(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = gradio_media("b.mp4")
    assert run("summarize", video, "--json", tmp_path / "o.json", *options) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_link_that_may_not_be_opened_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = "http://169.254.169.254/latest/meta-data"
    assert run("summarize", link, "--json", tmp_path / "o.json") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_it_runs_as_a_module_without_torch_or_a_window(tmp_path: Path) -> None:
    code = (
        "import sys; from app.cli import main; status = main(sys.argv[1:]);"
        "heavy = {'torch', 'transformers', 'timm', 'gradio'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else status)"
    )
    video = gradio_media("b.mp4")
    done = subprocess.run(
        [sys.executable, "-c", code, "summarize", str(video), "--json", "-"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema_version"] == "1.0"
