"""Stretches around the peaks of a score."""

import numpy as np
import pytest

from models.moments import GAP_S, Stretch, count_distinct, find_stretches, smoothed
from models.types import Floats

LIKENESS = 0.8
LOW, HIGH = -6.0, 2.0


def scenes(*lengths: int, seed: int = 0) -> Floats:
    """Frames of scenes that have nothing to do with each other."""
    chance = np.random.default_rng(seed)
    rows = np.eye(32, dtype=np.float32)[np.repeat(np.arange(len(lengths)), lengths)]
    rows += chance.normal(0, 0.01, rows.shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def find(scores: np.ndarray, frames: Floats, wanted: int = 9, fps: float = 2.0) -> list[Stretch]:
    return find_stretches(scores, frames, np.arange(len(scores)) / fps, LIKENESS, wanted)


def test_a_scene_that_matches_is_one_stretch() -> None:
    frames = scenes(10, 8, 12)
    scores = np.full(30, LOW)
    scores[10:18] = HIGH + np.random.default_rng(1).uniform(-0.3, 0.0, 8)
    scores[13] = HIGH + 0.1
    first = find(scores, frames)[0]
    assert first == Stretch(13, 10, 17)


def test_it_ends_where_the_picture_changes_although_the_score_stays() -> None:
    frames = scenes(10, 10)
    scores = np.full(20, HIGH)
    scores[[4, 15]] += 0.2
    assert sorted((s.first, s.last) for s in find(scores, frames)) == [(0, 9), (10, 19)]


def test_it_ends_where_the_score_falls_although_the_picture_stays() -> None:
    frames = scenes(60)
    scores = np.full(60, LOW)
    scores[20:31] = HIGH
    first = find(scores, frames)[0]
    assert (first.first, first.last) == (20, 30)


@pytest.mark.parametrize(("missing", "joined"), [(2, True), (6, False)])
def test_a_short_interruption_does_not_end_it(missing: int, joined: bool) -> None:
    assert (missing + 1) / 2.0 <= GAP_S or not joined
    frames = scenes(20 + missing)
    scores = np.full(20 + missing, HIGH)
    scores[10 : 10 + missing] = LOW
    scores[4] += 0.1
    first = find(scores, frames)[0]
    assert first.last == (19 + missing if joined else 9)


def test_what_is_surely_the_same_is_not_parted_by_how_sure() -> None:
    frames = scenes(40)
    scores = np.full(40, 4.0)
    scores[20] = 15.0
    assert find(scores, frames) == [Stretch(20, 0, 39)]


def test_one_frame_that_stands_out_does_not_beat_a_scene() -> None:
    frames = scenes(40, 40)
    scores = np.full(80, LOW)
    scores[50:60] = 1.0
    scores[20] = 1.2
    assert find(scores, frames)[0].best == 20, "ordered by what the best frame scores"
    assert smoothed(scores, frames)[20] < 0 < smoothed(scores, frames)[55]
    assert 50 <= find(scores, frames, wanted=1)[0].best < 60


def test_a_single_frame_between_two_cuts_keeps_its_score() -> None:
    frames = scenes(10, 1, 10)
    scores = np.full(21, LOW)
    scores[10] = HIGH
    assert smoothed(scores, frames)[10] == pytest.approx(HIGH, abs=0.05)
    assert find(scores, frames)[0] == Stretch(10, 10, 10)


def test_stretches_never_share_a_frame_and_come_best_first() -> None:
    for seed in range(20):
        chance = np.random.default_rng(seed)
        frames = scenes(*chance.integers(1, 60, 12).tolist(), seed=seed)
        scores = np.convolve(chance.normal(0, 3, len(frames) + 4), np.ones(5) / 5, "valid")
        found = find(scores, frames, wanted=200)
        owner = np.zeros(len(frames), int)
        for stretch in found:
            assert stretch.first <= stretch.best <= stretch.last
            assert scores[stretch.best] == scores[stretch.first : stretch.last + 1].max()
            owner[stretch.first : stretch.last + 1] += 1
        assert owner.max() == 1
        assert [scores[s.best] for s in found] == sorted(scores[s.best] for s in found)[::-1]
        assert len(find(scores, frames, wanted=3)) <= 3


def test_a_long_scene_is_followed_to_its_end() -> None:
    scores = np.full(900, HIGH)
    scores[450] += 0.1
    assert find(scores, scenes(900)) == [Stretch(450, 0, 899)]


@pytest.mark.parametrize("frames", [1, 2])
def test_very_short_videos(frames: int) -> None:
    found = find(np.zeros(frames), scenes(frames))
    assert [(s.first, s.last) for s in found] == [(0, frames - 1)]


def test_distinct_pictures_are_counted_once() -> None:
    frames = scenes(10, 3, 7, 1)
    again = np.concatenate([frames, frames[::-1]])
    assert count_distinct(frames, LIKENESS) == count_distinct(again, LIKENESS) == 4
    assert count_distinct(np.repeat(frames, 300, axis=0), LIKENESS) == 4
    assert count_distinct(frames[:1], 1.1) == 1
