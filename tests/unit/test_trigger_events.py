import numpy as np
import pytest

from models.trigger_events import (
    TriggerEvent,
    find_events,
    find_near_misses,
    rows_in,
    span_s,
    strongest,
)
from models.types import Times


def half_seconds(count: int) -> Times:
    return np.asarray(np.arange(count) / 2.0, np.float64)


def rows(events: list[TriggerEvent]) -> list[tuple[int, int, int]]:
    return [(event.first, event.last, event.peak) for event in events]


def test_an_event_begins_high_and_goes_on_lower() -> None:
    scores = np.array([0.1, 0.5, 0.7, 0.5, 0.45, 0.3, 0.5, 0.5, 0.1])
    times_s = half_seconds(9)
    assert rows(find_events(scores, times_s, 0.6, 0.4, gap_s=0)) == [(1, 4, 2)]
    assert rows(find_events(scores, times_s, 0.6, 0.6, gap_s=0)) == [(2, 2, 2)]
    assert rows(find_events(scores, times_s, 0.7, 0.4, gap_s=0)) == [(1, 4, 2)], "reaching counts"
    assert find_events(scores, times_s, 0.71, 0.4) == []


def test_events_at_both_ends_and_everywhere() -> None:
    scores = np.array([0.9, 0.1, 0.1, 0.1, 0.9])
    assert rows(find_events(scores, half_seconds(5), 0.5, 0.5)) == [(0, 0, 0), (4, 4, 4)]
    assert rows(find_events(np.full(5, 0.9), half_seconds(5), 0.5, 0.5)) == [(0, 4, 2)]
    assert find_events(np.zeros(0), np.zeros(0), 0.5, 0.5) == []
    assert rows(find_events(np.ones(1), np.zeros(1), 0.5, 0.5)) == [(0, 0, 0)]


def test_short_gaps_are_bridged_by_time_and_not_by_frames() -> None:
    scores = np.array([0.9, 0.1, 0.8, 0.1, 0.1, 0.7])
    assert rows(find_events(scores, half_seconds(6), 0.6, 0.4, gap_s=1.0)) == [(0, 2, 0), (5, 5, 5)]
    slow_s = half_seconds(6) * 4
    assert len(find_events(scores, slow_s, 0.6, 0.4, gap_s=1.0)) == 3
    assert len(find_events(scores, half_seconds(6), 0.6, 0.4, gap_s=0)) == 3
    # What never began does not make another event longer.
    weak = np.array([0.9, 0.1, 0.5, 0.5])
    assert rows(find_events(weak, half_seconds(4), 0.6, 0.4, gap_s=1.0)) == [(0, 0, 0)]


def test_short_events_are_dropped_after_joining() -> None:
    scores = np.array([0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.1])
    times_s = half_seconds(9)
    assert rows(find_events(scores, times_s, 0.6, 0.6, min_length_s=1.5)) == [(0, 2, 0)]
    assert len(find_events(scores, times_s, 0.6, 0.6, min_length_s=0.5)) == 2, "one frame lasts .5"
    assert find_events(scores, times_s, 0.6, 0.6, gap_s=0, min_length_s=1.0) == []


def test_too_many_are_limited_by_score_wherever_they_are() -> None:
    random = np.random.default_rng(0)
    scores = np.zeros(200)
    heights = random.permutation(50) / 100 + 0.5
    scores[::4] = heights
    every = find_events(scores, half_seconds(200), 0.5, 0.5)
    kept = find_events(scores, half_seconds(200), 0.5, 0.5, most=7)
    assert len(every) == 50 and len(kept) == 7
    assert sorted(event.score for event in kept) == sorted(heights)[-7:]
    assert [event.first for event in kept] == sorted(event.first for event in kept)
    assert strongest(every, 7) == kept and strongest(every, 0) == [] and strongest(kept, 99) == kept


def test_near_misses_are_what_a_lower_threshold_would_add() -> None:
    scores = np.array([0.9, 0.5, 0.3, 0.0, 0.0, 0.0, 0.5, 0.45, 0.0, 0.0, 0.0, 0.2])
    times_s = half_seconds(12)
    assert rows(find_events(scores, times_s, 0.6, 0.4)) == [(0, 1, 0)]
    assert rows(find_near_misses(scores, times_s, 0.6, 0.4)) == [(6, 7, 6)]
    assert rows(find_near_misses(scores, times_s, 0.6, 0.4, near_at=0.15)) == [
        (2, 2, 2),
        (6, 7, 6),
        (11, 11, 11),
    ]
    assert find_near_misses(scores, times_s, 0.6, 0.4, min_length_s=3.0) == []
    assert rows(find_near_misses(scores, times_s, 0.6, 0.4, near_at=0.15, most=1)) == [(6, 7, 6)]


def test_near_misses_and_events_never_share_a_row() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        scores = random.random(60)
        times_s = np.cumsum(random.random(60))
        events = find_events(scores, times_s, 0.8, 0.5, gap_s=1.5)
        near = find_near_misses(scores, times_s, 0.8, 0.5, gap_s=1.5)
        inside, below = rows_in(events, 60), rows_in(near, 60)
        assert not (inside & below).any()
        assert all(event.score < 0.8 for event in near)
        assert (inside | (scores < 0.8)).all(), "what reaches the threshold is in an event"
        assert (inside | below | (scores < 0.48)).all()


def test_the_last_frame_lasts_until_the_next_or_a_usual_step() -> None:
    times_s = np.array([0, 0.5, 1.0, 1.5, 60.0, 60.5])
    assert span_s(TriggerEvent(0, 1, 0, 1.0), times_s) == (0.0, 1.0)
    assert span_s(TriggerEvent(2, 3, 2, 1.0), times_s) == (1.0, 2.0), "nobody looked until 60"
    assert span_s(TriggerEvent(5, 5, 5, 1.0), times_s) == (60.5, 61.0)
    assert span_s(TriggerEvent(5, 5, 5, 1.0), times_s, end_s=60.7) == (60.5, 60.7)
    assert span_s(TriggerEvent(0, 0, 0, 1.0), times_s[:1], end_s=9.0) == (0.0, 9.0)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="stay_at is not above"):
        find_events(np.ones(2), half_seconds(2), 0.4, 0.6)
    with pytest.raises(ValueError, match="near_at is not above"):
        find_near_misses(np.ones(2), half_seconds(2), 0.4, 0.3, near_at=0.5)
    with pytest.raises(ValueError, match="one time a score"):
        find_events(np.ones(2), half_seconds(3), 0.6, 0.4)
    with pytest.raises(ValueError, match="are numbers"):
        find_events(np.array([0.5, np.nan]), half_seconds(2), 0.6, 0.4)
    with pytest.raises(ValueError, match="ascending"):
        find_events(np.ones(2), half_seconds(2)[::-1], 0.6, 0.4)
