"""Scorers that read an index through another model."""

import numpy as np

from models.protocols import Embedded, FrameScorer, FrameTextEncoder
from models.types import Floats, Times


class ScorerInSpace:
    """A scorer of frames in the space of another model, on the index that this model reads.

    Implements protocols.FrameScorer.
    """

    def __init__(self, scorer: FrameScorer, space: FrameTextEncoder) -> None:
        self.name = scorer.name
        self.weights_hash = scorer.weights_hash
        self.index_encoder = space.index_encoder
        self._scorer, self._space = scorer, space

    def score(self, embeddings: Floats | Embedded, times_s: Times) -> Floats:
        """An index or its embeddings [T, D], and ascending times -> float32 [T] in [0, 1]."""
        given = embeddings if isinstance(embeddings, np.ndarray) else embeddings.embeddings
        return self._scorer.score(self._space.project(np.asarray(given, np.float32)), times_s)
