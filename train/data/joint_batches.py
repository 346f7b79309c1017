"""Batches for the text side and for joining it with the image side.

Every batch is a pure function of (seed, round, number in the round), so that training resumed at
the end of a round continues exactly as if it had not stopped.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.frame_text_encoder import pad_ids
from models.subwords import NOTHING_ID, Subwords, words_of
from models.types import Floats
from train.data.captions import CaptionedItem
from train.data.distillation import shuffled_draws

LOOSE_FORMS = 4
MERGE_LEFT_OUT = 0.3

Batch = dict[str, Tensor]


class PieceReader:
    """Texts to piece ids; of a share of the words, other, shorter pieces are shown."""

    def __init__(self, subwords: Subwords, text_limit: int, loose_share: float) -> None:
        self._subwords, self._limit, self._loose_share = subwords, text_limit, loose_share
        self._loose: dict[str, list[tuple[int, ...]]] = {}

    def read(self, texts: Sequence[str], random: np.random.Generator | None = None) -> Tensor:
        """[N, L]. Without `random` every word is read as the application reads it."""
        if random is None:
            ids = [self._subwords.encode(text) for text in texts]
        else:
            ids = [self._read_loosely(text, random) for text in texts]
        return torch.from_numpy(pad_ids(ids, self._limit))

    def _read_loosely(self, text: str, random: np.random.Generator) -> list[int]:
        words = words_of(text)
        draws = random.random(len(words))
        found: list[int] = []
        for word, draw in zip(words, draws.tolist(), strict=True):
            if draw < self._loose_share:
                forms = self._forms(word)
                found += forms[int(draw / self._loose_share * len(forms))]
            else:
                found += self._subwords.encode_word(word)
        return found or [NOTHING_ID]

    def _forms(self, word: str) -> list[tuple[int, ...]]:
        if word not in self._loose:
            # From the word alone, so that a resumed run shows the same.
            random = np.random.default_rng([*word.encode(), 31])
            self._loose[word] = [
                self._subwords.encode_loosely(word, lambda: random.random() < MERGE_LEFT_OUT)
                for _ in range(LOOSE_FORMS)
            ]
        return self._loose[word]


class TextBatches(Dataset[Batch]):
    """One round of texts with what the sentence encoder says of them; item i is a whole batch."""

    def __init__(
        self,
        texts: Sequence[str],
        sentences: Floats,
        reader: PieceReader,
        *,
        batch_size: int,
        batches: int,
        seed: int,
        round_number: int,
    ) -> None:
        self._texts, self._sentences, self._reader = texts, sentences, reader
        self._size, self._count = batch_size, batches
        self._seed, self._round = seed, round_number

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Batch:
        place = (self._round * self._count + number) * self._size
        drawn = shuffled_draws(len(self._texts), place, self._size, self._seed)
        random = np.random.default_rng([self._seed, 3, self._round, number])
        return {
            "ids": self._reader.read([self._texts[row] for row in drawn], random),
            "sentences": torch.from_numpy(self._sentences[drawn]),
        }


class JointBatches(Dataset[Batch]):
    """One round of videos and photographs, each with some of its frames and one caption."""

    def __init__(
        self,
        items: Sequence[CaptionedItem],
        views: npt.NDArray[np.float16],
        sentences: dict[str, Floats],
        reader: PieceReader,
        *,
        batch_size: int,
        batches: int,
        seed: int,
        round_number: int,
        guides: npt.NDArray[np.float16] | None = None,
    ) -> None:
        self._items, self._views, self._guides = items, views, guides
        self._sentences, self._reader = sentences, reader
        self._size, self._count = min(batch_size, len(items)), batches
        self._seed, self._round = seed, round_number

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Batch:
        place = (self._round * self._count + number) * self._size
        drawn = shuffled_draws(len(self._items), place, self._size, self._seed)
        random = np.random.default_rng([self._seed, 4, self._round, number])
        captions, rows, owners = [], list[int](), list[int]()
        for owner, index in enumerate(drawn):
            item = self._items[index]
            captions.append(item.captions[int(random.integers(0, len(item.captions)))])
            # One frame as often as several: a search compares words with single frames.
            count = int(random.integers(1, len(item.rows) + 1)) if random.random() < 0.5 else 1
            rows += random.choice(item.rows, count, replace=False).tolist()
            owners += [owner] * count
        views = random.integers(0, len(self._views), len(rows))
        batch = {
            "ids": self._reader.read(captions, random),
            "sentences": torch.from_numpy(np.stack([self._sentences[c] for c in captions])),
            "features": torch.from_numpy(self._views[views, rows]),
            "owners": torch.tensor(owners),
        }
        if self._guides is not None:
            batch["guides"] = torch.from_numpy(self._guides[views, rows])
        return batch
