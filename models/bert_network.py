"""A Transformer for sentences and two projection heads, as torch runs and trains them.

The picture side starts from the pooled features of a backbone that has a checkpoint of its own, so
that one index of a video serves every model that reads it.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class BertFrameTextShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    feature_dim: int  # of the backbone
    text: dict[str, Any]  # what transformers needs to build DistilBERT
    dim: int = 512
    text_limit: int = 64  # tokens of a sentence that are read; the rest is cut off

    def __post_init__(self) -> None:
        for name in ("feature_dim", "dim", "text_limit"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, received {getattr(self, name)}")
        places = self.text.get("max_position_embeddings", 512)
        if self.text_limit > places:
            raise ValueError(f"text_limit is at most {places}, received {self.text_limit}")

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class ProjectionHead(nn.Module):
    """Into the joint space: linear, then a small network beside it, then a layer norm."""

    def __init__(self, input_dim: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.up = nn.Linear(input_dim, dim)
        self.inner = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        raised = self.up(x)
        return cast(Tensor, self.norm(raised + self.dropout(self.inner(functional.gelu(raised)))))


def mean_of_words(states: Tensor, present: Tensor) -> Tensor:
    """[N, L, D] and [N, L] -> [N, D]: the one way a sentence is pooled, in training and after."""
    weights = present[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


class BertFrameTextNetwork(nn.Module):
    """Both sides of the joint space but for the backbone."""

    def __init__(self, shape: BertFrameTextShape, dropout: float = 0.0) -> None:
        super().__init__()
        from transformers import DistilBertConfig, DistilBertModel

        self.shape = shape
        self.text = DistilBertModel(DistilBertConfig(**shape.text))
        text_dim = int(self.text.config.dim)
        self.text_head = ProjectionHead(text_dim, shape.dim, dropout)
        self.image_head = ProjectionHead(shape.feature_dim, shape.dim, dropout)

    def embed_texts(self, ids: Tensor, present: Tensor) -> Tensor:
        """Token ids [N, L] and which of them are no padding -> [N, dim], each of length one."""
        states = self.text(input_ids=ids, attention_mask=present).last_hidden_state
        return functional.normalize(self.text_head(mean_of_words(states, present)), dim=-1)

    def embed_features(self, features: Tensor) -> Tensor:
        """Of a backbone; their length means nothing: an index holds their direction only."""
        scaled = functional.normalize(features, dim=-1) * math.sqrt(self.shape.feature_dim)
        return functional.normalize(self.image_head(scaled), dim=-1)


def read_texts(tokenizer: Any, texts: list[str], limit: int) -> tuple[Tensor, Tensor]:
    """Ids [N, L] and which are no padding [N, L], as long as the longest text."""
    if not texts:
        return torch.zeros((0, 1), dtype=torch.long), torch.zeros((0, 1), dtype=torch.long)
    read = tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
    return read["input_ids"], read["attention_mask"]
