"""Compact backbones as torch networks: the one that is trained, and the form that is shipped."""

import copy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.checkpoint import Checkpoint, load_weights
from models.described import within_weights
from models.errors import CheckpointError

# Mean and deviation of each channel that the first convolution expects to be taken out.
NORMALISATIONS = {
    "half": ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


@dataclass(frozen=True, slots=True)
class BackboneShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    architecture: str  # a timm model
    feature_dim: int
    trunk_options: dict[str, Any] | None = None  # of timm; described.TRUNK_OPTIONS
    activation_limit: float | None = None  # of every ReLU, where it is shipped
    normalisation: str = "half"  # one of NORMALISATIONS
    head: bool = True  # a linear layer to feature_dim; without it, the trunk's own pooled features

    def __post_init__(self) -> None:
        if self.normalisation not in NORMALISATIONS:
            raise ValueError(
                f"normalisation is one of {', '.join(NORMALISATIONS)}, "
                f"received {self.normalisation!r}"
            )
        if self.feature_dim < 1:
            raise ValueError(f"feature_dim is at least 1, received {self.feature_dim}")
        if self.activation_limit is not None and self.activation_limit <= 0:
            raise ValueError(f"activation_limit is above 0, received {self.activation_limit}")


class CompactBackbone(nn.Module):
    """A timm trunk and, unless the shape says otherwise, one linear layer; not normalised.

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
        pooled_dim = int(trunk.head_hidden_size)
        if not shape.head and pooled_dim != shape.feature_dim:
            raise ValueError(
                f"{shape.architecture} without a head has {pooled_dim} features, "
                f"not {shape.feature_dim}"
            )
        self.head = nn.Linear(pooled_dim, shape.feature_dim) if shape.head else nn.Identity()
        mean, std = NORMALISATIONS[shape.normalisation]
        self.register_buffer("mean", torch.tensor(mean)[None, :, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[None, :, None, None], persistent=False)

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


class PictureFeatures(nn.Module):
    """A backbone that is shipped: u8 RGB [B, side, side, 3] to features [B, feature_dim].

    Its batch norms are folded into the convolutions, which then have a bias: that is the form in
    which a checkpoint holds the weights, and every engine runs it.
    """

    def __init__(self, network: CompactBackbone) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        fold_batch_norms(self.network)
        if network.shape.activation_limit is not None:
            limit_activations(self.network, network.shape.activation_limit)

    def forward(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.network(as_input(pixels)))


def fold_batch_norms(module: nn.Module) -> None:
    """In place: each convolution directly before a batch norm takes its scale and shift over.

    timm's batch norms hold the activation that follows; it takes their place. Nothing says that
    neighbours in a module also follow each other in its forward, so compare the outputs.
    """
    before: tuple[str, nn.Conv2d] | None = None
    for name, child in list(module.named_children()):
        if before is not None and isinstance(child, nn.BatchNorm2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, getattr(child, "act", nn.Identity()))
        else:
            fold_batch_norms(child)
        before = (name, child) if isinstance(child, nn.Conv2d) else None


def limit_activations(module: nn.Module, limit: float) -> None:
    """In place: no ReLU gives more than the limit.

    A channel that was silent in training has next to no variance, so that its batch norm makes
    hundreds of the first picture that wakes it, and everything after drowns in that.
    """
    for name, child in list(module.named_children()):
        if isinstance(child, nn.ReLU):
            setattr(module, name, nn.Hardtanh(0.0, limit))
        else:
            limit_activations(child, limit)


def build_network(checkpoint: Checkpoint) -> PictureFeatures:
    """The network that the checkpoint describes, with its weights.

    Raises:
        CheckpointError: this program does not know the architecture, or the weights do not fit.
    """
    try:
        shape = BackboneShape(**checkpoint.architecture)
        with within_weights(checkpoint.weights_path):
            network = CompactBackbone(shape)
        built = PictureFeatures(network)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error
    load_weights(checkpoint, built.network)
    return built
