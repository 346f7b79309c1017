"""The network that models/caption_decoder.py runs in numpy, as torch trains it.

Frames are a set: their order is not seen. A gated recurrent unit reads the words said so far beside
the mean of the frames, attention looks at single frames for each word, and words are named by the
same vectors that they are read by.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.caption_decoder import NEVER, CaptionShape
from models.caption_words import END_ID, PADDING_ID, START_ID


class CaptionNetwork(nn.Module):
    def __init__(self, shape: CaptionShape) -> None:
        super().__init__()
        self.shape = shape
        dim = shape.dim
        self.input_drop = nn.Dropout(shape.input_dropout)
        self.frames = nn.Linear(shape.input_dim, dim)
        self.frames_norm = nn.LayerNorm(dim)
        self.begin = nn.Linear(dim, dim)
        self.words = nn.Embedding(shape.vocabulary, dim)
        self.words_bias = nn.Parameter(torch.zeros(shape.vocabulary))
        self.recurrent = nn.GRU(2 * dim, dim, batch_first=True)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.join = nn.Linear(2 * dim, dim)
        self.join_norm = nn.LayerNorm(dim)
        self.drop = nn.Dropout(shape.dropout)
        nn.init.normal_(self.words.weight, std=1 / math.sqrt(dim))

    def look(self, features: Tensor, present: Tensor) -> Tensor:
        """[B, T, input_dim] and which of them are there, [B, T] -> [B, T, dim], 0 elsewhere."""
        # What is dropped is dropped in all frames, so that no neighbour fills it in.
        scale = self.input_drop(torch.ones_like(features[:, :1]))
        frames = torch.tanh(self.frames_norm(self.frames(features * scale)))
        return frames * present[..., None]

    def start(self, frames: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of the frames, and the hidden state before the first word: [B, dim] each."""
        mean = frames.sum(1) / present.sum(1, keepdim=True)
        return mean, torch.tanh(self.begin(mean))

    def forward(self, frames: Tensor, present: Tensor, words: Tensor, wanted: Tensor) -> Tensor:
        """Words [B, L] from the start on -> logits of what follows, where it is `wanted` [B, L].

        [N, vocabulary], row by row: naming a word costs most, and half of a batch is padding.
        """
        mean, hidden = self.start(frames, present)
        both, _ = self._say(frames, present, mean, hidden, words)
        return self._name(both[wanted])

    def _say(
        self, frames: Tensor, present: Tensor, mean: Tensor, hidden: Tensor, words: Tensor
    ) -> tuple[Tensor, Tensor]:
        embedded = self.drop(self.words(words))
        shared = mean[:, None].expand(-1, words.shape[1], -1)
        states, last = self.recurrent(torch.cat([embedded, shared], dim=2), hidden[None])
        key, value = self.key_value(frames).chunk(2, dim=2)
        context = functional.scaled_dot_product_attention(
            self._by_head(self.query(states)),
            self._by_head(key),
            self._by_head(value),
            present[:, None, None, :],
        )
        context = context.transpose(1, 2).flatten(2)
        return torch.cat([states, context], dim=2), cast(Tensor, last[0])

    def _name(self, both: Tensor) -> Tensor:
        joined = torch.tanh(self.join_norm(self.join(both)))
        return functional.linear(self.drop(joined), self.words.weight, self.words_bias)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.shape.heads, -1).transpose(1, 2)

    @torch.no_grad()
    def speak(
        self, frames: Tensor, present: Tensor, longest: int, generator: torch.Generator | None
    ) -> Tensor:
        """Captions [B, L <= longest + 1], drawn from the generator, or the likeliest words.

        Each ends with END_ID; what follows is padding.
        """
        mean, hidden = self.start(frames, present)
        word = torch.full((len(frames), 1), START_ID, device=frames.device)
        going = torch.ones(len(frames), dtype=torch.bool, device=frames.device)
        said = []
        for place in range(longest + 1):
            both, hidden = self._say(frames, present, mean, hidden, word)
            logits = self._name(both[:, 0])
            logits[:, NEVER] = -torch.inf
            if place == longest:
                word = torch.full_like(word, END_ID)
            elif generator is None:
                word = logits.argmax(1, keepdim=True)
            else:
                word = torch.multinomial(logits.softmax(1), 1, generator=generator)
            said.append(torch.where(going, word[:, 0], PADDING_ID))
            going = going & (word[:, 0] != END_ID)
            if not going.any():
                break
        return torch.stack(said, dim=1)


def sayable(words: Tensor) -> Tensor:
    """Where a word or an end stands that can be said."""
    return torch.stack([words != number for number in NEVER]).all(0)
