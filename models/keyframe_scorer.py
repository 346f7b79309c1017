"""How important each frame is, learned from people's judgements: a network over embeddings."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.checkpoint import Checkpoint, load_weights, read_checkpoint
from models.errors import CheckpointError
from models.types import Floats, Times

if TYPE_CHECKING:
    from models.keyframe_network import ScorerNetwork

KIND = "keyframe_scorer"


class KeyframeScorer:
    """A scorer from its checkpoint folder, run by torch on the CPU: it is small.

    `index_encoder` and `encoder_hash` name the encoder whose embeddings it was trained on; others
    mean nothing to it, also where they have as many dimensions.
    """

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the folder cannot be used."""
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.index_encoder = str(checkpoint.preprocessing["encoder"])
        self.encoder_hash = str(checkpoint.preprocessing["encoder_hash"])
        self._network = build_scorer(checkpoint).eval()
        self.dim = self._network.shape.input_dim

    def score(self, embeddings: Floats, times_s: Times) -> Floats:
        """float32 [T, D], unit length, and ascending times -> float32 [T] in [0, 1].

        Any length; times may be irregular.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dim:
            raise ValueError(f"embeddings are [T, {self.dim}], received {embeddings.shape}")
        if times_s.shape != (len(embeddings),):
            raise ValueError(f"one time a row, received {times_s.shape} and {embeddings.shape}")
        if len(times_s) == 0:
            return np.empty(0, np.float32)
        if (np.diff(times_s) < 0).any():
            raise ValueError("times are ascending, received times that fall")
        import torch

        features_TD = torch.from_numpy(np.array(embeddings, np.float32))
        seconds = torch.from_numpy(np.array(times_s, np.float64))
        with torch.inference_mode():
            scores_T = self._network(features_TD, seconds).sigmoid()
        return np.asarray(scores_T.numpy(), np.float32)


def build_scorer(checkpoint: Checkpoint) -> "ScorerNetwork":
    """The network that the checkpoint describes, with its weights.

    Raises:
        CheckpointError: this program does not know the architecture, or the weights do not fit.
    """
    from models.keyframe_network import ScorerNetwork, ScorerShape

    try:
        network = ScorerNetwork(ScorerShape(**checkpoint.architecture))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error
    load_weights(checkpoint, network)
    return network
