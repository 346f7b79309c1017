"""Segments that slide over a video: so many pictures each, evenly in time, and none kept longer.

A moment shows the frame that is on screen then. So a segment has as many pictures as it should,
also where a video has fewer frames a second, stands still, or is shorter than one segment.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from models.types import FrameBatch, Pixels, Times
from models.video.sampling import LARGEST_DENOMINATOR

MARGIN_S = 1e-6
MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """`every_s`: from where one segment begins to where the next one does."""

    frames: int
    segment_s: float
    every_s: float

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"a segment has at least 1 frame, received {self.frames}")
        if self.segment_s <= 0 or self.every_s <= 0:
            raise ValueError(
                f"segments last and lie apart, received {self.segment_s} and {self.every_s}"
            )

    @property
    def fps(self) -> float:
        return self.frames / self.segment_s

    @property
    def step_s(self) -> float:
        return float(1 / Fraction(self.fps).limit_denominator(LARGEST_DENOMINATOR))

    @property
    def shown(self) -> int:
        """How many pictures of a segment are kept for people: its first, middle and last."""
        return min(MOST_SHOWN, self.frames)

    @property
    def hop(self) -> int:
        """Moments from the beginning of a segment to that of the next."""
        return max(1, round(self.every_s / self.step_s))


@dataclass(frozen=True, slots=True)
class Segment:
    """Pictures u8 RGB [T, H, W, 3], and the moments at which they are on screen."""

    pixels: Pixels
    times_s: Times


def slide(
    batches: Iterator[FrameBatch | None], plan: SegmentPlan, start_s: float, end_s: float
) -> Iterator[Segment | None]:
    """Every segment in order; the last one ends with the video, so that its end is never left out.

    `batches`: as VideoSource.sample(plan.fps) gives them. None is passed on: nothing is there yet.
    """
    seen: deque[tuple[float, Pixels]] = deque(maxlen=plan.frames)
    count, begins, covered = 0, 0, 0  # moments so far, of the next segment's start, of the last end
    for moment in _moments(batches, plan.step_s, start_s, end_s):
        if moment is None:
            yield None
            continue
        seen.append(moment)
        count += 1
        if count == begins + plan.frames:
            covered, begins = count, begins + plan.hop
            yield _joined(seen, range(plan.frames))
    if covered < count and begins < count:
        places = np.linspace(0, len(seen) - 1, plan.frames).round().astype(int)
        yield _joined(seen, places.tolist())


def _moments(
    batches: Iterator[FrameBatch | None], step_s: float, start_s: float, end_s: float
) -> Iterator[tuple[float, Pixels] | None]:
    """At each moment start, start + step, ... before the end: the frame that is on screen."""
    shown: Pixels | None = None
    number = 0
    for batch in batches:
        if batch is None:
            yield None
            continue
        for time_s, frame in zip(batch.times_s.tolist(), batch.pixels, strict=True):
            while shown is not None and start_s + number * step_s < time_s - MARGIN_S:
                yield start_s + number * step_s, shown
                number += 1
            shown = frame
    while shown is not None and (number == 0 or start_s + number * step_s < end_s - MARGIN_S):
        yield start_s + number * step_s, shown
        number += 1


def _joined(seen: deque[tuple[float, Pixels]], places: range | list[int]) -> Segment:
    return Segment(
        np.stack([seen[at][1] for at in places]), np.array([seen[at][0] for at in places])
    )
