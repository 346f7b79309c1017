"""People, vehicles and animals in pictures, with boxes, by a network small enough to ship.

What computes the network is models.engine's to choose; from its cells to boxes it is numpy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.boxes import kept_boxes
from models.checkpoint import Checkpoint, read_checkpoint
from models.engine import open_engine
from models.errors import CheckpointError
from models.squash import squash_all
from models.types import Detections, Floats, Pixels

if TYPE_CHECKING:
    from torch import nn

KIND = "compact_detector"
STRIDE = 8
SIDES, SETS_OF_SIDES = 4, 2  # left, top, right, bottom; of people, and of everything else
# A side is this share of the picture away from its cell's middle where the network says 0.
USUAL_SIDE = 0.15
FARTHEST = 2.2  # as the logarithm of a multiple of it: a little more than the whole picture
SAME_IOU = 0.5
MOST_BOXES = 100
CHUNK_FRAMES = 32


@dataclass(frozen=True, slots=True)
class CellReader:
    """What a network's output means.

    `names` are finer ones of the kind `named`. `least` holds the score that a box must have to be
    shown as that; kinds and names that are not in it were trained and are not good enough.
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    named: str
    least: Mapping[str, float]

    @property
    def channels(self) -> int:
        return len(self.kinds) + len(self.names) + SETS_OF_SIDES * SIDES

    @property
    def labels(self) -> tuple[str, ...]:
        """Everything that a box may be called."""
        shown = [kind for kind in self.kinds if kind in self.least]
        return (*shown, *(self.names_shown if self.named in self.least else ()))

    @property
    def names_shown(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name in self.least)

    def boxes(self, cells: Floats) -> tuple[Floats, Floats, tuple[str, ...]]:
        """[channels, S, S] -> boxes in shares of the picture, scores and labels, surest first."""
        by_channel = cells.reshape(len(cells), -1)
        logits = by_channel[: -SETS_OF_SIDES * SIDES]
        middles = np.asarray(1 / (1 + np.exp(-logits.clip(-30, 30))), np.float32)
        boxes_of = boxes_of_cells(cells[-SETS_OF_SIDES * SIDES :])
        found: list[tuple[float, Floats, str]] = []
        peaks = peaks_of(cells[: len(self.kinds)]).reshape(len(self.kinds), -1)
        for number, kind in enumerate(self.kinds):
            if kind not in self.least:
                continue
            cells_there = np.flatnonzero(peaks[number] & (middles[number] >= self.least[kind]))
            scores = middles[number, cells_there]
            boxes = boxes_of[min(number, SETS_OF_SIDES - 1)][cells_there]
            for row in kept_boxes(boxes, scores, SAME_IOU):
                label = self._name(kind, middles[:, cells_there[row]])
                found.append((float(scores[row]), boxes[row], label))
        found.sort(key=lambda box: -box[0])
        del found[MOST_BOXES:]
        return (
            np.array([box for _, box, _ in found], np.float32).reshape(-1, SIDES),
            np.array([score for score, _, _ in found], np.float32),
            tuple(label for _, _, label in found),
        )

    def _name(self, kind: str, middles: Floats) -> str:
        """The finer name that is most likely, where it is at least half of what the kind is."""
        if kind != self.named or not self.names:
            return kind
        of_names = middles[len(self.kinds) :]
        best = int(of_names.argmax())
        sure = of_names[best] >= 0.5 * middles[self.kinds.index(kind)]
        return self.names[best] if sure and self.names[best] in self.least else kind


def peaks_of(maps: Floats) -> npt.NDArray[np.bool_]:
    """[K, S, S]: cells whose neighbours are all lower or the same. The others say the same again,
    and there are many of them."""
    side = maps.shape[-1]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    highest = maps
    for y in range(3):
        for x in range(3):
            highest = np.maximum(highest, padded[:, y : y + side, x : x + side])
    return np.asarray(maps >= highest)


def boxes_of_cells(sides: Floats) -> Floats:
    """[8, S, S], logarithms of distances -> [2, S * S, 4] in shares of the picture."""
    side = sides.shape[-1]
    away = USUAL_SIDE * np.exp(np.clip(sides, -6, FARTHEST)).reshape(SETS_OF_SIDES, SIDES, -1)
    middle = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.tile(middle, side), np.repeat(middle, side)
    corners = np.stack([x - away[:, 0], y - away[:, 1], x + away[:, 2], y + away[:, 3]], axis=2)
    return np.asarray(corners.clip(0, 1), np.float32)


class CompactDetector:
    """A detector from its checkpoint folder. Implements protocols.ObjectDetector."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the folder cannot be used."""
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.side_px = int(checkpoint.preprocessing["side_px"])
        self.reader = reader_of(checkpoint)
        self.labels = self.reader.labels
        cells = (self.side_px // STRIDE) ** 2
        self._engine = open_engine(checkpoint, self.reader.channels * cells, _torch_network)
        self.engine = self._engine.name

    def detect(self, frames: Pixels) -> list[Detections]:
        """u8 RGB [T, H, W, 3] -> one Detections a frame, boxes in the frame's pixels."""
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames are u8 [T, H, W, 3], received {frames.dtype} {frames.shape}")
        height, width = frames.shape[1:3]
        size = np.array([width, height, width, height], np.float32)
        found = []
        for start in range(0, len(frames), CHUNK_FRAMES):
            chunk = frames[start : start + CHUNK_FRAMES]
            for cells in self.cells(chunk):
                boxes, scores, labels = self.reader.boxes(cells)
                found.append(Detections(boxes * size, scores, labels))
        return found

    def cells(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> [T, channels, S, S]."""
        side = self.side_px // STRIDE
        rows = self._engine.run(squash_all(frames, self.side_px))
        return rows.reshape(len(frames), self.reader.channels, side, side)


def reader_of(checkpoint: Checkpoint) -> CellReader:
    architecture = checkpoint.architecture
    try:
        least = checkpoint.config["least_scores"]
        return CellReader(
            tuple(architecture["kinds"]),
            tuple(architecture["names"]),
            str(architecture["named"]),
            {str(kind): float(score) for kind, score in least.items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} does not say what it finds ({error}): "
            "fetch it again."
        ) from error


def _torch_network(checkpoint: Checkpoint) -> "nn.Module":
    from models.detector_network import build_network

    return build_network(checkpoint)
