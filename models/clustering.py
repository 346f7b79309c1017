"""k-means in numpy: seeded, so that one video always gives one answer."""

import numpy as np
import numpy.typing as npt

from models.types import Floats

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

ROUNDS = 50
STARTS = 3


def cluster(points: Floats, k: int, random: np.random.Generator) -> tuple[Indices, Doubles]:
    """k-means++ and Lloyd's rounds, the best of a few starts: groups, squared distances."""
    best: tuple[Indices, Doubles] | None = None
    for _ in range(STARTS):
        found = _lloyd(points, _spread_centres(points, k, random))
        if best is None or found[1].sum() < best[1].sum():
            best = found
    if best is None:
        raise ValueError("k-means is started at least once")
    return best


def _spread_centres(points: Floats, k: int, random: np.random.Generator) -> Floats:
    """k-means++: each centre drawn with the squared distance to those before it."""
    centres = [points[int(random.integers(len(points)))]]
    nearest = ((points - centres[0]) ** 2).sum(axis=1).astype(np.float64)
    while len(centres) < k:
        total = float(nearest.sum())
        if total <= 1e-12:
            break  # fewer different pictures than centres
        centres.append(points[int(random.choice(len(points), p=nearest / total))])
        nearest = np.minimum(nearest, ((points - centres[-1]) ** 2).sum(axis=1))
    return np.stack(centres)


def _lloyd(points: Floats, centres: Floats) -> tuple[Indices, Doubles]:
    group = np.full(len(points), -1, np.int64)
    distances = np.zeros((len(points), len(centres)))
    norms = (points * points).sum(axis=1, keepdims=True)
    for _ in range(ROUNDS):
        distances = norms - 2 * (points @ centres.T) + (centres * centres).sum(axis=1)
        nearest = distances.argmin(axis=1)
        if (nearest == group).all():
            break
        group = nearest
        centres = _means_of(points, group, centres)
    own = distances[np.arange(len(points)), group]
    return group, np.maximum(own, 0).astype(np.float64)


def _means_of(points: Floats, group: Indices, before: Floats) -> Floats:
    """The mean of each group; a centre that lost all its points stays where it was."""
    order = np.argsort(group, kind="stable")
    present, first = np.unique(group[order], return_index=True)
    sums = np.add.reduceat(points[order], first, axis=0)
    centres = before.copy()
    centres[present] = sums / np.bincount(group)[present][:, None]
    return centres
