"""A video becomes an index: a first look at its key frames, then every sampled frame.

Every tab starts here. What is on disk is read and nothing is decoded; what is not is decoded once,
and the steps on the way carry what is known so far so that a tab can show it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.index import FrameIndex, IndexKey, IndexStore, IndexWriter
from app.performance import Meter
from app.progress import Progress
from models.errors import VideoOpenError
from models.protocols import FrameEncoder
from models.types import FrameBatch, VideoInfo
from models.video.ahead import DecodeAhead
from models.video.source import VideoSource

# Shorter videos are sampled in full about as fast as they are looked at.
FIRST_LOOK_FROM_S = 20.0
# One in five seconds of ten minutes; each is decoded a second time by the full pass.
FIRST_LOOK_FRAMES = 120
# How long people wait between two refinements of what they see.
REFINE_EVERY_S = 2.5
WAIT_FOR_OTHER_S = 0.2


@dataclass(frozen=True, slots=True)
class IndexStep:
    """`index` is given when there is more to show than before; the last step has it complete."""

    progress: Progress
    known_until_s: float
    index: FrameIndex | None = None
    depth: str = "full"
    complete: bool = False


def index_video(
    video: VideoInfo, encoder: FrameEncoder, fps: float, store: IndexStore, meter: Meter
) -> Iterator[IndexStep]:
    """Yields at least every few tenths of a second; closing it stops the work.

    Raises:
        VideoOpenError: no frame of the video can be decoded.
    """
    key = IndexKey(video.content_hash, encoder.name, encoder.weights_hash, fps)
    return kept_or_built(
        video, key, store, meter, lambda: _build(video, encoder, key, store, meter)
    )


def kept_or_built(
    video: VideoInfo,
    key: IndexKey,
    store: IndexStore,
    meter: Meter,
    build: Callable[[], Iterator[IndexStep]],
) -> Iterator[IndexStep]:
    """What is on disk; else what `build` makes, unless somebody else is making it just now."""
    while True:
        index = store.load(key)
        if index is not None:
            meter.from_index = True
            yield IndexStep(Progress("Read from the index", 1.0), video.end_s, index, complete=True)
            return
        with store.try_building(key) as ours:
            if ours:
                store.evict()
                yield from build()
                return
        yield IndexStep(Progress("Waiting: this video is already being read"), video.start_s)
        time.sleep(WAIT_FOR_OTHER_S)


def _build(
    video: VideoInfo, encoder: FrameEncoder, key: IndexKey, store: IndexStore, meter: Meter
) -> Iterator[IndexStep]:
    seen: FrameIndex | None = None
    with store.writer(key) as glance:
        if video.duration_s >= FIRST_LOOK_FROM_S:
            for step in _first_look(video, encoder, glance, meter):
                seen = step.index or seen
                yield step
        with store.writer(key) as writer:
            yield from _full_pass(video, encoder, writer, seen, meter)


def _first_look(
    video: VideoInfo, encoder: FrameEncoder, writer: IndexWriter, meter: Meter
) -> Iterator[IndexStep]:
    shown_frames = 0
    known_until_s = video.start_s
    last_shown = time.perf_counter()
    with VideoSource(video.path) as source:
        looks = source.first_look(short_side_px=encoder.short_side_px, max_frames=FIRST_LOOK_FRAMES)
        with DecodeAhead(looks) as batches:
            for batch in batches:
                if batch is not None:
                    _add(batch, encoder, writer, meter)
                    known_until_s = float(batch.times_s[-1])
                progress = Progress("First look", share_read(video, known_until_s))
                # The first pictures at once, then whenever there is twice as much or a second went.
                due = len(writer) >= 2 * shown_frames or time.perf_counter() - last_shown > 1.0
                if len(writer) > shown_frames and due:
                    shown_frames, last_shown = len(writer), time.perf_counter()
                    yield IndexStep(progress, known_until_s, writer.snapshot(), "first look")
                else:
                    yield IndexStep(progress, known_until_s, depth="first look")
        meter.decode_s += source.decode_s
    if len(writer) > shown_frames:
        yield IndexStep(Progress("First look", 1.0), video.end_s, writer.snapshot(), "first look")


def _full_pass(
    video: VideoInfo,
    encoder: FrameEncoder,
    writer: IndexWriter,
    seen: FrameIndex | None,
    meter: Meter,
) -> Iterator[IndexStep]:
    """Every sampled frame; what the first look saw stands in for what is not reached yet."""
    known_until_s = video.start_s
    last_shown = time.perf_counter()
    decoded_before_s = meter.decode_s
    with VideoSource(video.path) as source:
        sampled = source.sample(writer.key.fps, short_side_px=encoder.short_side_px)
        with DecodeAhead(sampled) as batches:
            for batch in batches:
                meter.decode_s = decoded_before_s + source.decode_s
                index = None
                if batch is not None:
                    _add(batch, encoder, writer, meter)
                    known_until_s = float(batch.times_s[-1])
                    meter.video_s = known_until_s - video.start_s
                    if time.perf_counter() - last_shown > REFINE_EVERY_S:
                        index = writer.snapshot()
                        index = index if seen is None else index.continued_by(seen)
                progress = Progress("Reading every frame", share_read(video, known_until_s))
                yield IndexStep(progress, known_until_s, index, "first look")
                if index is not None:  # counted from when the consumer is done with it
                    last_shown = time.perf_counter()
        meter.decode_s = decoded_before_s + source.decode_s
    if not len(writer):
        raise VideoOpenError(
            "No picture in this video can be decoded; convert it to MP4 and try again."
        )
    meter.video_s = video.duration_s
    yield IndexStep(Progress("Done", 1.0), video.end_s, writer.commit(), complete=True)


def _add(batch: FrameBatch, encoder: FrameEncoder, writer: IndexWriter, meter: Meter) -> None:
    with meter.encoding():
        embeddings = encoder.encode_frames(batch.pixels)
    writer.add(batch, embeddings)
    meter.frames += len(batch)


def share_read(video: VideoInfo, until_s: float) -> float | None:
    if video.duration_s <= 0:
        return None
    return min(1.0, max(0.0, (until_s - video.start_s) / video.duration_s))
