"""What stages hand to each other. Frozen, checked on construction, plain numpy inside."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Times = npt.NDArray[np.float64]


def _require(rule: str, holds: bool, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, received {received!r}")


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video, as people see it: upright, with square pixels.

    Times everywhere are the decoder's presentation times in seconds; `start_s` is the first of
    them (0 for nearly every file) and `start_s + duration_s` is where the last frame ends.
    """

    path: Path
    name: str
    content_hash: str
    duration_s: float
    fps: Fraction
    width: int
    height: int
    rotation: int
    has_audio: bool
    codec: str
    start_s: float = 0.0
    coded_width: int = 0
    coded_height: int = 0

    def __post_init__(self) -> None:
        _require(
            "a video has a width and a height",
            self.width > 0 and self.height > 0,
            (self.width, self.height),
        )
        _require("rotation is 0, 90, 180 or 270", self.rotation in (0, 90, 180, 270), self.rotation)
        _require("a duration is not negative", self.duration_s >= 0, self.duration_s)

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Decoded frames in presentation order."""

    pixels: Pixels  # RGB [T, H, W, 3]
    times_s: Times  # [T]

    def __post_init__(self) -> None:
        _require(
            "pixels are u8 [T, H, W, 3]",
            self.pixels.dtype == np.uint8 and self.pixels.ndim == 4 and self.pixels.shape[3] == 3,
            (self.pixels.dtype, self.pixels.shape),
        )
        _require(
            "one time a frame",
            self.times_s.shape == (len(self.pixels),),
            (self.times_s.shape, len(self.pixels)),
        )

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True, slots=True)
class Shot:
    """A span between two cuts."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        _require(
            "a shot ends after it starts", self.end_s >= self.start_s, (self.start_s, self.end_s)
        )

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found in one picture: boxes in its pixels, the surest first."""

    boxes_px: Floats  # [N, 4]: x0, y0, x1, y1
    scores: Floats  # [N] in [0, 1]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.labels)
        _require("boxes are [N, 4]", self.boxes_px.shape == (count, 4), self.boxes_px.shape)
        _require("one score a box", self.scores.shape == (count,), self.scores.shape)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class ActionWindows:
    """What a classifier says of windows over a video, in order of time."""

    spans_s: Times  # [W, 2]: start and end
    probabilities: Floats  # [W, K], over the classifier's labels
    known: Floats  # [W]: that it is one of the labels at all
    frames: tuple[npt.NDArray[np.int64], ...]  # of each window, the rows that it looked at
    attention: tuple[Floats, ...]  # and how much each counted; sums to one

    def __post_init__(self) -> None:
        count = len(self.spans_s)
        _require("spans are [W, 2]", self.spans_s.shape == (count, 2), self.spans_s.shape)
        lengths = (len(self.probabilities), len(self.known), len(self.frames), len(self.attention))
        _require("everything is there for each window", set(lengths) == {count}, lengths)

    def __len__(self) -> int:
        return len(self.spans_s)


@dataclass(frozen=True, slots=True)
class SceneDescription:
    """What a describer says of the frames of one event.

    `verdict`: whether the trigger really happens, "yes", "no" or "unsure"; None where the describer
    cannot judge that. Lists hold what is seen, never intent.
    """

    text: str
    confidence: float | None = None
    verdict: str | None = None
    people: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = self.verdict in (None, "yes", "no", "unsure")
        _require('a verdict is "yes", "no", "unsure" or None', known, self.verdict)
