"""A video made ready for searching: its index in the space of one model, kept for what comes next.

Projecting an hour of frames takes far longer than answering a query from them, and people ask
several queries about one video.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.index import FrameIndex, IndexKey
from models.certainty import MEASURED
from models.moments import count_distinct
from models.protocols import FrameTextEncoder
from models.types import Floats, Times

# An hour at two frames a second is 7 MB of vectors.
KEPT_VIDEOS = 12
KEPT_FRAMES = 100_000
ROWS_AT_ONCE = 4096
COMPARED_FRAMES = 500
LIKENESS_STEPS = np.linspace(-1.0, 1.0, 2001, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Searchable:
    """Frames in the space of a model."""

    times_s: Times
    vectors: Floats  # [T, D], unit length
    thumbnails: Sequence[bytes]
    distinct: int  # pictures of which no two show one scene
    likeness: float  # the cosine from which two frames show one scene, as probably as not

    def __len__(self) -> int:
        return len(self.times_s)


def make_searchable(index: FrameIndex, model: FrameTextEncoder) -> Searchable:
    measured = model.picture_certainty == MEASURED
    parts = range(0, len(index), ROWS_AT_ONCE)
    vectors = np.concatenate(
        [model.project(index.embeddings[at : at + ROWS_AT_ONCE].astype(np.float32)) for at in parts]
    )
    one_scene = even_likeness(model) if measured else usual_likeness(vectors)
    distinct = count_distinct(vectors, one_scene)
    return Searchable(
        times_s=index.times_s,
        vectors=vectors,
        thumbnails=index.thumbnails,
        distinct=distinct,
        likeness=even_likeness(model, distinct) if measured else one_scene,
    )


def usual_likeness(vectors: Floats) -> float:
    """Halfway between frames that follow each other and frames that do not, in this video.

    For models of which nobody measured how alike two pictures of one scene are to them.
    """
    if len(vectors) < 3:
        return 1.0
    some = vectors[:: -(-len(vectors) // COMPARED_FRAMES)]
    near = float(np.median((vectors[1:] * vectors[:-1]).sum(axis=1)))
    far = float(np.median((some @ some.T)[np.triu_indices(len(some), 1)]))
    return (near + far) / 2


def even_likeness(model: FrameTextEncoder, searched: int = 1) -> float:
    """The cosine of two frames that show one scene as probably as not.

    Among many scenes a frame finds a like one by chance: the more there are, the more alike.
    """
    likely = model.picture_probability(LIKENESS_STEPS, searched) >= 0.5
    return float(LIKENESS_STEPS[int(likely.argmax())]) if likely.any() else 1.0


class Searchables:
    """Those used last, shared between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[IndexKey, str, str | None], Searchable] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, index: FrameIndex, model: FrameTextEncoder) -> Searchable:
        """`index` is complete: its key says all of what it holds."""
        key = (index.key, model.name, model.weights_hash)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        made = make_searchable(index, model)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and self._is_too_much():
                self._kept.popitem(last=False)
        return made

    def _is_too_much(self) -> bool:
        frames = sum(len(kept) for kept in self._kept.values())
        return len(self._kept) > KEPT_VIDEOS or frames > KEPT_FRAMES
