"""The frames of judged videos, two a second, with what people gave to each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from models.types import Pixels, Times
from models.video.source import VideoSource
from train.data.judged import JudgedVideo
from train.data.sampled_videos import SampledVideos
from train.data.tvsum_features import SAMPLE_FPS


@dataclass(frozen=True, slots=True)
class JudgedFrames:
    """A video as small frames; pixels stay on disk until they are read."""

    name: str
    category: str
    pixels: Pixels  # u8 [T, side, side, 3]
    times_s: Times
    end_s: float
    annotators: npt.NDArray[Any]  # [annotators, T], 1 to 5

    def __len__(self) -> int:
        return len(self.times_s)


def open_judged_frames(
    cache: Path, videos: Sequence[JudgedVideo], side_px: int
) -> list[JudgedFrames]:
    """Samples what the cache lacks."""
    return [_open(cache, video, side_px) for video in videos]


def _open(cache: Path, video: JudgedVideo, side_px: int) -> JudgedFrames:
    store = SampledVideos(cache, video.path.parent, SAMPLE_FPS, side_px)
    sampled = store.read(video.path.name)
    with VideoSource(video.path) as source:
        end_s = source.info.end_s
    return JudgedFrames(
        video.name,
        video.category,
        sampled.pixels,
        sampled.times_s,
        end_s,
        video.annotators_at(sampled.times_s),
    )
