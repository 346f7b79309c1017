"""What the captioner learns from: features of the frames of an item, and what people said of it.

Rounds, batches, which frames are seen and which captions read depend on the seed, the round and the
batch's number alone, so that resuming is exact.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.caption_words import END_ID, PADDING_ID, START_ID, CaptionWords, learn_words
from models.captioner import features_read
from models.frame_text_encoder import FrameTextEncoder
from models.types import Floats, Halves
from train.caption_metrics import CiderD, tokens_of
from train.captioner_config import CaptionerConfig
from train.data.captioned_features import student_features
from train.data.captions import CaptionedItem, load_captions
from train.data.frames import open_frame_store

WHOLE_SHARE = 0.5  # of the items in a batch all frames are seen, of the others some
AGREEMENT_FILE = "agreement.npz"
FLOOR = 0.05  # of a caption that no other agrees with, beside the mean agreement

Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class CaptionSources:
    """Items of all parts, and the network's input for every captioned frame, seen in two ways."""

    items: tuple[CaptionedItem, ...]
    views: Halves  # [2, M, input_dim]: as it is, flipped
    backbone: Halves  # [M, D]: embeddings of length one, as an index has them
    words: CaptionWords
    frame_text: FrameTextEncoder

    def part(self, part: str, source: str | None = None) -> list[CaptionedItem]:
        return [i for i in self.items if i.part == part and source in (None, i.source)]

    def features(self, item: CaptionedItem) -> Floats:
        return np.asarray(self.views[0, item.rows], np.float32)

    @property
    def made_by(self) -> dict[str, str]:
        """The hashes of the weights that the input comes from."""
        encoder = self.frame_text
        return {"backbone": encoder.backbone_hash, "frame_text": str(encoder.weights_hash)}


def open_sources(config: CaptionerConfig) -> CaptionSources:
    """Raises CheckpointError where a folder cannot be used, FileNotFoundError where data is not."""
    data = config.data
    cache = Path(data.cache_dir)
    encoder = FrameTextEncoder(Path(data.frame_text), Path(data.backbone))
    seen = student_features(Path(data.backbone), cache)
    captioned = load_captions(
        Path(data.data_dir), open_frame_store(cache / "frames"), seen.pictures.tolist()
    )
    items = [i for i in captioned.items if data.photographs or i.source != "flickr8k"]
    lengths = np.linalg.norm(seen.views.astype(np.float32), axis=2, keepdims=True)
    unit = (seen.views / np.maximum(lengths, 1e-6)).astype(np.float16)
    views = np.stack([features_read(v.astype(np.float32), encoder, data.reads) for v in unit])
    texts = [caption for item in items if item.part == "train" for caption in item.captions]
    return CaptionSources(
        items=tuple(items),
        views=views.astype(np.float16),
        backbone=unit[0],
        words=learn_words(texts, data.least_count),
        frame_text=encoder,
    )


def agreement_of(items: Sequence[CaptionedItem], cache_dir: Path) -> list[Floats]:
    """CIDEr-D of each caption against its item's others; kept, as that takes half a minute."""
    texts = [[tokens_of(caption) for caption in item.captions] for item in items]
    key = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    path = cache_dir / "features" / AGREEMENT_FILE
    ends = np.cumsum([len(every) for every in texts])[:-1]
    if path.is_file():
        with np.load(path) as file:
            if str(file["key"]) == key:
                return np.split(file["agreement"], ends)
    cider = CiderD(texts)
    every = [cider.among_references(number) for number in range(len(texts))]
    flat = np.asarray([value for found in every for value in found], np.float32)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, key=key, agreement=flat)
    partial.replace(path)
    return np.split(flat, ends)


class CaptionBatches(Dataset[Batch]):
    """The batches of one round, whole: every item once, in random order."""

    def __init__(
        self,
        sources: CaptionSources,
        items: Sequence[CaptionedItem],
        agreement: Sequence[Floats],
        config: CaptionerConfig,
        round_number: int,
    ) -> None:
        self._sources, self._items, self._config = sources, items, config
        self._agreement = agreement
        self._key = (config.seed, 57, round_number)
        self._order = np.random.default_rng(self._key).permutation(len(items))

    def __len__(self) -> int:
        return -(-len(self._items) // self._config.data.batch_items)

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self):
            raise IndexError(index)
        size = self._config.data.batch_items
        numbers = self._order[index * size : (index + 1) * size]
        random = np.random.default_rng([*self._key, index])
        features, present = frames_of(
            [self._some_frames(self._items[number], random) for number in numbers]
        )
        said = [ids for number in numbers for ids in self._captions(int(number), random)]
        return {
            "items": torch.from_numpy(numbers),
            "features": features,
            "present": present,
            "words": pad_words(said),
        }

    def _some_frames(self, item: CaptionedItem, random: np.random.Generator) -> Floats:
        rows, view = item.rows, int(random.integers(2))
        if len(rows) > 1 and random.random() > WHOLE_SHARE:
            count = int(random.integers(1, len(rows)))
            rows = rows[np.sort(random.choice(len(rows), count, replace=False))]
        return np.asarray(self._sources.views[view, rows], np.float32)

    def _captions(self, number: int, random: np.random.Generator) -> list[list[int]]:
        """As many as the config says, also where the item has fewer."""
        item, learning = self._items[number], self._config.learning
        agreed = self._agreement[number]
        weights = (agreed + FLOOR * max(float(agreed.mean()), 1e-6)) ** learning.consensus
        count = self._config.data.captions_per_item
        again = count > len(weights)
        chosen = random.choice(len(weights), count, replace=again, p=weights / weights.sum())
        limit = self._config.search.longest
        return [
            [START_ID, *self._sources.words.encode(item.captions[row])[:limit], END_ID]
            for row in chosen
        ]


def frames_of(every: Sequence[Floats]) -> tuple[Tensor, Tensor]:
    """Frames of several items as one: [B, T, D], and which of them are there, [B, T]."""
    features = np.zeros((len(every), max(map(len, every)), every[0].shape[1]), np.float32)
    present = np.zeros(features.shape[:2], np.bool_)
    for row, frames in enumerate(every):
        features[row, : len(frames)] = frames
        present[row, : len(frames)] = True
    return torch.from_numpy(features), torch.from_numpy(present)


def pad_words(said: Sequence[Sequence[int]]) -> Tensor:
    """[N, L], as long as the longest."""
    padded: npt.NDArray[np.int64] = np.full((len(said), max(map(len, said))), PADDING_ID, np.int64)
    for row, ids in enumerate(said):
        padded[row, : len(ids)] = ids
    return torch.from_numpy(padded)
