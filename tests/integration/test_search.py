"""Searching real videos with the models that are shipped: by words, by a picture, by a moment."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.cli import main
from app.pipelines.requests import SearchRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from models.errors import RequestError
from models.types import Pixels, VideoInfo
from models.video.source import VideoSource
from tests.media import cached_kind
from tests.real_media import gradio_media, shared_video


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: a video is looked at once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def shared_data_dir(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(data_dir))


@pytest.fixture
def services(data_dir: Path) -> Services:
    return Services(replace(Settings(), data_dir=data_dir))


def inspected(services: Services, path: Path) -> VideoInfo:
    return [step for step in services.inspect_file(path) if isinstance(step, Done)][0].value


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def searched(video: Path, out: Path, *options: object) -> dict:  # type: ignore[type-arg]
    assert run("search", video, *options, "--json", out) == 0
    return json.loads(out.read_text("utf-8"))  # type: ignore[no-any-return]


def frame_at(path: Path, number: int, short_side_px: int) -> tuple[float, Pixels]:
    """The sampled frame of that number, large."""
    with VideoSource(path) as source:
        seen = [
            (float(time_s), frame)
            for batch in source.sample(2.0, short_side_px=short_side_px)
            for time_s, frame in zip(batch.times_s, batch.pixels, strict=True)
        ]
    return seen[number]


def test_the_json_is_as_promised_and_the_curve_has_every_sampled_frame(tmp_path: Path) -> None:
    video = gradio_media("world.mp4")
    assert run("frames", video, "--fps", 2, "--json", tmp_path / "frames.json") == 0
    times = json.loads((tmp_path / "frames.json").read_text())["times_s"]
    found = searched(video, tmp_path / "s.json", "the planet earth seen from space", "--top", 3)
    assert found["schema_version"] == "1.0" and found["video"]["name"] == "world.mp4"
    assert found["query"] == "the planet earth seen from space"
    assert found["model"]["name"] == "compact" and len(found["model"]["hash"]) == 64
    assert [point["time_s"] for point in found["curve"]] == times
    assert all(0 <= point["score"] <= 1 for point in found["curve"])
    listed = found["moments"]
    assert found["confident"] is (listed[0]["probability"] >= 0.5) and len(listed) <= 3
    end_s = found["video"]["start_s"] + found["video"]["duration_s"]
    assert listed
    for moment in listed:
        assert 0 <= moment["start_s"] <= moment["time_s"] <= moment["end_s"] <= end_s + 1e-6
        assert moment["end_s"] - moment["start_s"] >= 0.5 - 1e-6
        assert 0 <= moment["probability"] <= moment["score"] <= 1


@pytest.mark.parametrize("number", [2, 11, 17])
def test_a_frame_of_the_video_finds_its_own_time(
    services: Services, tmp_path: Path, number: int
) -> None:
    """As pixels, as a picture file, and as a moment."""
    path = shared_video("scene_cuts.mp4")
    time_s, frame = frame_at(path, number, short_side_px=272)
    video = inspected(services, path)
    steps = list(services.search(video, SearchRequest(picture=frame)))
    best = steps[-1].result.moments[0]  # type: ignore[union-attr]
    assert best.start_s <= time_s < best.end_s and best.probability > 0.5
    picture = tmp_path / "frame.png"
    cv2.imwrite(str(picture), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    first = searched(path, tmp_path / "s.json", "--image", picture)["moments"][0]
    assert first["start_s"] <= time_s < first["end_s"]
    own = searched(path, tmp_path / "s.json", "--like", time_s + 0.1)["moments"][0]
    assert own["time_s"] == pytest.approx(time_s, abs=1e-5)


def test_partial_results_come_while_the_video_is_read_and_closing_stops_it(
    services: Services,
) -> None:
    video = inspected(services, shared_video("one_by_one_person.mp4"))
    request = SearchRequest("a person walks through a room", fps=4.0)
    steps = services.search(video, request)
    for step in steps:
        if step.result is not None:
            break
    assert not step.complete and step.result is not None
    assert step.result.sampling.depth == "first look" and len(step.result.curve) >= 1
    steps.close()  # type: ignore[attr-defined]
    assert not services.is_indexed(video, request)


def test_a_second_query_decodes_nothing(services: Services) -> None:
    video = inspected(services, gradio_media("world.mp4"))
    list(services.search(video, SearchRequest("anything")))
    (step,) = services.search(video, SearchRequest("a dog -cat"))
    assert step.complete and step.result is not None
    assert step.performance.from_index and step.performance.frames_processed == 0


def test_every_file_is_written_and_the_cut_has_its_sound(tmp_path: Path) -> None:
    video = gradio_media("world.mp4")
    found = searched(
        video, tmp_path / "s.json", "--csv", tmp_path / "s.csv", "--vtt", tmp_path / "s.vtt",
        "--cut", tmp_path / "new folder" / "best.mp4", "--top", 4, "a", "globe", "-cat",
    )  # fmt: skip
    assert found["query"] == "a globe -cat", "the words need no quotes and may come last"
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["moments"])
    assert (tmp_path / "s.vtt").read_text().startswith("WEBVTT")
    best = found["moments"][0]
    with av.open(str(tmp_path / "new folder" / "best.mp4")) as cut:
        assert {stream.codec_context.name for stream in cut.streams} == {"h264", "aac"}
        assert cut.duration is not None
        assert cut.duration / 1e6 == pytest.approx(best["end_s"] - best["start_s"], abs=0.15)


def test_the_name_of_an_exported_moment_says_where_it_begins(services: Services) -> None:
    video = inspected(services, gradio_media("world.mp4"))
    (step,) = services.search(video, SearchRequest(at_s=video.end_s))
    assert step.result is not None
    span = step.result.moments[0].span
    made = [s for s in services.files.write_moment(video, span) if isinstance(s, Done)][0].value
    assert made.suffix == ".mp4" and made.name.startswith("world.") and made.stat().st_size > 1000
    for kind in ("json", "csv", "vtt"):
        assert services.files.write(kind, step.result).stat().st_size > 20


@pytest.mark.parametrize("kind", ["one_frame.mp4", "no_length.mkv", "late_start.mkv"])
def test_odd_videos_have_moments_that_can_be_cut(
    services: Services, kind: str, tmp_path: Path
) -> None:
    path = cached_kind(kind)
    found = searched(path, tmp_path / "s.json", "a picture", "--cut", tmp_path / "cut.mp4")
    for moment in found["moments"]:
        assert moment["end_s"] > moment["start_s"] >= found["video"]["start_s"]
    assert (tmp_path / "cut.mp4").stat().st_size > 500


@pytest.mark.parametrize(
    "options",
    [
        ("",), (" -cat",), ("собака",), ("🐕",), ("dog", "--encoder", "backbone"),
        ("dog", "--encoder", "nothing"), ("dog", "--like", "3"), ("--like", "nan"),
        ("dog", "--top", "0"), ("--image", "text.png"), ("--image", "missing.png"),
        ("--image", "huge.png"), ("--image", "."),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_one_sentence(
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("This is no picture. " * 50)
    cv2.imwrite("huge.png", np.zeros((1, 1, 3), np.uint8))
    data = bytearray(Path("huge.png").read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2  # the header promises 3.6 gigapixels
    Path("huge.png").write_bytes(data)
    video = gradio_media("b.mp4")
    assert run("search", video, *options, "--json", tmp_path / "o.json") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.rstrip().endswith("."), said
    assert str(tmp_path) not in said and not (tmp_path / "o.json").exists()


def test_a_query_as_long_as_a_book_is_cut_off(services: Services) -> None:
    video = inspected(services, gradio_media("world.mp4"))
    step = list(services.search(video, SearchRequest("the earth " * 10**5)))[-1]
    assert step.result is not None and len(step.result.query) <= 500


def test_an_encoder_that_cannot_search_is_refused_before_any_work(services: Services) -> None:
    video = inspected(services, gradio_media("world.mp4"))
    with pytest.raises(RequestError, match="does not search"):
        services.search(video, SearchRequest("dog", encoder="keyframe_scorer"))


def test_the_models_are_listed_with_their_hashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("models") == 0
    table = capsys.readouterr().out
    assert run("models", "--json", tmp_path / "m.json") == 0
    listed = {m["name"]: m for m in json.loads((tmp_path / "m.json").read_text())["models"]}
    assert {"colour", "backbone", "compact", "keyframe_scorer"} <= set(listed)
    assert listed["colour"]["hash"] is None
    for name in ("backbone", "compact"):
        assert listed[name]["problem"] is None and listed[name]["metrics"]
        assert listed[name]["hash"][:12] in table and name in table
