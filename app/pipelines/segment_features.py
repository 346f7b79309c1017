"""A video by an encoder of segments: what each segment is like, and where the encoder looked in it.

Features are kept where indexes are, under the encoder's weights; unlike an index's embeddings they
have the length that the encoder gave them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.index import FrameIndex, IndexKey, IndexStore, Thumbnails
from app.performance import Meter
from app.pipelines.indexing import IndexStep
from app.pipelines.segmenting import Look, look_at_segments
from app.progress import Stop, check_stop
from models.errors import VideoOpenError
from models.protocols import SegmentEncoder
from models.segment_parts import SEGMENT_S
from models.types import Floats, Pixels, Times, VideoInfo
from models.video.segments import SegmentPlan
from models.video.source import VideoSource


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A segment's pictures, the moments they are on screen, and how much each part counted."""

    times_s: Times  # [T]
    pixels: Pixels  # u8 RGB [T, H, W, 3]
    attention: Floats  # [T, h, w] in [0, 1], over the middle square of the pictures


def plan_of(encoder: SegmentEncoder) -> SegmentPlan:
    """As long as the segments of the other summaries, side by side."""
    return SegmentPlan(encoder.frames_per_segment, SEGMENT_S, SEGMENT_S)


def feature_key(content_hash: str, encoder: SegmentEncoder) -> IndexKey:
    fps = plan_of(encoder).fps
    return IndexKey(content_hash, f"features-{encoder.name}", encoder.weights_hash, fps)


def encode_segments(
    video: VideoInfo, encoder: SegmentEncoder, store: IndexStore, meter: Meter
) -> Iterator[IndexStep]:
    """As index_video, with rows that `one_row_each` reads; closing it stops the work.

    Raises:
        VideoOpenError: no frame of the video can be decoded.
    """
    look = Look(encoder.encode_segments, encoder.short_side_px)
    key = feature_key(video.content_hash, encoder)
    return look_at_segments(video, look, plan_of(encoder), key, store, meter)


def one_row_each(index: FrameIndex, plan: SegmentPlan) -> tuple[FrameIndex, Times]:
    """One row a segment, at the moment in its middle, and where each segment begins.

    The last segment reaches back over the one before it so far as it needs to be full. It begins
    where that one ends; where less than half of it is left then, the two are one, and alike to
    what both are like.
    """
    times = index.times_s.reshape(-1, plan.shown)
    starts = times[:, 0].copy()
    starts[1:] = np.maximum(starts[1:], times[:-1, -1] + plan.step_s)
    column = np.where(times[:, plan.shown // 2] < starts, plan.shown - 1, plan.shown // 2)
    rows = np.arange(len(times)) * plan.shown + column
    features = index.embeddings[rows]
    if len(rows) > 1 and times[-1, -1] + plan.step_s - starts[-1] < plan.segment_s / 2:
        both = features[-2:].astype(np.float32).mean(axis=0).astype(np.float16)
        rows, starts = rows[:-1], starts[:-1]
        features = np.concatenate([features[:-2], both[None]])
    pictures = _Picked(index.thumbnails, rows)
    return FrameIndex(index.key, index.times_s[rows], features, pictures), starts


class _Picked(Thumbnails):
    """Some of the pictures, none copied."""

    def __init__(self, pictures: Sequence[bytes], rows: np.ndarray[tuple[int], np.dtype[np.int64]]):
        self._pictures, self._rows = pictures, rows

    def __len__(self) -> int:
        return len(self._rows)

    def picture(self, at: int) -> bytes:
        return self._pictures[int(self._rows[at])]


def look_into(
    video: VideoInfo, time_s: float, encoder: SegmentEncoder, store: IndexStore, stop: Stop
) -> LookedAt:
    """Where the encoder looked in the segment that is on screen at `time_s`.

    Raises:
        VideoOpenError: the video cannot be read any more, or its features are no longer kept.
        CancelledError: it was to stop.
    """
    index = store.load(feature_key(video.content_hash, encoder))
    if index is None or not len(index):
        raise VideoOpenError(
            "What was seen of this video is no longer kept; summarize it again, then look."
        )
    plan = plan_of(encoder)
    _, starts = one_row_each(index, plan)
    at = max(0, int(np.searchsorted(starts, time_s + plan.step_s / 2, side="right")) - 1)
    own = index.times_s.reshape(-1, plan.shown)[at]
    moments = np.linspace(own[0], own[-1], plan.frames)
    pixels = []
    with VideoSource(video.path, stop=stop) as source:
        for batch in source.frames_at(moments.tolist(), short_side_px=encoder.short_side_px):
            pixels.append(batch.pixels[0])
    check_stop(stop)
    if len(pixels) != plan.frames:
        raise VideoOpenError(
            "The pictures of this segment cannot be decoded again; choose another moment."
        )
    frames = np.stack(pixels)
    return LookedAt(moments, frames, encoder.attend(frames))
