"""Confusion matrices and learning curves as pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

NAMED_UP_TO = 40  # labels; more names than that cannot be read


def draw_confusion(matrix: npt.NDArray[np.int64], labels: Sequence[str], path: Path) -> None:
    """Rows are what is shown, columns what is said; each row as shares of its videos."""
    from matplotlib.figure import Figure

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    named = len(labels) <= NAMED_UP_TO
    side = max(4.0, 0.28 * len(labels)) if named else 9.0
    figure = Figure(figsize=(side + 1.5, side), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if named:
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.set_xlabel("said")
    axes.set_ylabel("shown")
    figure.colorbar(drawn, ax=axes, shrink=0.7, label="share of the videos shown")
    figure.savefig(path, dpi=110)


def draw_curves(curves: Mapping[str, Sequence[tuple[int, float]]], path: Path) -> None:
    """Losses on the left, shares that are right on the right, over rounds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, points in curves.items():
        axes = left if name.endswith("loss") else right
        rounds, values = zip(*points, strict=True)
        axes.plot(rounds, values, marker=".", label=name)
    for axes, title in ((left, "loss"), (right, "share right")):
        axes.set_xlabel("round")
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    right.set_ylim(0, 1.02)
    figure.savefig(path, dpi=110)
