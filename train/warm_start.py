"""Training that goes on from a backbone that was shipped.

What is shipped has its batch norms folded into the convolutions. They are needed again: a network
without them trains worse. Each is put back so that it computes what the folded bias did, with the
mean and variance that real pictures have there, so that training and inference start out alike.
"""

import copy
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.backbone_encoder import KIND
from models.backbones import BackboneShape, CompactBackbone, limit_activations
from models.checkpoint import Checkpoint, read_checkpoint, stored_arrays

# Length of each filter: batch norm undoes it, but the learning rate is relative to it.
FILTER_LENGTH = math.sqrt(2)
LEAST_VARIANCE = 1e-4  # of a channel that is silent on real pictures


def warm_start(network: CompactBackbone, folder: Path, batches: Iterable[Tensor]) -> Checkpoint:
    """Gives the network the folder's weights; `batches` are pictures as the network takes them.

    Raises:
        CheckpointError: the folder cannot be used.
        ValueError: it holds a backbone of another shape.
    """
    checkpoint = read_checkpoint(folder, kind=KIND)
    shape = BackboneShape(**{**checkpoint.architecture, "activation_limit": None})
    if shape != network.shape:
        raise ValueError(f"start_from holds {shape}, but the config says {network.shape}")
    stored = {name: torch.from_numpy(array) for name, array in stored_arrays(checkpoint).items()}
    pairs = dict(norms_after(network))
    own = network.state_dict()
    folded_biases = {f"{conv}.bias" for conv in pairs}
    own.update({name: value for name, value in stored.items() if name not in folded_biases})
    network.load_state_dict(own)
    for conv, norm in pairs.items():
        _put_back(norm, stored[f"{conv}.bias"])
    limit = checkpoint.architecture.get("activation_limit")
    for conv, (mean, variance) in _statistics(network, limit, batches).items():
        conv_layer = cast(nn.Conv2d, network.get_submodule(conv))
        _normalise(conv_layer, pairs[conv], mean, variance)
    return checkpoint


def norms_after(module: nn.Module, path: str = "") -> Iterable[tuple[str, nn.BatchNorm2d]]:
    """Each convolution directly before a batch norm, by name, as models.backbones folds them."""
    before: tuple[str, nn.Module] | None = None
    for name, child in module.named_children():
        if before is not None and isinstance(child, nn.BatchNorm2d):
            yield path + before[0], child
        else:
            yield from norms_after(child, f"{path}{name}.")
        before = (name, child) if isinstance(child, nn.Conv2d) else None


def _put_back(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    """A norm that only adds the bias."""
    with torch.no_grad():
        norm.weight.fill_(1.0)
        norm.bias.copy_(bias)
        cast(Tensor, norm.running_mean).zero_()
        cast(Tensor, norm.running_var).fill_(1.0 - norm.eps)


@torch.no_grad()
def _statistics(
    network: CompactBackbone, limit: float | None, batches: Iterable[Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and variance of what each norm receives, in the network as it is shipped.

    Without the limit of its activations a few pictures would make up most of the variance.
    """
    limited = copy.deepcopy(network).eval()
    if limit is not None:
        limit_activations(limited, limit)
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for conv, norm in norms_after(limited):
        looks = seen.setdefault(conv, [])

        def look(module: nn.Module, inputs: tuple[Any, ...], looks: Any = looks) -> None:
            variance, mean = torch.var_mean(inputs[0].double(), dim=(0, 2, 3), correction=0)
            looks.append((mean, variance))

        norm.register_forward_pre_hook(look)
    for pixels in batches:
        limited(pixels)
    found = {}
    for conv, looks in seen.items():
        means = torch.stack([mean for mean, _ in looks])
        variances = torch.stack([variance for _, variance in looks])
        variance = variances.mean(dim=0) + means.var(dim=0, correction=0)
        found[conv] = means.mean(dim=0), variance.clamp(min=LEAST_VARIANCE)
    return found


@torch.no_grad()
def _normalise(conv: nn.Conv2d, norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """The same output from filters of one length and a norm that knows its inputs."""
    scale = FILTER_LENGTH / conv.weight.double().flatten(1).norm(dim=1).clamp(min=1e-6)
    conv.weight.mul_(scale.float()[:, None, None, None])
    running = variance * scale.square()
    # (input - mean) / deviation * deviation + (mean + bias): the output is what it was.
    norm.bias.add_(mean.float())
    norm.weight.copy_((running + norm.eps).sqrt() / scale)
    cast(Tensor, norm.running_mean).copy_(mean * scale)
    cast(Tensor, norm.running_var).copy_(running)
