"""Which frame is the one shown at a moment: whole ticks against exact fractions."""

from bisect import bisect_right
from fractions import Fraction

import numpy as np
import pytest

from models.video.sampling import EvenMoments, ListedMoments, Moments, is_shown, ticks_at


def shown(times: list[int], moments: Moments) -> list[int]:
    ends = [*times[1:], times[-1] + 1]
    return [at for at, end in zip(times, ends, strict=True) if is_shown(at, end, moments)]


@pytest.mark.parametrize("fps", [0.3, 1, 2, 3, 7.5, 23.976, 29.97, 1000])
@pytest.mark.parametrize(
    "time_base", [Fraction(1, 1000), Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 25)]
)
def test_even_moments_take_the_frame_shown_at_each(fps: float, time_base: Fraction) -> None:
    gaps = np.random.default_rng(1).integers(1, max(2, int(0.2 / time_base)), 400)
    times = [int(t) for t in 17 + np.concatenate([[0], np.cumsum(gaps)])]
    rate = Fraction(fps).limit_denominator(100_000)
    expected = []
    index = 0
    while (moment := times[0] + index / (rate * time_base)) < times[-1] + 1:
        frame = times[bisect_right(times, moment) - 1]
        if not expected or expected[-1] != frame:
            expected.append(frame)
        index += 1
    assert shown(times, EvenMoments(times[0], fps, time_base)) == expected


def test_frames_before_the_first_moment_are_not_shown() -> None:
    moments = EvenMoments(100, 2, Fraction(1, 30))
    assert shown([80, 90, 100, 110, 120], moments) == [100, 110]


def test_listed_moments_show_the_first_frame_before_it_and_nothing_after_the_last() -> None:
    moments = ListedMoments([-3.0, 0.5, 0.51, 2.0], 0, Fraction(1, 10))
    assert shown([0, 4, 6, 19, 20, 25], moments) == [0, 4, 20]
    assert moments.next_at(21) is None


def test_a_time_made_from_a_tick_gives_the_tick_back() -> None:
    time_base = Fraction(1, 90_000)
    for ticks in (*range(1000), 2**33 + 7, -5):
        assert ticks_at(float(ticks * time_base), time_base) == ticks
    assert ticks_at(0.99, Fraction(1)) == 0
    assert ticks_at(-0.01, Fraction(1)) == -1


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_nonsense_rates_are_refused(fps: float) -> None:
    with pytest.raises(ValueError, match="fps is above 0"):
        EvenMoments(0, fps, Fraction(1, 30))


def test_times_that_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        ListedMoments([1.0, 0.5], 0, Fraction(1, 30))
