"""A summary or a search as JSON, as a table and as chapters."""

import csv
import html
import io
import json
from collections.abc import Iterator
from pathlib import Path

from app.action_results import ActionResult
from app.results import SearchResult, SummaryResult
from app.trigger_results import TriggerResult
from app.whole_file import write_text
from app.wording import clock, one_line, printable

CSV_COLUMNS = (
    *("keyframe", "time_s", "time", "score"),
    *("shot", "shot_start_s", "shot_end_s", "shot_chosen", "video"),
)
SEARCH_COLUMNS = (
    *("moment", "time_s", "time", "start_s", "end_s"),
    *("score", "probability", "confident", "query", "video"),
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def write_json(
    result: SummaryResult | SearchResult | ActionResult | TriggerResult, dst: Path
) -> Path:
    return write_text(dst, as_json(result))


def write_csv(result: SummaryResult | SearchResult, dst: Path) -> Path:
    return write_text(dst, as_csv(result))


def write_vtt(result: SummaryResult | SearchResult, dst: Path) -> Path:
    return write_text(dst, as_vtt(result))


def as_json(result: SummaryResult | SearchResult | ActionResult | TriggerResult) -> str:
    return json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_csv(result: SummaryResult | SearchResult) -> str:
    """One row for each keyframe, with its shot; of a search one for each moment, best first."""
    table = io.StringIO()
    rows = csv.writer(table)
    if isinstance(result, SearchResult):
        rows.writerow(SEARCH_COLUMNS)
        rows.writerows(_moment_rows(result))
    else:
        rows.writerow(CSV_COLUMNS)
        rows.writerows(_keyframe_rows(result))
    return table.getvalue()


def _keyframe_rows(result: SummaryResult) -> Iterator[list[str | int]]:
    """Shots count from 1."""
    name = no_formula(one_line(result.video.name))
    for number, keyframe in enumerate(result.keyframes, start=1):
        row: list[str | int] = [
            number,
            f"{keyframe.time_s:.3f}",
            clock(keyframe.time_s, decimals=3),
            f"{keyframe.score:.4f}",
        ]
        if 0 <= keyframe.shot < len(result.shots):
            shot = result.shots[keyframe.shot]
            row += [keyframe.shot + 1, f"{shot.start_s:.3f}", f"{shot.end_s:.3f}"]
            row += ["yes" if shot.chosen else "no"]
        else:
            row += ["", "", "", ""]
        yield [*row, name]


def _moment_rows(result: SearchResult) -> Iterator[list[str | int]]:
    """Those under the cut come after the others and say so."""
    query, name = no_formula(printable(result.query)), no_formula(one_line(result.video.name))
    for number, moment in enumerate(result.best, start=1):
        yield [
            number,
            f"{moment.time_s:.3f}",
            clock(moment.time_s, decimals=3),
            f"{moment.start_s:.3f}",
            f"{moment.end_s:.3f}",
            f"{moment.score:.4f}",
            "" if moment.probability is None else f"{moment.probability:.4f}",
            _confident(result, number),
            query,
            name,
        ]


def _confident(result: SearchResult, number: int) -> str:
    if result.confident is None:
        return "not known"
    return "yes" if number <= len(result.moments) else "no"


def no_formula(text: str) -> str:
    """Spreadsheets run a cell that starts like a formula; a quote in front makes it text."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text


def as_vtt(result: SummaryResult | SearchResult) -> str:
    """One chapter for each shot, without gaps, as players show them; or one for each moment."""
    title = one_line(result.video.name).replace("-->", "→")
    lines = [f"WEBVTT - {title}", ""]
    cues = _found_cues(result) if isinstance(result, SearchResult) else _shot_cues(result)
    for number, (start_s, end_s, text) in enumerate(cues, start=1):
        start, end = vtt_time(start_s), vtt_time(end_s)
        if start == end:
            continue  # a cue has to last, and its neighbours cover the moment
        lines += [str(number), f"{start} --> {end}", html.escape(text, quote=False), ""]
    return "\n".join(lines)


def _shot_cues(result: SummaryResult) -> Iterator[tuple[float, float, str]]:
    for number, shot in enumerate(result.shots, start=1):
        mark = ", key shot" if shot.chosen else ""
        yield shot.start_s, shot.end_s, f"Shot {number}{mark} ({round(100 * shot.score)} %)"


def _found_cues(result: SearchResult) -> Iterator[tuple[float, float, str]]:
    """In order of time; where nothing matches with confidence the closest, which say so."""
    unsure = "" if result.moments else "no confident match: "
    query = printable(result.query)
    places = {id(moment): place for place, moment in enumerate(result.best, start=1)}
    for moment in sorted(result.moments or result.below, key=lambda m: m.start_s):
        if moment.probability is None:
            text = f"likeness to {query}, no. {places[id(moment)]}"
        else:
            text = f"{unsure}{query} ({round(100 * moment.probability)} %)"
        yield moment.start_s, moment.end_s, text


def vtt_time(seconds: float) -> str:
    whole, ms = divmod(round(max(seconds, 0.0) * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{ms:03d}"
