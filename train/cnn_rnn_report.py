"""What a run of the CNN-RNN said of its test videos, and how it learned, from the run's folder."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from train.action_measures import Answers, confusion, per_class, top
from train.action_pictures import draw_confusion, draw_curves
from train.cnn_rnn import ANSWERS_FILE, answers_of_rows, state_name
from train.cnn_rnn_config import CnnRnnConfig

MOST_PAIRS = 20
CURVES = ("train/loss", "val/loss", "train/top1", "val/top1", "val/top5")
Matrix = npt.NDArray[np.int64]
Curves = dict[str, list[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """Of the test videos, as `test` left them in the run's folder."""

    answers: Answers
    labels: tuple[str, ...]
    videos: tuple[str, ...]
    state: str
    protocol: str


def read_answers(folder: Path) -> KeptAnswers:
    """Raises ValueError where the run was not tested."""
    path = folder / ANSWERS_FILE
    if not path.is_file():
        raise ValueError(f"{path} is not there: run `python -m train.cnn_rnn test` first")
    with np.load(path, allow_pickle=False) as kept:
        return KeptAnswers(
            answers_of_rows(kept["logits"], kept["expected"].tolist()),
            tuple(kept["labels"].tolist()),
            tuple(kept["videos"].tolist()),
            str(kept["state"]),
            str(kept["protocol"]),
        )


def kept_answers(config: CnnRnnConfig, state: Path) -> KeptAnswers | None:
    """None where this state was not tested."""
    folder = Path(config.run.folder)
    if not (folder / ANSWERS_FILE).is_file():
        return None
    kept = read_answers(folder)
    return kept if kept.state == state_name(state) else None


def figures_of(kept: KeptAnswers | None) -> dict[str, Any]:
    """What a checkpoint's metrics say of the test; nothing where it was not tested."""
    if kept is None:
        return {}
    matrix = confusion(kept.answers)
    return {
        "protocol": kept.protocol,
        "test": top(kept.answers),
        "labels": list(kept.labels),
        "per_class": per_class(kept.answers, kept.labels),
        "most_confused": most_confused(matrix, kept.labels),
        "confusion": matrix.tolist(),
    }


def most_confused(matrix: Matrix, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Pairs of a label and what it was taken for, the most frequent first."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [divmod(int(place), len(labels)) for place in order]
    return [
        {
            "shown": labels[shown],
            "said": labels[said],
            "count": int(wrong[shown, said]),
            "of": int(matrix[shown].sum()),
        }
        for shown, said in pairs
        if wrong[shown, said]
    ]


def read_curves(folder: Path) -> Curves:
    """Figures by round from the run's metrics.csv; a run that was resumed has several of them."""
    found: dict[str, dict[int, float]] = {name: {} for name in CURVES}
    logs = sorted(folder.glob("logs/version_*/metrics.csv"), key=_version)
    for path in logs:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name in CURVES:
                    if row.get(name):
                        found[name][int(row["epoch"])] = float(row[name])
    return {name: sorted(values.items()) for name, values in found.items() if values}


def _version(path: Path) -> int:
    return int(path.parent.name.removeprefix("version_"))


def write_report(folder: Path, out: Path, name: str) -> str:
    """NAME.json, NAME.md, NAME_confusion.png and NAME_curves.png; returns the text.

    Raises:
        ValueError: the run was not tested.
    """
    kept = read_answers(folder)
    figures, curves = figures_of(kept), read_curves(folder)
    out.mkdir(parents=True, exist_ok=True)
    report = {**figures, "state": kept.state, "curves": curves}
    (out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    text = as_markdown(figures, kept, curves)
    (out / f"{name}.md").write_text(text)
    draw_confusion(confusion(kept.answers), kept.labels, out / f"{name}_confusion.png")
    if curves:
        draw_curves(curves, out / f"{name}_curves.png")
    return text


def as_markdown(figures: dict[str, Any], kept: KeptAnswers, curves: Curves) -> str:
    tested, chance = figures["test"], 1 / len(kept.labels)
    lines = [
        kept.protocol,
        "",
        "| videos | top-1 | top-5 | chance |",
        "|---|---|---|---|",
        f"| {tested['examples']} | {tested['top1']:.4f} | {tested['top5']:.4f} | {chance:.4f} |",
        "",
        f"State: {kept.state}.",
    ]
    if "val/top1" in curves:
        best_round, best = max(curves["val/top1"], key=lambda point: point[1])
        last_round = curves["val/top1"][-1][0]
        lines[-1] += f" Validation top-1 {best:.4f} in round {best_round} of {last_round + 1}."
    lines += ["", "Most confused:", "", "| shown | taken for | videos |", "|---|---|---|"]
    lines += [
        f"| {pair['shown']} | {pair['said']} | {pair['count']} of {pair['of']} |"
        for pair in figures["most_confused"]
    ]
    lines += ["", "| label | videos | top-1 | top-5 |", "|---|---|---|---|"]
    best_first = sorted(figures["per_class"].items(), key=lambda item: -item[1]["top1"])
    lines += [
        f"| {label} | {row['examples']} | {row['top1']:.3f} | {row['top5']:.3f} |"
        for label, row in best_first
    ]
    return "\n".join(lines) + "\n"
