"""Segments that slide over a video: every moment is in one, and memory does not grow."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.types import FrameBatch
from models.video.segments import Segment, SegmentPlan, slide
from models.video.source import VideoSource
from tests.media import Recipe, even_times, make_video, read_number


def segments_of(path: Path, plan: SegmentPlan) -> list[Segment]:
    with VideoSource(path) as source:
        found = slide(
            iter(source.sample(plan.fps, short_side_px=None)),
            plan,
            source.info.start_s,
            source.info.end_s,
        )
        return [segment for segment in found if segment is not None]


def numbers(segment: Segment) -> list[int]:
    return [read_number(picture) for picture in segment.pixels]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds, thirty frames each, every frame with its number."""
    folder = tmp_path_factory.mktemp("segments")
    return make_video(folder / "five.mp4", Recipe(times_s=even_times(150), size=(160, 120)))


def test_side_by_side_shows_every_moment_once_and_the_tail_again(video: Path) -> None:
    found = segments_of(video, SegmentPlan(frames=8, segment_s=0.8, every_s=0.8))
    assert [numbers(s) for s in found[:2]] == [
        [0, 3, 6, 9, 12, 15, 18, 21], [24, 27, 30, 33, 36, 39, 42, 45],
    ]  # fmt: skip
    assert len(found) == 7, "six fit, and one more ends with the video"
    assert numbers(found[-1]) == [126, 129, 132, 135, 138, 141, 144, 147]
    for segment in found:
        assert np.allclose(segment.times_s, np.array(numbers(segment)) / 30, atol=1e-6)


def test_segments_may_overlap_or_lie_apart(video: Path) -> None:
    close = segments_of(video, SegmentPlan(8, 0.8, 0.4))
    assert [numbers(s)[0] for s in close] == [0, 12, 24, 36, 48, 60, 72, 84, 96, 108, 120, 126]
    apart = segments_of(video, SegmentPlan(8, 0.8, 2.0))
    assert [numbers(s)[0] for s in apart] == [0, 60, 120]


def test_a_video_with_fewer_frames_shows_some_again(tmp_path: Path) -> None:
    slow = make_video(tmp_path / "slow.mp4", Recipe(times_s=even_times(10, 5), fps=5))
    found = segments_of(slow, SegmentPlan(10, 1.0, 1.0))
    assert numbers(found[0]) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] and len(found) == 2
    assert numbers(found[1])[-1] == 9


def test_a_video_shorter_than_a_segment_is_one(tmp_path: Path) -> None:
    short = make_video(tmp_path / "short.mp4", Recipe(times_s=even_times(6)))
    (only,) = segments_of(short, SegmentPlan(8, 1.6, 1.6))
    assert numbers(only) == [0] * 8 and only.pixels.shape[0] == 8
    (only,) = segments_of(short, SegmentPlan(8, 0.5, 0.5))
    assert numbers(only) == [0, 0, 1, 1, 3, 3, 5, 5], "as slowly as it takes"


def test_a_still_of_an_hour_stays_small() -> None:
    """Frames are dropped once no segment needs them, however many there were."""
    alive, most = set[int](), [0]

    def batches() -> Iterator[FrameBatch | None]:
        for number in range(2000):
            pixels = np.full((10, 4, 4, 3), number % 250, np.uint8)
            alive.add(number)
            weakref.finalize(pixels, alive.discard, number)
            most[0] = max(most[0], len(alive))
            yield FrameBatch(pixels, (number * 10 + np.arange(10)) / 10)
            yield None

    plan = SegmentPlan(16, 1.6, 1.6)
    count = sum(segment is not None for segment in slide(batches(), plan, 0.0, 2000.0))
    assert count == 1250 and most[0] <= 5


@pytest.mark.parametrize("plan", [(0, 1.0, 1.0), (8, 0.0, 1.0), (8, 1.0, -1.0)])
def test_odd_plans_are_refused(plan: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match="received"):
        SegmentPlan(*plan)
