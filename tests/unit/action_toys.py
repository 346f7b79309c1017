"""A classifier whose rules are plain to see, on an index made by hand."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from app.index import IndexKey, IndexStore
from models.protocols import Embedded
from models.types import ActionWindows, Floats, FrameBatch, Pixels, Times, VideoInfo

HASH = "e" * 64
LABELS = ("juggling", "cooking", "rest")
FPS = 2.0
WINDOW = 8  # frames


class ToyEyes:
    name = "toy-eyes"
    weights_hash: str | None = "cd" * 32
    dim = 4
    short_side_px = 64

    def encode_frames(self, frames: Pixels) -> Floats:
        raise AssertionError("an index on disk must not be computed again")


class ToyClassifier:
    """An embedding is the probabilities of the labels, and at its end that one is known.

    Windows of eight frames, each half over the next.
    """

    name = "toy"
    weights_hash: str | None = "ab" * 32
    index_encoder = ToyEyes.name
    labels = LABELS
    known_from = 0.6

    def classify(self, frames: Pixels, times_s: Times) -> Floats:
        raise AssertionError("whoever has an index asks for its windows")

    def classify_windows(self, embeddings: Floats | Embedded, times_s: Times) -> ActionWindows:
        given = embeddings if isinstance(embeddings, np.ndarray) else embeddings.embeddings
        rows = np.asarray(given, np.float32)
        starts = range(0, max(len(rows) - WINDOW // 2, 1), WINDOW // 2)
        frames = [np.arange(start, min(start + WINDOW, len(rows))) for start in starts]
        means = np.stack([rows[part].mean(0) for part in frames])
        step = 1 / FPS
        return ActionWindows(
            spans_s=np.array([(times_s[part[0]], times_s[part[-1]] + step) for part in frames]),
            probabilities=means[:, :3] / means[:, :3].sum(1, keepdims=True),
            known=means[:, 3],
            frames=tuple(frames),
            attention=tuple(_last_counts_most(len(part)) for part in frames),
        )


def _last_counts_most(length: int) -> Floats:
    weights = np.ones(length, np.float32)
    weights[-1] = 20.0
    return np.asarray(weights / weights.sum(), np.float32)


JUGGLING, COOKING, REST = ([0.9, 0.05, 0.05, 0.9], [0.1, 0.8, 0.1, 0.9], [0.1, 0.1, 0.8, 0.9])
NOTHING = [0.5, 0.3, 0.2, 0.1]


def toy_video(frames: int, start_s: float = 0.0, name: str = "made by hand.mp4") -> VideoInfo:
    return VideoInfo(
        path=Path("missing.mp4"), name=name, content_hash=HASH, duration_s=frames / FPS,
        fps=Fraction(25), width=640, height=360, rotation=0, has_audio=True, codec="h264",
        start_s=start_s,
    )  # fmt: skip


def toy_store(folder: Path, rows: list[list[float]], start_s: float = 0.0) -> IndexStore:
    store = IndexStore(folder, 10**9)
    pixels = np.zeros((len(rows), 4, 4, 3), dtype=np.uint8)
    times_s = start_s + np.arange(len(rows)) / FPS
    with store.writer(IndexKey(HASH, ToyEyes.name, ToyEyes.weights_hash, FPS)) as writer:
        writer.add(FrameBatch(pixels, times_s), np.asarray(rows, np.float32))
        writer.commit()
    return store
