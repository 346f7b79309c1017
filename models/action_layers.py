"""The action classifier's network in numpy: many windows at once, without torch.

What it computes is models.action_network, with which it is trained; that one is the reference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.numpy_layers import Arrays, erf_gelu, layer_norm, linear
from models.types import Floats, Times

READS = ("backbone", "space", "both")
POOLINGS = ("attention", "last", "mean")
SHORTEST_STEP_S = 1e-2

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ActionShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    input_dim: int  # of the backbone's embeddings
    labels: int  # that are told apart, beside "something else"
    reads: str = "space"  # the embeddings, what another model projects of them, or both
    space_dim: int = 256  # of that projection, whose weights are not trained here
    dim: int = 192
    directions: int = 2  # of the LSTM; 0: none, frames stay as they are
    pooling: str = "attention"
    dropout: float = 0.5
    input_dropout: float = 0.3
    noise: float = 0.1  # in training, added to every number of a frame, which is near 1

    def __post_init__(self) -> None:
        for name in ("input_dim", "labels", "space_dim", "dim"):
            _need(getattr(self, name) >= 1, f"{name} is at least 1", getattr(self, name))
        _need(self.reads in READS, f"reads is one of {READS}", self.reads)
        _need(self.pooling in POOLINGS, f"pooling is one of {POOLINGS}", self.pooling)
        _need(self.directions in (0, 1, 2), "directions is 0, 1 or 2", self.directions)
        _need(self.dim % 2 == 0, "dim is even", self.dim)
        for name in ("dropout", "input_dropout"):
            _need(0 <= getattr(self, name) < 1, f"{name} is in [0, 1)", getattr(self, name))
        _need(self.noise >= 0, "noise is not negative", self.noise)

    @property
    def seen_dim(self) -> int:
        """Numbers that the network reads of a frame."""
        parts = {"backbone": self.input_dim, "space": self.space_dim}
        return parts.get(self.reads, self.input_dim + self.space_dim)

    @property
    def hidden(self) -> int:
        """Of one direction of the LSTM."""
        return self.dim // max(self.directions, 1)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored tensor."""
        dim, hidden = self.dim, self.hidden
        weights = {"project": (dim, self.seen_dim), "name": (self.labels + 1, dim)}
        if self.reads != "backbone":
            weights["space"] = (self.space_dim, self.input_dim)
        if self.pooling == "attention":
            weights |= {"attend": (dim // 2, dim), "weigh": (1, dim // 2)}
        shapes: dict[str, tuple[int, ...]] = {}
        for name in ("norm", "out_norm"):
            shapes |= {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}
        for way in ("", "_reverse")[: self.directions]:
            shapes[f"lstm.weight_ih_l0{way}"] = (4 * hidden, dim + 1)
            shapes[f"lstm.weight_hh_l0{way}"] = (4 * hidden, hidden)
            shapes[f"lstm.bias_ih_l0{way}"] = (4 * hidden,)
            shapes[f"lstm.bias_hh_l0{way}"] = (4 * hidden,)
        shapes |= {f"{name}.weight": shape for name, shape in weights.items()}
        return shapes | {f"{name}.bias": shape[:1] for name, shape in weights.items()}


def _need(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, received {received!r}")


def look(arrays: Arrays, shape: ActionShape, embeddings: Floats) -> Floats:
    """Unit-length embeddings [T, input_dim] -> what is read of them [T, seen_dim], near one."""
    scaled = embeddings * np.float32(math.sqrt(shape.input_dim))
    if shape.reads == "backbone":
        return np.asarray(scaled, np.float32)
    space = linear(arrays, "space", scaled)
    lengths = np.maximum(np.linalg.norm(space, axis=1, keepdims=True), 1e-6)
    space = space / lengths * np.float32(math.sqrt(shape.space_dim))
    parts = [space] if shape.reads == "space" else [scaled, space]
    return np.concatenate(parts, axis=1).astype(np.float32)


def padded(seen: Sequence[Floats], times_s: Sequence[Times]) -> tuple[Floats, Times, Flags]:
    """Sequences of any lengths to [B, T, D], [B, T] and which of the rows are frames."""
    longest = max(map(len, seen))
    rows = np.zeros((len(seen), longest, seen[0].shape[1]), np.float32)
    times = np.zeros((len(seen), longest), np.float64)
    valid = np.zeros((len(seen), longest), np.bool_)
    for at, (frames, moments) in enumerate(zip(seen, times_s, strict=True)):
        count = len(frames)
        rows[at, :count], times[at, :count], valid[at, :count] = frames, moments, True
        times[at, count:] = moments[-1]
    return rows, times, valid


def classify_sequences(
    arrays: Arrays, shape: ActionShape, seen: Floats, times_s: Times, valid: Flags
) -> tuple[Floats, Floats]:
    """Logits [B, labels + 1], and how much each frame counted [B, T], which sums to one."""
    x = layer_norm(arrays, "norm", linear(arrays, "project", seen))
    x = erf_gelu(x)
    if shape.directions:
        given = np.concatenate([x, time_steps(times_s)], axis=2)
        x = x + read_in_order(arrays, shape.directions, given, valid)
    weights = _weights(arrays, shape, x, valid)
    pooled = (weights[:, :, None] * x).sum(axis=1)
    return linear(arrays, "name", layer_norm(arrays, "out_norm", pooled)), weights


def time_steps(times_s: Times) -> Floats:
    """[B, T, 1]: the logarithm of the seconds since the frame before."""
    steps_s = np.diff(times_s, axis=1, prepend=times_s[:, :1])
    return np.log(np.maximum(steps_s, SHORTEST_STEP_S)).astype(np.float32)[:, :, None]


def _weights(arrays: Arrays, shape: ActionShape, x: Floats, valid: Flags) -> Floats:
    counts = valid.sum(axis=1, keepdims=True)
    if shape.pooling == "mean":
        return np.asarray(valid / counts, np.float32)
    if shape.pooling == "last":
        return np.asarray(np.arange(valid.shape[1]) == counts - 1, np.float32)
    scores = linear(arrays, "weigh", np.tanh(linear(arrays, "attend", x)))[:, :, 0]
    scores = np.where(valid, scores, -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def read_in_order(
    arrays: Arrays, directions: int, x: Floats, valid: Flags, layer: int = 0
) -> Floats:
    """One layer of an LSTM, one way or both, as torch computes it: [B, T, in] -> [B, T, dim]."""
    forth = _one_way(arrays, f"l{layer}", x)
    if directions == 1:
        return forth
    # Each sequence turned round by itself, so that padding stays behind its frames.
    steps = np.arange(x.shape[1])[None]
    counts = valid.sum(axis=1, keepdims=True)
    turned = np.where(steps < counts, counts - 1 - steps, steps)[:, :, None]
    back = _one_way(arrays, f"l{layer}_reverse", np.take_along_axis(x, turned, axis=1))
    return np.concatenate([forth, np.take_along_axis(back, turned, axis=1)], axis=2)


def _one_way(arrays: Arrays, way: str, x: Floats) -> Floats:
    given = x @ arrays[f"lstm.weight_ih_{way}"].T
    given = given + arrays[f"lstm.bias_ih_{way}"] + arrays[f"lstm.bias_hh_{way}"]
    again = np.ascontiguousarray(arrays[f"lstm.weight_hh_{way}"].T)
    hidden = np.zeros((len(x), len(again)), np.float32)
    cell = np.zeros_like(hidden)
    states = np.empty((*x.shape[:2], len(again)), np.float32)
    for step in range(x.shape[1]):
        into, forget, new, out = np.split(given[:, step] + hidden @ again, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(new)
        hidden = states[:, step] = _sigmoid(out) * np.tanh(cell)
    return states


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(np.tanh(x / 2) / 2 + np.float32(0.5), np.float32)
