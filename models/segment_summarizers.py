"""Summaries from embeddings alone, without training: an importance curve, shots, and one frame each.

Every method gets frames as unit-length embeddings with their times, and returns FrameScores.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.types import Floats, Shot, Times

Indices = npt.NDArray[np.int64]

SEGMENT_FRAMES = 4


@dataclass(frozen=True, slots=True)
class FrameScores:
    """How much each frame matters, and the shots it was decided on."""

    scores: Floats  # [T] in [0, 1]
    shots: tuple[Shot, ...]  # from the first frame to the end, without gaps
    representatives: Indices  # [len(shots)] index of the best frame of each shot


@dataclass(frozen=True, slots=True)
class Method:
    """One entry of the dropdown."""

    name: str
    label: str
    help: str
    run: "Run"


Run = Callable[..., FrameScores]


def _squared_steps(embeddings: Floats, starts: Indices) -> Floats:
    means = np.stack([part.mean(axis=0) for part in np.split(embeddings, starts[1:])])
    steps = np.zeros(len(means), np.float32)
    steps[1:] = ((means[1:] - means[:-1]) ** 2).sum(axis=1)
    return steps


def _by_steps(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
) -> FrameScores:
    if len(times_s) == 0:
        return FrameScores(np.zeros(0, np.float32), (), np.zeros(0, np.int64))
    starts = np.arange(0, len(times_s), SEGMENT_FRAMES)
    steps = _squared_steps(embeddings, starts)
    cuts = np.flatnonzero(steps > np.quantile(steps, 1 - ratio))
    firsts = np.union1d([0], starts[cuts])
    edges = np.append(times_s[firsts], max(end_s, float(times_s[-1])))
    shots = tuple(Shot(float(a), float(b)) for a, b in zip(edges[:-1], edges[1:], strict=True))
    middles = (firsts + np.append(firsts[1:], len(times_s))) // 2
    frame_steps = np.repeat(steps, SEGMENT_FRAMES)[: len(times_s)]
    peak = frame_steps.max()
    scores = frame_steps / peak if peak > 0 else np.full(len(times_s), 0.5)
    return FrameScores(scores.astype(np.float32), shots, middles.astype(np.int64))


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("key_shots", "Key shots", "Finds the shots and keeps the frame that stands for each.",
               _by_steps),
        Method("kmeans", "Groups of similar moments (k-means)",
               "Groups moments that look alike and keeps the most typical of each group.",
               _by_steps),
        Method("ssd_anchor", "Drift from the start of the shot",
               "Starts a new shot when the picture has drifted far from how the shot began.",
               _by_steps),
        Method("ssd_previous", "Change from the moment before",
               "Starts a new shot when the picture changes suddenly.", _by_steps),
    )
}
