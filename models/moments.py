"""Stretches of a video that match: peaks of a score, each as far as it goes on. Pure numpy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.selection import peaks
from models.types import Floats, Times

Doubles = npt.NDArray[np.float64]

# Scores are log odds. A moment goes on while a frame's odds are at least this share of its best's.
ODDS_SHARE = 0.35
# Two stretches of one scene with less than this between them are one moment.
JOIN_GAP_S = 2.0
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
    nearly as well. Neighbouring stretches that look alike are one.
    """
    smooth = smoothed(log_odds, embeddings)
    tops = peaks(smooth, times_s, threshold=-np.inf)
    found: list[Stretch] = []
    owner = np.full(len(times_s), -1, np.int64)
    for top in tops[np.argsort(-smooth[tops], kind="stable")].tolist():
        if owner[top] >= 0:
            continue
        if len(found) >= wanted:
            break
        reached = _reach(smooth, embeddings, owner < 0, top, likeness)
        at = _neighbour(found, owner, embeddings, times_s, reached, top, likeness)
        if at is None:
            at = len(found)
            found.append(reached)
        else:
            old = found[at]
            reached = Stretch(old.best, min(old.first, reached.first), max(old.last, reached.last))
            found[at] = reached
        owner[reached.first : reached.last + 1] = at
    return sorted((_at_its_best(s, log_odds) for s in found), key=lambda s: -log_odds[s.best])


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
    scores: Doubles, embeddings: Floats, free: npt.NDArray[np.bool_], top: int, likeness: float
) -> Stretch:
    """How far it goes on to both sides."""
    floor = scores[top] + np.log(ODDS_SHARE)

    def steps(direction: int) -> int:
        reach = FIRST_REACH_FRAMES
        while True:
            side = slice(top + 1, top + 1 + reach)
            if direction < 0:
                side = slice(max(top - reach, 0), top)
            fits = (
                free[side]
                & (scores[side] >= floor)
                & (embeddings[side] @ embeddings[top] >= likeness)
            )
            fits = fits[::direction]
            if not fits.all():
                return int(np.argmin(fits))
            if len(fits) < reach:
                return len(fits)
            reach *= 4

    return Stretch(top, top - steps(-1), top + steps(1))


def _neighbour(
    found: list[Stretch],
    owner: npt.NDArray[np.int64],
    embeddings: Floats,
    times_s: Times,
    reached: Stretch,
    top: int,
    likeness: float,
) -> int | None:
    """The stretch close before or after that shows the same, the better one of two."""
    low = int(np.searchsorted(times_s, times_s[reached.first] - JOIN_GAP_S))
    high = int(np.searchsorted(times_s, times_s[reached.last] + JOIN_GAP_S, side="right"))
    near = [owner[low : reached.first][::-1], owner[reached.last + 1 : high]]
    nearest = {int(side[side >= 0][0]) for side in near if (side >= 0).any()}
    alike = [at for at in nearest if embeddings[found[at].best] @ embeddings[top] >= likeness]
    return min(alike, default=None)


def _at_its_best(stretch: Stretch, scores: Doubles) -> Stretch:
    """The best frame by what it alone scores."""
    best = stretch.first + int(scores[stretch.first : stretch.last + 1].argmax())
    return Stretch(best, stretch.first, stretch.last)


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
