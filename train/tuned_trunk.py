"""A timm trunk of which one stage is fine-tuned, over videos of any length."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from models.backbones import BackboneShape, CompactBackbone, as_input


class TunedTrunk(nn.Module):
    """A trunk of which only one stage, and what comes after it, may learn."""

    def __init__(self, shape: BackboneShape, tuned: str, chunk_frames: int) -> None:
        super().__init__()
        self.network = CompactBackbone(shape)
        self._chunk_frames = chunk_frames
        names = [name for name, _ in self.network.trunk.named_children()]
        if tuned not in names or "global_pool" not in names:
            raise ValueError(
                f"model.tuned is a stage of {shape.architecture}, which has "
                f"{', '.join(names)}; received {tuned!r}"
            )
        at = names.index(tuned)
        self._below, self._above = names[:at], names[at : names.index("global_pool")]
        cast(Any, self.network).to(memory_format=torch.channels_last)
        self.learn(False)
        self.train()  # Lightning gives every layer back the mode in which it found it

    def train(self, mode: bool = True) -> "TunedTrunk":
        """Batch norms never count: the statistics stay those that the trunk came with."""
        return super().train(False)

    def learn(self, tuned: bool) -> None:
        self.requires_grad_(False)
        for name in self._above:
            getattr(self.network.trunk, name).requires_grad_(tuned)

    @property
    def tuned_parameters(self) -> list[nn.Parameter]:
        parts = [getattr(self.network.trunk, name) for name in self._above]
        return [parameter for part in parts for parameter in part.parameters()]

    def forward(self, pixels: Any, device: torch.device) -> Tensor:
        """u8 [T, side, side, 3], in memory or on disk, to float32 [T, D] of length one.

        Of the part that learns, a chunk's activations are made again when the gradient needs them:
        what a long stretch keeps is the map below it.
        """
        rows = []
        for start in range(0, len(pixels), self._chunk_frames):
            chunk = np.array(pixels[start : start + self._chunk_frames])
            with torch.no_grad():
                below = self._run(self._below, self._normalised(torch.from_numpy(chunk).to(device)))
            if torch.is_grad_enabled() and any(p.requires_grad for p in self.tuned_parameters):
                rows.append(checkpoint(self._pooled, below, use_reentrant=False))
            else:
                rows.append(self._pooled(below))
        return functional.normalize(torch.cat(rows).float(), dim=1)

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (as_input(pixels) - self.network.mean) / self.network.std

    def _pooled(self, below: Tensor) -> Tensor:
        return self.network.pool(self._run(self._above, below))

    def _run(self, names: Sequence[str], x: Tensor) -> Tensor:
        for name in names:
            x = getattr(self.network.trunk, name)(x)
        return x
