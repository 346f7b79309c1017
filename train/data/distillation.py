"""Batches for distillation: views of pictures with what the teacher said of them.

Every batch is a pure function of (seed, round, number in the round), so that training resumed at
the end of a round continues exactly as if it had not stopped, whatever the number of loaders.
"""

from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from train.data.frames import UNLABELLED, FrameStore, open_frame_store
from train.data.teacher_views import (
    ViewSet,
    cut_view,
    open_view_sets,
    open_whole_views,
)

VALIDATION_BATCH = 128

Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class DistillationData:
    """Where the pictures and the teacher's answers lie, and how batches are drawn."""

    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    batch_size: int = 64
    batches_per_round: int = 200
    workers: int = 0

    def check(self) -> None:
        for name in ("batch_size", "batches_per_round"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")
        if self.workers < 0:
            raise ValueError(f"data.workers is not negative, received {self.workers}")


class ViewBatches(Dataset[Batch]):
    """The batches of one round: item i is a whole batch."""

    def __init__(
        self,
        store: FrameStore,
        view_sets: list[ViewSet],
        config: DistillationData,
        *,
        side_px: int,
        seed: int,
        round_number: int,
    ) -> None:
        self._store, self._sets, self._config = store, view_sets, config
        self._side_px, self._seed, self._round = side_px, seed, round_number
        self._ends = np.cumsum([len(views.pictures) for views in view_sets])
        _, self._labels = numbered_labels(store)

    def __len__(self) -> int:
        return self._config.batches_per_round

    def __getitem__(self, number: int) -> Batch:
        size = self._config.batch_size
        place = (self._round * self._config.batches_per_round + number) * size
        random = np.random.default_rng([self._seed, self._round, number])
        drawn = shuffled_draws(int(self._ends[-1]), place, size, self._seed)
        set_numbers = np.searchsorted(self._ends, drawn, side="right")
        flips = random.random(size) < 0.5
        pixels = np.empty((size, self._side_px, self._side_px, 3), np.uint8)
        pooled = np.empty((size, self._sets[0].pooled.shape[1]), np.uint8)
        maps = np.empty((size, *self._sets[0].maps.shape[1:]), np.float16)
        labels = np.empty(size, np.int64)
        for row, (place_of_view, set_number) in enumerate(zip(drawn, set_numbers, strict=True)):
            views = self._sets[set_number]
            item = place_of_view - (self._ends[set_number - 1] if set_number else 0)
            picture = self._store.picture(int(views.pictures[item]))
            view = cut_view(picture, views.boxes[item], self._side_px)
            pixels[row] = view[:, ::-1] if flips[row] else view
            pooled[row], maps[row] = views.pooled[item], views.maps[item]
            labels[row] = self._labels[views.pictures[item]]
        side = int(maps.shape[1] ** 0.5)
        grids = maps.reshape(size, side, side, -1)
        grids[flips] = grids[flips, :, ::-1]
        return {
            "pixels": torch.from_numpy(pixels),
            "pooled": torch.from_numpy(pooled),
            "maps": torch.from_numpy(grids),
            "label": torch.from_numpy(labels),
        }


def shuffled_draws(count: int, place: int, size: int, seed: int) -> npt.NDArray[np.int64]:
    """Items [place, place + size) of an endless order of `count`, shuffled pass by pass."""
    first, last = place // count, (place + size - 1) // count
    orders = [
        np.random.default_rng([seed, 7, number]).permutation(count)
        for number in range(first, last + 1)
    ]
    return np.concatenate(orders)[place - first * count :][:size]


def numbered_labels(store: FrameStore) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The classes in order of their names, and each picture's among them, -1 where it has none."""
    classes = np.unique(store.labels[store.labels != UNLABELLED])
    numbers = np.searchsorted(classes, store.labels).astype(np.int64)
    numbers[store.labels == UNLABELLED] = -1
    return classes.tolist(), numbers


class WholeBatches(Dataset[Batch]):
    """Whole pictures, squashed to a square, with the teacher's answers; nothing random."""

    def __init__(self, store: FrameStore, views: ViewSet, side_px: int) -> None:
        self._store, self._views, self._side_px = store, views, side_px
        _, self._labels = numbered_labels(store)

    def __len__(self) -> int:
        return -(-len(self._views.pictures) // VALIDATION_BATCH)

    def __getitem__(self, number: int) -> Batch:
        rows = slice(number * VALIDATION_BATCH, (number + 1) * VALIDATION_BATCH)
        pictures = self._views.pictures[rows]
        pixels = [
            cut_view(self._store.picture(int(picture)), box, self._side_px)
            for picture, box in zip(pictures, self._views.boxes[rows], strict=True)
        ]
        return {
            "pixels": torch.from_numpy(np.stack(pixels)),
            "pooled": torch.from_numpy(np.array(self._views.pooled[rows])),
            "label": torch.from_numpy(self._labels[pictures]),
            "held_out": torch.from_numpy(self._store.held_out[pictures]),
        }


class DistillationModule(lightning.LightningDataModule):
    """Training rounds grow in resolution as the plan says; new view sets join at a new round."""

    def __init__(
        self, config: DistillationData, *, seed: int, side_px: int, validation_side_px: int
    ) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.side_px = side_px  # set anew by the plan before each round
        self.validation_side_px = validation_side_px
        self._folder = Path(config.cache_dir)
        self._store = open_frame_store(self._folder / "frames")
        self.labels, _ = numbered_labels(self._store)

    def train_dataloader(self) -> DataLoader[Batch]:
        view_sets = open_view_sets(self._folder / "views")
        if not view_sets:
            raise FileNotFoundError("no set of teacher views is complete yet")
        round_number = self.trainer.current_epoch if self.trainer is not None else 0
        batches = ViewBatches(
            self._store,
            view_sets,
            self.config,
            side_px=self.side_px,
            seed=self.seed,
            round_number=round_number,
        )
        return DataLoader(batches, batch_size=None, num_workers=self.config.workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        views = open_whole_views(self._folder / "views")
        batches = WholeBatches(self._store, views, self.validation_side_px)
        return DataLoader(batches, batch_size=None, num_workers=self.config.workers)

    test_dataloader = val_dataloader
