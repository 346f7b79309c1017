"""The compact detector as a torch network: the one that is trained, and the form that is shipped.

A backbone's trunk of its own, its maps at strides 8, 16 and 32 joined from the coarsest to the
finest, and for each cell of the finest one: how likely it is the middle of a thing of each kind,
and how far the sides of that thing are. People have sides of their own: they stand before, sit on
and ride what the others are, with the same middle.
"""

import copy
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbones import as_input, fold_batch_norms, limit_activations
from models.checkpoint import Checkpoint, load_weights
from models.compact_detector import SETS_OF_SIDES, SIDES
from models.described import within_weights
from models.errors import CheckpointError

MAPS = (2, 3, 4)  # of a timm trunk: strides 8, 16, 32
SELDOM = -4.0  # logit of a cell before training: nearly every one is empty


@dataclass(frozen=True, slots=True)
class DetectorShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    architecture: str  # a timm model
    kinds: list[str] = field(default_factory=list)  # the first is people
    names: list[str] = field(default_factory=list)  # finer ones of the kind that `named` says
    named: str = ""
    width: int = 96
    activation_limit: float | None = None  # of every ReLU, where it is shipped

    def __post_init__(self) -> None:
        if not self.kinds:
            raise ValueError("kinds has at least one, received none")
        if self.names and self.named not in self.kinds:
            raise ValueError(f"named is one of {self.kinds}, received {self.named!r}")
        if self.width < 1:
            raise ValueError(f"width is at least 1, received {self.width}")
        if self.activation_limit is not None and self.activation_limit <= 0:
            raise ValueError(f"activation_limit is above 0, received {self.activation_limit}")


class DetectorNetwork(nn.Module):
    """Float [B, 3, side, side] in [0, 1] to [B, kinds + names + 8, side / 8, side / 8]."""

    mean: Tensor
    std: Tensor

    def __init__(self, shape: DetectorShape) -> None:
        super().__init__()
        import timm

        self.shape = shape
        self.trunk: nn.Module = timm.create_model(
            shape.architecture, pretrained=False, features_only=True, out_indices=MAPS
        )
        trunk: Any = self.trunk
        depths, width = trunk.feature_info.channels(), shape.width
        self.sideways = nn.ModuleList(_mixed(depth, width) for depth in depths)
        self.smooth = nn.ModuleList(_spread(width) for _ in depths[1:])
        self.tower = nn.Sequential(_spread(width), _spread(width))
        self.middles = nn.Conv2d(width, len(shape.kinds) + len(shape.names), 1)
        self.sides = nn.Conv2d(width, SETS_OF_SIDES * SIDES, 1)
        nn.init.constant_(cast(Tensor, self.middles.bias), SELDOM)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5), persistent=False)
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.25), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.trunk((pixels - self.mean) / self.std)
        fine, middle, coarse = (side(part) for side, part in zip(self.sideways, maps, strict=True))
        middle = middle + functional.interpolate(self.smooth[1](coarse), scale_factor=2.0)
        fine = fine + functional.interpolate(self.smooth[0](middle), scale_factor=2.0)
        seen = self.tower(fine)
        return torch.cat([self.middles(seen), self.sides(seen)], dim=1)


def _mixed(depth: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(depth, width, 1, bias=False), nn.BatchNorm2d(width))


def _spread(width: int) -> nn.Sequential:
    """A cell looks at its neighbours: 5 x 5, channel by channel, and then over all channels."""
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


class PictureDetector(nn.Module):
    """A detector that is shipped: u8 RGB [B, side, side, 3] to one flat row a picture."""

    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        fold_batch_norms(self.network)
        if network.shape.activation_limit is not None:
            limit_activations(self.network, network.shape.activation_limit)

    def forward(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.network(as_input(pixels))).flatten(1)


def build_network(checkpoint: Checkpoint) -> PictureDetector:
    """The network that the checkpoint describes, with its weights.

    Raises:
        CheckpointError: this program does not know the architecture, or the weights do not fit.
    """
    try:
        shape = DetectorShape(**checkpoint.architecture)
        with within_weights(checkpoint.weights_path):
            network = DetectorNetwork(shape)
        built = PictureDetector(network)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error
    load_weights(checkpoint, built.network)
    return built
