"""Compact backbones: pictures to features, built from a checkpoint's own description."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoint import Checkpoint, load_weights, read_checkpoint
from models.device import torch_device
from models.errors import CheckpointError
from models.squash import squash_all
from models.types import Floats, Pixels

KIND = "backbone"
CHUNK_FRAMES = 32


@dataclass(frozen=True, slots=True)
class BackboneShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    architecture: str  # a timm model
    feature_dim: int
    trunk_options: dict[str, Any] | None = None  # given to timm as they are

    def __post_init__(self) -> None:
        if self.feature_dim < 1:
            raise ValueError(f"feature_dim is at least 1, received {self.feature_dim}")


class CompactBackbone(nn.Module):
    """A timm trunk and one linear layer; the features are not normalised.

    Input is float [B, 3, H, W] in [0, 1]. The normalisation is part of the network, so that no
    caller can use another one.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: BackboneShape) -> None:
        super().__init__()
        import timm

        self.shape = shape
        self.trunk: nn.Module = timm.create_model(
            shape.architecture, pretrained=False, num_classes=0, **(shape.trunk_options or {})
        )
        trunk: Any = self.trunk
        self.map_dim = int(trunk.num_features)
        self.head = nn.Linear(int(trunk.head_hidden_size), shape.feature_dim)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5), persistent=False)
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.25), persistent=False)

    def forward_map(self, pixels: Tensor) -> Tensor:
        """The trunk's last map, [B, map_dim, H / 32, W / 32]."""
        trunk: Any = self.trunk
        return cast(Tensor, trunk.forward_features((pixels - self.mean) / self.std))

    def pool(self, trunk_map: Tensor) -> Tensor:
        """From the trunk's map to features [B, feature_dim]."""
        trunk: Any = self.trunk
        return cast(Tensor, self.head(trunk.forward_head(trunk_map)))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.pool(self.forward_map(pixels))


def as_input(pixels: Tensor) -> Tensor:
    """u8 [B, H, W, 3] to float [B, 3, H, W] in [0, 1], channels last in memory."""
    return pixels.permute(0, 3, 1, 2).float() / 255


class BackboneEncoder:
    """A backbone from its checkpoint folder, run by torch. Implements protocols.FrameEncoder."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the folder cannot be used."""
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.side_px = int(checkpoint.preprocessing["side_px"])
        self.short_side_px = self.side_px
        self.network = build_network(checkpoint)
        self.dim = self.network.shape.feature_dim
        self._device = torch_device()
        self.network.to(self._device).eval()

    def features(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D] in the space of the teacher, any length."""
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames are u8 [T, H, W, 3], received {frames.dtype} {frames.shape}")
        features_TD = np.empty((len(frames), self.dim), np.float32)
        on_gpu = self._device == "cuda"
        for start in range(0, len(frames), CHUNK_FRAMES):
            rows = slice(start, start + CHUNK_FRAMES)
            squashed = squash_all(frames[rows], self.side_px)
            pixels = as_input(torch.from_numpy(squashed).to(self._device))
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
                features_TD[rows] = self.network(pixels).float().cpu().numpy()
        return features_TD

    def encode_frames(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D], each row of length one."""
        features_TD = self.features(frames)
        lengths = np.linalg.norm(features_TD, axis=1, keepdims=True)
        return np.asarray(features_TD / np.maximum(lengths, 1e-6), np.float32)


def build_network(checkpoint: Checkpoint) -> CompactBackbone:
    """The network that the checkpoint describes, with its weights.

    Raises:
        CheckpointError: this program does not know the architecture, or the weights do not fit.
    """
    try:
        network = CompactBackbone(BackboneShape(**checkpoint.architecture))
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error
    load_weights(checkpoint, network)
    return network
