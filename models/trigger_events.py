"""From a score at each frame to events with a beginning, an end and a peak. Pure numpy.

It serves every trigger alike: a trained event, words, example frames, a change of scene or motion.
The score is any number where higher is surer, usually in [0, 1]; times are seconds, ascending, and
need not be regular.

    events = find_events(scores, times_s, start_at=0.6, stay_at=0.4)
    shown = strongest(events, 20)                                   # by score, never thinned evenly
    almost = find_near_misses(scores, times_s, start_at=0.6, stay_at=0.4)
    start_s, end_s = span_s(events[0], times_s, end_s=video_end_s)
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.types import Floats, Times

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# Two events no farther apart than this are one: somebody stepped before the camera.
GAP_S = 1.0
# A near miss reaches at least this share of what an event must reach.
NEAR_SHARE = 0.6
SLACK_S = 1e-6  # 0.1 + 0.2 is no longer than 0.3


@dataclass(frozen=True, slots=True)
class TriggerEvent:
    """Rows `first` to `last`, both part of it; `peak` is the row of the highest score."""

    first: int
    last: int
    peak: int
    score: float  # at the peak


def find_events(
    scores: Floats | Doubles,
    times_s: Times,
    start_at: float,
    stay_at: float,
    *,
    gap_s: float = GAP_S,
    min_length_s: float = 0.0,
    most: int | None = None,
) -> list[TriggerEvent]:
    """Events in order of time; no row is in two of them.

    Args:
        scores: [T], one for each frame.
        times_s: [T], ascending.
        start_at: an event must reach this somewhere.
        stay_at: it goes on to both sides while the score is at least this; not above `start_at`.
            Equal to it, there is no hysteresis.
        gap_s: of two events the last row of one and the first of the next may be so far apart to
            be joined. 0 joins none. Joining comes before the length is looked at.
        min_length_s: events that last for less are dropped. A single row lasts until the next one.
        most: of more events than this, those with the highest scores are kept. None keeps all.

    Raises:
        ValueError: shapes do not fit, times fall, a score is not a number, or stay_at > start_at.
    """
    if stay_at > start_at:
        raise ValueError(f"stay_at is not above start_at, received {stay_at} and {start_at}")
    score = _checked(scores, times_s)
    firsts, lasts = _runs(score >= stay_at)
    reached = _highest(score, firsts, lasts) >= start_at
    pairs = _joined(firsts[reached], lasts[reached], times_s, gap_s)
    events = [_event(score, first, last) for first, last in pairs]
    long = [event for event in events if _lasts_s(event, times_s) >= min_length_s - SLACK_S]
    return long if most is None else strongest(long, most)


def find_near_misses(
    scores: Floats | Doubles,
    times_s: Times,
    start_at: float,
    stay_at: float,
    *,
    near_at: float | None = None,
    gap_s: float = GAP_S,
    min_length_s: float = 0.0,
    most: int | None = None,
) -> list[TriggerEvent]:
    """What lies just below the threshold, in order of time: what would be an event at `near_at`.

    Nothing of it is part of an event that `find_events` gives for the same `start_at` and
    `stay_at`, nor is it joined to one. `near_at` is NEAR_SHARE of `start_at` unless given, and a
    near miss goes on while the score keeps the same share of it as `stay_at` is of `start_at`.
    Too short ones are misses as well, and are not given either.
    """
    near = NEAR_SHARE * start_at if near_at is None else near_at
    if near > start_at:
        raise ValueError(f"near_at is not above start_at, received {near} and {start_at}")
    score = _checked(scores, times_s)
    taken = np.zeros(len(score), np.bool_)
    for event in find_events(score, times_s, start_at, stay_at, gap_s=gap_s):
        taken[event.first : event.last + 1] = True
    left = np.where(taken, -np.inf, score)
    stay = near * stay_at / start_at if start_at > 0 else near
    firsts, lasts = _runs(left >= stay)
    reached = _highest(left, firsts, lasts) >= near
    firsts, lasts = firsts[reached], lasts[reached]
    found = []
    for first, last in _apart(firsts, lasts, taken, times_s, gap_s):
        event = _event(score, first, last)
        if _lasts_s(event, times_s) >= min_length_s - SLACK_S:
            found.append(event)
    return found if most is None else strongest(found, most)


def strongest(events: Iterable[TriggerEvent], most: int) -> list[TriggerEvent]:
    """Up to `most` events of the highest scores, in order of time; of equals the earlier ones."""
    by_score = sorted(events, key=lambda event: (-event.score, event.first))
    return sorted(by_score[: max(most, 0)], key=lambda event: event.first)


def span_s(event: TriggerEvent, times_s: Times, end_s: float | None = None) -> tuple[float, float]:
    """When it starts and ends: its last frame is shown until the next one is, or until `end_s`.

    Where the next frame is farther than usual nobody has looked in between, and the event ends
    after a usual step.
    """
    start, last = float(times_s[event.first]), float(times_s[event.last])
    if len(times_s) == 1:  # of a video of one frame all that is known is where it ends
        return start, start if end_s is None else max(start, end_s)
    step = _usual_step_s(times_s)
    following = float(times_s[event.last + 1]) if event.last + 1 < len(times_s) else last + step
    end = min(following, last + step)
    return start, max(last, end if end_s is None else min(end, end_s))


def rows_in(events: Iterable[TriggerEvent], count: int) -> npt.NDArray[np.bool_]:
    """[count]: which rows are part of any of the events."""
    inside = np.zeros(count, np.bool_)
    for event in events:
        inside[event.first : event.last + 1] = True
    return inside


def _checked(scores: Floats | Doubles, times_s: Times) -> Doubles:
    score = np.asarray(scores, np.float64)
    if score.ndim != 1 or score.shape != times_s.shape:
        raise ValueError(f"one time a score, received {score.shape} and {times_s.shape}")
    if np.isnan(score).any():
        raise ValueError("scores are numbers, received some that are not")
    if (np.diff(times_s) < 0).any():
        raise ValueError("times are ascending, received times that fall")
    return score


def _runs(flags: npt.NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """First and last row of each run of true ones."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def _highest(score: Doubles, firsts: Indices, lasts: Indices) -> Doubles:
    pairs = zip(firsts.tolist(), lasts.tolist(), strict=True)
    return np.array([score[first : last + 1].max() for first, last in pairs], np.float64)


