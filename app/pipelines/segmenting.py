"""A video by a classifier of segments: every segment's probabilities and a few of its pictures.

What is found is kept where indexes are, under the model's weights and how far segments are apart:
so many rows a segment, each with a moment, its picture, and the probabilities of the segment.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from app.index import FrameIndex, IndexKey, IndexStore, IndexWriter
from app.performance import Meter
from app.pipelines.indexing import REFINE_EVERY_S, IndexStep, kept_or_built, share_read
from app.progress import Done, Progress, Report, Stop, run_reporting
from models.errors import VideoOpenError
from models.protocols import SegmentClassifier
from models.types import ActionWindows, Floats, FrameBatch, Pixels, VideoInfo
from models.video.ahead import DecodeAhead
from models.video.segments import Segment, SegmentPlan, slide
from models.video.source import VideoSource

# Frames that wait together for the model; so many are decoded ahead of it, too.
MOST_FRAMES = 128
DECODED_AT_ONCE = 16
# A call that is answered faster than this may be given twice as much.
QUICK_S = 0.5
ALWAYS_KNOWN = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked of a model: u8 RGB [N, T, H, W, 3] -> float32 [N, K]."""

    run: Callable[[Pixels], Floats]
    short_side_px: int


def plan_of(model: SegmentClassifier, every_s: float | None) -> SegmentPlan:
    """Side by side unless told otherwise: nothing is left out and nothing seen twice."""
    return SegmentPlan(model.frames_per_segment, model.segment_s, every_s or model.segment_s)


def segment_key(
    content_hash: str, model: str, weights_hash: str | None, every_s: float
) -> IndexKey:
    return IndexKey(content_hash, f"segments-{model}", weights_hash, 1 / every_s)


def known_from(model: SegmentClassifier) -> float:
    """The least probability of a label that is named; not every classifier has one."""
    threshold = getattr(model, "known_from", None)
    return ALWAYS_KNOWN if threshold is None else float(threshold)


def segment_video(
    video: VideoInfo, model: SegmentClassifier, plan: SegmentPlan, store: IndexStore, meter: Meter
) -> Iterator[IndexStep]:
    """As index_video, with rows that `windows_in` reads; closing it stops the work.

    Raises:
        VideoOpenError: no frame of the video can be decoded.
    """
    key = segment_key(video.content_hash, model.name, model.weights_hash, plan.every_s)
    look = Look(model.classify_segments, model.short_side_px)
    return look_at_segments(video, look, plan, key, store, meter)


def look_at_segments(
    video: VideoInfo, look: Look, plan: SegmentPlan, key: IndexKey, store: IndexStore, meter: Meter
) -> Iterator[IndexStep]:
    """What `look` says of every segment, as so many equal rows as pictures of it are kept."""
    return kept_or_built(
        video, key, store, meter, lambda: _build(video, look, plan, key, store, meter)
    )


def windows_in(
    index: FrameIndex, plan: SegmentPlan, threshold: float, end_s: float
) -> ActionWindows:
    """Every segment as a window. `known` is how likely its best label is, where that decides."""
    rows = np.arange(len(index)).reshape(-1, plan.shown)
    times = index.times_s[rows]
    stored = np.asarray(index.embeddings[rows[:, 0]], np.float32)
    probabilities = stored / np.maximum(stored.sum(axis=1, keepdims=True), 1e-6)
    counted = np.full(rows.shape[1], 1 / rows.shape[1], np.float32)
    best = probabilities.max(axis=1)
    return ActionWindows(
        spans_s=np.stack([times[:, 0], np.minimum(times[:, -1] + plan.step_s, end_s)], axis=1),
        probabilities=probabilities,
        known=best if threshold > ALWAYS_KNOWN else np.ones_like(best),
        frames=tuple(rows),
        attention=(counted,) * len(rows),
    )


def _build(
    video: VideoInfo,
    look: Look,
    plan: SegmentPlan,
    key: IndexKey,
    store: IndexStore,
    meter: Meter,
) -> Iterator[IndexStep]:
    known_until_s, shown_at = video.start_s, -math.inf
    with store.writer(key) as writer, VideoSource(video.path) as source:
        naming = _Naming(look, plan, writer, meter)
        sampled = source.sample(plan.fps, short_side_px=look.short_side_px, chunk=DECODED_AT_ONCE)
        with DecodeAhead(sampled) as batches:
            for segment in slide(batches, plan, video.start_s, video.end_s):
                meter.decode_s = source.decode_s
                index = None
                if segment is not None:
                    for _ in naming.take(segment):
                        yield _looking(video, known_until_s)
                    if not naming.waiting:
                        known_until_s = float(segment.times_s[-1])
                        meter.video_s = known_until_s - video.start_s
                        if time.perf_counter() - shown_at > REFINE_EVERY_S:
                            index = writer.snapshot()
                yield _looking(video, known_until_s, index)
                if index is not None:  # counted from when the consumer is done with it
                    shown_at = time.perf_counter()
        for _ in naming.finish():
            yield _looking(video, known_until_s)
        meter.decode_s = source.decode_s
        if not len(writer):
            raise VideoOpenError(
                "No picture in this video can be decoded; convert it to MP4 and try again."
            )
        meter.video_s = video.duration_s
        yield IndexStep(Progress("Done", 1.0), video.end_s, writer.commit(), complete=True)


def _looking(video: VideoInfo, until_s: float, index: FrameIndex | None = None) -> IndexStep:
    progress = Progress("Looking at every segment", share_read(video, until_s))
    return IndexStep(progress, until_s, index, "so far")


class _Naming:
    """Gives segments to the model: one at first, more together where that is quick.

    A large model takes seconds for each on a CPU, so whoever waits is called several times a
    second; what is closed meanwhile does not wait for the model.
    """

    def __init__(self, look: Look, plan: SegmentPlan, writer: IndexWriter, meter: Meter) -> None:
        self._look, self._writer, self._meter = look, writer, meter
        self._frames = plan.frames
        self._places = np.linspace(0, plan.frames - 1, plan.shown).round().astype(int)
        self.waiting: list[Segment] = []
        self._together = 1

    def take(self, segment: Segment) -> Iterator[None]:
        """Names it, and all before it, or keeps it for a while."""
        self.waiting.append(segment)
        if len(self.waiting) >= self._together:
            yield from self.finish()

    def finish(self) -> Iterator[None]:
        """Names those that still wait."""
        if not self.waiting:
            return
        began = time.perf_counter()
        named = np.zeros((0, 0), np.float32)
        with closing(run_reporting(self._run)) as running:
            for step in running:
                if isinstance(step, Done):
                    named = step.value
                else:
                    yield
        for segment, said in zip(self.waiting, named, strict=True):
            batch = FrameBatch(segment.pixels[self._places], segment.times_s[self._places])
            self._writer.add(batch, np.tile(said, (len(batch), 1)))
        self._meter.frames += len(self.waiting) * self._frames
        if time.perf_counter() - began < QUICK_S:
            self._together = min(2 * self._together, max(1, MOST_FRAMES // self._frames))
        else:
            self._together = max(1, self._together // 2)
        self.waiting = []

    def _run(self, _report: Report, _stop: Stop) -> Floats:
        with self._meter.encoding():
            return self._look.run(np.stack([segment.pixels for segment in self.waiting]))
