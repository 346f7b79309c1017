"""The action classifier's network as it is trained. Where it is used, models.action_layers
computes the same in numpy.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.action_layers import SHORTEST_STEP_S, ActionShape
from models.hub_network import HubNetwork


class ActionNetwork(HubNetwork):
    """What is seen of frames [B, T, seen_dim], times [B, T], which rows are frames -> logits.

    Frames are projected, read by an LSTM in both directions that is told the seconds between them,
    and weighed by an attention over time. `space` is somebody else's projection of the backbone's
    embeddings and is not trained; `look` applies it, once for all of training.
    """

    checkpoint_kind = "action_classifier"
    shape_type = ActionShape

    def __init__(self, shape: ActionShape) -> None:
        super().__init__()
        self.shape = shape
        if shape.reads != "backbone":
            self.space = nn.Linear(shape.input_dim, shape.space_dim).requires_grad_(False)
        self.input_drop = nn.Dropout(shape.input_dropout)
        self.project = nn.Linear(shape.seen_dim, shape.dim)
        self.norm = nn.LayerNorm(shape.dim)
        self.drop = nn.Dropout(shape.dropout)
        if shape.directions:
            self.lstm = nn.LSTM(
                shape.dim + 1,
                shape.hidden,
                batch_first=True,
                bidirectional=shape.directions == 2,
            )
        if shape.pooling == "attention":
            self.attend = nn.Linear(shape.dim, shape.dim // 2)
            self.weigh = nn.Linear(shape.dim // 2, 1)
        self.out_norm = nn.LayerNorm(shape.dim)
        self.name = nn.Linear(shape.dim, shape.labels + 1)

    def look(self, embeddings: Tensor) -> Tensor:
        """Unit-length embeddings [..., input_dim] -> [..., seen_dim], with entries near one."""
        scaled = embeddings * math.sqrt(self.shape.input_dim)
        if self.shape.reads == "backbone":
            return scaled
        space = functional.normalize(self.space(scaled), dim=-1) * math.sqrt(self.shape.space_dim)
        return space if self.shape.reads == "space" else torch.cat([scaled, space], dim=-1)

    def forward(self, seen: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        """Logits [B, labels + 1]; the last one is "something else"."""
        return self.attended(seen, times_s, valid)[0]

    def attended(self, seen: Tensor, times_s: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and how much each frame counted [B, T]."""
        # What is dropped is dropped in all frames, so that no neighbour fills it in.
        seen = seen * self.input_drop(seen.new_ones(len(seen), 1, seen.shape[2]))
        if self.training and self.shape.noise:
            seen = seen + self.shape.noise * torch.randn_like(seen)
        x = self.drop(functional.gelu(self.norm(self.project(seen))))
        if self.shape.directions:
            x = x + self.drop(self._in_order(x, times_s, valid))
        weights = self._weights(x, valid)
        pooled = (weights[:, :, None] * x).sum(1)
        return cast(Tensor, self.name(self.drop(self.out_norm(pooled)))), weights

    def _in_order(self, x: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        steps_s = torch.diff(times_s, dim=1, prepend=times_s[:, :1]).clamp(min=SHORTEST_STEP_S)
        given = torch.cat([x, steps_s.log().to(x.dtype)[:, :, None]], dim=2)
        packed = nn.utils.rnn.pack_padded_sequence(
            given, valid.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        mixed, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=x.shape[1]
        )
        return mixed

    def _weights(self, x: Tensor, valid: Tensor) -> Tensor:
        counts = valid.sum(1, keepdim=True)
        if self.shape.pooling == "mean":
            return valid.to(x.dtype) / counts
        if self.shape.pooling == "last":
            steps = torch.arange(valid.shape[1], device=x.device)
            return (steps == counts - 1).to(x.dtype)
        scores = self.weigh(torch.tanh(self.attend(x))).squeeze(2)
        return cast(Tensor, scores.masked_fill(~valid, -torch.inf).softmax(1))
