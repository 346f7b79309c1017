"""Annotations are read and written whole, come from real labels, and are looked through by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from app.review import Review
from models.annotations import (
    Annotations,
    MarkedEvent,
    MarkedVideo,
    read_annotations,
    write_annotations,
)
from models.errors import RequestError
from tests.unit.trigger_video_toys import LENGTH_S, write_video
from train import annotate_triggers
from train.annotation_files import read_labels, seconds_of
from train.annotation_query import Found

EVENT = MarkedEvent("a fight", 1.0, 2.5, 1.5, "query", "proposed", 0.83, "two people fight")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(("one.mp4", "two.mp4", "fall/three.mp4", "normal/four.mp4")):
        write_video(folder / name, (), number)
    return folder


def test_what_is_written_is_read_and_has_the_published_keys(tmp_path: Path) -> None:
    other = MarkedEvent("a fall", 3.0, 4.0, 3.5)
    whole = Annotations((MarkedVideo("one.mp4", (EVENT, other), "a yard"), MarkedVideo("two.mp4")),
                        ("a fight", "a fall"))  # fmt: skip
    path = write_annotations(tmp_path / "annotations.json", whole)
    assert read_annotations(path) == whole
    video = json.loads(path.read_text())["videos"][0]
    assert video["video_path"] == "one.mp4" and video["description"] == "a yard"
    trigger = video["triggers"][0]
    assert (trigger["timestamp"], trigger["label"]) == (1.5, 1)
    assert (trigger["start"], trigger["end"], trigger["source"]) == (1.0, 2.5, "query")
    assert (trigger["review"], trigger["probability"]) == ("proposed", 0.83)
    assert video["triggers"][1]["label"] == 2


def test_a_file_of_the_published_system_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "published.json"
    triggers = [{"timestamp": 5.2, "label": 1, "description": "x"}, {"timestamp": 9, "label": 0}]
    video = {"video_path": "a.mp4", "triggers": triggers, "description": ""}
    path.write_text(json.dumps({"videos": [video]}))
    (event,) = read_annotations(path).videos[0].events
    assert (event.label, event.start_s, event.end_s) == ("event", pytest.approx(4.2), 6.2)


@pytest.mark.parametrize("text", ["[]", "{", '{"videos": [{"video_path": "a", "triggers": [{}]}]}'])
def test_what_is_none_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(RequestError, match="broken.json"):
        read_annotations(path)


@pytest.mark.parametrize(
    ("text", "seconds"), [("5.2", 5.2), ("05:20", 320), ("1:02:03.5", 3723.5), ("5m20s", 320)]
)
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)


def test_what_is_no_time_does_not_become_zero() -> None:
    with pytest.raises(ValueError, match="a time is such as"):
        seconds_of("soon")


def test_labels_from_a_table(tmp_path: Path, videos: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "video_path,start,end,label,description\n"
        "one.mp4,1.0,0:02.5,a fight,two people\n"
        "one.mp4,5,99,a fall,\n"
        "one.mp4,50,60,a fall,\n"
        "two.mp4,1,2,0,\n"
        "gone.mp4,1,2,a fight,\n"
    )
    said: list[str] = []
    found = read_labels(table, videos, said.append)
    one, two = found.videos
    assert [(e.label, e.start_s, e.end_s) for e in one.events] == [
        ("a fight", 1.0, 2.5), ("a fall", 5.0, pytest.approx(LENGTH_S, abs=0.2)),
    ]  # fmt: skip
    assert two.path == "two.mp4" and two.events == (), "label 0 says that there is none"
    assert len(said) == 2 and "gone.mp4" in " ".join(said)


def test_labels_from_activitynet_subtitles_and_class_folders(tmp_path: Path, videos: Path) -> None:
    segments = {"database": {"one": {"annotations": [{"segment": [1, 2], "label": "a fight"}]}}}
    (tmp_path / "net.json").write_text(json.dumps(segments))
    (event,) = read_labels(tmp_path / "net.json", videos).videos[0].events
    assert (event.label, event.start_s, event.end_s) == ("a fight", 1.0, 2.0)
    cues = tmp_path / "cues"
    cues.mkdir()
    (cues / "two.vtt").write_text("WEBVTT\n\n1\n00:01.000 --> 00:02.000\na fight\n")
    (event,) = read_labels(cues, videos).videos[0].events
    assert (event.label, event.start_s) == ("a fight", 1.0)
    by_class = {video.path: video for video in read_labels(videos, videos).videos}
    assert set(by_class) == {"fall/three.mp4", "normal/four.mp4"}
    (whole,) = by_class["fall/three.mp4"].events
    assert whole.label == "fall" and whole.end_s - whole.start_s > 5
    assert by_class["normal/four.mp4"].events == ()


class KnowsOneMoment:
    def __init__(self, *_: object) -> None: ...

    def find(self, path: Path, words: str) -> list[Found]:
        return [Found(1.0, 2.0, 1.5, 0.71)] if path.stem == "one" else []


def test_a_query_proposes_and_adds_to_what_is_there(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotate_triggers, "Finder", KnowsOneMoment)
    target = tmp_path / "annotations.json"
    by_hand = MarkedEvent("a fight", 4.0, 5.0, 4.5, "hand")
    write_annotations(target, Annotations((MarkedVideo("one.mp4", (by_hand,)),)))
    asked = ["query", "a person falls", "--videos", str(videos), "--to", str(target)]
    for _ in range(2):  # asked again, nothing is there twice
        assert annotate_triggers.main(asked) == 0
    video = read_annotations(target).video("one.mp4")
    assert by_hand in video.events and len(video.events) == 2
    proposed = video.events[0]
    assert (proposed.label, proposed.review, proposed.probability) == (
        "a person falls", "proposed", 0.71,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["../secret.mp4", "/etc/secret.mp4", "fall/../../secret.mp4"])
def test_videos_beside_the_folder_are_not_shown(tmp_path: Path, videos: Path, path: str) -> None:
    target = write_annotations(
        tmp_path / "annotations.json", Annotations((MarkedVideo(path, (EVENT,)),))
    )
    with pytest.raises(RequestError, match="not in the folder of videos"):
        Review(target, videos)


def test_every_change_is_saved_at_once_and_can_be_taken_back(tmp_path: Path, videos: Path) -> None:
    target = write_annotations(
        tmp_path / "annotations.json", Annotations((MarkedVideo("one.mp4", (EVENT,)),))
    )
    review = Review(target, videos)
    assert review.paths[0] == "one.mp4" and set(review.paths) > {"two.mp4", "fall/three.mp4"}
    number = review.entries("one.mp4")[0].number

    def saved() -> tuple[MarkedEvent, ...]:
        return read_annotations(target).video("one.mp4").events

    review.judge("one.mp4", number, "rejected")
    assert saved()[0].review == "rejected"
    review.judge("one.mp4", number, "accepted")
    review.move("one.mp4", number, 0.5, 1.25)
    assert (saved()[0].start_s, saved()[0].end_s, saved()[0].time_s) == (0.5, 1.25, 1.25)
    assert saved()[0].source == "hand" and saved()[0].probability == 0.83, "which is kept"
    review.name("one.mp4", number, "  a   brawl ")
    assert saved()[0].label == "a brawl"
    review.add("one.mp4", 5.5, "a fall", LENGTH_S)
    assert (saved()[1].start_s, saved()[1].end_s, saved()[1].review) == (5.5, 6.0, "accepted")
    for _ in range(5):
        assert review.undo() == "one.mp4"
    assert saved() == (EVENT,) and review.undo() is None


def test_what_cannot_be_is_refused_and_changes_nothing(tmp_path: Path, videos: Path) -> None:
    target = write_annotations(
        tmp_path / "annotations.json", Annotations((MarkedVideo("one.mp4", (EVENT,)),))
    )
    review = Review(target, videos)
    before = target.read_text()
    number = review.entries("one.mp4")[0].number
    for change in (
        lambda: review.move("one.mp4", number, 3.0, 2.0),
        lambda: review.name("one.mp4", number, " "),
        lambda: review.judge("one.mp4", 99, "accepted"),
        lambda: review.judge("other.mp4", number, "accepted"),
    ):
        with pytest.raises(RequestError):
            change()
    assert target.read_text() == before and not review.can_undo


def test_the_search_finds_what_its_own_model_says(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stand-ins for the two networks; what is done with their numbers is the real thing."""
    from models import registry
    from train.annotation_query import Finder

    class Eyes:
        name, weights_hash, dim, short_side_px = "eyes", None, 4, 32

        def encode_frames(self, frames: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            rows = np.tile(np.float32([1, 0, 0, 0]), (len(frames), 1))
            rows[frames[..., 0].mean((1, 2)) > 120] = [0, 1, 0, 0]
            return rows

    class Reader:
        name, index_encoder, certainty = "compact", "eyes", "measured"

        def project(self, rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            return rows

        def encode_texts(self, texts: list[str]) -> np.ndarray:  # type: ignore[type-arg]
            return np.float32([[0, 1, 0, 0]])

        def reads(self, text: str) -> bool:
            return True

        def probability(self, scores: np.ndarray, searched: int = 1) -> np.ndarray:  # type: ignore[type-arg]
            return np.where(scores > 0.5, 0.9, 0.02).astype(np.float32)

        picture_probability = probability

    monkeypatch.setattr(registry, "load", lambda name: Reader() if name == "compact" else Eyes())
    path = write_video(videos / "red.mp4", ((2.0, 4.0),), 9)
    (found,) = Finder("compact", 0.5, 2.0).find(path, "a red square")
    path.unlink()
    assert found.start_s == pytest.approx(2.0, abs=0.6) and found.end_s == pytest.approx(
        4.0, abs=0.6
    )
    assert 0.5 < found.probability < 1
