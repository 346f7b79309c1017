"""Which shots or frames to keep, given scores. Pure numpy, exact where that is possible."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.types import Floats, Times

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

# Seconds are counted in hundredths: finer than any frame is long. The table holds one bit for each
# (item, unit of capacity); where that would be too many, the unit grows.
UNIT_S = 0.01
MAX_TABLE_CELLS = 200_000_000


# Of a picture that a better one repeats exactly, this share of its score is lost.
REPEATED = 0.8


def knapsack(
    values: Floats | Doubles | Sequence[float],
    lengths: Floats | Doubles | Indices | Sequence[float],
    capacity: float,
) -> Indices:
    """0/1 knapsack: ascending indices of the items of largest total value that fit.

    Exact for whole-numbered lengths, by dynamic programming over units of capacity; lengths in
    seconds are rounded up to UNIT_S first. Where the table would pass MAX_TABLE_CELLS they are
    rounded up to coarser units: the choice still fits, and is the best one for rounded lengths.
    Items worth nothing are never taken.
    """
    value = np.asarray(values, np.float64)
    units, room = _in_units(np.asarray(lengths), capacity)
    if value.shape != units.shape or value.ndim != 1:
        raise ValueError(f"one length a value, received {value.shape} and {units.shape}")
    if (units < 0).any():
        raise ValueError(f"lengths are not negative, received {np.min(lengths)}")
    useful = np.flatnonzero((value > 0) & (units <= room))
    if len(useful) == 0 or int(units[useful].sum()) <= room:
        return useful
    common = int(np.gcd.reduce(units[useful]))
    units, room = units // common, room // common
    coarse = -(-len(useful) * (room + 1) // MAX_TABLE_CELLS)
    chosen: Indices = useful[_fill(value[useful], -(-units[useful] // coarse), room // coarse)]
    return chosen


def _in_units(lengths: npt.NDArray[Any], capacity: float) -> tuple[Indices, int]:
    if np.issubdtype(lengths.dtype, np.integer):
        return lengths.astype(np.int64), int(np.floor(capacity))
    # A millionth of slack: 2.0000000001 s is two seconds.
    units = np.ceil(lengths.astype(np.float64) / UNIT_S - 1e-6).astype(np.int64)
    return units, int(np.floor(capacity / UNIT_S + 1e-6))


def _fill(value: Doubles, length: Indices, capacity: int) -> Indices:
    best = np.zeros(capacity + 1)
    taken = np.zeros((len(value), capacity // 8 + 1), np.uint8)
    for item, (worth, size) in enumerate(zip(value.tolist(), length.tolist(), strict=True)):
        if size > capacity:
            continue
        with_item = best[: capacity + 1 - size] + worth
        better = with_item > best[size:]
        bits = np.zeros(capacity + 1, np.bool_)
        bits[size:] = better
        taken[item] = np.packbits(bits)
        # A new array, because the row before is still being read.
        best = np.concatenate([best[:size], np.where(better, with_item, best[size:])])
    chosen = []
    room = capacity
    for item in range(len(value) - 1, -1, -1):
        if taken[item, room >> 3] >> (7 - (room & 7)) & 1:
            chosen.append(item)
            room -= int(length[item])
    return np.array(chosen[::-1], np.int64)


def top_k_spaced(
    scores: Floats | Doubles, times_s: Times, k: int, spacing_s: float = 0.0
) -> Indices:
    """Up to k indices of the highest scores, no two closer than spacing_s, in order of time.

    Greedy from the top; of equal scores the earlier one wins.
    """
    score = np.asarray(scores, np.float64)
    if score.shape != times_s.shape:
        raise ValueError(f"one time a score, received {score.shape} and {times_s.shape}")
    best_first = np.argsort(-score, kind="stable")
    if spacing_s <= 0:
        return np.sort(best_first[: max(k, 0)])
    free = np.ones(len(score), np.bool_)
    chosen: list[int] = []
    for index in best_first.tolist():
        if len(chosen) >= k:
            break
        if free[index]:
            chosen.append(index)
            free[np.abs(times_s - times_s[index]) < spacing_s - 1e-9] = False
    return np.array(sorted(chosen), np.int64)


def worth_beside_better(scores: Floats | Doubles, embeddings: Floats) -> Doubles:
    """Each score, less what a better one shows already.

    Two pictures of one scene say little more than the first. Likeness counts by its square:
    near-duplicates lose most of their score, pictures that merely share colours little.
    """
    score = np.asarray(scores, np.float64)
    if len(embeddings) != len(score):
        raise ValueError(f"one embedding a score, received {len(embeddings)} and {len(score)}")
    order = np.argsort(-score, kind="stable")
    likeness = np.clip(embeddings[order] @ embeddings[order].T, 0.0, 1.0)
    shown = np.tril(likeness, k=-1).max(axis=1, initial=0.0) ** 2
    worth = np.empty(len(score))
    worth[order] = score[order] * (1.0 - REPEATED * shown)
    return worth


def peaks(
    scores: Floats | Doubles,
    times_s: Times,
    *,
    threshold: float = 0.0,
    spacing_s: float = 0.0,
    prominence: float = 0.0,
) -> Indices:
    """Local maxima at or above the threshold, in order of time, spaced as in top_k_spaced.

    A flat top counts once, at its middle. `prominence` is how far the curve must fall on both
    sides before it rises higher again; the ends of the curve count as a fall.
    """
    score = np.asarray(scores, np.float64)
    if len(score) == 0:
        return np.zeros(0, np.int64)
    runs = np.flatnonzero(np.append(True, np.diff(score) != 0))
    level = score[runs]
    ends = np.append(runs[1:], len(score))
    padded = np.concatenate([[-np.inf], level, [-np.inf]])
    is_top = (level > padded[:-2]) & (level > padded[2:]) & (level >= threshold)
    tops = ((runs + ends - 1) // 2)[is_top]
    if prominence > 0:
        tops = tops[[_prominence(score, int(top)) >= prominence for top in tops]]
    kept: Indices = tops[top_k_spaced(score[tops], times_s[tops], len(tops), spacing_s)]
    return kept


def _prominence(score: Doubles, top: int) -> float:
    """Height above the higher of the two valleys that part it from higher ground."""
    falls = []
    for side in (score[top::-1], score[top:]):
        higher = np.flatnonzero(side > score[top])
        if len(higher):
            falls.append(score[top] - side[: higher[0]].min())
    lowest = score.min()
    return float(min(falls)) if falls else float(score[top] - lowest)


def spread(count: int, k: int) -> Indices:
    """k indices evenly over range(count), each in the middle of its stretch."""
    if count <= 0 or k <= 0:
        return np.zeros(0, np.int64)
    if k >= count:
        return np.arange(count)
    middles: Indices = ((np.arange(k) + 0.5) * count / k).astype(np.int64)
    return middles
