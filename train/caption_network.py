"""The network that models/caption_decoder.py runs in numpy, as torch trains it.

Frames are a set: their order is not seen. A gated recurrent unit reads the words said so far beside
the mean of the frames, attention looks at single frames for each word, and words are named by the
same vectors that they are read by.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.caption_decoder import NEVER, CaptionShape
from models.caption_words import END_ID, PADDING_ID, START_ID


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network keeps of B items' frames while it speaks; also where it stands."""

    mean: Tensor  # [B, dim]
    hidden: Tensor  # [B, dim]
    key: Tensor  # [B, heads, T, dim / heads]
    value: Tensor
    present: Tensor  # [B, T]

    def repeated(self, count: int) -> "Seen":
        """Each item so many times, one after the other."""
        return self._map(lambda x: x.repeat_interleave(count, 0))

    def rows(self, which: Tensor) -> "Seen":
        return self._map(lambda x: x[which])

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Seen":
        return Seen(*(change(getattr(self, field.name)) for field in dataclasses.fields(self)))


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

    def look(self, features: Tensor, present: Tensor) -> Seen:
        """[B, T, input_dim], and which of them are there, [B, T]; at least one of each item."""
        # What is dropped is dropped in all frames, so that no neighbour fills it in.
        scale = self.input_drop(torch.ones_like(features[:, :1]))
        frames = torch.tanh(self.frames_norm(self.frames(features * scale)))
        mean = (frames * present[..., None]).sum(1) / present.sum(1, keepdim=True)
        key, value = (self._by_head(x) for x in self.key_value(frames).chunk(2, dim=2))
        return Seen(mean, torch.tanh(self.begin(mean)), key, value, present)

    def forward(self, seen: Seen, words: Tensor, wanted: Tensor) -> Tensor:
        """Words [B, L] from the start on -> logits of what follows, where it is `wanted` [B, L].

        [N, vocabulary], row by row: naming a word costs most, and half of a batch is padding.
        """
        return self._name(self._say(seen, words)[0][wanted])

    def _say(self, seen: Seen, words: Tensor) -> tuple[Tensor, Tensor]:
        """[B, L, 2 * dim]: the state after each word, and what it looks at; and the last state."""
        embedded = self.drop(self.words(words))
        shared = seen.mean[:, None].expand(-1, words.shape[1], -1)
        states, last = self.recurrent(torch.cat([embedded, shared], dim=2), seen.hidden[None])
        context = functional.scaled_dot_product_attention(
            self._by_head(self.query(states)),
            seen.key,
            seen.value,
            seen.present[:, None, None, :],
        )
        return torch.cat([states, context.transpose(1, 2).flatten(2)], dim=2), last[0]

    def _name(self, both: Tensor) -> Tensor:
        joined = torch.tanh(self.join_norm(self.join(both)))
        return functional.linear(self.drop(joined), self.words.weight, self.words_bias)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.shape.heads, -1).transpose(1, 2)

    @torch.no_grad()
    def speak(
        self,
        seen: Seen,
        longest: int,
        generator: torch.Generator | None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Captions [B, L <= longest + 1], drawn from the generator, or the likeliest words.

        Each ends with END_ID; what follows is padding. Those that have ended cost nothing more.
        """
        device = seen.mean.device
        said = torch.full((len(seen.mean), longest + 1), PADDING_ID, device=device)
        going = torch.arange(len(said), device=device)
        word = torch.full((len(said), 1), START_ID, device=device)
        for place in range(longest + 1):
            both, hidden = self._say(seen, word)
            if place == longest:
                word = torch.full_like(word, END_ID)
            else:
                word = _next_words(self._name(both[:, 0]) / temperature, generator)
            said[going, place] = word[:, 0]
            kept = (word[:, 0] != END_ID).nonzero()[:, 0]
            if not len(kept):
                break
            going, word = going[kept], word[kept]
            seen = dataclasses.replace(seen, hidden=hidden).rows(kept)
        return said[:, : place + 1]


def _next_words(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    logits[:, NEVER] = -torch.inf
    if generator is None:
        return logits.argmax(1, keepdim=True)
    return torch.multinomial(logits.softmax(1), 1, generator=generator)


def sayable(words: Tensor) -> Tensor:
    """Where a word or an end stands that can be said."""
    return torch.stack([words != number for number in NEVER]).all(0)
