"""A summary as JSON, as a table and as chapters."""

import csv
import html
import io
import json
from pathlib import Path

from app.results import SummaryResult
from app.whole_file import write_text
from app.wording import clock, one_line

CSV_COLUMNS = (
    *("keyframe", "time_s", "time", "score"),
    *("shot", "shot_start_s", "shot_end_s", "shot_chosen", "video"),
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def write_json(result: SummaryResult, dst: Path) -> Path:
    return write_text(dst, as_json(result))


def write_csv(result: SummaryResult, dst: Path) -> Path:
    return write_text(dst, as_csv(result))


def write_vtt(result: SummaryResult, dst: Path) -> Path:
    return write_text(dst, as_vtt(result))


def as_json(result: SummaryResult) -> str:
    return json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_csv(result: SummaryResult) -> str:
    """One row for each keyframe, with the shot it stands for; shots count from 1."""
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(CSV_COLUMNS)
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
        rows.writerow([*row, name])
    return table.getvalue()


def no_formula(text: str) -> str:
    """Spreadsheets run a cell that starts like a formula; a quote in front makes it text."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text


def as_vtt(result: SummaryResult) -> str:
    """One chapter for each shot, without gaps, as players show them."""
    title = one_line(result.video.name).replace("-->", "→")
    lines = [f"WEBVTT - {title}", ""]
    for number, shot in enumerate(result.shots, start=1):
        start, end = vtt_time(shot.start_s), vtt_time(shot.end_s)
        if start == end:
            continue  # a cue has to last, and its neighbours cover the moment
        mark = ", key shot" if shot.chosen else ""
        text = f"Shot {number}{mark} ({round(100 * shot.score)} %)"
        lines += [str(number), f"{start} --> {end}", html.escape(text, quote=False), ""]
    return "\n".join(lines)


def vtt_time(seconds: float) -> str:
    whole, ms = divmod(round(max(seconds, 0.0) * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{ms:03d}"
