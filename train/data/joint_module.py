"""Lightning's side of the batches of the frame-text encoder."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import lightning
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from train.data.captioned_features import CaptionedFeatures
from train.data.captions import SOURCES, CaptionedItem
from train.data.joint_batches import Batch, JointBatches, PieceReader, TextBatches

if TYPE_CHECKING:
    from train.frame_text_config import FrameTextConfig
    from train.frame_text_sources import Sources

HELD_OUT_TEXTS = 2000


@dataclass(frozen=True, slots=True)
class ChosenPart:
    """What choices are made on: every caption of some items, and all of their frames."""

    source: str
    items: tuple[CaptionedItem, ...]
    ids: Tensor
    truth: npt.NDArray[np.int64]
    features: Tensor  # of all captioned frames, as they are


class TextData(lightning.LightningDataModule):
    """Some texts are kept apart, to see how well unseen ones are understood."""

    def __init__(self, config: "FrameTextConfig", sources: "Sources") -> None:
        super().__init__()
        self._config, self._sources = config, sources
        order = np.random.default_rng([config.seed, 6]).permutation(len(sources.texts))
        kept = min(HELD_OUT_TEXTS, len(order) // 4)
        self._held_out, self._trained = order[:kept], np.sort(order[kept:])
        joining = config.joining
        limit = config.model.text_limit
        self._reader = PieceReader(sources.subwords, limit, joining.loose_share)

    def train_dataloader(self) -> DataLoader[Batch]:
        batches = TextBatches(
            [self._sources.texts[row] for row in self._trained],
            self._sources.sentences[self._trained],
            self._reader,
            batch_size=self._config.data.batch_size,
            batches=self._config.words.batches_per_round,
            seed=self._config.seed,
            round_number=self.trainer.current_epoch if self.trainer is not None else 0,
        )
        return DataLoader(batches, batch_size=None, num_workers=self._config.data.workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        texts = [self._sources.texts[row] for row in self._held_out]
        whole = {
            "ids": self._reader.read(texts),
            "sentences": torch.from_numpy(self._sources.sentences[self._held_out]),
        }
        return DataLoader(cast(Any, [whole]), batch_size=None)


class JointData(lightning.LightningDataModule):
    """Videos and photographs with their captions, on somebody's features."""

    def __init__(
        self,
        config: "FrameTextConfig",
        sources: "Sources",
        features: CaptionedFeatures,
        guides: CaptionedFeatures | None = None,
    ) -> None:
        super().__init__()
        self._config, self._sources = config, sources
        self._features, self._guides = features, guides
        self._plan = config.joint if guides is None else config.student_plan
        self._chosen: list[ChosenPart] | None = None
        self._sentences = sources.sentence_of()
        limit = config.model.text_limit
        self._reader = PieceReader(sources.subwords, limit, config.joining.loose_share)

    def train_dataloader(self) -> DataLoader[Batch]:
        batches = JointBatches(
            self._sources.captioned.part("train"),
            self._features.views,
            self._sentences,
            self._reader,
            batch_size=self._config.data.batch_size,
            batches=self._plan.batches_per_round,
            seed=self._config.seed,
            round_number=self.trainer.current_epoch if self.trainer is not None else 0,
            guides=None if self._guides is None else self._guides.views,
        )
        return DataLoader(batches, batch_size=None, num_workers=self._config.data.workers)

    def val_dataloader(self) -> DataLoader[int]:
        """Numbers of parts: whole galleries are no batches to be moved about."""
        return DataLoader(cast(Any, range(len(self.chosen()))), batch_size=None)

    def chosen(self) -> list[ChosenPart]:
        """One part for each source that has anything to choose on."""
        if self._chosen is None:
            self._chosen = self._read_chosen()
        return self._chosen

    def _read_chosen(self) -> list[ChosenPart]:
        features = torch.from_numpy(self._features.views[0])
        parts = []
        for source in SOURCES:
            items = tuple(self._sources.captioned.part("chosen", source))
            if not items:
                continue
            captions = [caption for item in items for caption in item.captions]
            truth = np.repeat(np.arange(len(items)), [len(item.captions) for item in items])
            parts.append(ChosenPart(source, items, self._reader.read(captions), truth, features))
        return parts
