"""From what conditions say of each frame to the events of a video, before any closer look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.pipelines.trigger_conditions import Condition, Seen
from app.results import ScoredFrame
from app.trigger_results import LookedFor, Trigger
from models.trigger_events import TriggerEvent, find_events, find_near_misses, span_s
from models.types import Floats, VideoInfo

# So many of those just below a threshold are shown of each trigger.
BELOW_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event, and what a closer look at it needs: which rows of the index, and the words."""

    event: TriggerEvent
    said: str
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Findings:
    """`events` and `below` in order of time; `left_out` weaker events than the limit takes."""

    events: tuple[FoundEvent, ...]
    below: tuple[Trigger, ...]
    looked_for: tuple[LookedFor, ...]
    left_out: int


def find(
    video: VideoInfo, conditions: Sequence[Condition], seen: Seen, max_events: int
) -> Findings:
    """The strongest events of each condition, and what lies just below them."""
    events: list[list[FoundEvent]] = []
    below: list[tuple[float, Trigger]] = []
    looked_for = []
    for condition in conditions:
        scores = condition.score(seen)
        found = find_events(
            scores, seen.times_s, condition.start_at, condition.stay_at, gap_s=condition.gap_s
        )
        near = find_near_misses(
            scores, seen.times_s, condition.start_at, condition.stay_at,
            gap_s=condition.gap_s, most=BELOW_AT_MOST,
        )  # fmt: skip
        events.append(
            [
                FoundEvent(event, condition.said, _trigger(video, condition, event, seen))
                for event in found
            ]
        )
        below += [
            (event.score / condition.start_at, _trigger(video, condition, event, seen))
            for event in near
        ]
        looked_for.append(_looked_for(condition, scores, seen, len(found)))
    kept = fair_share(events, max_events)
    return Findings(
        events=tuple(kept),
        below=tuple(trigger for _, trigger in sorted(below, key=lambda pair: -pair[0])),
        looked_for=tuple(looked_for),
        left_out=sum(map(len, events)) - len(kept),
    )


def fair_share(events: Sequence[Sequence[FoundEvent]], most: int) -> list[FoundEvent]:
    """Of each trigger its strongest, turn by turn; then in order of time. Never thinned evenly.

    Scores of different triggers say nothing of each other: a hundred changes of scene are no
    reason to leave out the only fight. What one has too few of goes to the others.
    """
    turns = []
    for number, of_one in enumerate(events):
        by_score = sorted(of_one, key=lambda found: (-found.event.score, found.event.first))
        turns += [(rank, number, found) for rank, found in enumerate(by_score)]
    kept = [found for _, _, found in sorted(turns, key=lambda turn: turn[:2])[:most]]
    return sorted(kept, key=lambda found: (found.trigger.start_s, found.trigger.time_s))


def _trigger(video: VideoInfo, condition: Condition, event: TriggerEvent, seen: Seen) -> Trigger:
    start_s, end_s = span_s(event, seen.times_s, max(video.end_s, float(seen.times_s[-1])))
    return Trigger(
        trigger=condition.name,
        time_s=float(seen.times_s[event.peak]),
        frame_index=event.peak,
        confidence=event.score,
        start_s=start_s,
        end_s=end_s,
        kind=condition.kind,
        thumbnail=seen.index.thumbnails[event.peak],
    )


def _looked_for(condition: Condition, scores: Floats, seen: Seen, found: int) -> LookedFor:
    return LookedFor(
        name=condition.name,
        kind=condition.kind,
        start_at=condition.start_at,
        stay_at=condition.stay_at,
        found=found,
        highest=float(scores.max(initial=0.0)),
        model=condition.model,
        curve=tuple(map(ScoredFrame, seen.times_s.tolist(), scores.tolist())),
    )


def rows_to_show(event: TriggerEvent, count: int, wanted: int) -> list[int]:
    """Of `count` rows those that tell an event: evenly over it and its edges, with its peak."""
    first, last = max(event.first - 1, 0), min(event.last + 1, count - 1)
    rows = set(_spread(first, last, wanted))
    if event.peak not in rows:
        rows.discard(min(rows, key=lambda row: abs(row - event.peak)))
        rows.add(event.peak)
    return sorted(rows)


def _spread(first: int, last: int, wanted: int) -> Iterator[int]:
    for row in np.linspace(first, last, max(1, min(wanted, last - first + 1))).tolist():
        yield round(row)
