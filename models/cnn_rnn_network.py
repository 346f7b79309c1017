"""A CNN that sees frames and an RNN that reads them in order, as it is trained.

Where it is used, the trunk runs by models.engine and what follows it in numpy
(models.cnn_rnn_layers).
"""

import copy
import math
from typing import Any, cast

from torch import Tensor, nn

from models.backbones import BackboneShape, CompactBackbone, as_input, fold_batch_norms
from models.checkpoint import Checkpoint, load_weights
from models.cnn_rnn_layers import CnnRnnShape
from models.described import within_weights
from models.errors import CheckpointError

TRUNK = "frames."  # what the names of the trunk's tensors begin with


class CnnRnn(nn.Module):
    """u8 RGB [N, T, side, side, 3] -> logits [N, K].

    Each frame by a timm trunk, all of them by an LSTM in both directions; then every frame is drawn
    from all others by dot products (attention over time), averaged, and named.
    """

    def __init__(self, shape: CnnRnnShape) -> None:
        super().__init__()
        self.shape = shape
        self.frames = CompactBackbone(_trunk_shape(shape))
        if shape.recurrent:
            self.lstm = nn.LSTM(
                shape.feature_dim,
                shape.hidden,
                shape.layers,
                batch_first=True,
                bidirectional=shape.bidirectional,
                dropout=shape.dropout if shape.layers > 1 else 0.0,
            )
        if shape.attention:
            self.query = nn.Linear(shape.read_dim, shape.attention_dim)
            self.key = nn.Linear(shape.read_dim, shape.attention_dim)
            self.value = nn.Linear(shape.read_dim, shape.read_dim)
        self.drop = nn.Dropout(shape.dropout)
        self.name = nn.Linear(shape.read_dim, shape.labels)

    def forward(self, frames: Tensor) -> Tensor:
        count, length = frames.shape[:2]
        features = self.frames(as_input(frames.flatten(0, 1)))
        x = self.drop(features.unflatten(0, (count, length)))
        if self.shape.recurrent:
            x = self.drop(self.lstm(x)[0])
        if self.shape.attention:
            scores = self.query(x) @ self.key(x).transpose(1, 2)
            x = (scores / math.sqrt(self.shape.attention_dim)).softmax(2) @ self.value(x)
        return cast(Tensor, self.name(self.drop(x.mean(1))))

    def folded(self) -> "CnnRnn":
        """A copy as it is stored: the trunk's batch norms are part of its convolutions."""
        made = copy.deepcopy(self).eval()
        fold_batch_norms(made.frames)
        return made


class FrameFeatures(nn.Module):
    """The trunk alone: u8 RGB [B, side, side, 3] -> features [B, feature_dim]."""

    def __init__(self, network: CnnRnn) -> None:
        super().__init__()
        self.frames = network.frames

    def forward(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.frames(as_input(pixels)))


def trunk_dim(trunk: str, options: dict[str, Any] | None = None) -> int:
    """How many numbers a timm model makes of a picture; no weights are fetched.

    Raises:
        ValueError: timm has no such model.
    """
    import timm

    try:
        made: Any = timm.create_model(trunk, pretrained=False, num_classes=0, **(options or {}))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"model.trunk is a model of timm, received {trunk!r} ({error})") from None
    return int(made.head_hidden_size)


def build_network(checkpoint: Checkpoint) -> CnnRnn:
    """The network that the checkpoint describes, with its weights, folded.

    Raises:
        CheckpointError: this program does not know the architecture, or the weights do not fit.
    """
    try:
        shape = CnnRnnShape(**checkpoint.architecture)
        with within_weights(checkpoint.weights_path):
            network = CnnRnn(shape)
        built = network.folded()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error
    load_weights(checkpoint, built)
    return built


def _trunk_shape(shape: CnnRnnShape) -> BackboneShape:
    return BackboneShape(
        architecture=shape.trunk,
        feature_dim=shape.feature_dim,
        trunk_options=shape.trunk_options,
        normalisation="imagenet",
        head=False,
    )
