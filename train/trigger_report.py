"""The figures of the trigger detector as files: triggers.json, and tables for people."""

import json
from pathlib import Path
from typing import Any

from train.trigger_decision import FAST_FPS, INDEX_FPS
from train.trigger_folds import TRAINED


def as_markdown(report: dict[str, Any]) -> str:
    rows = report["rows"]

    def cell(figure: dict[str, float], digits: int = 2) -> str:
        return (
            f"{figure['mean']:.{digits}f} +- {figure['over_folds']:.{digits}f} "
            f"({figure['over_seeds']:.{digits}f})"
        )

    lines = [f"{report['protocol']} {report['seen_before']}", ""]
    lines += [
        "| | average precision, 2 frames a second | 8 frames a second | false an hour at half |",
        "|---|---|---|---|",
    ]
    for variant, figures in rows.items():
        both = [cell(figures[f"average_precision_{fps:g}"], 3) for fps in (INDEX_FPS, FAST_FPS)]
        both.append(cell(figures["false_an_hour_at_half"], 0))
        lines.append(f"| {variant} | {' | '.join(both)} |")
    lines += [f"| chance | {report['chance']:.3f} | {report['chance']:.3f} | |", ""]
    trained = rows[TRAINED]
    lines += ["| at the thresholds | 2 frames a second | 8 frames a second |", "|---|---|---|"]
    for name in ("precision", "recall", "event_precision", "event_recall"):
        both = [cell(trained[f"{name}_{fps:g}"]) for fps in (INDEX_FPS, FAST_FPS)]
        words = name.replace("event_", "events, joined recordings: ")
        lines.append(f"| {words if ':' in words else 'clips: ' + words} | {' | '.join(both)} |")
    lines += [
        f"| false events an hour, TVSum | {cell(trained['false_an_hour'], 1)} | not measurable |",
        f"| frames never shown, joined | {cell(trained['never_shown_joined'])} | |",
        f"| frames never shown, TVSum | {cell(trained['never_shown_tvsum'], 3)} | |",
        f"| calibration error | {cell(trained['calibration_error'], 3)} | |",
        "",
        "Staged strikes of ut_interaction, each set left out whole: average precision "
        + ", ".join(f"{name} {value:.2f}" for name, value in report["staged"].items())
        + ".",
        "",
        f"Seeds {', '.join(map(str, report['seeds']))}; shipped: an event begins at "
        f"{report['shipped']['start_at']:.2f} and lasts while above "
        f"{report['shipped']['stay_at']:.2f}.",
    ]
    return "\n".join(lines) + "\n"


def write_report(report: dict[str, Any], folder: Path) -> Path:
    """triggers.json and .md; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "triggers.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    path.with_suffix(".md").write_text(as_markdown(report))
    return path
