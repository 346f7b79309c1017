"""How important each frame is, learned from people's judgements: a network over embeddings.

It runs in numpy, from the arrays of its checkpoint: it is small, and how much of a video attends to
how much depends on its times, which no graph of fixed operations says simply. What it computes is
models.keyframe_network, with which it is trained; that one is the reference.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.checkpoint import Checkpoint, load_arrays, read_checkpoint
from models.errors import CheckpointError
from models.numpy_layers import Arrays, erf_gelu, layer_norm, linear
from models.protocols import Embedded
from models.types import Floats, Times

KIND = "keyframe_scorer"
BRANCHES = ("both", "local", "global")
# TVSum's longest video has 1,300 frames at two a second, so training never averages keys.
MAX_KEYS = 2048
QUERY_BLOCK = 256
SHORTEST_PERIOD_S, LONGEST_PERIOD_S = 2.0, 600.0
WINDOW_MARGIN_S = 1e-6


@dataclass(frozen=True, slots=True)
class ScorerShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    input_dim: int
    dim: int = 128
    heads: int = 4
    layers: int = 2
    window_s: float = 5.0  # local attention reaches so far to either side
    branches: str = "both"
    dropout: float = 0.3
    input_dropout: float = 0.3
    feedforward_dim: int | None = None  # of the Transformer's layers; None: twice dim

    def __post_init__(self) -> None:
        for name in ("input_dim", "dim", "heads"):
            _need(getattr(self, name) >= 1, f"{name} is at least 1", getattr(self, name))
        _need(self.layers >= 0, "layers is not negative", self.layers)
        _need(self.dim % (2 * self.heads) == 0, "dim is an even number for each head", self.dim)
        _need(self.window_s > 0, "window_s is above 0", self.window_s)
        _need(self.branches in BRANCHES, f"branches is one of {BRANCHES}", self.branches)
        _need(self.hidden_dim >= 1, "feedforward_dim is at least 1", self.feedforward_dim)
        for name in ("dropout", "input_dropout"):
            _need(0 <= getattr(self, name) < 1, f"{name} is in [0, 1)", getattr(self, name))

    @property
    def hidden_dim(self) -> int:
        return 2 * self.dim if self.feedforward_dim is None else self.feedforward_dim

    @property
    def windows_s(self) -> dict[str, float | None]:
        """The branches by their names, and how far each looks."""
        windows: dict[str, float | None] = {"local": self.window_s, "global": None}
        return {name: s for name, s in windows.items() if self.branches in ("both", name)}

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored tensor."""
        dim, hidden = self.dim, self.hidden_dim
        weights = {"project": (dim, self.input_dim)}
        norms = ["norm", "score.0"]
        attentions = [f"branches.{name}" for name in self.windows_s]
        for layer in range(self.layers):
            norms += [f"layers.{layer}.attention_norm", f"layers.{layer}.mlp.0"]
            attentions.append(f"layers.{layer}.attention")
            weights |= {f"layers.{layer}.mlp.1": (hidden, dim)}
            weights |= {f"layers.{layer}.mlp.4": (dim, hidden)}
        for name in attentions:
            weights |= {f"{name}.query": (dim, dim), f"{name}.key_value": (2 * dim, dim)}
            weights |= {f"{name}.out": (dim, dim)}
        weights |= {"fuse": (dim, (1 + len(self.windows_s)) * dim), "score.3": (1, dim)}
        shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": (dim,) for name in norms}
        shapes |= {f"{name}.bias": (dim,) for name in norms}
        shapes |= {f"{name}.weight": shape for name, shape in weights.items()}
        return shapes | {f"{name}.bias": shape[:1] for name, shape in weights.items()}


