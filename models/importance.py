"""What a picture's place among the others says about its importance, from embeddings alone.

The three curves were kept, and their weights set, on half of TVSum's videos (train/LOG.md).
"""

import numpy as np
import numpy.typing as npt

from models.types import Floats, Times

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

ACTIVITY_SMOOTHING_S = 5.0
# Openings and endings are titles and credits more often than not: the first and last tenth count
# less, down to this share at the very ends.
END_SHARE, END_WEIGHT = 0.1, 0.6


def activity(embeddings: Floats, times_s: Times, shot_of: Indices) -> Doubles:
    """Change between neighbouring frames of one shot, smoothed; half at the video's median."""
    count = len(embeddings)
    if count < 2:
        return np.full(count, 0.5)
    change = ((embeddings[1:] - embeddings[:-1]) ** 2).sum(axis=1).astype(np.float64)
    inside = shot_of[1:] == shot_of[:-1]
    ordinary = float(np.median(change[inside])) if inside.any() else 0.0
    change = np.append(ordinary, np.where(inside, change, ordinary))
    pace_s = max(float(np.median(np.diff(times_s))), 1e-6)
    smooth = _smooth(change, max(1, round(ACTIVITY_SMOOTHING_S / pace_s)))
    share: Doubles = smooth / (smooth + float(np.median(smooth)) + 1e-3)
    return share


def _smooth(values: Doubles, width: int) -> Doubles:
    """A raised-cosine average over about `width` values; the ends see themselves mirrored."""
    half = min(width // 2, len(values) - 1)
    if half < 1:
        return values
    kernel = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, half, mode="reflect")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def belonging(means: Floats) -> Doubles:
    """[shots]: cosine to the more similar neighbour, in [0, 1]."""
    if len(means) < 2:
        return np.ones(len(means))
    beside = likeness(means[1:], means[:-1]).astype(np.float64)
    like: Doubles = np.maximum(np.append(beside, 0), np.append(0, beside))
    return like


def end_weights(times_s: Times, end_s: float) -> Doubles:
    length_s = max(end_s, float(times_s[-1])) - float(times_s[0])
    if length_s <= 0:
        return np.ones(len(times_s))
    position = (times_s - times_s[0]) / length_s
    inward = np.clip(np.minimum(position, 1 - position) / END_SHARE, 0, 1)
    weights: Doubles = END_WEIGHT + (1 - END_WEIGHT) * inward
    return weights


def likeness(one: Floats, other: Floats) -> Floats:
    """Row by row, the cosine of unit vectors; pictures that share nothing count as 0."""
    return within_unit(np.einsum("td,td->t", one, other))


def within_unit(scores: npt.NDArray[np.floating]) -> Floats:
    clipped: Floats = np.clip(scores, 0, 1).astype(np.float32)
    return clipped
