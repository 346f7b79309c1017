"""Videos of any length as stretches that a step can hold, every frame once a round."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from train.data.judged import LEVELS
from train.data.judged_frames import JudgedFrames


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a video that one step sees."""

    video: JudgedFrames
    part: slice

    def annotators(self, device: torch.device) -> Tensor:
        """[annotators, T] in [0, 1]."""
        grades = self.video.annotators[:, self.part].astype(np.float32)
        return torch.from_numpy((grades - 1) / (LEVELS - 1)).to(device)


def stretches_of(count: int, longest: int, random: np.random.Generator) -> list[slice]:
    """Cuts `count` frames into parts of about one length, none longer than `longest`.

    Where the parts need not be as long as that, their edges are random within the room there is.
    """
    parts = -(-count // longest)
    room = longest - -(-count // parts)
    edges = np.linspace(0, count, parts + 1).round().astype(int)
    edges[1:-1] += random.integers(-(room // 2), room // 2 + 1, parts - 1)
    return [slice(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]


class RoundOfStretches(Dataset[Stretch]):
    """Every frame of every video once, in random order, which depends on seed and round alone."""

    def __init__(
        self, videos: Sequence[JudgedFrames], longest: int, seed: int, round_number: int
    ) -> None:
        random = np.random.default_rng([seed, round_number])
        cut = [
            Stretch(video, part)
            for video in videos
            for part in stretches_of(len(video), longest, random)
        ]
        self._stretches: list[Stretch] = [
            cut[number] for number in random.permutation(len(cut)).tolist()
        ]

    def __len__(self) -> int:
        return len(self._stretches)

    def __getitem__(self, index: int) -> Stretch:
        return self._stretches[index]


class Sizes(Protocol):
    """What a config's section of data says of a step."""

    @property
    def stretch_frames(self) -> int: ...
    @property
    def batch_videos(self) -> int: ...


class StretchData(lightning.LightningDataModule):
    def __init__(
        self,
        sizes: Sizes,
        seed: int,
        trained: list[JudgedFrames],
        held: list[JudgedFrames],
    ) -> None:
        super().__init__()
        self._sizes, self._seed = sizes, seed
        self._trained, self._held = trained, held

    def train_dataloader(self) -> DataLoader[Stretch]:
        sizes, trainer = self._sizes, cast(Any, self.trainer)
        number = trainer.current_epoch if trainer is not None else 0
        stretches = RoundOfStretches(self._trained, sizes.stretch_frames, self._seed, number)
        return DataLoader(stretches, batch_size=sizes.batch_videos, collate_fn=list)

    def val_dataloader(self) -> DataLoader[Stretch]:
        """The held-out videos, whole, one at a time."""
        whole: Any = [Stretch(video, slice(0, len(video))) for video in self._held]
        return DataLoader(whole, batch_size=None)

    test_dataloader = val_dataloader
