"""Segments of frames that follow each other: where they begin, what they are like on the whole,
and which of their frames stands for each.
"""

import numpy as np
import numpy.typing as npt

from models.types import Floats, Times

Indices = npt.NDArray[np.int64]

SEGMENT_S = 2.0  # four frames at the usual two a second
# Of a shot's frames, this share at either end is kept from standing for it: cuts fade and blur.
MARGIN_SHARE = 0.15
# How much likeness to its own shot counts beside unlikeness to the video in choosing its frame.
OWN_SHOT = 0.5


def segment_starts(times_s: Times) -> Indices:
    """First frames of segments of about SEGMENT_S; the last may be shorter."""
    if len(times_s) < 2:
        return np.zeros(len(times_s), np.int64)
    pace_s = max(float(np.median(np.diff(times_s))), 1e-6)
    return np.arange(0, len(times_s), max(1, round(SEGMENT_S / pace_s)))


def owner(firsts: Indices, count: int) -> Indices:
    """[T]: which shot each frame is in."""
    return np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, count)))


def unit_means(embeddings: Floats, firsts: Indices) -> Floats:
    return unit_rows(np.add.reduceat(embeddings, firsts, axis=0))


def unit_rows(rows: Floats) -> Floats:
    """Each of length one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: Floats = rows / np.maximum(lengths, np.float32(1e-9))
    return units


def representatives(embeddings: Floats, firsts: Indices, means: Floats) -> Indices:
    """Of each shot, the frame that shows most of what the shot is and the rest of the video is not.

    Near the shot's mean and far from the video's: before a still camera the empty scene is typical
    of every shot, and the person who walks through is what tells one from the other. Frames next
    to cuts and in sudden change are left aside.
    """
    ordinary = embeddings @ embeddings.mean(axis=0)
    steps = np.zeros(len(embeddings) + 1)
    steps[1:-1] = ((embeddings[1:] - embeddings[:-1]) ** 2).sum(axis=1)
    unrest = np.maximum(steps[:-1], steps[1:])
    chosen = np.empty(len(firsts), np.int64)
    for at, inner in enumerate(inner_parts(firsts, len(embeddings))):
        own = OWN_SHOT * (embeddings[inner] @ means[at])
        telling = own - ordinary[inner] - 0.1 * unrest[inner]
        chosen[at] = inner.start + int(telling.argmax())
    return chosen


def inner_parts(firsts: Indices, count: int) -> list[slice]:
    """Each shot without the frames next to its cuts, which fade and blur; never empty."""
    parts = []
    ends = np.append(firsts[1:], count)
    for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
        # From three frames up there is a frame that is not next to a cut.
        margin = min(max(1, round(MARGIN_SHARE * (end - first))), (end - first - 1) // 2)
        parts.append(slice(first + margin, end - margin))
    return parts
