"""The frames of judged videos, two a second, decoded once to flat files of bytes.

A network that is trained through its trunk reads them again in every round; the system keeps in
memory what fits. Frames are squashed to a square, as the application does it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.squash import squash_all
from models.types import Pixels, Times
from models.video.source import VideoSource
from train.data.judged import JudgedVideo
from train.data.tvsum_features import SAMPLE_FPS

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampledVideo:
    """A video as small frames, with what each annotator gave to each of them."""

    name: str
    category: str
    pixels: Pixels  # u8 [T, side, side, 3], on disk
    times_s: Times
    end_s: float
    annotators: npt.NDArray[Any]  # [annotators, T], 1 to 5

    def __len__(self) -> int:
        return len(self.times_s)


def open_sampled(folder: Path, videos: Sequence[JudgedVideo], side_px: int) -> list[SampledVideo]:
    """Decodes what the folder lacks, and what has another size or another source than it says."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_open(folder, video, side_px) for video in videos]


def _open(folder: Path, video: JudgedVideo, side_px: int) -> SampledVideo:
    table, flat = folder / f"{video.name}.npz", folder / f"{video.name}.u8"
    source = [side_px, video.path.stat().st_size]
    if not table.is_file() or not flat.is_file() or _source_of(table) != source:
        table.unlink(missing_ok=True)
        _decode(video, flat, table, source)
    with np.load(table) as stored:
        times_s, end_s = stored["times_s"], float(stored["end_s"])
    shape = (len(times_s), side_px, side_px, 3)
    return SampledVideo(
        video.name,
        video.category,
        np.memmap(flat, np.uint8, "r", shape=shape),
        times_s,
        end_s,
        video.annotators_at(times_s),
    )


def _source_of(table: Path) -> list[int]:
    with np.load(table) as stored:
        found: list[int] = stored["source"].tolist()
        return found


def _decode(video: JudgedVideo, flat: Path, table: Path, source: list[int]) -> None:
    """The table last: without it the pictures do not count."""
    side_px, times = source[0], []
    with VideoSource(video.path, threads=1) as opened, flat.open("wb") as file:
        for batch in opened.sample(SAMPLE_FPS, short_side_px=side_px):
            file.write(squash_all(batch.pixels, side_px).tobytes())
            times.append(batch.times_s)
        end_s = opened.info.end_s
    unfinished = table.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, times_s=np.concatenate(times), end_s=end_s, source=np.array(source))
    unfinished.rename(table)
    LOG.info("%s: %d frames", video.name, sum(len(part) for part in times))
