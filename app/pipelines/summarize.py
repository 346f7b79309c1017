"""Which moments of a video matter, and which shots show the most of it in the time given."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.index import FrameIndex, IndexStore
from app.performance import Meter
from app.pipelines.indexing import index_video
from app.pipelines.requests import DEFAULT_RATIO, SummaryRequest
from app.progress import Progress
from app.results import (
    Keyframe,
    ModelUsed,
    Performance,
    Sampling,
    ScoredFrame,
    ScoredShot,
    SummaryResult,
)
from models.protocols import FrameEncoder
from models.segment_summarizers import METHODS, FrameScores
from models.selection import Doubles, knapsack, top_k_spaced, worth_beside_better
from models.types import VideoInfo

# More cards than this are a contact sheet, not a summary; a person who wants more says how many.
MOST_KEYFRAMES_BY_RATIO = 60
# Fewer than these tell little, however short the share: the best of the other shots join them.
FEWEST_KEYFRAMES_BY_RATIO = 6


@dataclass(frozen=True, slots=True)
class SummaryStep:
    """One report of the work: how far, how fast, and a result whenever there is a better one."""

    progress: Progress
    performance: Performance
    known_until_s: float
    result: SummaryResult | None = None
    complete: bool = False


def summarize(
    video: VideoInfo,
    request: SummaryRequest,
    encoder: FrameEncoder,
    store: IndexStore,
    meter: Meter | None = None,
) -> Iterator[SummaryStep]:
    """The last step is complete; those before carry what can be said so far."""
    meter = meter or Meter()
    for step in index_video(video, encoder, request.fps, store, meter):
        result = None
        if step.index is not None and len(step.index):
            with meter.selecting():
                result = _summary_of(video, request, encoder, step.index, step.depth, meter)
        yield SummaryStep(
            step.progress, meter.reading(), step.known_until_s, result, complete=step.complete
        )


def _summary_of(
    video: VideoInfo,
    request: SummaryRequest,
    encoder: FrameEncoder,
    index: FrameIndex,
    depth: str,
    meter: Meter,
) -> SummaryResult:
    method = METHODS[request.method]
    ratio = request.ratio or DEFAULT_RATIO
    end_s = max(video.end_s, float(index.times_s[-1]))
    embeddings = index.embeddings.astype(np.float32)
    found = method.run(embeddings, index.times_s, end_s, ratio)
    standing = found.representatives
    worth = worth_beside_better(found.scores[standing], embeddings[standing])
    if request.keyframes is not None:
        chosen_frames = _so_many(found, worth, index, request)
        chosen_shots = {_shot_at(found, float(index.times_s[i])) for i in chosen_frames}
    else:
        chosen_shots = _shots_within(found, worth, ratio * (end_s - found.shots[0].start_s))
        chosen_frames = _one_each(found, worth, index, chosen_shots, request.spacing_s)
    scores = found.scores
    return SummaryResult(
        video=video,
        model=ModelUsed(encoder.name, encoder.weights_hash),
        method=request.method,
        sampling=Sampling(request.fps, len(index), depth),
        frames=tuple(
            ScoredFrame(float(t), float(s)) for t, s in zip(index.times_s, scores, strict=True)
        ),
        keyframes=tuple(
            Keyframe(
                time_s=float(index.times_s[i]),
                score=float(scores[i]),
                shot=_shot_at(found, float(index.times_s[i])),
                thumbnail=index.thumbnails[i],
            )
            for i in sorted(chosen_frames)
        ),
        shots=tuple(
            ScoredShot(shot.start_s, shot.end_s, score, at in chosen_shots)
            for at, (shot, score) in enumerate(
                zip(found.shots, _shot_scores(found, index), strict=True)
            )
        ),
        timing=meter.reading(),
    )


def _shot_scores(found: FrameScores, index: FrameIndex) -> list[float]:
    """A shot is worth the mean of its frames, as the published protocol has it."""
    starts = np.searchsorted(index.times_s, [shot.start_s for shot in found.shots])
    ends = np.append(starts[1:], len(index))
    return [
        float(found.scores[a:b].mean()) if b > a else 0.0 for a, b in zip(starts, ends, strict=True)
    ]


def _shots_within(found: FrameScores, worth: Doubles, budget_s: float) -> set[int]:
    """The shots worth most that fit into the time together; never none."""
    lengths = np.array([shot.length_s for shot in found.shots])
    chosen = {int(at) for at in knapsack(worth * lengths, lengths, budget_s)}
    # Where every shot is longer than the time given, whole shots are shown all the same: one.
    return chosen or {int(np.argmin(lengths))}


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


def _shot_at(found: FrameScores, time_s: float) -> int:
    starts = np.array([shot.start_s for shot in found.shots])
    return max(0, int(np.searchsorted(starts, time_s + 1e-9, side="right")) - 1)
