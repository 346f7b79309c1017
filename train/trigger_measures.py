"""What is measured of a detector of events, and how its decision is set: pure numpy."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.trigger_detector import TriggerCalibration

Array = npt.NDArray[np.generic]
Doubles = npt.NDArray[np.float64]
Spans = Sequence[tuple[float, float]]

CALIBRATION_BINS = 10
NEWTON_STEPS = 50
RIDGE = 1e-4  # of the slope, so that data that part cleanly do not send it to infinity


def average_precision(truth: Array, scores: Array) -> float:
    """Mean of the precision at each true item, the surest first; 0 where nothing is true.

    Items of one score are taken in together: no order among them is luckier than another.
    """
    true = np.asarray(truth, np.float64)
    if not true.any():
        return 0.0
    levels, which = np.unique(-np.asarray(scores, np.float64), return_inverse=True)
    hits = np.bincount(which, true, len(levels))
    taken = np.bincount(which, minlength=len(levels))
    precision = np.cumsum(hits) / np.cumsum(taken)
    return float((precision * hits).sum() / true.sum())


def precision_and_recall(truth: Array, said: Array) -> tuple[float, float]:
    """Precision is 1 where nothing was said, for nothing said was wrong."""
    true, positive = np.asarray(truth, np.bool_), np.asarray(said, np.bool_)
    both = float((true & positive).sum())
    return (
        both / float(positive.sum()) if positive.any() else 1.0,
        both / float(true.sum()) if true.any() else 1.0,
    )


def matched(found: Spans, true: Spans, tolerance_s: float) -> int:
    """How many true spans have a found one of their own that overlaps them, give or take.

    Each found span counts for one true span at most: a single event over everything finds one.
    """
    free = list(found)
    count = 0
    for start_s, end_s in sorted(true):
        for span in sorted(free, key=lambda s: s[1]):
            if span[0] <= end_s + tolerance_s and span[1] >= start_s - tolerance_s:
                free.remove(span)
                count += 1
                break
    return count


def fit_calibration(logits: Array, truth: Array, weights: Array) -> TriggerCalibration:
    """The logistic curve over logits that fits best, by Newton's method."""
    x, y = np.asarray(logits, np.float64), np.asarray(truth, np.float64)
    share = _shares(weights)
    columns = np.stack([x, np.ones_like(x)], axis=1)
    found = np.array([1.0, 0.0])
    for _ in range(NEWTON_STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * columns @ found))
        slope = columns.T @ (share * (p - y)) + [RIDGE * found[0], 0.0]
        curve = (columns * (share * p * (1 - p))[:, None]).T @ columns + np.diag([RIDGE, 1e-12])
        step = np.linalg.solve(curve, slope)
        found -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-9))
    return TriggerCalibration(float(found[0]), float(found[1]))


def calibration_error(probabilities: Array, truth: Array, weights: Array) -> float:
    """Expected calibration error: the mean distance of said and true shares, over ten bins."""
    p, y = np.asarray(probabilities, np.float64), np.asarray(truth, np.float64)
    share = _shares(weights)
    bins = np.minimum((p * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    return float(np.abs(np.bincount(bins, share * (p - y), CALIBRATION_BINS)).sum())


def _shares(weights: Array) -> Doubles:
    share = np.asarray(weights, np.float64)
    total: Doubles = share / share.sum()
    return total
