"""The keyframe scorer's network as it is trained: how important each frame is, seen with what is
around it. Where it is used, models.keyframe_scorer computes the same in numpy.

Positions are seconds and only their differences matter (rotary), so nothing depends on the length
of a video or on where it starts. Every step costs O(T): local attention looks a few seconds
around, global attention at a bounded number of keys, which are averages where the video is long.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.hub_network import HubNetwork
from models.keyframe_scorer import (
    MAX_KEYS,
    QUERY_BLOCK,
    WINDOW_MARGIN_S,
    ScorerShape,
    periods_s,
)


class TimedAttention(nn.Module):
    """Attention of rows [T, dim], rotary positions in seconds; local where a window is given."""

    def __init__(self, dim: int, heads: int, window_s: float | None) -> None:
        super().__init__()
        self.heads = heads
        self.window_s = window_s
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        # Not a buffer: rounding the weights to half precision must not touch them.
        self.periods_s = periods_s(dim // heads // 2)

    def forward(self, x: Tensor, times_s: Tensor) -> Tensor:
        query = self._rotated(self._by_head(self.query(x)), times_s)
        if self.window_s is None:
            kept, times_s = _at_most(MAX_KEYS, x, times_s)
            key, value = self._keys(kept, times_s)
            mixed = self._attend(query, key, value, None)
        else:
            key, value = self._keys(x, times_s)
            mixed = self._attend_near(query, key, value, times_s)
        return cast(Tensor, self.out(mixed.transpose(0, 1).flatten(1)))

    def _keys(self, kept: Tensor, times_s: Tensor) -> tuple[Tensor, Tensor]:
        key, value = self.key_value(kept).chunk(2, dim=1)
        return self._rotated(self._by_head(key), times_s), self._by_head(value)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), self.heads, -1).transpose(0, 1)

    def _rotated(self, x: Tensor, times_s: Tensor) -> Tensor:
        # Angles in double precision: hours in float32 would blur tenths of a second.
        periods_s = torch.tensor(self.periods_s, dtype=torch.float64, device=times_s.device)
        angles = 2 * math.pi * times_s.double()[:, None] / periods_s
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, dim=2)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=2)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return functional.scaled_dot_product_attention(
            query[None], key[None], value[None], attn_mask=mask
        )[0]

    def _attend_near(self, query: Tensor, key: Tensor, value: Tensor, times_s: Tensor) -> Tensor:
        """Block by block, so that memory grows with the window and not with the length."""
        reach_s = cast(float, self.window_s) + WINDOW_MARGIN_S
        parts = []
        for start in range(0, len(times_s), QUERY_BLOCK):
            here_s = times_s[start : start + QUERY_BLOCK]
            edges = torch.stack([here_s[0] - reach_s, here_s[-1] + reach_s])
            low, high = torch.searchsorted(times_s, edges).tolist()
            near = (here_s[:, None] - times_s[None, low:high]).abs() <= reach_s
            block = query[:, start : start + QUERY_BLOCK]
            parts.append(self._attend(block, key[:, low:high], value[:, low:high], near))
        return torch.cat(parts, dim=1)


def _at_most(count: int, x: Tensor, times_s: Tensor) -> tuple[Tensor, Tensor]:
    """The rows, or averages of as many neighbours as it takes to have no more than `count`."""
    stride = -(-len(x) // count)
    if stride == 1:
        return x, times_s
    groups = torch.arange(len(x), device=x.device) // stride
    kept = int(groups[-1]) + 1
    sizes = torch.bincount(groups, minlength=kept)
    sums = x.new_zeros(kept, x.shape[1]).index_add_(0, groups, x)
    sums_s = times_s.new_zeros(kept).index_add_(0, groups, times_s)
    return sums / sizes[:, None], sums_s / sizes


class EncoderLayer(nn.Module):
    """A Transformer layer, normalised first."""

    def __init__(self, shape: ScorerShape) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(shape.dim)
        self.attention = TimedAttention(shape.dim, shape.heads, None)
        self.mlp = nn.Sequential(
            nn.LayerNorm(shape.dim),
            nn.Linear(shape.dim, shape.hidden_dim),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.hidden_dim, shape.dim),
        )
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, times_s: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.attention_norm(x), times_s))
        return x + cast(Tensor, self.drop(self.mlp(x)))


class ScorerNetwork(HubNetwork):
    """Unit-length features [T, input_dim] and their times to logits [T]; scores are sigmoids."""

    checkpoint_kind = "keyframe_scorer"
    shape_type = ScorerShape

    def __init__(self, shape: ScorerShape) -> None:
        super().__init__()
        self.shape = shape
        self.input_drop = nn.Dropout(shape.input_dropout)
        self.project = nn.Linear(shape.input_dim, shape.dim)
        self.layers = nn.ModuleList(EncoderLayer(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.dim)
        self.branches = nn.ModuleDict(
            {
                name: TimedAttention(shape.dim, shape.heads, window_s)
                for name, window_s in shape.windows_s.items()
            }
        )
        self.fuse = nn.Linear((1 + len(self.branches)) * shape.dim, shape.dim)
        self.score = nn.Sequential(
            nn.LayerNorm(shape.dim), nn.GELU(), nn.Dropout(shape.dropout), nn.Linear(shape.dim, 1)
        )

    def forward(self, features: Tensor, times_s: Tensor) -> Tensor:
        # Unit-length rows have entries near 1/sqrt(D); a linear layer wants them near one.
        # What is dropped is dropped in all frames, so that no neighbour fills it in.
        scale = self.input_drop(features.new_full((1, self.shape.input_dim), 1.0))
        x = self.project(features * scale * math.sqrt(self.shape.input_dim))
        times_s = times_s.double() - times_s[:1]
        for layer in self.layers:
            x = layer(x, times_s)
        x = self.norm(x)
        seen = [x, *(branch(x, times_s) for branch in self.branches.values())]
        return cast(Tensor, self.score(self.fuse(torch.cat(seen, dim=1)))).squeeze(1)
