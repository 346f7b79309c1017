"""What the Triggers tab shows of a result: a sentence, events, objects over time, and tracks."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.pipelines.report import GUESSED_BELOW
from app.results import Performance
from app.tabs.summarize import facts
from app.timeline.results import clock, picture
from app.timeline.stage import layer
from app.timeline.tracks import Track, percent
from app.trigger_results import Box, LookedFor, Trigger, TriggerResult, count_boxes
from models.types import Shot

LAYER = "triggers"
# The first is the colour of the tab; each thing that is looked for has one of its own.
COLOURS = (4, 6, 5, 7, 10, 11, 9, 8)
MOST_CLASSES = 12
COLUMNS = ("From", "To", "What", "Sure", "Verdict", "Objects")
JUDGED = {"yes": "confirmed", "no": "dismissed", "unsure": "unsure"}
EMPTY = """
<div class="fs-empty">
<svg viewBox="0 0 240 84" aria-hidden="true" class="fs-empty-triggers">
<path class="fs-empty-calm" d="M8,70 C24,66 34,72 50,68 S70,64 78,66 M118,66 C132,72 140,66 152,69
 S168,64 172,66 M206,66 C216,70 224,66 232,68"/>
<path class="fs-empty-event" d="M78,66 C86,64 90,18 98,18 S110,62 118,66Z"/>
<path class="fs-empty-event" d="M172,66 C178,62 182,30 189,30 S200,62 206,66Z"/>
<path class="fs-empty-threshold" d="M8,44 H232"/><circle cx="98" cy="18" r="4"/>
<circle cx="189" cy="30" r="4"/></svg>
<p>When something happens: each event as a picture, what is seen then, and a report to read or to
hear. Say what to look for, or start with a fight.</p>
</div>"""


def colour_by_name(result: TriggerResult) -> dict[str, str]:
    """The same on the timeline, on cards and in rows."""
    names = dict.fromkeys(looked.name for looked in result.looked_for)
    return {name: f"var(--track-{COLOURS[at % len(COLOURS)]})" for at, name in enumerate(names)}


def capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def event_cards(result: TriggerResult, *, complete: bool = True) -> dict[str, Any]:
    """Those that were found, in order of time, the dismissed ones among them."""
    return {
        "said": sentence(result, complete=complete),
        "facts": spared(result),
        "items": _cards(result.triggers, result),
    }


def cards_below(result: TriggerResult) -> dict[str, Any]:
    """Folded away, unless there is nothing above them."""
    count = len(result.below)
    return {
        "title": f"Just below the threshold ({count})" if count else "",
        "open": not result.triggers,
        "items": _cards(result.below, result),
    }


def _cards(triggers: Sequence[Trigger], result: TriggerResult) -> list[dict[str, Any]]:
    colours = colour_by_name(result)
    size = (result.video.width, result.video.height)
    return [
        {
            "key": f"{trigger.trigger} {trigger.start_s:.3f}",
            "t": trigger.start_s,
            "from": trigger.start_s,
            "to": trigger.end_s,
            "when": _when(trigger),
            "note": _sure(trigger),
            "name": capital(trigger.trigger),
            "label": _spoken(trigger),
            "colour": colours.get(trigger.trigger, ""),
            "picture": picture(trigger.picture or trigger.thumbnail),
            "boxes": [_box(box, size) for box in trigger.boxes],
            "text": trigger.description,
            "seen": _seen(trigger),
            "verdict": trigger.verdict,
            "judged": JUDGED.get(trigger.verdict or ""),
        }
        for trigger in triggers
    ]


def _sure(trigger: Trigger) -> str:
    """How much changes is no probability."""
    return "" if trigger.kind == "change" else percent(trigger.confidence)


def _spoken(trigger: Trigger) -> str:
    sure = _sure(trigger)
    return f"{capital(trigger.trigger)}{f', {sure} sure' if sure else ''}"


def _when(trigger: Trigger) -> str:
    start, end = clock(trigger.start_s), clock(trigger.end_s)
    return start if start == end else f"{start} – {end}"


def _box(box: Box, size: tuple[int, int]) -> dict[str, Any]:
    """Left, top, width and height as shares of the picture."""
    width, height = size
    x0, x1 = (min(max(x / width, 0.0), 1.0) for x in box.xyxy[::2])
    y0, y1 = (min(max(y / height, 0.0), 1.0) for y in box.xyxy[1::2])
    sides = (x0, y0, x1 - x0, y1 - y0)
    return {"label": box.label, "note": percent(box.score), "at": [round(s, 4) for s in sides]}


def _seen(trigger: Trigger) -> str:
    """What else is known of it, in a line."""
    told = []
    if trigger.sure is not None:
        guessed = trigger.verdict is None and trigger.sure < GUESSED_BELOW
        told.append(f"{'a guess' if guessed else 'described'}, {percent(trigger.sure)} sure")
    if trigger.action:
        told.append(f"action: {trigger.action}")
    for name, things in (("people", trigger.people), ("objects", trigger.objects)):
        if things:
            told.append(f"{name}: {', '.join(things)}")
    return " · ".join(told)


def sentence(result: TriggerResult, *, complete: bool) -> str:
    """How many events of what, or that there are none."""
    so_far = "" if complete else " so far"
    if not result.triggers:
        names = " or ".join(f"“{looked.name}”" for looked in result.looked_for)
        nearest = " What comes nearest is below." if result.below else ""
        return f"Nothing here reaches the threshold for {names}{so_far}.{nearest}"
    found = {looked.name: 0 for looked in result.looked_for}
    for trigger in result.triggers:
        found[trigger.trigger] = found.get(trigger.trigger, 0) + 1
    counted = ", ".join(f"{count} × {name}" for name, count in found.items() if count)
    events = "1 event" if len(result.triggers) == 1 else f"{len(result.triggers)} events"
    more = f"; {result.dismissed} dismissed after a closer look" if result.dismissed else ""
    if result.left_out:
        more += f"; {result.left_out} weaker left out"
    return f"{events}{so_far}: {counted}{more}."


def spared(result: TriggerResult) -> str:
    """How many frames the describer was spared, where there is one."""
    if result.describer is None:
        return ""
    frames = result.sampling.frames
    shown = min(result.described_frames, frames)  # events close together share some
    return (
        f"{result.describer.name} saw {shown:,} of {frames:,} frames; "
        f"{percent(result.spared)} were spared"
    )


def event_rows(result: TriggerResult) -> dict[str, Any]:
    """A column that would be empty is left out."""
    cells = [
        [
            clock(trigger.start_s),
            clock(trigger.end_s),
            capital(trigger.trigger),
            _sure(trigger),
            JUDGED.get(trigger.verdict or "", ""),
            _counted(trigger.boxes),
        ]
        for trigger in result.triggers
    ]
    used = [at for at in range(len(COLUMNS)) if any(row[at] for row in cells)]
    return {
        "title": f"Events ({len(result.triggers)})",
        "columns": [COLUMNS[at] for at in used],
        "rows": [
            {"t": trigger.start_s, "cells": [row[at] for at in used]}
            for trigger, row in zip(result.triggers, cells, strict=True)
        ],
    }


def _counted(boxes: Iterable[Box]) -> str:
    return ", ".join(f"{count} × {label}" for label, count in count_boxes(boxes).items())


def object_counts(result: TriggerResult) -> dict[str, Any]:
    """One row a class, those in most pictures first."""
    return {
        "items": [
            {
                "label": label,
                "seen": [
                    {"t": counted.time_s, "count": counted.counts[label]}
                    for counted in result.counts
                    if counted.counts.get(label)
                ],
            }
            for label in result.classes[:MOST_CLASSES]
        ]
    }


def tracks(result: TriggerResult | None) -> dict[str, Any]:
    """A curve for each thing looked for, with its events as spans and pins."""
    if result is None:
        return layer(LAYER)
    colours = colour_by_name(result)
    drawn = [_track(looked, result, colours[looked.name]) for looked in result.looked_for]
    pins = [
        {
            "t": trigger.start_s,
            "label": _spoken(trigger),
            "colour": "var(--ink-soft)" if trigger.dismissed else colours.get(trigger.trigger, ""),
        }
        for trigger in result.triggers
    ]
    return {**layer(LAYER, drawn), "pins": pins}


def _track(looked: LookedFor, result: TriggerResult, colour: str) -> Track:
    return Track(
        capital(looked.name),
        [frame.time_s for frame in looked.curve],
        [frame.score for frame in looked.curve],
        colour,
        [
            Shot(trigger.start_s, trigger.end_s)
            for trigger in result.triggers
            if trigger.trigger == looked.name and not trigger.dismissed
        ],
    )


def all_facts(seen: Performance, result: TriggerResult | None) -> list[tuple[str, str]]:
    """The performance panel, with the seconds of a closer look and the models behind it."""
    told = facts(seen)
    if result is None:
        return told
    stages = result.stages
    seconds = (
        ("Scoring", stages.score_s),
        ("Fetching frames", stages.fetch_s),
        ("Finding objects", stages.detect_s),
        ("Describing", stages.describe_s),
        ("Speaking", stages.speak_s),
    )
    told += [(name, f"{taken:.2f} s") for name, taken in seconds if taken > 0]
    told += [
        (f"Threshold, {looked.name}", f"{looked.start_at:.2f}; highest {looked.highest:.2f}")
        for looked in result.looked_for
    ]
    models = (("Objects by", result.detector), ("Described by", result.describer))
    told += [(name, used.in_words) for name, used in models if used is not None]
    scored = {looked.model for looked in result.looked_for if looked.model is not None}
    return [*told, *(("Found by", used.in_words) for used in sorted(scored, key=str))]


def summed_up(result: TriggerResult) -> str:
    """The status once everything was looked at."""
    seen = result.timing
    count = len(result.triggers)
    how = (
        "looked at before"
        if seen.from_index
        else f"{seen.frames_processed:,} frames in {seen.total_s:.1f} s"
    )
    told = [f"{count or 'no'} event{'' if count == 1 else 's'}", how]
    if result.describer is not None:
        told.append(f"{percent(result.spared)} of the frames never shown to the describer")
    return " · ".join(told)