def _need(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, received {received!r}")


def periods_s(pairs: int) -> list[float]:
    """Of the rotary positions: how long each pair of dimensions takes to turn once."""
    ratio = LONGEST_PERIOD_S / SHORTEST_PERIOD_S
    return [SHORTEST_PERIOD_S * ratio ** (step / max(pairs - 1, 1)) for step in range(pairs)]


class KeyframeScorer:
    """A scorer from its checkpoint folder. Implements protocols.FrameScorer.

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
        self.shape = _shape_of(checkpoint)
        self.dim = self.shape.input_dim
        self._arrays = load_arrays(checkpoint, self.shape.tensors())

    def score(self, embeddings: Floats | Embedded, times_s: Times) -> Floats:
        """An index or its embeddings [T, D], unit length, and ascending times -> [T] in [0, 1].

        Any length; times may be irregular.
        """
        given = embeddings if isinstance(embeddings, np.ndarray) else embeddings.embeddings
        if given.ndim != 2 or given.shape[1] != self.dim:
            raise ValueError(f"embeddings are [T, {self.dim}], received {given.shape}")
        if times_s.shape != (len(given),):
            raise ValueError(f"one time a row, received {times_s.shape} and {given.shape}")
        if len(times_s) == 0:
            return np.empty(0, np.float32)
        if (np.diff(times_s) < 0).any():
            raise ValueError("times are ascending, received times that fall")
        logits = score_logits(self._arrays, self.shape, np.asarray(given, np.float32), times_s)
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _shape_of(checkpoint: Checkpoint) -> ScorerShape:
    try:
        return ScorerShape(**checkpoint.architecture)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error


def score_logits(arrays: Arrays, shape: ScorerShape, features: Floats, times_s: Times) -> Floats:
    """What models.keyframe_network.ScorerNetwork computes: [T, input_dim] and times -> [T]."""
    x = linear(arrays, "project", features * np.float32(math.sqrt(shape.input_dim)))
    timed = _Timed(arrays, shape.heads, np.asarray(times_s, np.float64) - times_s[0])
    for layer in range(shape.layers):
        name = f"layers.{layer}"
        x = x + timed.attention(
            f"{name}.attention", layer_norm(arrays, f"{name}.attention_norm", x), None
        )
        inner = linear(arrays, f"{name}.mlp.1", layer_norm(arrays, f"{name}.mlp.0", x))
        x = x + linear(arrays, f"{name}.mlp.4", erf_gelu(inner))
    x = layer_norm(arrays, "norm", x)
    seen = [x]
    for name, window_s in shape.windows_s.items():
        seen.append(timed.attention(f"branches.{name}", x, window_s))
    fused = linear(arrays, "fuse", np.concatenate(seen, axis=1))
    return linear(arrays, "score.3", erf_gelu(layer_norm(arrays, "score.0", fused)))[:, 0]


class _Timed:
    """Attention among the frames of one video, whose turns by time are computed once."""

    def __init__(self, arrays: Arrays, heads: int, times_s: Times) -> None:
        self._arrays, self._heads, self._times_s = arrays, heads, times_s
        stride = -(-len(times_s) // MAX_KEYS)
        self._starts = np.arange(0, len(times_s), stride)
        self._sizes = np.diff(np.append(self._starts, len(times_s)))
        self._kept_s = self._averaged(times_s)
        width = len(arrays["project.bias"]) // heads
        self._periods_s = np.array(periods_s(width // 2))
        self._turns = self._turns_at(times_s)
        self._kept_turns = self._turns_at(self._kept_s)

    def attention(self, name: str, x: Floats, window_s: float | None) -> Floats:
        """[T, dim]; `window_s` None: over the whole video, averages of it where it is long."""
        query = self._rotated(linear(self._arrays, f"{name}.query", x), self._turns)
        query *= np.float32(1 / math.sqrt(query.shape[2]))
        near = window_s is not None
        kept, turns = (x, self._turns) if near else (self._averaged(x), self._kept_turns)
        key, value = np.split(linear(self._arrays, f"{name}.key_value", kept), 2, axis=1)
        keys_HDK = self._rotated(key, turns).transpose(0, 2, 1)
        values_HKD = self._by_head(value)
        mixed = np.empty_like(query)
        for start in range(0, len(x), QUERY_BLOCK):
            block = slice(start, start + QUERY_BLOCK)
            if window_s is None:
                mixed[:, block] = _mix(query[:, block], keys_HDK, values_HKD, None)
            else:
                span, hidden = self._window(block, window_s + WINDOW_MARGIN_S)
                mixed[:, block] = _mix(
                    query[:, block], keys_HDK[:, :, span], values_HKD[:, span], hidden
                )
        return linear(self._arrays, f"{name}.out", mixed.transpose(1, 0, 2).reshape(len(x), -1))

    def _window(self, block: slice, reach_s: float) -> tuple[slice, npt.NDArray[np.bool_]]:
        """Which keys the block reaches, and which of those each of its rows does not."""
        here_s = self._times_s[block]
        low, high = np.searchsorted(self._times_s, [here_s[0] - reach_s, here_s[-1] + reach_s])
        span = slice(int(low), int(high))
        return span, np.abs(here_s[:, None] - self._times_s[span]) > reach_s

    def _averaged(self, rows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        if len(self._starts) == len(rows):
            return rows
        sums = np.add.reduceat(rows, self._starts, axis=0)
        return sums / self._sizes.reshape(-1, *[1] * (rows.ndim - 1)).astype(rows.dtype)

    def _by_head(self, x: Floats) -> Floats:
        return x.reshape(len(x), self._heads, -1).transpose(1, 0, 2)

    def _turns_at(self, times_s: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
        # Angles in double precision: hours in float32 would blur tenths of a second.
        angles = 2 * math.pi * times_s[:, None] / self._periods_s
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def _rotated(self, x: Floats, turns: tuple[Floats, Floats]) -> Floats:
        a, b = np.split(self._by_head(x), 2, axis=2)
        cos, sin = turns
        return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=2)


def _mix(
    queries: Floats, keys: Floats, values: Floats, hidden: npt.NDArray[np.bool_] | None
) -> Floats:
    """[H, Q, D], [H, D, K], [H, K, D]: values by how well their keys answer the queries."""
    shares: Floats = queries @ keys
    if hidden is not None:
        shares[:, hidden] = -np.inf
    shares -= shares.max(axis=2, keepdims=True)
    np.exp(shares, out=shares)  # in place: they are by far the most numbers there are
    mixed: Floats = shares @ values
    mixed /= shares.sum(axis=2, keepdims=True)
    return mixed
