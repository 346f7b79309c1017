"""What is said of the actions in a video: for each window, for stretches, and for the whole."""

from dataclasses import dataclass, field
from typing import Any

from app.results import SCHEMA_VERSION, ModelUsed, Performance, Sampling, plain, video_to_json
from models.types import VideoInfo

NONE_OF_THESE = "none of these"
TOP = 5


@dataclass(frozen=True, slots=True)
class Chance:
    label: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        return {"label": self.label, "probability": plain(self.probability)}


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A frame, and how much it counted; over a window they sum to one."""

    time_s: float
    weight: float

    def to_json(self) -> dict[str, Any]:
        return {"time_s": plain(self.time_s), "weight": plain(self.weight)}


@dataclass(frozen=True, slots=True)
class ActionWindow:
    """What the model was shown at once, and what it made of it.

    `label` is "none of these" where `known` is too low, and `probability` that it is so; `top` are
    the labels that come nearest all the same.
    """

    start_s: float
    end_s: float
    label: str
    probability: float
    known: float  # that it is one of the labels at all
    top: tuple[Chance, ...]
    looked_at: tuple[LookedAt, ...]

    @property
    def is_known(self) -> bool:
        return self.label != NONE_OF_THESE

    def to_json(self) -> dict[str, Any]:
        return {
            "start_s": plain(self.start_s),
            "end_s": plain(self.end_s),
            "label": self.label,
            "probability": plain(self.probability),
            "known": plain(self.known),
            "top": [chance.to_json() for chance in self.top],
            "looked_at": [frame.to_json() for frame in self.looked_at],
        }


@dataclass(frozen=True, slots=True)
class Stretch:
    """Adjoining windows of one label, as the ribbon shows them: without gaps or overlaps."""

    start_s: float
    end_s: float
    label: str
    probability: float
    time_s: float  # of the frame that counted most
    top: tuple[Chance, ...]
    looked_at: tuple[LookedAt, ...]  # those that counted most, in order of time
    thumbnail: bytes = field(default=b"", repr=False)  # JPEG, not part of the JSON

    @property
    def is_known(self) -> bool:
        return self.label != NONE_OF_THESE

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def to_json(self) -> dict[str, Any]:
        return {
            "start_s": plain(self.start_s),
            "end_s": plain(self.end_s),
            "label": self.label,
            "probability": plain(self.probability),
            "time_s": plain(self.time_s),
            "top": [chance.to_json() for chance in self.top],
        }


@dataclass(frozen=True, slots=True)
class ActionResult:
    """`zero_shot`: the labels were typed, and the model never learned from examples of them."""

    video: VideoInfo
    model: ModelUsed
    labels: tuple[str, ...]
    zero_shot: bool
    sampling: Sampling
    top: tuple[Chance, ...]  # of the whole
    windows: tuple[ActionWindow, ...]  # in order of time; they may overlap
    stretches: tuple[Stretch, ...]
    timing: Performance
    every_s: float | None = None  # from segment to segment, where the model looks at segments

    @property
    def unknown(self) -> bool:
        """Whether nothing in it is one of the labels."""
        return not any(window.is_known for window in self.windows)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "video": video_to_json(self.video),
            "model": self.model.to_json(),
            "labels": list(self.labels),
            "zero_shot": self.zero_shot,
            "sampling": self.sampling.to_json(),
            "every_s": plain(self.every_s),
            "top": [chance.to_json() for chance in self.top],
            "unknown": self.unknown,
            "stretches": [stretch.to_json() for stretch in self.stretches],
            "windows": [window.to_json() for window in self.windows],
            "timing": self.timing.to_json(),
        }
