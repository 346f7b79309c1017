"""Words that steer a summary: what matches them counts more, what does not counts less."""

from dataclasses import dataclass

import numpy as np

from app.index import FrameIndex
from app.pipelines.search import CONFIDENT, Asked, asked_in_words
from app.pipelines.searchable import Searchables, make_searchable
from models.protocols import FrameTextEncoder
from models.ranks import average_ranks
from models.segment_summarizers import FrameScores, rescored


@dataclass(frozen=True, slots=True)
class Words:
    """A query, ready to steer."""

    asked: Asked
    model: FrameTextEncoder
    kept: Searchables

    def steer(
        self, found: FrameScores, index: FrameIndex, *, complete: bool
    ) -> tuple[FrameScores, bool]:
        """The score becomes the geometric mean of the frame's importance and of its match.

        Importance counts by its rank among the frames (0 to 1), so that every method is steered
        alike; the match is the calibrated probability that the frame shows what the words say. A
        frame must have some of both. Where the search finds no confident match (the second value
        is False) nothing is changed.
        """
        frames = (self.kept.of if complete else make_searchable)(index, self.model)
        match = self.asked.match(frames.vectors)
        best = int(match.argmax())
        if float(self.asked.match(frames.vectors[[best]], frames.distinct)[0]) < CONFIDENT:
            return found, False
        rank = average_ranks(found.scores) / len(found.scores)
        scores = np.sqrt(rank * match).astype(np.float32)
        return rescored(found, scores, index.times_s), True


def words_of(query: str, model: FrameTextEncoder | None, kept: Searchables) -> Words:
    """Raises RequestError where the model can make nothing of the query."""
    if model is None:
        raise ValueError("a query needs a model that reads it, received none")
    return Words(asked_in_words(query, model), model, kept)
