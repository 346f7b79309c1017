"""Which moments of a video matter, and which shots show the most of it in the time given."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from app.index import FrameIndex, IndexStore
from app.performance import Meter
from app.pipelines.choosing import choose, shot_at
from app.pipelines.comparing import compared_with
from app.pipelines.indexing import IndexStep, index_video
from app.pipelines.query import tidy
from app.pipelines.requests import DEFAULT_RATIO, SummaryRequest
from app.pipelines.searchable import Searchables
from app.pipelines.segment_features import encode_segments, one_row_each, plan_of
from app.pipelines.steering import Words, words_of
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
from models.protocols import FrameEncoder, FrameScorer, FrameTextEncoder, SegmentEncoder
from models.segment_parts import unit_rows
from models.segment_summarizers import FrameScores
from models.summary_methods import OF_SEGMENTS, Method, method_named, run_method, threshold_for
from models.types import Floats, VideoInfo

# Choosing from a growing index takes longer the longer the video is. After each time so many
# times as long goes to looking on, so that it never takes more than a small share.
PAUSE_BY_COST = 12.0


@dataclass(frozen=True, slots=True)
class SummaryModels:
    """What a request needs, loaded: the encoder of the index, and what reads that index.

    An encoder of segments takes the place of all that reads an index of frames.
    """

    encoder: FrameEncoder | SegmentEncoder
    scorers: Mapping[str, FrameScorer] = field(default_factory=dict)  # of trained methods
    words: FrameTextEncoder | None = None  # of a query
    qualities: Mapping[str, str] = field(default_factory=dict)  # by the name of the model

    def behind(self, method: Method) -> ModelUsed:
        """The model that a method's scores come from."""
        used = self.encoder if method.scorer is None else self.scorers[method.scorer]
        return ModelUsed(used.name, used.weights_hash, self.qualities.get(used.name))


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
    models: SummaryModels,
    store: IndexStore,
    meter: Meter | None = None,
    kept: Searchables | None = None,
) -> Iterator[SummaryStep]:
    """The last step is complete; those before carry what can be said so far.

    Raises:
        RequestError: the model can make nothing of the query.
    """
    meter = meter or Meter()
    words = None
    if request.query is not None:
        words = words_of(request.query, models.words, kept or Searchables())
    next_at = 0.0
    for step in _steps(video, request, models, store, meter):
        result = None
        due = step.complete or time.perf_counter() >= next_at
        if step.index is not None and len(step.index) and due:
            started = time.perf_counter()
            with meter.selecting():
                result = _summary_of(video, request, models, words, step, step.index, meter)
            ended = time.perf_counter()
            next_at = ended + PAUSE_BY_COST * (ended - started)
        yield SummaryStep(
            step.progress, meter.reading(), step.known_until_s, result, complete=step.complete
        )


def _steps(
    video: VideoInfo,
    request: SummaryRequest,
    models: SummaryModels,
    store: IndexStore,
    meter: Meter,
) -> Iterator[IndexStep]:
    if isinstance(models.encoder, SegmentEncoder):
        return encode_segments(video, models.encoder, store, meter)
    return index_video(video, models.encoder, request.fps, store, meter)


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read so far, one row a score, and how a method runs on it."""

    index: FrameIndex
    embeddings: Floats  # of length one
    sampling: Sampling
    by: Callable[[Method], FrameScores]


def _read(
    end_s: float, request: SummaryRequest, models: SummaryModels, index: FrameIndex, depth: str
) -> _Read:
    ratio = request.ratio or DEFAULT_RATIO
    if isinstance(models.encoder, SegmentEncoder):
        return _read_segments(end_s, request, models.encoder, index, depth)
    embeddings = index.embeddings.astype(np.float32)

    def by(method: Method) -> FrameScores:
        score = models.scorers[method.scorer].score if method.scorer is not None else None
        return run_method(method, score, embeddings, index.times_s, end_s, ratio)

    return _Read(index, embeddings, Sampling(request.fps, len(index), depth), by)


def _read_segments(
    end_s: float, request: SummaryRequest, encoder: SegmentEncoder, kept: FrameIndex, depth: str
) -> _Read:
    plan = plan_of(encoder)
    index, starts_s = one_row_each(kept, plan)
    features = index.embeddings.astype(np.float32)
    threshold = request.threshold and threshold_for(request.threshold, encoder.dim)

    def by(method: Method) -> FrameScores:
        run = OF_SEGMENTS[method.name]
        return run(features, starts_s, end_s, request.ratio or DEFAULT_RATIO, threshold)

    sampling = Sampling(plan.fps, len(index), depth, plan.frames)
    return _Read(index, unit_rows(features), sampling, by)


def _summary_of(
    video: VideoInfo,
    request: SummaryRequest,
    models: SummaryModels,
    words: Words | None,
    step: IndexStep,
    index: FrameIndex,
    meter: Meter,
) -> SummaryResult:
    ratio = request.ratio or DEFAULT_RATIO
    end_s = max(video.end_s, float(index.times_s[-1]))
    read = _read(end_s, request, models, index, step.depth)
    index, embeddings, by = read.index, read.embeddings, read.by
    method = method_named(request.method)
    found = by(method)
    steered = False
    if words is not None:
        found, steered = words.steer(found, index, complete=step.complete)
    compared = None
    if request.compare is not None:
        other = method_named(request.compare)
        compared = compared_with(
            other.name, models.behind(other), by(other).scores, index.times_s, found.scores
        )
    chosen_frames, chosen_shots = choose(
        found, embeddings, index, request, ratio * (end_s - found.shots[0].start_s)
    )
    scores = found.scores
    return SummaryResult(
        video=video,
        model=models.behind(method),
        method=request.method,
        sampling=read.sampling,
        frames=tuple(
            ScoredFrame(float(t), float(s)) for t, s in zip(index.times_s, scores, strict=True)
        ),
        keyframes=tuple(
            Keyframe(
                time_s=float(index.times_s[i]),
                score=float(scores[i]),
                shot=shot_at(found, float(index.times_s[i])),
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
        query=request.query and tidy(request.query),
        steered=steered,
        compared=compared,
    )


def _shot_scores(found: FrameScores, index: FrameIndex) -> list[float]:
    """A shot is worth the mean of its frames, as the published protocol has it."""
    starts = np.searchsorted(index.times_s, [shot.start_s for shot in found.shots])
    ends = np.append(starts[1:], len(index))
    return [
        float(found.scores[a:b].mean()) if b > a else 0.0 for a, b in zip(starts, ends, strict=True)
    ]
