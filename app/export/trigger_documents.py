"""The events of a video as a table and as captions over time."""

import csv
import html
import io
import json
from collections.abc import Iterator
from pathlib import Path

from app.export.documents import no_formula, vtt_time
from app.trigger_results import Trigger, TriggerResult, count_boxes
from app.whole_file import write_text
from app.wording import clock, one_line, printable

TRIGGER_COLUMNS = (
    *("event", "trigger", "kind", "timestamp_s", "time", "start_s", "end_s", "frame_index"),
    *("confidence", "verdict", "dismissed", "analysis", "action", "objects", "people", "video"),
)


def write_csv(result: TriggerResult, dst: Path) -> Path:
    return write_text(dst, as_csv(result))


def write_vtt(result: TriggerResult, dst: Path) -> Path:
    return write_text(dst, as_vtt(result))


def write_published(result: TriggerResult, dst: Path) -> Path:
    text = json.dumps(result.to_published_json(), ensure_ascii=False, indent=2)
    return write_text(dst, text + "\n")


def as_csv(result: TriggerResult) -> str:
    """One row for each event, dismissed ones among them."""
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(TRIGGER_COLUMNS)
    rows.writerows(_rows(result))
    return table.getvalue()


def _rows(result: TriggerResult) -> Iterator[list[str | int]]:
    for number, trigger in enumerate(result.triggers, start=1):
        boxes = [f"{count} {label}" for label, count in count_boxes(trigger.boxes).items()]
        yield [
            number,
            _cell(trigger.trigger),
            trigger.kind,
            f"{trigger.time_s:.3f}",
            clock(trigger.time_s, decimals=3),
            f"{trigger.start_s:.3f}",
            f"{trigger.end_s:.3f}",
            trigger.frame_index,
            f"{trigger.confidence:.4f}",
            trigger.verdict or "",
            "yes" if trigger.dismissed else "no",
            _cell(trigger.description or ""),
            _cell(trigger.action or ""),
            _cell("; ".join(boxes or trigger.objects)),
            _cell("; ".join(trigger.people)),
            no_formula(one_line(result.video.name)),
        ]


def _cell(text: str) -> str:
    return no_formula(printable(text))


def as_vtt(result: TriggerResult) -> str:
    """A cue for each event; those that a closer look dismissed say so."""
    title = one_line(result.video.name).replace("-->", "→")
    lines = [f"WEBVTT - {title}", ""]
    for number, trigger in enumerate(result.triggers, start=1):
        start, end = vtt_time(trigger.start_s), vtt_time(trigger.end_s)
        if start != end:  # a cue has to last
            lines += [str(number), f"{start} --> {end}", _cue(trigger), ""]
    return "\n".join(lines)


def _cue(trigger: Trigger) -> str:
    dismissed = ", dismissed" if trigger.dismissed else ""
    words = f"{trigger.trigger} ({round(100 * trigger.confidence)} %{dismissed})"
    if trigger.description:
        words += f": {trigger.description}"
    return html.escape(printable(words), quote=False)
