"""The captioner's network in numpy: features of frames to words, the likeliest ones by a beam.

What it computes is train.caption_network, with which it is trained; that one is the reference.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.caption_words import (
    END_ID,
    PADDING_ID,
    START_ID,
    UNKNOWN_ID,
)
from models.numpy_layers import Arrays, layer_norm, linear
from models.types import Floats

NEVER = (PADDING_ID, START_ID, UNKNOWN_ID)

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CaptionShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    vocabulary: int
    input_dim: int
    dim: int = 256
    heads: int = 4
    dropout: float = 0.3
    input_dropout: float = 0.3

    def __post_init__(self) -> None:
        for name in ("vocabulary", "input_dim", "dim", "heads"):
            _need(getattr(self, name) >= 1, f"{name} is at least 1", getattr(self, name))
        _need(self.dim % self.heads == 0, "dim is a multiple of heads", self.dim)
        for name in ("dropout", "input_dropout"):
            _need(0 <= getattr(self, name) < 1, f"{name} is in [0, 1)", getattr(self, name))

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored tensor."""
        dim = self.dim
        weights = {
            "frames": (dim, self.input_dim),
            "begin": (dim, dim),
            "query": (dim, dim),
            "key_value": (2 * dim, dim),
            "join": (dim, 2 * dim),
        }
        shapes: dict[str, tuple[int, ...]] = {
            "words.weight": (self.vocabulary, dim),
            "words_bias": (self.vocabulary,),
        }
        for kind, inputs in (("ih", 2 * dim), ("hh", dim)):
            shapes[f"recurrent.weight_{kind}_l0"] = (3 * dim, inputs)
            shapes[f"recurrent.bias_{kind}_l0"] = (3 * dim,)
        for name in ("frames_norm", "join_norm"):
            shapes |= {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}
        for name, shape in weights.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return shapes


