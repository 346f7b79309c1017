"""What the Actions tab shows of a result: a sentence, stretches, and a ribbon over time."""

import secrets
from collections.abc import Sequence
from typing import Any

from app.action_results import ActionResult, Chance, Stretch
from app.pipelines.action_words import durations, summed_up
from app.timeline.results import clock, picture
from app.timeline.stage import layer
from app.timeline.tracks import NamedSpan, Ribbon, colour_of, percent, shades
from models.class_quality import ClassQuality

LAYER = "actions"
TRACK, OWN_TRACK = "Actions", "Your labels"
# More rows than these are read by nobody; the ribbon and the files have all of them.
MOST_ROWS = 120
EMPTY = """
<div class="fs-empty">
<svg viewBox="0 0 240 84" aria-hidden="true" class="fs-empty-ribbon">
<rect x="8" y="32" width="64" height="20" rx="4" opacity="0.75"/>
<rect x="75" y="32" width="26" height="20" rx="4" class="fs-empty-gap"/>
<rect x="104" y="32" width="82" height="20" rx="4" opacity="0.45"/>
<rect x="189" y="32" width="43" height="20" rx="4" opacity="0.9"/></svg>
<p>What people do in the video, when, and how sure that is, as a ribbon under the player. Or type
what you look for yourself.</p>
</div>"""


def found(result: ActionResult, *, complete: bool = True) -> dict[str, Any]:
    """The value of the list; rows belong to the result that they were made of."""
    shade = shade_of(result)
    rows = list(result.stretches)
    more = ""
    if len(rows) > MOST_ROWS:
        kept = sorted(rows, key=lambda row: (not row.is_known, -row.length_s))[:MOST_ROWS]
        more = f"The {MOST_ROWS} longest of {len(rows)} stretches; all are in the files."
        rows = sorted(kept, key=lambda row: row.start_s)
    return {
        "result": secrets.token_hex(4),
        "said": summed_up(result, complete=complete),
        "facts": facts_line(result),
        "title": "Nearest in the whole video" if result.unknown else "In the whole video",
        "whole": _bars(result.top, shade),
        "items": [_row(row, shade) for row in rows],
        "more": more,
    }


def _row(stretch: Stretch, shade: dict[str, int]) -> dict[str, Any]:
    sure = f"{percent(stretch.probability)} sure"
    nearest = stretch.top[0] if stretch.top else Chance("", 0.0)
    note = sure if stretch.is_known else f"nearest: {nearest.label}, {percent(nearest.probability)}"
    return {
        "from": stretch.start_s,
        "to": stretch.end_s,
        "when": f"{clock(stretch.start_s)} – {clock(stretch.end_s)}",
        "label": stretch.label,
        "note": note,
        "spoken": f"{note}, until {clock(stretch.end_s)}",
        "shade": shade.get(stretch.label) if stretch.is_known else None,
        "picture": picture(stretch.thumbnail),
        "top": _bars(stretch.top, shade),
    }


def _bars(chances: Sequence[Chance], shade: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "label": chance.label,
            "share": round(chance.probability, 4),
            "note": percent(chance.probability),
            "shade": shade.get(chance.label),
        }
        for chance in chances
    ]


def glances(shown: str, stretch: Stretch, pictures: Sequence[bytes]) -> dict[str, Any]:
    """The frames that counted most in a stretch, for the row that was pressed.

    Where all counted alike, as those of segments do, that need not be said of each.
    """
    alike = len({frame.weight for frame in stretch.looked_at}) == 1
    return {
        "result": shown,
        "from": stretch.start_s,
        "frames": [
            {
                "t": frame.time_s,
                "weight": frame.weight,
                "note": "" if alike else percent(frame.weight),
                "picture": picture(jpeg),
            }
            for frame, jpeg in zip(stretch.looked_at, pictures, strict=True)
        ],
    }


def ribbons(trained: ActionResult | None, own: ActionResult | None) -> dict[str, Any]:
    """One ribbon for the labels of the checkpoint, and one for those that were typed."""
    tracks = [
        Ribbon(name, _spans(result), colour_of(TRACK))
        for name, result in ((TRACK, trained), (OWN_TRACK, own))
        if result is not None
    ]
    return layer(LAYER, tracks)


def _spans(result: ActionResult) -> list[NamedSpan]:
    shade = shade_of(result)
    return [
        NamedSpan(
            start_s=stretch.start_s,
            end_s=stretch.end_s,
            name=stretch.label,
            share=stretch.probability,
            shade=shade[stretch.label] if stretch.is_known else None,
        )
        for stretch in result.stretches
    ]


def shade_of(result: ActionResult) -> dict[str, int]:
    """By how long they are seen, so that the longest ones differ."""
    return shades(durations(result))


def measured(checkpoint: str, quality: ClassQuality | None) -> dict[str, Any] | None:
    """The value of the quality panel; the classes it knows best come first."""
    if quality is None:
        return None
    classes: list[dict[str, Any]] = [
        {"label": label, "accuracy": quality.accuracy(at), "count": quality.count(at)}
        for at, label in enumerate(quality.labels)
    ]
    tests = sum(map(quality.count, range(len(quality.labels))))
    right = sum(quality.confusion[at][at] for at in range(len(quality.labels)))
    return {
        "model": checkpoint,
        "said": f"{checkpoint} recognized {right:,} of {tests:,} tests it had not learned from "
        f"({percent(right / max(tests, 1))}), of {len(classes)} actions.",
        "protocol": quality.protocol,
        "classes": sorted(classes, key=lambda row: -row["accuracy"]),
        "labels": quality.labels,
        "confusion": quality.confusion,
    }


def facts_line(result: ActionResult) -> str:
    how = "your labels, which it was not trained on" if result.zero_shot else "trained labels"
    if result.every_s is not None and all(window.known == 1.0 for window in result.windows):
        how += ", and one of them for every segment"
    return f"{result.model.name} {(result.model.hash or 'without weights')[:8]} · {how}"


def read_through(result: ActionResult) -> str:
    """The status once the whole video has been looked at."""
    seen = result.timing
    how = (
        "looked at before"
        if seen.from_index
        else f"{seen.frames_processed:,} frames in {seen.total_s:.1f} s"
    )
    known = sum(stretch.is_known for stretch in result.stretches)
    return f"{_counted(known, 'action')} · {how} · model {result.model.in_words}"


def _counted(count: int, thing: str) -> str:
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"
