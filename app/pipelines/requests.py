"""What a person asks of each tab, checked before any work starts."""

import math
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from app.pipelines.query import parse_query, tidy
from app.wording import clock
from models.errors import RequestError
from models.summary_methods import method_named
from models.types import Pixels

DEFAULT_METHOD = "keyframe_scorer"
DEFAULT_ENCODER = "backbone"  # whose index every tab reads: a video is looked at once
DEFAULT_SEARCHER = "compact"
DEFAULT_RATIO = 0.15


@dataclass(frozen=True, slots=True)
class SummaryRequest:
    """Which moments to choose: so many keyframes, or so large a share of the time.

    `compare` is a method whose curve is shown beside; `query` are words that steer the choice.
    `threshold`: of segments, the squared distance that is a change; None follows the video.
    """

    method: str = DEFAULT_METHOD
    keyframes: int | None = None
    ratio: float | None = None
    spacing_s: float = 1.0
    fps: float = 2.0
    encoder: str = DEFAULT_ENCODER
    compare: str | None = None
    query: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        for method in (self.method, self.compare):
            if method is not None:
                method_named(method)
        if self.compare == self.method and self.query is None:
            raise RequestError("Choose another method to compare with: both are the same.")
        if self.query is not None:
            parse_query(self.query)
        if self.keyframes is not None and self.ratio is not None:
            raise RequestError(
                "Give either a number of keyframes or a share of the time, not both."
            )
        if self.keyframes is not None and not 1 <= self.keyframes <= 500:
            raise RequestError(f"Keyframes must be between 1 and 500, not {self.keyframes}.")
        if self.ratio is not None and not 0 < self.ratio <= 1:
            raise RequestError(
                f"The share of the time must be above 0 and at most 1, not {self.ratio}."
            )
        if self.threshold is not None and not 0 < self.threshold < math.inf:
            raise RequestError(f"A change must be a number above 0, not {self.threshold}.")
        if self.spacing_s < 0:
            raise RequestError(f"Spacing must not be negative, not {self.spacing_s}.")
        check_fps(self.fps)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to find: words, or a picture, or what a frame of the video itself shows."""

    query: str = ""
    picture: Pixels | None = field(default=None, compare=False, repr=False)  # u8 RGB [H, W, 3]
    at_s: float | None = None
    top: int = 12
    fps: float = 2.0
    encoder: str = DEFAULT_SEARCHER

    def __post_init__(self) -> None:
        asked = (bool(self.query.strip()), self.picture is not None, self.at_s is not None)
        if sum(asked) > 1:
            raise RequestError("Search by words, by a picture or by a moment, one at a time.")
        if self.picture is not None:
            _check_picture(self.picture)
        elif self.at_s is None:
            parse_query(self.query)
        elif not math.isfinite(self.at_s):
            raise RequestError(f"The moment must be a time in seconds, not {self.at_s}.")
        if not 1 <= self.top <= 500:
            raise RequestError(f"Moments must be between 1 and 500, not {self.top}.")
        check_fps(self.fps)

    @property
    def title(self) -> str:
        """The query as it is shown again."""
        if self.picture is not None:
            return "a picture"
        return tidy(self.query) if self.at_s is None else f"more like {clock(self.at_s)}"


@dataclass(frozen=True, slots=True)
class LibraryRequest:
    """What to find among all videos whose name holds `name` and that were added in these days."""

    query: str
    name: str = ""
    since: date | None = None
    until: date | None = None  # that day included
    top: int = 12
    encoder: str = DEFAULT_SEARCHER

    def __post_init__(self) -> None:
        parse_query(self.query)
        if not 1 <= self.top <= 100:
            raise RequestError(f"Moments must be between 1 and 100, not {self.top}.")
        if self.since and self.until and self.until < self.since:
            raise RequestError(f"No day is both after {self.since} and before {self.until}.")

    @property
    def title(self) -> str:
        """The query as it is shown again."""
        return tidy(self.query)


def read_day(text: str) -> date | None:
    """A day as people write it into a field; None for an empty one.

    Raises:
        RequestError: it is no date.
    """
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = date.min
    if not 1970 < day.year < 9000:  # else it has no seconds since 1970 everywhere
        raise RequestError(
            f"{tidy(text)[:40]!r} is no date; write it as year-month-day, such as 2026-01-31."
        )
    return day


def _check_picture(picture: Pixels) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is u8 [H, W, 3], received {picture.dtype} {picture.shape}")
    if min(picture.shape) < 1:
        raise RequestError("The picture is empty; choose another one.")


def check_fps(fps: float) -> None:
    """Raises RequestError where no video is looked at so seldom or so often."""
    if not 0.05 <= fps <= 60:
        raise RequestError(f"Frames a second must be between 0.05 and 60, not {fps}.")
