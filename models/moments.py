"""Stretches of a video that match: peaks of a score, each as far as it goes on. Pure numpy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.selection import peaks
from models.types import Floats, Times

Doubles = npt.NDArray[np.float64]

# Scores are log odds. A moment goes on while a frame's odds are at least this share of its best's,
# of which those above SURE (20 to 1) count as that: there is no telling better from best.
ODDS_SHARE = 0.35
SURE = 3.0
# What does not fit for less than this does not end a moment.
GAP_S = 2.0
# Of a longer video so many frames, evenly spread, say how much of it is distinct.
COMPARED_FRAMES = 2000
FIRST_REACH_FRAMES = 32


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames `first` to `last`, both part of it; `best` is the one that matches most."""

    best: int
    first: int
    last: int


def find_stretches(
    log_odds: Doubles, embeddings: Floats, times_s: Times, likeness: float, wanted: int
) -> list[Stretch]:
    """Up to `wanted` stretches, the best first; no frame is in two of them.

    A stretch holds frames that look like its best one (a cosine of at least `likeness`) and match
    nearly as well, and what interrupts them briefly.
    """
    smooth = smoothed(log_odds, embeddings)
    either = np.maximum(smooth, log_odds)  # at its edges a stretch is smoothed with what follows
    tops = peaks(smooth, times_s, threshold=-np.inf)
    found: list[Stretch] = []
    free = np.ones(len(times_s), np.bool_)
    for top in tops[np.argsort(-smooth[tops], kind="stable")].tolist():
        if len(found) >= wanted:
            break
        if not free[top]:
            continue
        floor = min(smooth[top], SURE) + np.log(ODDS_SHARE)
        ends = [
            _reach(either, embeddings, times_s, free, top, floor, likeness, direction)
            for direction in (-1, 1)
        ]
        free[ends[0] : ends[1] + 1] = False
        best = ends[0] + int(log_odds[ends[0] : ends[1] + 1].argmax())
        found.append(Stretch(best, ends[0], ends[1]))
    return sorted(found, key=lambda stretch: -log_odds[stretch.best])


def smoothed(scores: Doubles, embeddings: Floats) -> Doubles:
    """Each score with a share of its neighbours', as far as they show the same.

    One frame among equals that scores higher is chance; a single frame between two cuts is not.
    """
    if len(scores) < 3:
        return scores
    alike = np.clip((embeddings[1:] * embeddings[:-1]).sum(1), 0.0, 1.0).astype(np.float64) ** 2
    before, after = np.append(0.0, alike) / 2, np.append(alike, 0.0) / 2
    total = scores + before * np.append(0.0, scores[:-1]) + after * np.append(scores[1:], 0.0)
    mean: Doubles = total / (1.0 + before + after)
    return mean


def _reach(
    scores: Doubles,
    embeddings: Floats,
    times_s: Times,
    free: npt.NDArray[np.bool_],
    top: int,
    floor: float,
    likeness: float,
    direction: int,
) -> int:
    """The last frame on one side that still belongs to it."""
    reach = FIRST_REACH_FRAMES
    while True:
        side = slice(top, top + reach) if direction > 0 else slice(max(top - reach + 1, 0), top + 1)
        fits = (scores[side] >= floor) & (embeddings[side] @ embeddings[top] >= likeness)
        fits, open_side = fits[::direction], free[side][::direction]
        fits[0] = True  # the top itself, whatever rounding makes of its likeness to itself
        stop = len(fits) if open_side.all() else int(np.argmin(open_side))
        steps = np.flatnonzero(fits[:stop])
        gaps_s = np.abs(np.diff(times_s[top + direction * steps]))
        breaks = np.flatnonzero((np.diff(steps) > 1) & (gaps_s > GAP_S))
        last = int(steps[breaks[0]] if len(breaks) else steps[-1])
        if len(breaks) or stop < len(fits) or len(fits) < reach:
            return top + direction * last
        reach *= 4


def count_distinct(embeddings: Floats, likeness: float) -> int:
    """How many pictures there are of which no two are alike, taken in order of time."""
    step = -(-len(embeddings) // COMPARED_FRAMES)
    some = embeddings[:: max(step, 1)]
    alike = some @ some.T >= likeness
    left = np.ones(len(some), np.bool_)
    count = 0
    while left.any():
        first = int(left.argmax())
        left &= ~alike[first]
        left[first] = False  # also where rounding takes its likeness to itself below the limit
        count += 1
    return count