def _need(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, received {received!r}")


@dataclass(frozen=True, slots=True)
class SearchRules:
    """How words are searched, chosen on videos that nothing was learned from."""

    beams: int = 5
    length_power: float = 1.0  # a caption's logarithm of probability is divided by length to this
    match_weight: float = 0.0  # of how well compact finds the caption to fit the frames
    shortest: int = 3
    longest: int = 18

    def __post_init__(self) -> None:
        _need(self.beams >= 1, "beams is at least 1", self.beams)
        _need(1 <= self.shortest <= self.longest, "longest is at least shortest", self.longest)
        for name in ("length_power", "match_weight"):
            _need(getattr(self, name) >= 0, f"{name} is not negative", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Said:
    """A caption as ids without start and end, and the logarithm of its probability."""

    ids: tuple[int, ...]
    log_probability: float

    @property
    def per_word(self) -> float:
        """The mean over its words and its end."""
        return self.log_probability / (len(self.ids) + 1)


@dataclass(frozen=True, slots=True)
class _Beams:
    """Unfinished captions, and where the network stands after each."""

    ids: list[tuple[int, ...]]
    totals: Floats  # [K]
    hidden: Floats  # [K, dim]


class CaptionDecoder:
    """The network of one checkpoint."""

    def __init__(self, arrays: Arrays, shape: CaptionShape, open_ids: Sequence[int] = ()) -> None:
        """No caption ends with one of `open_ids`."""
        self._arrays, self._shape = arrays, shape
        self._open = frozenset(open_ids)

    def look(self, features: Floats) -> "SeenFrames":
        """[T, input_dim], any T from 1 on."""
        frames = np.tanh(layer_norm(self._arrays, "frames_norm", self._project(features)))
        mean = frames.mean(axis=0)
        keys, values = np.split(linear(self._arrays, "key_value", frames), 2, axis=1)
        heads = self._shape.heads
        return SeenFrames(
            mean=mean,
            keys=keys.reshape(len(frames), heads, -1).transpose(1, 2, 0),
            values=values.reshape(len(frames), heads, -1).transpose(1, 0, 2),
            hidden=np.tanh(linear(self._arrays, "begin", mean)),
        )

    def _project(self, features: Floats) -> Floats:
        return linear(self._arrays, "frames", np.asarray(features, np.float32))

    def step(self, seen: "SeenFrames", hidden: Floats, words: Ids) -> tuple[Floats, Floats]:
        """The last words [K] -> log-probabilities of the next [K, vocabulary], and new hidden."""
        embedded = self._arrays["words.weight"][words]
        shared = np.broadcast_to(seen.mean, embedded.shape)
        hidden = self._recur(np.concatenate([embedded, shared], axis=1), hidden)
        query = linear(self._arrays, "query", hidden)
        queries = query.reshape(len(words), self._shape.heads, -1).transpose(1, 0, 2)
        shares = queries @ seen.keys / np.float32(math.sqrt(queries.shape[2]))
        shares = np.exp(shares - shares.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True)) @ seen.values
        context = mixed.transpose(1, 0, 2).reshape(len(words), -1)
        both = linear(self._arrays, "join", np.concatenate([hidden, context], axis=1))
        joined = np.tanh(layer_norm(self._arrays, "join_norm", both))
        logits = joined @ self._arrays["words.weight"].T + self._arrays["words_bias"]
        top = logits.max(-1, keepdims=True)
        logits -= top + np.log(np.exp(logits - top).sum(-1, keepdims=True))
        return np.asarray(logits, np.float32), hidden

    def _recur(self, inputs: Floats, hidden: Floats) -> Floats:
        """One step of a gated recurrent unit, as torch.nn.GRU defines it."""
        arrays, name = self._arrays, "recurrent"
        fresh = inputs @ arrays[f"{name}.weight_ih_l0"].T + arrays[f"{name}.bias_ih_l0"]
        past = hidden @ arrays[f"{name}.weight_hh_l0"].T + arrays[f"{name}.bias_hh_l0"]
        reset_in, update_in, new_in = np.split(fresh, 3, axis=1)
        reset_past, update_past, new_past = np.split(past, 3, axis=1)
        update = _sigmoid(update_in + update_past)
        new = np.tanh(new_in + _sigmoid(reset_in + reset_past) * new_past)
        return np.asarray((1 - update) * new + update * hidden, np.float32)

    def probability_of(self, features: Floats, ids: Sequence[int]) -> Said:
        """A caption that is given, without start and end."""
        seen = self.look(features)
        hidden, total = seen.hidden[None], 0.0
        for last, following in zip([START_ID, *ids], [*ids, END_ID], strict=True):
            logs, hidden = self.step(seen, hidden, np.array([last]))
            total += float(logs[0, following])
        return Said(tuple(ids), total)

    def search(self, features: Floats, rules: SearchRules) -> list[Said]:
        """Up to `beams` captions, the likeliest for their length first; never none."""
        seen = self.look(features)
        beams = _Beams([()], np.zeros(1, np.float32), seen.hidden[None])
        done: list[Said] = []
        for length in range(rules.longest + 1):
            last = np.array([ids[-1] if ids else START_ID for ids in beams.ids])
            logs, hidden = self.step(seen, beams.hidden, last)
            self._forbid(logs, beams.ids, must_go_on=length < rules.shortest)
            if length == rules.longest:  # here every caption ends
                logs[:, :END_ID], logs[:, END_ID + 1 :] = -np.inf, -np.inf
            beams, ended = _grown(beams, logs, hidden, rules.beams)
            done += ended
            if len(done) >= rules.beams or not beams.ids:
                break
        return sorted(done, key=lambda said: -ranked(said, rules))[: rules.beams]

    def _forbid(self, logs: Floats, said: list[tuple[int, ...]], *, must_go_on: bool) -> None:
        logs[:, NEVER] = -np.inf
        for row, ids in enumerate(said):
            if ids:
                logs[row, ids[-1]] = -np.inf
                # What followed this word before does not follow it again.
                repeated = [b for a, b in zip(ids, ids[1:], strict=False) if a == ids[-1]]
                logs[row, repeated] = -np.inf
            if must_go_on or (ids and ids[-1] in self._open):
                logs[row, END_ID] = -np.inf


@dataclass(frozen=True, slots=True)
class SeenFrames:
    """What the network keeps of the frames while it speaks."""

    mean: Floats
    keys: Floats  # [H, D, T]
    values: Floats  # [H, T, D]
    hidden: Floats


def ranked(said: Said, rules: SearchRules) -> float:
    return said.log_probability / math.pow(len(said.ids) + 1, rules.length_power)


def _grown(beams: _Beams, logs: Floats, hidden: Floats, width: int) -> tuple[_Beams, list[Said]]:
    """The best ways to go on; those that end leave the beam and make room for no other."""
    totals = beams.totals[:, None] + logs
    flat = totals.reshape(-1)
    count = min(2 * width, len(flat))
    best = np.argpartition(-flat, count - 1)[:count]
    best = best[np.argsort(-flat[best], kind="stable")]
    ids, kept, rows, ended = list[tuple[int, ...]](), list[float](), list[int](), list[Said]()
    for place in best.tolist():
        row, word = divmod(place, totals.shape[1])
        total = float(flat[place])
        if not math.isfinite(total) or len(ids) == width:
            break
        if word == END_ID:
            ended.append(Said(beams.ids[row], total))
        else:
            ids.append((*beams.ids[row], word))
            kept.append(total)
            rows.append(row)
    return _Beams(ids, np.asarray(kept, np.float32), hidden[rows]), ended


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x.clip(-60, 60))), np.float32)


def rules_from(values: dict[str, object]) -> SearchRules:
    """Raises TypeError or ValueError where they are none."""
    known = {field.name for field in dataclasses.fields(SearchRules)}
    if set(values) != known:
        raise ValueError(f"search rules are {', '.join(sorted(known))}, received {sorted(values)}")
    return SearchRules(**values)  # type: ignore[arg-type]
