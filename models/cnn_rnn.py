"""Names the action in segments of a video: a CNN sees the frames, an RNN reads them in order.

The trunk runs by models.engine, what follows it in numpy (models.cnn_rnn_layers).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.checkpoint import Checkpoint, read_checkpoint, stored_arrays
from models.cnn_rnn_layers import CnnRnnShape, name_segments
from models.engine import open_engine
from models.errors import CheckpointError
from models.numpy_layers import Arrays
from models.squash import middle_squares
from models.types import Floats, Pixels

if TYPE_CHECKING:
    from torch import nn

KIND = "segment_classifier"


class CnnRnnClassifier:
    """A classifier from its checkpoint folder. Implements protocols.SegmentClassifier.

    `known_from` is None where nothing was measured of videos that show none of the labels; else
    segments whose best label is less likely than that are none of them.
    """

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the folder cannot be used."""
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.shape = _shape_of(checkpoint)
        self.labels = tuple(str(label) for label in checkpoint.config.get("labels", ()))
        if len(self.labels) != self.shape.labels:
            raise CheckpointError(
                f"The checkpoint {checkpoint.name} names {len(self.labels)} labels for a network "
                f"that tells {self.shape.labels} apart: export it again."
            )
        try:
            seen, decision = checkpoint.preprocessing, checkpoint.config["decision"]
            self.frames_per_segment = int(seen["frames"])
            self.segment_s = float(seen["segment_s"])
            self.short_side_px = int(seen["short_side_px"])
            self.side_px = int(seen["side_px"])
            self.middle_share = float(seen["middle_share"])
            self.temperature = float(decision["temperature"])
            known_from = decision["known_from"]
            self.known_from = None if known_from is None else float(known_from)
        except (KeyError, TypeError, ValueError):
            raise CheckpointError(
                f"The checkpoint {checkpoint.name} does not say what it looks at and how it "
                "decides: export it again."
            ) from None
        self._head = _head_of(checkpoint, self.shape)
        self._engine = open_engine(checkpoint, self.shape.feature_dim, _trunk)
        self.engine = self._engine.name

    def classify_segments(self, frames: Pixels) -> Floats:
        """u8 RGB [N, T, H, W, 3] -> float32 [N, K], each row sums to one."""
        if frames.ndim != 5 or frames.shape[4] != 3 or frames.dtype != np.uint8:
            raise ValueError(
                f"segments are u8 [N, T, H, W, 3], received {frames.dtype} {frames.shape}"
            )
        logits = np.empty((len(frames), len(self.labels)), np.float32)
        for at, segment in enumerate(frames):  # squashed copies stay few
            squares = middle_squares(segment, self.middle_share, self.side_px)
            features = self._engine.run(squares)[None]
            logits[at] = name_segments(self._head, self.shape, features)[0][0]
        return probabilities_of(logits, self.temperature)


def probabilities_of(logits: Floats, temperature: float) -> Floats:
    """[N, K] -> [N, K], each row sums to one."""
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _shape_of(checkpoint: Checkpoint) -> CnnRnnShape:
    try:
        return CnnRnnShape(**checkpoint.architecture)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error


def _head_of(checkpoint: Checkpoint, shape: CnnRnnShape) -> Arrays:
    stored = stored_arrays(checkpoint)
    for name, wanted in shape.head_tensors().items():
        found = stored[name].shape if name in stored else None
        if found != wanted:
            raise CheckpointError(
                f"The weights of the checkpoint {checkpoint.name} do not fit its architecture: "
                f"{name} is {found or 'missing'}, not {wanted}."
            )
    return {name: stored[name] for name in shape.head_tensors()}


def _trunk(checkpoint: Checkpoint) -> "nn.Module":
    from models.cnn_rnn_network import FrameFeatures, build_network

    return FrameFeatures(build_network(checkpoint))
