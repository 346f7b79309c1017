"""How well actions are named and others are told from them, and the calibration of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.action_classifier import ActionCalibration, evidence
from models.types import Floats, Times
from train.data.action_batches import whole_window
from train.data.action_examples import Example

TEMPERATURES = np.geomspace(0.3, 3.0, 47)
CALIBRATION_FPS = (2.0, 8.0)
RIDGE = 0.1
MOST_STEPS = 100

Doubles = npt.NDArray[np.float64]
Logits = Callable[[Floats, Times], Floats]  # of a whole recording: [K + 1]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of examples: [N, K + 1], and which label each has; K for others."""

    logits: Floats
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def named(self) -> "Answers":
        """Those that have a label."""
        here = self.labels < self.logits.shape[1] - 1
        return Answers(self.logits[here], self.labels[here])

    @property
    def others(self) -> "Answers":
        here = self.labels == self.logits.shape[1] - 1
        return Answers(self.logits[here], self.labels[here])

    def among(self, kept: Sequence[int]) -> "Answers":
        """The same, where only these labels may be said."""
        logits = np.full_like(self.logits, -np.inf)
        logits[:, kept] = self.logits[:, kept]
        return Answers(logits, self.labels)

    def top(self, count: int) -> float:
        """The share whose label is among the first so many; without any the share is no number."""
        if not len(self):
            return float("nan")
        logits = self.logits[:, :-1]
        own = np.take_along_axis(logits, self.labels[:, None], axis=1)
        return float(((logits > own).sum(axis=1) < count).mean())


def answers_of(
    logits: Logits,
    examples: Sequence[Example],
    labels: Sequence[str],
    fps: float,
    *,
    moved: bool = False,
) -> Answers:
    number = {label: at for at, label in enumerate(labels)}
    found = [logits(*whole_window(example, fps, moved=moved)) for example in examples]
    names = [number[e.label] if e.label is not None else len(labels) for e in examples]
    rows = np.stack(found) if found else np.empty((0, len(labels) + 1), np.float32)
    return Answers(rows, np.array(names, np.int64))


def joined(parts: Sequence[Answers]) -> Answers:
    return Answers(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def top(answers: Answers) -> dict[str, Any]:
    return {
        "examples": len(answers),
        "top1": round(answers.top(1), 4),
        "top5": round(answers.top(5), 4),
    }


def confusion(answers: Answers) -> npt.NDArray[np.int64]:
    """[K, K]: rows are what is shown, columns what is said."""
    count = answers.logits.shape[1] - 1
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (answers.labels, answers.logits[:, :-1].argmax(axis=1)), 1)
    return table


def per_class(answers: Answers, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each label that is shown at all: how often, and the share that is named right."""
    table = {}
    for number, label in enumerate(labels):
        own = Answers(
            answers.logits[answers.labels == number], answers.labels[answers.labels == number]
        )
        if len(own):
            table[label] = {
                "examples": len(own),
                "top1": round(own.top(1), 4),
                "top5": round(own.top(5), 4),
            }
    return table


def roc_auc(positive: npt.NDArray[Any], negative: npt.NDArray[Any]) -> float:
    """The chance that one of the first is above one of the second; ties count half."""
    above = (positive[:, None] > negative[None]).mean()
    ties = (positive[:, None] == negative[None]).mean()
    return float(above + ties / 2)


def roc_curve(
    positive: npt.NDArray[Any], negative: npt.NDArray[Any], points: int = 21
) -> list[dict[str, float]]:
    """How many of the first are kept for each share of the second that is let through."""
    curve = []
    for share in np.linspace(0, 1, points):
        threshold = np.quantile(negative, 1 - share)
        kept = float((positive >= threshold).mean())
        curve.append({"let_through": round(float(share), 3), "kept": round(kept, 4)})
    return curve


def fit_calibration(answers: Answers) -> ActionCalibration:
    """Temperature by likelihood; the weights of `known` by a logistic regression.

    Both sides count alike in that, however many examples they have.
    """
    best, lead = evidence(answers.logits)
    known = answers.labels < answers.logits.shape[1] - 1
    weights = np.where(known, 0.5 / known.sum(), 0.5 / (~known).sum()) * len(known)
    columns = np.stack([best, lead, np.ones_like(best)], axis=1)
    fitted = _logistic(columns, known.astype(np.float64), weights)
    temperature = fit_temperature(answers.named)
    return ActionCalibration(temperature, float(fitted[0]), float(fitted[1]), float(fitted[2]))


def fit_temperature(named: Answers) -> float:
    """By likelihood, of the labels among themselves."""

    def loss(temperature: float) -> float:
        logits = named.logits[:, :-1].astype(np.float64) / temperature
        top = logits.max(axis=1)
        own = np.take_along_axis(logits, named.labels[:, None], axis=1)[:, 0]
        return float((np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top - own).mean())

    return float(min(TEMPERATURES, key=loss))


def _logistic(columns: Doubles, wanted: Doubles, weights: Doubles) -> Doubles:
    """Newton's steps; a small ridge keeps weights finite where the sides do not overlap."""
    found = np.zeros(columns.shape[1])
    for _ in range(MOST_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(columns @ found, -30, 30)))
        slope = columns.T @ (weights * (chance - wanted)) + RIDGE * found
        curved = (columns * (weights * chance * (1 - chance))[:, None]).T @ columns
        step = np.linalg.solve(curved + RIDGE * np.eye(len(found)), slope)
        found = found - step
        if np.abs(step).max() < 1e-8:
            break
    return found


def best_threshold(positive: npt.NDArray[Any], negative: npt.NDArray[Any]) -> float:
    """Where the mean of both sides' right answers is highest; halfway to the next value below."""
    values = np.unique(np.concatenate([positive, negative]))
    edges = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2])
    right = [(positive >= edge).mean() + (negative < edge).mean() for edge in edges]
    return float(edges[int(np.argmax(right))])


def calibration_answers(
    logits: Logits, examples: Sequence[Example], labels: Sequence[str]
) -> Answers:
    """Photographs still and filmed, clips at a low and a high number of frames a second."""
    parts = [answers_of(logits, examples, labels, fps) for fps in CALIBRATION_FPS]
    stills = [example for example in examples if example.times_s is None]
    parts += [answers_of(logits, stills, labels, CALIBRATION_FPS[0], moved=True)]
    return joined(parts)
