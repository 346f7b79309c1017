"""Annotated videos for the trigger model: which frames are of which events, and pieces of them.

Half of all pieces lie around an event, where there are any, and the others anywhere. Validation is
by video: no piece of a video that is measured on is ever trained on.
"""

import random as random_module
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.annotations import (
    ACCEPTED,
    PROPOSED,
    Annotations,
    MarkedVideo,
    read_annotations,
)
from models.errors import UserFacingError
from models.types import Floats, Times
from train.data.sampled_videos import SampledVideos
from train.trigger_video_config import TriggerVideoConfig, VideoData

Piece = dict[str, npt.NDArray[Any]]
Spans = tuple[tuple[tuple[float, float], ...], ...]
# pictures u8 [B, T, side, side, 3] or features [B, T, D]; times_s, valid [B, T]; truth [B, T, K]
Batch = dict[str, Tensor]
AROUND_AN_EVENT = 0.5


@dataclass(frozen=True, slots=True)
class Labels:
    """What is told apart: names of events, and the name that counts for each label."""

    events: tuple[str, ...]
    event_of: dict[str, int]


@dataclass(frozen=True, slots=True)
class TrainedVideo:
    """One video of either part. Spans of each event, in the order of the labels.

    What was proposed and not looked through is `unsure_s`: neither event nor none.
    """

    store: SampledVideos
    name: str
    spans_s: Spans
    unsure_s: Spans

    def truth(self, times_s: Times) -> Floats:
        """[T, K]: 1 where the event is going on, -1 where nobody knows, else 0."""
        rows = np.zeros((len(times_s), len(self.spans_s)), np.float32)
        for spans_of_each, value in ((self.unsure_s, -1), (self.spans_s, 1)):
            for at, spans in enumerate(spans_of_each):
                for start_s, end_s in spans:
                    rows[_inside(times_s, start_s, end_s), at] = value
        return rows


def _inside(times_s: Times, start_s: float, end_s: float) -> npt.NDArray[np.bool_]:
    inside = (times_s >= start_s - 1e-6) & (times_s <= end_s + 1e-6)
    if not inside.any():  # shorter than a step: the nearest frame shows it
        inside[np.abs(times_s - (start_s + end_s) / 2).argmin()] = True
    return inside


@dataclass(frozen=True, slots=True)
class VideoParts:
    trained: tuple[TrainedVideo, ...]
    held: tuple[TrainedVideo, ...]
    labels: Labels
    left_out: int  # events that nobody has looked through


def read_parts(config: TriggerVideoConfig) -> VideoParts:
    """Raises ValueError where data and config do not fit each other."""
    data = config.data
    trained = _read(data.train_annotations, "data.train_annotations")
    held: Annotations | None = None
    if data.val_annotations is not None and Path(data.val_annotations).is_file():
        held = _read(data.val_annotations, "data.val_annotations")
    elif not data.auto_split:
        raise ValueError("without data.auto_split there are data.val_annotations, received none")
    labels = labels_of(trained, config.model.trigger_detector.num_classes)
    store = _store(data, data.train_video_dir)
    if held is None or not held.videos:
        kept, chosen = split_by_video(trained.videos, data)
        held_store = store
    else:
        kept, chosen = trained.videos, held.videos
        held_store = _store(data, data.val_video_dir or data.train_video_dir)
        _check_apart(kept, chosen, data)
    both = (*kept, *chosen)
    proposed = sum(event.review == PROPOSED for video in both for event in video.events)
    return VideoParts(
        tuple(_trained(video, store, labels, data) for video in kept),
        tuple(_trained(video, held_store, labels, data) for video in chosen),
        labels,
        0 if data.use_proposed else proposed,
    )


def _read(path: str, name: str) -> Annotations:
    try:
        return read_annotations(Path(path))
    except UserFacingError as error:
        raise ValueError(f"{name}: {error}") from error


def _store(data: VideoData, videos: str) -> SampledVideos:
    folder = Path(videos)
    if not folder.is_dir():
        raise ValueError(f"data.train_video_dir and val_video_dir are folders, received {videos}")
    return SampledVideos(Path(data.cache_dir), folder, data.frame_sampling_rate, data.image_side_px)


def _check_apart(
    trained: Sequence[MarkedVideo], held: Sequence[MarkedVideo], data: VideoData
) -> None:
    """Raises ValueError where a video is in both parts: what is measured on it is memory."""
    folders = Path(data.train_video_dir), Path(data.val_video_dir or data.train_video_dir)
    learned, measured = (
        {(folder / video.path).resolve() for video in videos}
        for folder, videos in zip(folders, (trained, held), strict=True)
    )
    if shared := learned & measured:
        raise ValueError(
            f"data.val_annotations has videos that are trained on, {len(shared)} of them, such as "
            f"{min(shared).name}: leave them out of one part"
        )


