"""Which actions a video shows, and when: for each window, for stretches, and for the whole."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.action_results import (
    NONE_OF_THESE,
    TOP,
    ActionResult,
    ActionWindow,
    Chance,
    LookedAt,
    Stretch,
)
from app.index import FrameIndex, IndexStore
from app.performance import Meter
from app.pipelines.indexing import IndexStep, index_video
from app.pipelines.recognizing import RecognizeRequest
from app.pipelines.segmenting import known_from, plan_of, segment_video, windows_in
from app.progress import Progress
from app.results import ModelUsed, Performance, Sampling
from models.protocols import ActionClassifier, FrameEncoder, SegmentClassifier
from models.types import ActionWindows, Floats, Times, VideoInfo

# A growing index is looked at again and again; after each time so many times as long goes to
# reading on, so that it never takes more than a small share.
PAUSE_BY_COST = 12.0
# Frames of a stretch that are named as those that counted most.
FRAMES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class RecognizeStep:
    """One report of the work: how far, how fast, and a result whenever there is a better one."""

    progress: Progress
    performance: Performance
    known_until_s: float
    result: ActionResult | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Naming:
    """Who names the actions, and how what is read of a video becomes windows."""

    used: ModelUsed
    labels: tuple[str, ...]
    known_from: float
    windows: Callable[[FrameIndex], ActionWindows]
    sampling: Callable[[FrameIndex, str], Sampling]
    zero_shot: bool = False
    every_s: float | None = None  # between segments, where it looks at segments


def recognize(
    video: VideoInfo,
    request: RecognizeRequest,
    model: ActionClassifier,
    encoder: FrameEncoder,
    store: IndexStore,
    meter: Meter | None = None,
    quality: str | None = None,
) -> Iterator[RecognizeStep]:
    """The last step is complete; those before carry what can be said so far.

    `quality` is what was measured of the model, in a few words.
    """
    meter = meter or Meter()
    naming = Naming(
        used=ModelUsed(model.name, model.weights_hash, quality),
        labels=tuple(model.labels),
        known_from=model.known_from,
        windows=lambda index: model.classify_windows(index, index.times_s),
        sampling=lambda index, depth: Sampling(request.fps, len(index), depth),
        zero_shot=bool(request.labels),
    )
    return _told(video, naming, index_video(video, encoder, request.fps, store, meter), meter)


def recognize_segments(
    video: VideoInfo,
    request: RecognizeRequest,
    model: SegmentClassifier,
    store: IndexStore,
    meter: Meter | None = None,
    quality: str | None = None,
) -> Iterator[RecognizeStep]:
    """The same by a model that looks at segments of the video itself and reads no index."""
    meter = meter or Meter()
    plan, threshold = plan_of(model, request.every_s), known_from(model)
    naming = Naming(
        used=ModelUsed(model.name, model.weights_hash, quality),
        labels=tuple(model.labels),
        known_from=threshold,
        windows=lambda index: windows_in(index, plan, threshold, video.end_s),
        sampling=lambda index, depth: Sampling(
            plan.fps, len(index) // plan.shown * plan.frames, depth
        ),
        every_s=plan.every_s,
    )
    return _told(video, naming, segment_video(video, model, plan, store, meter), meter)


def _told(
    video: VideoInfo, naming: Naming, steps: Iterator[IndexStep], meter: Meter
) -> Iterator[RecognizeStep]:
    next_at = 0.0
    for step in steps:
        result = None
        due = step.complete or time.perf_counter() >= next_at
        if step.index is not None and len(step.index) and due:
            started = time.perf_counter()
            with meter.selecting():
                result = _result_of(video, naming, step.index, step, meter)
            ended = time.perf_counter()
            next_at = ended + PAUSE_BY_COST * (ended - started)
        yield RecognizeStep(
            step.progress, meter.reading(), step.known_until_s, result, complete=step.complete
        )


def _result_of(
    video: VideoInfo, naming: Naming, index: FrameIndex, step: IndexStep, meter: Meter
) -> ActionResult:
    seen = _Seen(naming.windows(index), naming, index)
    return ActionResult(
        video=video,
        model=naming.used,
        labels=naming.labels,
        zero_shot=naming.zero_shot,
        sampling=naming.sampling(index, step.depth),
        top=seen.top(range(len(seen.windows)), weigh_by_known=not naming.zero_shot),
        windows=tuple(map(seen.window, range(len(seen.windows)))),
        stretches=tuple(seen.stretches(max(video.end_s, float(index.times_s[-1])))),
        timing=meter.reading(),
        every_s=naming.every_s,
    )


class _Seen:
    """What a classifier says of the windows over one index."""

    def __init__(self, windows: ActionWindows, naming: Naming, index: FrameIndex) -> None:
        self.windows = windows
        self._labels = naming.labels
        self._index = index
        self._best = windows.probabilities.argmax(1)
        self._is_known = windows.known >= naming.known_from

    def label(self, at: int) -> str:
        return self._labels[self._best[at]] if self._is_known[at] else NONE_OF_THESE

    def probability(self, at: int) -> float:
        """That the label is right; where that is "none of these", that it is none of them."""
        if self._is_known[at]:
            return float(self.windows.probabilities[at, self._best[at]])
        return 1.0 - float(self.windows.known[at])

    def window(self, at: int) -> ActionWindow:
        start_s, end_s = self.windows.spans_s[at].tolist()
        times = self._index.times_s[self.windows.frames[at]].tolist()
        return ActionWindow(
            start_s=start_s,
            end_s=end_s,
            label=self.label(at),
            probability=self.probability(at),
            known=float(self.windows.known[at]),
            top=self.top([at]),
            looked_at=tuple(map(LookedAt, times, self.windows.attention[at].tolist())),
        )

    def top(self, which: Sequence[int], *, weigh_by_known: bool = False) -> tuple[Chance, ...]:
        """The labels that are likeliest over these windows, each as long as it lasts.

        Where probabilities leave out that it may be none of them, windows of the whole video count
        by how likely it is one: what the others come nearest to says little.
        """
        rows = list(which)
        spans = self.windows.spans_s[rows]
        weights = np.maximum(spans[:, 1] - spans[:, 0], 1e-3)
        if weigh_by_known:
            weights = weights * np.maximum(self.windows.known[rows], 1e-3)
        mean_K = (weights[:, None] * self.windows.probabilities[rows]).sum(0) / weights.sum()
        return tuple(
            Chance(self._labels[label], float(mean_K[label]))
            for label in np.argsort(-mean_K, kind="stable")[:TOP]
        )

    def stretches(self, video_end_s: float) -> Iterator[Stretch]:
        """Adjoining windows of one label are one stretch."""
        owned = owned_spans(self.windows.spans_s, video_end_s)
        first = 0
        for at in range(1, len(self.windows) + 1):
            if at < len(self.windows) and self.label(at) == self.label(first):
                continue
            yield self._stretch(range(first, at), float(owned[first, 0]), float(owned[at - 1, 1]))
            first = at

    def _stretch(self, which: range, start_s: float, end_s: float) -> Stretch:
        rows, weights = self._looked_at(which, start_s, end_s)
        counted_most = rows[int(weights.argmax())]
        times = self._index.times_s
        kept = np.argsort(-weights, kind="stable")[:FRAMES_SHOWN]
        kept = kept[np.argsort(times[rows[kept]], kind="stable")]
        return Stretch(
            start_s=start_s,
            end_s=end_s,
            label=self.label(which[0]),
            probability=float(np.mean([self.probability(at) for at in which])),
            time_s=float(times[counted_most]),
            top=self.top(which),
            looked_at=tuple(LookedAt(float(times[rows[i]]), float(weights[i])) for i in kept),
            thumbnail=self._index.thumbnails[int(counted_most)],
        )

    def _looked_at(
        self, which: range, start_s: float, end_s: float
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Rows of the index and how much each counted over these windows; sums to one.

        A window reaches into the stretches beside it; only what is in this one is shown for it.
        """
        rows = np.concatenate([self.windows.frames[at] for at in which])
        weights = np.concatenate([self.windows.attention[at] for at in which])
        unique, places = np.unique(rows, return_inverse=True)
        summed = np.bincount(places, weights).astype(np.float32)
        times = self._index.times_s[unique]
        inside = (times >= start_s - 1e-6) & (times < end_s + 1e-6)
        if not inside.any():
            inside[:] = True
        return unique[inside], summed[inside] / max(float(summed[inside].sum()), 1e-9)


def owned_spans(spans_s: Times, video_end_s: float) -> Times:
    """The part of each window that stands for it: overlaps are halved, gaps and ends closed."""
    owned = spans_s.copy()
    middles = (spans_s[:-1, 1] + spans_s[1:, 0]) / 2
    owned[:-1, 1] = owned[1:, 0] = middles
    if len(owned):
        owned[-1, 1] = max(min(float(owned[-1, 1]), video_end_s), float(owned[-1, 0]))
    return owned
