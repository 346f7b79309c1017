"""Which moments of a video are wanted, and which frame is the one shown at each of them.

Times are counted in ticks of the stream's time base, in whole numbers, so that nothing is lost to
rounding. A frame is shown from its own time until the next frame's; so a frame is wanted exactly
when the first moment at or after its time comes before the next frame's time. That one rule needs
no state: the planner applies it to packet times before decoding, the selector to decoded frames.
"""

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

# fps arrives as a float: 29.97 means 2997/100, not the nearest binary fraction.
LARGEST_DENOMINATOR = 100_000


class Moments(Protocol):
    """Wanted moments on the tick axis."""

    def next_at(self, ticks: int) -> int | None:
        """The last whole tick of the first moment at or after `ticks`; None after the last."""
        ...


class EvenMoments:
    """first, first + 1/fps, first + 2/fps, ... without end."""

    def __init__(self, first_ticks: int, fps: float, time_base: Fraction) -> None:
        if not 0 < fps < 1e6:
            raise ValueError(f"fps is above 0 and below a million, received {fps!r}")
        rate = max(Fraction(fps).limit_denominator(LARGEST_DENOMINATOR), Fraction(1, 10**9))
        step = 1 / (rate * time_base)
        self._first = first_ticks
        self._over, self._under = step.numerator, step.denominator

    def next_at(self, ticks: int) -> int | None:
        index = max(0, -((self._first - ticks) * self._under // self._over))
        return self._first + index * self._over // self._under


class ListedMoments:
    """Given moments in ascending order; those before the first frame show the first frame."""

    def __init__(self, times_s: Sequence[float], first_ticks: int, time_base: Fraction) -> None:
        self.ticks = [max(first_ticks, ticks_at(time, time_base)) for time in times_s]
        if any(later < earlier for earlier, later in zip(self.ticks, self.ticks[1:], strict=False)):
            raise ValueError(f"times are in ascending order, received {list(times_s)!r}")

    def next_at(self, ticks: int) -> int | None:
        index = bisect_left(self.ticks, ticks)
        return self.ticks[index] if index < len(self.ticks) else None


def ticks_at(time_s: float, time_base: Fraction) -> int:
    """The last tick not after `time_s`; a time that came from a tick gives that tick back."""
    exact = Fraction(time_s) / time_base
    nearest = round(exact)
    # A float of a tick's time may fall a hair before the tick.
    if abs(nearest - exact) * time_base < Fraction(1, 10**7):
        return nearest
    return int(exact // 1)


def is_shown(ticks: int, next_ticks: int, moments: Moments) -> bool:
    """Whether the frame on screen from `ticks` until `next_ticks` is there at a wanted moment."""
    moment = moments.next_at(ticks)
    return moment is not None and moment < next_ticks
