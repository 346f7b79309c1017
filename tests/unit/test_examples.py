"""The example videos: small, playable at once, and with something in them for every tab."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from models.video.probe import probe
from models.video.transcode import browser_plays

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "examples"
LISTED: list[dict[str, Any]] = json.loads((FOLDER / "examples.json").read_text())
NAMES = [entry["name"] for entry in LISTED]
MOST_BYTES = 2_500_000


def example(name: str) -> dict[str, Any]:
    return next(entry for entry in LISTED if entry["name"] == name)


def small_frames(name: str) -> tuple[np.ndarray, list[bool]]:
    """Every frame at 64x36, and whether it is a key frame."""
    with av.open(str(FOLDER / example(name)["file"])) as file:
        frames = list(file.decode(video=0))
    shown = [frame.reformat(64, 36, "rgb24").to_ndarray() for frame in frames]
    return np.stack(shown).astype(np.float32), [bool(frame.key_frame) for frame in frames]


def steps_of(frames: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))


def cuts_of(frames: np.ndarray) -> np.ndarray:
    """The frames that start a new shot."""
    return np.flatnonzero(steps_of(frames) > 20.0) + 1


def test_the_three_are_there_and_small() -> None:
    assert NAMES == ["tour", "people", "cuts"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES
    listed = {entry[key] for entry in LISTED for key in ("file", "poster")}
    assert {path.name for path in FOLDER.iterdir()} == listed | {"examples.json"}


@pytest.mark.parametrize(("name", "about_s"), [("tour", 40), ("people", 20), ("cuts", 15)])
def test_an_example_is_what_its_button_says(name: str, about_s: int) -> None:
    entry = example(name)
    info = probe(FOLDER / entry["file"])
    assert info.duration_s == pytest.approx(entry["duration_s"], abs=0.05)
    assert info.duration_s == pytest.approx(about_s, abs=1.1)
    assert (info.width, info.height, info.fps) == (640, 360, 25)
    assert browser_plays(FOLDER / entry["file"])
    assert entry["label"]


@pytest.mark.parametrize("name", NAMES)
def test_a_poster_is_a_frame_of_its_video(name: str) -> None:
    poster = cv2.imread(str(FOLDER / example(name)["poster"]))
    assert poster is not None and poster.shape == (270, 480, 3)
    small = cv2.resize(poster, (64, 36), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    frames, _ = small_frames(name)
    assert np.abs(frames - small).mean(axis=(1, 2, 3)).min() < 6.0


@pytest.mark.parametrize(("name", "shots"), [("tour", 7), ("people", 5), ("cuts", 10)])
def test_hard_cuts_lie_where_shots_meet_and_start_with_a_key_frame(name: str, shots: int) -> None:
    frames, is_key = small_frames(name)
    cuts = cuts_of(frames)
    assert len(cuts) == shots - 1
    assert all(is_key[cut] for cut in cuts)
    assert all(later - earlier >= 30 for earlier, later in pairwise([0, *cuts, len(frames)]))
    assert np.median(steps_of(frames)) > 0.2  # between the cuts something moves as well


@pytest.mark.parametrize("name", NAMES)
def test_somebody_speaks_in_every_shot(name: str) -> None:
    with av.open(str(FOLDER / example(name)["file"])) as file:
        stream = file.streams.audio[0]
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(stream)])
        seconds = len(sound) / stream.rate
    assert seconds == pytest.approx(example(name)["duration_s"], abs=0.1)
    assert 0.3 < np.abs(sound).max() < 0.99
    frames, _ = small_frames(name)
    per_frame = len(sound) / len(frames)
    shots = np.split(np.abs(sound), (cuts_of(frames) * per_frame).astype(int))
    assert all(shot.max() > 0.1 for shot in shots)
