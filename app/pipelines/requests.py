"""What a person asks of each tab, checked before any work starts."""

from dataclasses import dataclass

from models.errors import RequestError
from models.segment_summarizers import METHODS

DEFAULT_METHOD = "key_shots"
DEFAULT_RATIO = 0.15


@dataclass(frozen=True, slots=True)
class SummaryRequest:
    """Which moments to choose: so many keyframes, or so large a share of the time."""

    method: str = DEFAULT_METHOD
    keyframes: int | None = None
    ratio: float | None = None
    spacing_s: float = 1.0
    fps: float = 2.0
    encoder: str = "colour"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise RequestError(
                f"There is no summary method {self.method!r}; choose one of {', '.join(METHODS)}."
            )
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
        if self.spacing_s < 0:
            raise RequestError(f"Spacing must not be negative, not {self.spacing_s}.")
        if not 0.05 <= self.fps <= 60:
            raise RequestError(f"Frames a second must be between 0.05 and 60, not {self.fps}.")
