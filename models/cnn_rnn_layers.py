"""What a CNN-RNN makes of its frames' features, in numpy: read in order, attended, averaged, named.

What it computes is models.cnn_rnn_network, with which it is trained; that one is the reference.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.action_layers import read_in_order
from models.numpy_layers import Arrays, linear
from models.types import Floats


@dataclass(frozen=True, slots=True)
class CnnRnnShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    trunk: str  # a timm model that sees the frames, one by one
    feature_dim: int  # of the trunk's pooled features
    labels: int
    hidden: int = 256  # of one direction of the LSTM
    layers: int = 1
    bidirectional: bool = True
    recurrent: bool = True  # False: no LSTM, frames are taken as they are
    attention: bool = True  # over time, before the average
    attention_dim: int = 256
    dropout: float = 0.3
    trunk_options: dict[str, Any] | None = None  # of timm; described.TRUNK_OPTIONS

    def __post_init__(self) -> None:
        for name in ("feature_dim", "labels", "hidden", "layers", "attention_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, received {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is in [0, 1), received {self.dropout}")

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def read_dim(self) -> int:
        """Numbers of a frame once all frames were read in order."""
        return self.hidden * self.directions if self.recurrent else self.feature_dim

    def head_tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored tensor behind the trunk."""
        dim, hidden, shapes = self.read_dim, self.hidden, dict[str, tuple[int, ...]]()
        for layer in range(self.layers if self.recurrent else 0):
            given = self.feature_dim if layer == 0 else dim
            for way in ("", "_reverse")[: self.directions]:
                shapes[f"lstm.weight_ih_l{layer}{way}"] = (4 * hidden, given)
                shapes[f"lstm.weight_hh_l{layer}{way}"] = (4 * hidden, hidden)
                shapes[f"lstm.bias_ih_l{layer}{way}"] = (4 * hidden,)
                shapes[f"lstm.bias_hh_l{layer}{way}"] = (4 * hidden,)
        weights = {"name": (self.labels, dim)}
        if self.attention:
            weights |= dict.fromkeys(("query", "key"), (self.attention_dim, dim))
            weights["value"] = (dim, dim)
        shapes |= {f"{name}.weight": shape for name, shape in weights.items()}
        return shapes | {f"{name}.bias": shape[:1] for name, shape in weights.items()}


def name_segments(arrays: Arrays, shape: CnnRnnShape, features: Floats) -> tuple[Floats, Floats]:
    """The trunk's features [N, T, D] -> logits [N, K], and how much each frame counted [N, T]."""
    count, frames = features.shape[:2]
    valid = np.ones((count, frames), np.bool_)
    x = features
    for layer in range(shape.layers if shape.recurrent else 0):
        x = read_in_order(arrays, shape.directions, x, valid, layer)
    weights = np.full((count, frames), 1 / frames, np.float32)
    if shape.attention:
        keys = np.swapaxes(linear(arrays, "key", x), 1, 2)
        scores = linear(arrays, "query", x) @ keys / np.float32(math.sqrt(shape.attention_dim))
        shares = np.exp(scores - scores.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        x = shares @ linear(arrays, "value", x)
        weights = shares.mean(axis=1)
    return linear(arrays, "name", x.mean(axis=1)), np.asarray(weights, np.float32)
