"""The optimizer, the learning rate and the slow average of models that are fitted."""

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import nn


class Learning(Protocol):
    """What a config's section of learning says of it."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def warmup_share(self) -> float: ...
    @property
    def final_share(self) -> float: ...


def decayed(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Matrices are decayed; biases, scales and whatever else has one dimension are not."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def warm_cosine(
    parameters: Iterable[nn.Parameter], learning: Learning, steps: int
) -> dict[str, Any]:
    """What `configure_optimizers` gives: AdamW, whose rate rises first and falls as a cosine."""
    groups = decayed(parameters, learning.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=learning.learning_rate)
    every = max(1, steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_share(step / every, learning)
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate_share(progress: float, learning: Learning) -> float:
    """Of the learning rate, when this share of the steps is over."""
    if progress < learning.warmup_share:
        return (progress + 1e-3) / (learning.warmup_share + 1e-3)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return learning.final_share + (1 - learning.final_share) * cosine


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, step: int, most: float) -> None:
    """Draws the slow average towards the network that learns; faster in the first steps."""
    decay = min(most, (1 + step) / (10 + step))
    pairs = zip(slow.state_dict().values(), fast.state_dict().values(), strict=True)
    for kept, seen in pairs:
        if kept.is_floating_point():
            kept.lerp_(seen.to(kept.dtype), 1 - decay)
        else:
            kept.copy_(seen)