def _joined(firsts: Indices, lasts: Indices, times_s: Times, gap_s: float) -> list[tuple[int, int]]:
    if len(firsts) == 0:
        return []
    apart = times_s[firsts[1:]] - times_s[lasts[:-1]] > gap_s + SLACK_S
    if gap_s <= 0:
        apart[:] = True  # times may be equal
    first = firsts[np.append(True, apart)]
    last = lasts[np.append(apart, True)]
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _apart(
    firsts: Indices, lasts: Indices, taken: npt.NDArray[np.bool_], times_s: Times, gap_s: float
) -> list[tuple[int, int]]:
    """Runs joined with each other over short gaps, but never across rows that are taken."""
    pairs: list[tuple[int, int]] = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        near = bool(pairs) and gap_s > 0 and times_s[first] - times_s[pairs[-1][1]] <= gap_s
        if near and not taken[pairs[-1][1] : first].any():
            pairs[-1] = (pairs[-1][0], last)
        else:
            pairs.append((first, last))
    return pairs


def _event(score: Doubles, first: int, last: int) -> TriggerEvent:
    """The peak of a flat top is its middle."""
    inside = score[first : last + 1]
    top = int(inside.argmax())
    fallen = np.flatnonzero(inside[top:] < inside[top])
    flat = int(fallen[0]) if len(fallen) else len(inside) - top
    peak = first + top + (flat - 1) // 2
    return TriggerEvent(first, last, peak, float(score[peak]))


def _lasts_s(event: TriggerEvent, times_s: Times) -> float:
    start, end = span_s(event, times_s)
    return end - start


def _usual_step_s(times_s: Times) -> float:
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
