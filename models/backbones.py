"""Compact backbones: pictures to features, built from a checkpoint's own description."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn


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
