"""The actions of a video as a table and as captions over time."""

import csv
import html
import io
from collections.abc import Iterator
from pathlib import Path

from app.action_results import ActionResult, Stretch
from app.export.documents import no_formula, vtt_time
from app.whole_file import write_text
from app.wording import clock, one_line, printable

ACTION_COLUMNS = (
    *("stretch", "start_s", "end_s", "start", "end", "label", "probability"),
    *("known", "second", "second_probability", "zero_shot", "model", "video"),
)


def write_csv(result: ActionResult, dst: Path) -> Path:
    return write_text(dst, as_csv(result))


def write_vtt(result: ActionResult, dst: Path) -> Path:
    return write_text(dst, as_vtt(result))


def as_csv(result: ActionResult) -> str:
    """One row for each stretch of one label, those of "none of these" included."""
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(ACTION_COLUMNS)
    rows.writerows(_rows(result))
    return table.getvalue()


def _rows(result: ActionResult) -> Iterator[list[str | int]]:
    for number, stretch in enumerate(result.stretches, start=1):
        other = next((chance for chance in stretch.top if chance.label != stretch.label), None)
        yield [
            number,
            f"{stretch.start_s:.3f}",
            f"{stretch.end_s:.3f}",
            clock(stretch.start_s, decimals=3),
            clock(stretch.end_s, decimals=3),
            no_formula(printable(stretch.label)),
            f"{stretch.probability:.4f}",
            "yes" if stretch.is_known else "no",
            "" if other is None else no_formula(printable(other.label)),
            "" if other is None else f"{other.probability:.4f}",
            "yes" if result.zero_shot else "no",
            result.model.name,
            no_formula(one_line(result.video.name)),
        ]


def as_vtt(result: ActionResult) -> str:
    """A cue for each stretch that shows one of the labels; silence where none is shown."""
    title = one_line(result.video.name).replace("-->", "→")
    lines = [f"WEBVTT - {title}", ""]
    known = [stretch for stretch in result.stretches if stretch.is_known]
    for number, stretch in enumerate(known, start=1):
        start, end = vtt_time(stretch.start_s), vtt_time(stretch.end_s)
        if start != end:  # a cue has to last
            lines += [str(number), f"{start} --> {end}", _cue(stretch), ""]
    return "\n".join(lines)


def _cue(stretch: Stretch) -> str:
    words = f"{printable(stretch.label)} ({round(100 * stretch.probability)} %)"
    return html.escape(words, quote=False)
