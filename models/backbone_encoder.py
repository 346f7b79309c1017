"""A compact backbone as a frame encoder. What computes it is models.engine's to choose."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.checkpoint import Checkpoint, read_checkpoint
from models.engine import open_engine
from models.squash import squash_all
from models.types import Floats, Pixels

if TYPE_CHECKING:
    from torch import nn

KIND = "backbone"
CHUNK_FRAMES = 32


class BackboneEncoder:
    """A backbone from its checkpoint folder. Implements protocols.FrameEncoder."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the folder cannot be used."""
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.side_px = int(checkpoint.preprocessing["side_px"])
        self.short_side_px = self.side_px
        self.dim = int(checkpoint.architecture["feature_dim"])
        self._engine = open_engine(checkpoint, self.dim, _torch_network)
        self.engine = self._engine.name

    def features(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D] in the space of the teacher, any length."""
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames are u8 [T, H, W, 3], received {frames.dtype} {frames.shape}")
        features_TD = np.empty((len(frames), self.dim), np.float32)
        for start in range(0, len(frames), CHUNK_FRAMES):  # squashed copies stay few
            rows = slice(start, start + CHUNK_FRAMES)
            features_TD[rows] = self._engine.run(squash_all(frames[rows], self.side_px))
        return features_TD

    def encode_frames(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D], each row of length one."""
        features_TD = self.features(frames)
        lengths = np.linalg.norm(features_TD, axis=1, keepdims=True)
        return np.asarray(features_TD / np.maximum(lengths, 1e-6), np.float32)


def _torch_network(checkpoint: Checkpoint) -> "nn.Module":
    from models.backbones import build_network

    return build_network(checkpoint)
