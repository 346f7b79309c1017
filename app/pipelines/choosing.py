"""Which shots and which of their frames a summary keeps, given what each frame is worth."""

import numpy as np

from app.index import FrameIndex
from app.pipelines.requests import SummaryRequest
from models.segment_summarizers import FrameScores
from models.selection import Doubles, knapsack, top_k_spaced, worth_beside_better
from models.types import Floats

# More cards than this are a contact sheet, not a summary; a person who wants more says how many.
MOST_KEYFRAMES_BY_RATIO = 60
# Fewer than these tell little, however short the share: the best of the other shots join them.
FEWEST_KEYFRAMES_BY_RATIO = 6
ALIKE = 1.05  # shots whose lengths differ by less count as equally long


def choose(
    found: FrameScores,
    embeddings: Floats,
    index: FrameIndex,
    request: SummaryRequest,
    budget_s: float,
) -> tuple[list[int], set[int]]:
    """The keyframes and the shots that are kept, as the request has it."""
    standing = found.representatives
    worth = worth_beside_better(found.scores[standing], embeddings[standing])
    if request.keyframes is not None:
        frames = _so_many(found, worth, index, request)
        return frames, {shot_at(found, float(index.times_s[i])) for i in frames}
    shots = _shots_within(found, worth, budget_s)
    return _one_each(found, worth, index, shots, request.spacing_s), shots


def _shots_within(found: FrameScores, worth: Doubles, budget_s: float) -> set[int]:
    """The shots worth most that fit into the time together; never none."""
    lengths = np.array([shot.length_s for shot in found.shots])
    chosen = {int(at) for at in knapsack(worth * lengths, lengths, budget_s)}
    # Where every shot is longer than the time given, whole shots are shown all the same: one, the
    # best of the shortest.
    short = np.flatnonzero(lengths <= ALIKE * lengths.min())
    return chosen or {int(short[worth[short].argmax()])}


def _one_each(
    found: FrameScores, worth: Doubles, index: FrameIndex, shots: set[int], spacing_s: float
) -> list[int]:
    """The frame that stands for each chosen shot, leaving out those too near a better one."""
    preference = np.full(len(index), -1.0)
    preference[found.representatives] = worth
    preference[found.representatives[sorted(shots)]] += 2.0
    wanted = min(max(len(shots), FEWEST_KEYFRAMES_BY_RATIO), MOST_KEYFRAMES_BY_RATIO)
    kept = top_k_spaced(preference, index.times_s, wanted, spacing_s)
    return [int(i) for i in kept if preference[i] >= 0.0]


def _so_many(
    found: FrameScores, worth: Doubles, index: FrameIndex, request: SummaryRequest
) -> list[int]:
    """As many frames as asked for: those that stand for a shot first, then the best of the rest."""
    preference = found.scores.astype(np.float64)
    preference[found.representatives] = 2.0 + worth
    kept = top_k_spaced(preference, index.times_s, request.keyframes or 1, request.spacing_s)
    return [int(i) for i in kept]


def shot_at(found: FrameScores, time_s: float) -> int:
    starts = np.array([shot.start_s for shot in found.shots])
    return max(0, int(np.searchsorted(starts, time_s + 1e-9, side="right")) - 1)
