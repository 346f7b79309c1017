"""Segments of videos as a network is shown them: read by their times, cut and lit as one."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.errors import VideoOpenError
from models.squash import middle_squares, squash_all
from models.types import Pixels, Times
from models.video.segments import SegmentPlan
from models.video.source import VideoSource
from train.data.camera_moves import draw_look, with_look
from train.data.ucf101 import LabelledVideo

SMALLEST_CROP = 0.7  # of the shorter side
SIDES = frozenset({"left", "right", "leftward", "rightward", "clockwise", "counterclockwise",
                   "anticlockwise"})  # fmt: skip

Choose = Callable[[float], npt.NDArray[np.float64]]  # from the seconds there are to begin in


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """How large pictures are read, and how large the network sees them."""

    short_side_px: int
    side_px: int

    @property
    def middle_share(self) -> float:
        """Of the shorter side, where nothing is drawn by chance."""
        return self.side_px / self.short_side_px


def read_segments(path: Path, plan: SegmentPlan, seen: Seen, choose: Choose) -> Pixels:
    """u8 RGB [N, T, H, W, 3]: from each start that `choose` picks. Only what is wanted is decoded.

    Raises:
        ValueError: nothing of the video can be decoded.
    """
    try:
        with VideoSource(path, threads=1) as source:
            info = source.info
            starts = choose(max(0.0, info.duration_s - plan.segment_s))
            moments = info.start_s + np.stack(
                [moments_of(plan, s, info.duration_s) for s in starts]
            )
            wanted, places = np.unique(moments.round(6), return_inverse=True)
            shown = [
                batch.pixels[0]
                for batch in source.frames_at(wanted.tolist(), short_side_px=seen.short_side_px)
            ]
    except VideoOpenError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not shown:
        raise ValueError(f"{path} cannot be read: no picture in it can be decoded")
    frames = np.stack(shown)  # where the end is damaged there are fewer, and the last one stays
    return np.asarray(frames[np.minimum(places, len(frames) - 1).reshape(moments.shape)])


def moments_of(plan: SegmentPlan, start_s: float, duration_s: float) -> Times:
    """From the beginning of the video; one that is shorter than a segment is stretched over it."""
    if duration_s >= plan.segment_s:
        return np.asarray(start_s + np.arange(plan.frames) * plan.step_s, np.float64)
    there = max(1, int(np.ceil(duration_s / plan.step_s)))
    moments = np.linspace(0, there - 1, plan.frames).round() * plan.step_s
    return np.asarray(moments, np.float64)


def spread(count: int) -> Choose:
    """So many starts evenly over the video; a single one shows its middle."""
    return lambda room_s: np.linspace(0, room_s, count) if count > 1 else np.array([room_s / 2])


def has_side(label: str, sided: Sequence[str] = ()) -> bool:
    """Whether a mirror would make another action of it, by its words or because it is listed."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", label)
    return label in sided or any(word.lower() in SIDES for word in words)


def changed_as_one(
    frames: Pixels, random: np.random.Generator, side_px: int, *, mirrored: bool
) -> Pixels:
    """u8 [T, H, W, 3] -> [T, side, side, 3]: one crop, one flip and one light for all frames.

    Drawn for each frame, they would move what stands still and hide what moves.
    """
    height, width = frames.shape[1:3]
    side = max(1, round(min(height, width) * random.uniform(SMALLEST_CROP, 1.0)))
    top, left = random.integers(0, [height - side + 1, width - side + 1])
    look = draw_look(random)
    if not mirrored:
        look = dataclasses.replace(look, flipped=False)
    return with_look(squash_all(frames[:, top : top + side, left : left + side], side_px), look)


class TrainedSegments(Dataset[dict[str, Any]]):
    """One round over the videos, in an order and with windows that its key alone decides."""

    def __init__(
        self,
        videos: Sequence[LabelledVideo],
        labels: Sequence[str],
        plan: SegmentPlan,
        seen: Seen,
        *,
        key: tuple[int, int],
        sided: Sequence[str] = (),
    ) -> None:
        self._videos, self._labels = videos, {label: at for at, label in enumerate(labels)}
        self._plan, self._seen, self._key, self._sided = plan, seen, key, sided
        self._order = np.random.default_rng((*key, 0)).permutation(len(videos))

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, at: int) -> dict[str, Any]:
        video = self._videos[self._order[at]]
        random = np.random.default_rng((*self._key, 1, at))
        (frames,) = read_segments(
            video.path, self._plan, self._seen, lambda room_s: random.uniform(0, room_s, 1)
        )
        mirrored = not has_side(video.label, self._sided)
        made = changed_as_one(frames, random, self._seen.side_px, mirrored=mirrored)
        return {"frames": torch.from_numpy(made), "label": self._labels[video.label]}


class HeldSegments(Dataset[dict[str, Any]]):
    """Whole videos by segments spread over them, as they are: the middle of every picture."""

    def __init__(
        self,
        videos: Sequence[LabelledVideo],
        labels: Sequence[str],
        plan: SegmentPlan,
        seen: Seen,
        windows: int,
    ) -> None:
        self._videos, self._labels = videos, {label: at for at, label in enumerate(labels)}
        self._plan, self._seen, self._windows = plan, seen, windows

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, at: int) -> dict[str, Any]:
        video = self._videos[at]
        segments = read_segments(video.path, self._plan, self._seen, spread(self._windows))
        return {
            "frames": self.as_seen(segments),
            "label": self._labels.get(video.label, -1),
        }

    def as_seen(self, segments: Pixels) -> Tensor:
        seen = self._seen
        squares = [middle_squares(s, seen.middle_share, seen.side_px) for s in segments]
        return torch.from_numpy(np.stack(squares))
