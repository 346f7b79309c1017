"""The network that models/frame_text_encoder.py runs in numpy, as torch trains it."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.frame_text_encoder import FrameTextShape
from models.subwords import PADDING_ID

GROUP_TEXTS = 64


class TextLayer(nn.Module):
    """Attention of all pieces to all pieces, then a small network for each; x is [N, L, width]."""

    def __init__(self, shape: FrameTextShape, dropout: float) -> None:
        super().__init__()
        self.heads = shape.heads
        self.norm_1 = nn.LayerNorm(shape.width)
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width)
        self.join = nn.Linear(shape.width, shape.width)
        self.norm_2 = nn.LayerNorm(shape.width)
        self.up = nn.Linear(shape.width, shape.inner_width)
        self.down = nn.Linear(shape.inner_width, shape.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        count, length, width = x.shape
        split = self.query_key_value(self.norm_1(x)).view(count, length, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value, seen)
        joined = self.join(attended.transpose(1, 2).reshape(count, length, width))
        x = x + self.dropout(joined)
        inner = functional.gelu(self.up(self.norm_2(x)), approximate="tanh")
        return cast(Tensor, x + self.dropout(self.down(inner)))


class TextTower(nn.Module):
    """Piece ids [N, L], padded, to one vector of `width` for each text."""

    def __init__(self, shape: FrameTextShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.pieces = nn.Embedding(shape.vocabulary, shape.width, padding_idx=PADDING_ID)
        self.places = nn.Parameter(torch.randn(shape.text_limit, shape.width) * 0.02)
        self.layers = nn.ModuleList(TextLayer(shape, dropout) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.pieces.weight, std=0.1)

    def forward(self, ids: Tensor) -> Tensor:
        """Texts of like length together: most are short, and padding costs as much as words."""
        if len(ids) <= GROUP_TEXTS:
            return self._read(ids)
        lengths = (ids != PADDING_ID).sum(1)
        order = lengths.argsort(stable=True)
        read = []
        for start in range(0, len(ids), GROUP_TEXTS):
            rows = order[start : start + GROUP_TEXTS]
            read.append(self._read(ids[rows, : int(lengths[rows].max())]))
        return torch.cat(read)[order.argsort()]

    def _read(self, ids: Tensor) -> Tensor:
        present = ids != PADDING_ID
        x = self.dropout(self.pieces(ids) + self.places[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x, present[:, None, None, :])
        weights = present.float()[..., None]
        return cast(Tensor, self.norm((x * weights).sum(1) / weights.sum(1)))


class FrameTextNetwork(nn.Module):
    """Both sides of the joint space; the backbone before the image side is not part of it."""

    def __init__(self, shape: FrameTextShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.text = TextTower(shape, dropout)
        self.text_out = nn.Linear(shape.width, shape.dim)
        self.image_out = nn.Linear(shape.feature_dim, shape.dim)

    def embed_texts(self, ids: Tensor) -> Tensor:
        return functional.normalize(self.text_out(self.text(ids)))

    def embed_features(self, features: Tensor) -> Tensor:
        """Backbone features; their length means nothing, only their direction."""
        scaled = functional.normalize(features, dim=-1) * math.sqrt(self.shape.feature_dim)
        return functional.normalize(self.image_out(scaled), dim=-1)
