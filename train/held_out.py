"""A scorer on videos that it did not learn from, beside random scores and people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.types import Floats
from train.summary_rules import (
    TITLES,
    Judge,
    Row,
    Rule,
    mean_squared_error,
    precision_at,
)

SCORER, RANDOM, HUMAN = "scorer", "random", "human"
RANDOM_SEEDS = 5
MORE = ("mse", "precision_15")  # against the annotators' mean, as the published system counts


def measured(judges: Mapping[str, Judge], scores: Mapping[str, Floats]) -> dict[str, Any]:
    """Rows of figures, each with its mean and standard error over the videos; and every video's."""
    rule = next(iter(judges.values())).rule
    rows: dict[str, dict[str, Row]] = {SCORER: {}, RANDOM: {}, HUMAN: {}}
    for number, (name, judge) in enumerate(judges.items()):
        rows[SCORER][name] = _row(judge, scores[name])
        drawn = [
            np.random.default_rng([seed, number]).random(len(scores[name]))
            for seed in range(RANDOM_SEEDS)
        ]
        rows[RANDOM][name] = tuple(np.mean([_row(judge, one) for one in drawn], axis=0).tolist())
        rows[HUMAN][name] = judge.human_row() if len(judge.chosen) > 1 else ()
    return {
        "protocol": _protocol(rule),
        "rows": {
            row: _summarized(list(found.values()), (*rule.figures, *MORE))
            for row, found in rows.items()
            if all(found.values())
        },
        "videos": {
            name: {row: [round(value, 4) for value in found[name]] for row, found in rows.items()}
            for name in judges
        },
    }


def _row(judge: Judge, scores: Any) -> Row:
    truth = judge.truth
    return (
        *judge.row(scores),
        mean_squared_error(scores, truth),
        precision_at(scores, truth),
    )


def _protocol(rule: Rule) -> str:
    return (
        f"{rule.protocol} Squared error and precision at 15 % (of the frames) are against the "
        "annotators' mean. +- is the standard error over videos."
    )


def _summarized(rows: Sequence[Row], figures: Sequence[str]) -> dict[str, dict[str, float]]:
    """People have no figures beyond those of the rule."""
    table = np.array(rows)
    error = table.std(axis=0, ddof=1) / np.sqrt(len(table)) if len(table) > 1 else table[0] * 0
    return {
        name: {"mean": round(float(mean), 4), "error": round(float(spread), 4)}
        for name, mean, spread in zip(figures, table.mean(axis=0), error, strict=False)
    }


def as_markdown(report: Mapping[str, Any], title: str) -> str:
    figures = list(next(iter(report["rows"].values())))  # people have fewer, and come last
    lines = [
        f"| {title} | {' | '.join(TITLES[name] for name in figures)} |",
        f"|---|{'---|' * len(figures)}",
    ]
    for row, found in report["rows"].items():
        cells = [
            f"{found[name]['mean']:.3f} +- {found[name]['error']:.3f}" if name in found else ""
            for name in figures
        ]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
