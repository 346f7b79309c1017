"""Boxes as rows of x0, y0, x1, y1: how far they overlap, and which of many say the same."""

import numpy as np
import numpy.typing as npt

from models.types import Floats


def areas(boxes: Floats) -> Floats:
    """[N, 4] -> [N]."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def overlaps(one: Floats, other: Floats) -> Floats:
    """[N, 4], [M, 4] -> [N, M]: the area that two share, of what they cover together."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    together = areas(one)[:, None] + areas(other)[None, :] - shared
    return np.asarray(shared / np.maximum(together, 1e-9), np.float32)


def kept_boxes(boxes: Floats, scores: Floats, same_iou: float) -> npt.NDArray[np.int64]:
    """Rows, the surest first, none of which overlaps a surer one by more than `same_iou`."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[overlaps(boxes[best : best + 1], boxes[order])[0] <= same_iou]
    return np.array(kept, np.int64)
