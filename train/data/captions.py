"""MSR-VTT and Flickr8k: what is shown (the frames of a video, or one photograph) and its captions.

Three parts: `train`, `chosen` (the training videos and photographs that the frame store holds out,
so the backbone has not learned from them either; every choice is made there), and `reported` (the
official validation parts, looked at for the report only).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.subwords import words_of
from train.data.frames import FrameStore

PARTS = ("train", "chosen", "reported")
SOURCES = {"msrvtt": ("train", "val"), "flickr8k": ("train", "dev")}
SPAN_WORDS = (1, 6)


@dataclass(frozen=True, slots=True)
class CaptionedItem:
    """A video or a photograph."""

    source: str
    name: str
    part: str
    captions: tuple[str, ...]
    rows: npt.NDArray[np.int64]  # among the captioned frames, in the order of time


@dataclass(frozen=True, slots=True)
class CaptionedData:
    items: tuple[CaptionedItem, ...]

    def part(self, part: str, source: str | None = None) -> list[CaptionedItem]:
        return [i for i in self.items if i.part == part and source in (None, i.source)]


def load_captions(data_dir: Path, store: FrameStore, pictures: Sequence[int]) -> CaptionedData:
    """Joins captions with the frames that `pictures` (rows of the store) hold.

    Raises:
        FileNotFoundError: a file of captions is missing.
    """
    frames: dict[tuple[str, str], list[int]] = {}
    for row, picture in enumerate(pictures):
        # A photograph's group is its file's name, a video's its number alone.
        group = (str(store.sources[picture]), Path(str(store.groups[picture])).stem)
        frames.setdefault(group, []).append(row)
    items = []
    for source, splits in SOURCES.items():
        for split in splits:
            for name, captions in _read(data_dir / source / f"{split}.json").items():
                rows = np.asarray(frames.get((source, name), []), np.int64)
                if not len(rows) or not captions:
                    continue
                held_out = bool(store.held_out[pictures[rows[0]]])
                part = "reported" if split != "train" else "chosen" if held_out else "train"
                items.append(CaptionedItem(source, name, part, captions, rows))
    return CaptionedData(tuple(items))


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: --data-dir is the folder of all data sets")
    values = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: tuple(found["captions"] if isinstance(found, dict) else found)
        for name, found in values.items()
    }


def training_texts(
    captions: Iterable[str], words: Sequence[str], spans: int, seed: int
) -> list[str]:
    """What the text side learns to understand: captions, pieces of them, and every common word.

    People search with two or three words, so spans of captions are as frequent as captions; and
    with words that no caption has, so every common word stands once alone and once in a span, in
    the place of another.
    """
    whole = sorted(set(captions))
    random = np.random.default_rng([seed, 21])
    made = []
    for row in random.integers(0, len(whole), spans + len(words)):
        said = words_of(whole[row])
        length = min(int(random.integers(SPAN_WORDS[0], SPAN_WORDS[1] + 1)), max(len(said), 1))
        start = int(random.integers(0, max(len(said) - length, 0) + 1))
        made.append(said[start : start + length])
    for span, word in zip(made[spans:], words, strict=True):
        if span:
            span[int(random.integers(0, len(span)))] = word
    return sorted({*whole, *words, *(" ".join(span) for span in made if span)})
