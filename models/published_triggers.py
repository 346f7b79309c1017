"""The published trigger system's detector, as far as it answers, in numpy.

Its visual encoder ends in two linear layers. The first is part of the backbone's checkpoint, with
one more number beside it that is always the same: an index keeps embeddings of length one, and
that number says how long they were. From there on everything is here: the second layer, the
detector's own layers, its LSTM over the frames before, and its classes. Its time-aware encoder had
no part in the answer and has none here.
"""

from dataclasses import dataclass

import numpy as np

from models.numpy_layers import Arrays, linear
from models.trigger_layers import one_way_lstm
from models.types import Floats

LAYOUT = "published"
LEAST_LENGTH = 1e-6


@dataclass(frozen=True, slots=True)
class PublishedShape:
    """Everything that is needed to read its arrays."""

    input_dim: int  # of an index: the features of the first layer, and the constant number
    feature_dim: int
    hidden_dim: int
    classes: int = 2  # the first is "no event"
    temporal: bool = True  # whether it has the LSTM
    constant: float = 16.0

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(f"classes is at least 2, received {self.classes}")
        if self.hidden_dim < 2 or self.hidden_dim % 2:
            raise ValueError(f"hidden_dim is even and above 0, received {self.hidden_dim}")
        if self.constant <= 0:
            raise ValueError(f"constant is above 0, received {self.constant}")

    @property
    def events(self) -> int:
        return self.classes - 1

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored tensor."""
        hidden = self.hidden_dim
        weights = {
            "projection.5": (self.feature_dim, self.feature_dim),
            "feature_projection.0": (hidden, self.feature_dim),
            "feature_projection.3": (hidden, hidden),
            "classifier.0": (hidden // 2, hidden),
            "classifier.3": (self.classes, hidden // 2),
        }
        shapes: dict[str, tuple[int, ...]] = {}
        for name, shape in weights.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        if self.temporal:
            for part in ("ih", "hh"):
                shapes[f"temporal_encoder.weight_{part}_l0"] = (4 * hidden, hidden)
                shapes[f"temporal_encoder.bias_{part}_l0"] = (4 * hidden,)
        return shapes


def published_logits(arrays: Arrays, shape: PublishedShape, embeddings: Floats) -> Floats:
    """An index's embeddings [T, input_dim] -> [T, events], whose sigmoid is the probability.

    Of two classes each had a sigmoid of its own; of more they shared one softmax, whose
    probability is the sigmoid of what is returned.
    """
    constant = np.maximum(embeddings[:, -1:], LEAST_LENGTH)
    x = np.maximum(embeddings[:, :-1] / constant * np.float32(shape.constant), 0)
    x = linear(arrays, "projection.5", x)
    for layer in ("feature_projection.0", "feature_projection.3"):
        x = np.maximum(linear(arrays, layer, x), 0)
    if shape.temporal and len(x) > 1:
        x = one_way_lstm(arrays, "temporal_encoder", "l0", x)
    x = np.maximum(linear(arrays, "classifier.0", x), 0)
    logits = linear(arrays, "classifier.3", x)
    if shape.classes == 2:
        return logits[:, 1:]
    return np.stack([_against_others(logits, at) for at in range(1, shape.classes)], axis=1)


def _against_others(logits: Floats, at: int) -> Floats:
    others = np.delete(logits, at, axis=1)
    highest = others.max(axis=1)
    total = np.log(np.exp(others - highest[:, None]).sum(axis=1)) + highest
    return np.asarray(logits[:, at] - total, np.float32)
