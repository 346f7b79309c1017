"""How many of a caption's words people used as well, and how well that is known beforehand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.caption_words import content_words
from models.captioner import Caption, Captioner, Confidence
from models.subwords import words_of
from train.data.caption_batches import CaptionSources
from train.data.captions import CaptionedItem

BINS = 10
STEPS = 50
PULL = 1e-2  # towards 0, in fitting

Reals = npt.NDArray[np.float64]


def share_used(text: str, captions: Sequence[str]) -> float:
    """Of the text's words of content, the share that any of the captions has; 0 without any."""
    named = content_words(text)
    used = {word for caption in captions for word in words_of(caption)}
    return sum(word in used for word in named) / max(len(named), 1)


@dataclass(frozen=True, slots=True)
class Judged:
    """Every caption that was considered for an item, and the share of each that people used."""

    item: CaptionedItem
    considered: list[Caption]
    shares: list[float]


def judge(
    captioner: Captioner, sources: CaptionSources, items: Sequence[CaptionedItem]
) -> list[Judged]:
    judged = []
    for item in items:
        considered = captioner.considered(sources.backbone[item.rows])
        shares = [share_used(caption.text, item.captions) for caption in considered]
        judged.append(Judged(item, considered, shares))
    return judged


def fit_confidence(judged: Sequence[Judged]) -> Confidence:
    """Logistic regression of the shares by Newton's method, each item weighing the same."""
    rows = [
        (c.said.per_word, c.match, len(content_words(c.text)), 1.0, share, len(one.shares))
        for one in judged
        for c, share in zip(one.considered, one.shares, strict=True)
    ]
    table = np.asarray(rows, np.float64)
    inputs, wanted, weight = table[:, :4], table[:, 4], 1 / table[:, 5]
    found = np.zeros(4)
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-(inputs @ found).clip(-60, 60)))
        slope = inputs.T @ (weight * (wanted - chances)) - PULL * found
        curve = (inputs * (weight * chances * (1 - chances))[:, None]).T @ inputs
        step = np.linalg.solve(curve + PULL * np.eye(4), slope)
        found = found + step
        if np.abs(step).max() < 1e-8:
            break
    return Confidence(*map(float, found))


def confidence_figures(said: Reals, true: Reals) -> dict[str, Any]:
    """Expected calibration error in ten equal bins, and whether surer captions are truer."""
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    curve, error = list[dict[str, float]](), 0.0
    for number in sorted(set(bins.tolist())):
        chosen = bins == number
        mean_said, mean_true = float(said[chosen].mean()), float(true[chosen].mean())
        error += abs(mean_said - mean_true) * float(chosen.mean())
        curve.append({"said": mean_said, "true": mean_true, "captions": int(chosen.sum())})
    order = np.argsort(-said, kind="stable")
    half = math.ceil(len(order) / 2)
    return {
        "ece": error,
        "surer_half": float(true[order[:half]].mean()),
        "other_half": float(true[order[half:]].mean()) if half < len(order) else 0.0,
        "curve": curve,
    }
