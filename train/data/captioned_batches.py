"""Batches of pictures with one caption each, and whole galleries to measure on."""

from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.bert_network import read_texts
from models.squash import squash_to_square
from models.types import Pixels
from train.data.caption_records import CHOSEN, REPORTED, TRAIN
from train.data.captioned_sources import Captioned, CaptionedSet, Reference
from train.data.captions import CaptionedItem
from train.data.teacher_views import cut_view
from train.frame_search_config import FrameSearchData

Batch = dict[str, Tensor]
GALLERY_BATCH = 32


class CaptionedBatches(Dataset[Batch]):
    """One round: every caption once, with its picture or a frame of its video.

    No batch holds two captions of one picture, so that what stands beside a pair is wrong for it.
    All of a round follows from the seed and the round's number.
    """

    def __init__(
        self,
        data: CaptionedSet,
        config: FrameSearchData,
        tokenizer: Any,
        text_limit: int,
        key: tuple[int, int],
    ) -> None:
        self._data, self._config = data, config
        self._tokenizer, self._text_limit, self._key = tokenizer, text_limit, key
        self._items = data.part(TRAIN)
        self._batches = self._planned(np.random.default_rng([*key, 1]))

    def _planned(self, random: np.random.Generator) -> list[list[tuple[int, int]]]:
        """(item, caption) pairs, a list for each batch."""
        most = self._config.captions_per_item or max(
            (len(item.captions) for item in self._items), default=0
        )
        orders = [random.permutation(len(item.captions)) for item in self._items]
        batches = []
        for turn in range(most):
            members = [at for at in random.permutation(len(self._items)) if turn < len(orders[at])]
            for start in range(0, len(members), self._config.batch_size):
                batch = members[start : start + self._config.batch_size]
                if len(batch) > 1:
                    batches.append([(int(at), int(orders[at][turn])) for at in batch])
        return batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng([*self._key, 2, number])
        pixels, captions = [], []
        for at, caption in self._batches[number]:
            item = self._items[at]
            reference = item.frames[int(random.integers(len(item.frames)))]
            pixels.append(training_view(self._data.picture(reference), self._config, random))
            captions.append(item.captions[caption])
        ids, present = read_texts(self._tokenizer, captions, self._text_limit)
        return {"pixels": torch.from_numpy(np.stack(pixels)), "ids": ids, "present": present}


def training_view(picture: Pixels, config: FrameSearchData, random: np.random.Generator) -> Pixels:
    """A part of the picture, squashed to a square and flipped now and then."""
    width, height = random.uniform(config.smallest_crop, 1.0, 2)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    box = np.asarray([left, top, left + width, top + height], np.float32)
    view = cut_view(picture, box, config.side_px)
    flipped = view[:, ::-1] if random.random() < config.flip_share else view
    return np.ascontiguousarray(flipped)


class GalleryPictures(Dataset[Batch]):
    """Pictures as the application's index sees them: whole, squashed to a square."""

    def __init__(self, data: CaptionedSet, references: Sequence[Reference], side_px: int) -> None:
        self._data, self._references, self._side_px = data, references, side_px

    def __len__(self) -> int:
        return -(-len(self._references) // GALLERY_BATCH)

    def __getitem__(self, number: int) -> Batch:
        rows = range(len(self._references))[number * GALLERY_BATCH : (number + 1) * GALLERY_BATCH]
        pixels = [
            squash_to_square(self._data.picture(self._references[row]), self._side_px)
            for row in rows
        ]
        return {"pixels": torch.from_numpy(np.stack(pixels)), "rows": torch.tensor(list(rows))}


def gallery(items: Sequence[Captioned]) -> tuple[list[CaptionedItem], list[Reference]]:
    """The items with rows into the list of all their frames."""
    references: list[Reference] = []
    made = []
    for item in items:
        rows = np.arange(len(references), len(references) + len(item.frames), dtype=np.int64)
        references += item.frames
        made.append(CaptionedItem(item.source, item.name, item.part, item.captions, rows))
    return made, references


class CaptionedModule(lightning.LightningDataModule):
    """Loaders of a training and of the parts that are measured."""

    def __init__(
        self,
        data: CaptionedSet,
        config: FrameSearchData,
        tokenizer: Any,
        text_limit: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.data, self._config = data, config
        self.tokenizer, self._text_limit, self._seed = tokenizer, text_limit, seed
        self.measured: list[CaptionedItem] = []
        self.frames = 0

    def train_dataloader(self) -> DataLoader[Batch]:
        trainer = self.trainer
        current = 0 if trainer is None else trainer.current_epoch
        return self._loader(self.round_of(current))

    def round_of(self, number: int) -> CaptionedBatches:
        key = (self._seed, number)
        return CaptionedBatches(self.data, self._config, self.tokenizer, self._text_limit, key)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._gallery(CHOSEN)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._gallery(REPORTED)

    def _gallery(self, part: str) -> DataLoader[Batch]:
        self.measured, references = gallery(self.data.part(part))
        self.frames = len(references)
        return self._loader(GalleryPictures(self.data, references, self._config.side_px))

    def _loader(self, batches: Dataset[Batch]) -> DataLoader[Batch]:
        return DataLoader(batches, batch_size=None, num_workers=self._config.workers)