def labels_of(annotations: Annotations, classes: int | None) -> Labels:
    """Of two classes everything is one event; of more each label is one."""
    names = annotations.names
    if not names:
        raise ValueError("data.train_annotations has events, received none")
    if classes == 2:
        return Labels((" or ".join(names),), dict.fromkeys(names, 0))
    if classes is not None and classes != len(names) + 1:
        raise ValueError(
            f"model.trigger_detector.num_classes is 2, or {len(names) + 1} for "
            f"{', '.join(names)} and none of them, received {classes}"
        )
    return Labels(names, {name: at for at, name in enumerate(names)})


def split_by_video(
    videos: Sequence[MarkedVideo], data: VideoData
) -> tuple[tuple[MarkedVideo, ...], tuple[MarkedVideo, ...]]:
    """(trained on, held out). Videos of each set of labels are split alike, so both have all."""
    by_labels: dict[tuple[str, ...], list[MarkedVideo]] = {}
    for video in sorted(videos, key=lambda one: one.path):
        key = tuple(sorted({event.label for event in video.events}))
        by_labels.setdefault(key, []).append(video)
    random = random_module.Random(data.split_seed)
    trained: list[MarkedVideo] = []
    held: list[MarkedVideo] = []
    for _, group in sorted(by_labels.items()):
        random.shuffle(group)
        count = round(len(group) * data.val_ratio) or int(len(group) > 1)
        held += group[:count]
        trained += group[count:]
    return tuple(trained), tuple(held)


def _trained(
    video: MarkedVideo, store: SampledVideos, labels: Labels, data: VideoData
) -> TrainedVideo:
    used = (ACCEPTED, PROPOSED) if data.use_proposed else (ACCEPTED,)
    unsure = () if data.use_proposed else (PROPOSED,)
    return TrainedVideo(
        store, video.path, _spans(video, labels, used), _spans(video, labels, unsure)
    )


def _spans(video: MarkedVideo, labels: Labels, reviews: Sequence[str]) -> Spans:
    spans: list[list[tuple[float, float]]] = [[] for _ in labels.events]
    for event in video.events:
        if event.label in labels.event_of and event.review in reviews:
            spans[labels.event_of[event.label]].append((event.start_s, event.end_s))
    return tuple(map(tuple, spans))


class Pieces(Dataset[Batch]):
    """A round's batches; each depends on seed, round and number alone, so resuming is exact."""

    def __init__(
        self,
        videos: Sequence[TrainedVideo],
        config: TriggerVideoConfig,
        key: tuple[int, int],
        features: "dict[str, Floats] | None" = None,
    ) -> None:
        """`features`: of every video by its name, where the network that makes them is frozen."""
        self._videos, self._config, self._key = tuple(videos), config, key
        self._features = features
        self._with_events = tuple(video for video in videos if any(video.spans_s))

    def __len__(self) -> int:
        """Every video about twice a round."""
        return max(1, -(-2 * len(self._videos) // self._config.training.batch_size))

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng([*self._key, number])
        size = self._config.training.batch_size
        return padded([self._piece(random) for _ in range(size)])

    def _piece(self, random: np.random.Generator) -> Piece:
        around = bool(self._with_events) and random.random() < AROUND_AN_EVENT
        among = self._with_events if around else self._videos
        video = among[int(random.integers(len(among)))]
        sampled = video.store.read(video.name)
        length = min(self._config.data.piece_frames, len(sampled))
        start = int(random.integers(len(sampled) - length + 1))
        if around:
            spans = [span for spans in video.spans_s for span in spans]
            middle_s = float(np.mean(spans[int(random.integers(len(spans)))]))
            row = int(np.abs(sampled.times_s - middle_s).argmin())
            low, high = max(0, row - length + 1), min(row, len(sampled) - length)
            start = int(random.integers(low, high + 1))
        part = slice(start, start + length)
        times_s = np.asarray(sampled.times_s[part], np.float64)
        truth = video.truth(sampled.times_s)[part]
        piece: Piece = {"times_s": times_s, "truth": truth}
        if self._features is not None:
            return {**piece, "features": self._features[video.name][part]}
        pixels = np.asarray(sampled.pixels[part])
        mirrored = self._config.data.flip and random.random() < 0.5
        return {**piece, "pixels": pixels[:, :, ::-1] if mirrored else pixels}


def padded(pieces: Sequence[Piece]) -> Batch:
    """One batch; rows that are no frames repeat the last time and are not valid."""
    longest = max(len(piece["times_s"]) for piece in pieces)
    batch: Batch = {}
    for name, first in pieces[0].items():
        made = np.zeros((len(pieces), longest, *first.shape[1:]), first.dtype)
        for row, piece in enumerate(pieces):
            made[row, : len(piece[name])] = piece[name]
            if name == "times_s":
                made[row, len(piece[name]) :] = piece[name][-1]
        batch[name] = torch.from_numpy(made)
    lengths = torch.tensor([len(piece["times_s"]) for piece in pieces])
    batch["valid"] = torch.arange(longest)[None] < lengths[:, None]
    return batch
