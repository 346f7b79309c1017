"""A library of made-up videos in a space whose directions have names."""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from app.library_entries import LibraryEntry, Space
from app.moment_table import Moments
from models.types import Floats, VideoInfo

DIM = 16
SPACE = Space("toy", "a" * 64)
WORDS = ("dog", "cat", "sea", "car", "tree", "snow")


def direction(word: str) -> Floats:
    return np.eye(DIM, dtype=np.float32)[WORDS.index(word)]


class ToyModel:
    """Reads the index of `colour` as it is; a text is the sum of its words."""

    name, weights_hash, dim, index_encoder = "toy", "a" * 64, DIM, "colour"
    certainty = picture_certainty = "measured"

    def project(self, features: Floats) -> Floats:
        return features

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        rows = [sum(map(direction, text.split()), np.zeros(DIM)) for text in texts]
        return np.asarray([row / np.linalg.norm(row) for row in rows], np.float32)

    def reads(self, text: str) -> bool:
        return all(word in WORDS for word in text.split())

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        logits = 20.0 * (np.asarray(scores, np.float64) - 0.5) - math.log(max(searched, 1))
        return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)

    def picture_probability(self, scores: Floats, searched: int = 1) -> Floats:
        return self.probability(scores)


def video(name: str, content_hash: str, duration_s: float, path: Path | None = None) -> VideoInfo:
    return VideoInfo(
        path=path or Path("missing.mp4"), name=name, content_hash=content_hash,
        duration_s=duration_s, fps=Fraction(25), width=64, height=36, rotation=0,
        has_audio=False, codec="h264",
    )  # fmt: skip


def entry(letter: str, name: str = "film.mp4", **values: object) -> LibraryEntry:
    given = {
        "content_hash": letter * 64, "name": name, "duration_s": 60.0, "scenes": 3,
        "encoder": "colour", "encoder_hash": "none", "fps": 2.0, **values,
    }  # fmt: skip
    return LibraryEntry(**given)  # type: ignore[arg-type]


def moments(count: int, seed: int = 0, dim: int = DIM) -> Moments:
    """One each second, in directions of no meaning. Like pictures, they fill a space of 16
    dimensions at most."""
    spread = np.random.default_rng(99).standard_normal((DIM, dim)) if dim > DIM else np.eye(DIM)
    vectors = np.random.default_rng(seed).standard_normal((count, DIM)) @ spread
    vectors = vectors.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts = np.arange(count, dtype=np.float64)
    return Moments(starts + 0.5, starts, starts + 1.0, vectors)
