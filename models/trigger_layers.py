"""The trigger detector's network in numpy, from the arrays of its checkpoint and without torch.

What it computes is models.trigger_network, with which it is trained; that one is the reference.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.numpy_layers import Arrays, erf_gelu, layer_norm, linear
from models.types import Floats, Times

TIME_ENCODERS = ("transformer", "lstm", "none")
SHORTEST_PERIOD_S, LONGEST_PERIOD_S = 0.25, 32.0
WINDOW_MARGIN_S = 1e-6
QUERY_BLOCK = 256


@dataclass(frozen=True, slots=True)
class TriggerShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    input_dim: int  # of the backbone's embeddings
    space_dim: int = 256  # what they are projected to, by weights that are not trained; 0: not
    detector_dim: int = 0  # of a layer that reads each frame by itself, before time; 0: none
    events: int = 1  # that are looked for, each by itself: several may go on at once
    motion_s: float = 0.0  # a frame also says how far it is from the one so long before; 0: no
    dim: int = 64
    heads: int = 4
    layers: int = 2
    time_encoder: str = "transformer"
    window_s: float = 2.5  # the Transformer looks so far to either side
    dropout: float = 0.3
    input_dropout: float = 0.3

    def __post_init__(self) -> None:
        for name in ("input_dim", "events", "dim", "heads", "layers"):
            _need(getattr(self, name) >= 1, f"{name} is at least 1", getattr(self, name))
        for name in ("space_dim", "detector_dim", "motion_s"):
            _need(getattr(self, name) >= 0, f"{name} is not negative", getattr(self, name))
        _need(self.dim % (2 * self.heads) == 0, "dim is an even number for each head", self.dim)
        _need(self.window_s > 0, "window_s is above 0", self.window_s)
        known = self.time_encoder in TIME_ENCODERS
        _need(known, f"time_encoder is one of {TIME_ENCODERS}", self.time_encoder)
        for name in ("dropout", "input_dropout"):
            _need(0 <= getattr(self, name) < 1, f"{name} is in [0, 1)", getattr(self, name))

    @property
    def seen_dim(self) -> int:
        """Numbers that are known of a frame before any motion."""
        return self.space_dim or self.input_dim

    @property
    def frame_dim(self) -> int:
        """Numbers that are known of a frame, with its motion."""
        return self.seen_dim * (2 if self.motion_s else 1)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored tensor."""
        dim, detector_dim = self.dim, self.detector_dim
        weights = {
            "project": (dim, detector_dim or self.frame_dim),
            "score.3": (self.events, dim),
        }
        if detector_dim:
            weights["detect.0"] = (detector_dim, self.frame_dim)
        norms = ["score.0"]
        shapes: dict[str, tuple[int, ...]] = {}
        if self.space_dim:
            weights["space"] = (self.space_dim, self.input_dim)
        for layer in range(self.layers):
            name = f"time.layers.{layer}"
            if self.time_encoder == "transformer":
                norms += [f"{name}.attention_norm", f"{name}.mlp.0"]
                weights |= {f"{name}.attention.query": (dim, dim)}
                weights |= {f"{name}.attention.key_value": (2 * dim, dim)}
                weights |= {f"{name}.attention.out": (dim, dim)}
                weights |= {f"{name}.mlp.1": (2 * dim, dim), f"{name}.mlp.4": (dim, 2 * dim)}
            elif self.time_encoder == "lstm":
                norms.append(f"{name}.norm")
                for way in ("", "_reverse"):
                    shapes[f"{name}.lstm.weight_ih_l0{way}"] = (2 * dim, dim + 1)
                    shapes[f"{name}.lstm.weight_hh_l0{way}"] = (2 * dim, dim // 2)
                    shapes[f"{name}.lstm.bias_ih_l0{way}"] = (2 * dim,)
                    shapes[f"{name}.lstm.bias_hh_l0{way}"] = (2 * dim,)
        shapes |= {f"{name}.weight": (dim,) for name in norms}
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


def look(arrays: Arrays, shape: TriggerShape, embeddings: Floats) -> Floats:
    """Embeddings [T, input_dim] to what the network reads of a frame, [T, seen_dim]."""
    if not shape.space_dim:
        return embeddings * np.float32(math.sqrt(shape.seen_dim))
    seen = linear(arrays, "space", embeddings * np.float32(math.sqrt(shape.input_dim)))
    lengths = np.linalg.norm(seen, axis=1, keepdims=True)
    return np.asarray(seen / np.maximum(lengths, 1e-6) * math.sqrt(shape.seen_dim), np.float32)


def rows_before(times_s: Times, motion_s: float) -> npt.NDArray[np.int64]:
    """For each frame the one nearest to so long before it, but never itself; the first has itself.

    The nearest, because frames of a video at 15 a second that are shown twice a second are .47 s
    and .53 s apart in turn.
    """
    wanted_s = times_s - motion_s
    after = np.searchsorted(times_s, wanted_s)
    before = np.maximum(after - 1, 0)
    after = np.minimum(after, len(times_s) - 1)
    nearer = times_s[after] - wanted_s < wanted_s - times_s[before]
    rows = np.minimum(np.where(nearer, after, before), np.arange(len(times_s)) - 1)
    return np.asarray(np.maximum(rows, 0), np.int64)


def score_logits(arrays: Arrays, shape: TriggerShape, seen: Floats, times_s: Times) -> Floats:
    """Of one event, the first: [T, seen_dim] and times -> [T]."""
    return event_logits(arrays, shape, seen, times_s)[:, 0]


def event_logits(arrays: Arrays, shape: TriggerShape, seen: Floats, times_s: Times) -> Floats:
    """What models.trigger_network.TriggerNetwork computes: [T, seen_dim], times -> [T, events]."""
    times_s = np.asarray(times_s, np.float64) - times_s[0]
    if shape.motion_s:
        motion = np.abs(seen - seen[rows_before(times_s, shape.motion_s)])
        seen = np.concatenate([seen, motion], axis=1)
    if shape.detector_dim:
        seen = erf_gelu(linear(arrays, "detect.0", seen))
    x = linear(arrays, "project", seen)
    if shape.time_encoder == "transformer":
        near = _Near(arrays, shape, times_s)
        for layer in range(shape.layers):
            name = f"time.layers.{layer}"
            x = x + near.attention(
                f"{name}.attention", layer_norm(arrays, f"{name}.attention_norm", x)
            )
            inner = linear(arrays, f"{name}.mlp.1", layer_norm(arrays, f"{name}.mlp.0", x))
            x = x + linear(arrays, f"{name}.mlp.4", erf_gelu(inner))
    elif shape.time_encoder == "lstm":
        steps = time_steps(times_s)
        for layer in range(shape.layers):
            name = f"time.layers.{layer}"
            given = np.concatenate([layer_norm(arrays, f"{name}.norm", x), steps], axis=1)
            x = x + _both_ways(arrays, f"{name}.lstm", given)
    return linear(arrays, "score.3", erf_gelu(layer_norm(arrays, "score.0", x)))


def time_steps(times_s: Times) -> Floats:
    """[T, 1]: the logarithm of the seconds since the frame before."""
    steps_s = np.diff(times_s, prepend=times_s[:1])
    return np.log(np.maximum(steps_s, 1e-2)).astype(np.float32)[:, None]


class _Near:
    """Attention among frames of one video that are near each other in time."""

    def __init__(self, arrays: Arrays, shape: TriggerShape, times_s: Times) -> None:
        self._arrays, self._heads, self._times_s = arrays, shape.heads, times_s
        self._reach_s = shape.window_s + WINDOW_MARGIN_S
        # Angles in double precision: hours in float32 would blur tenths of a second.
        angles = 2 * math.pi * times_s[:, None] / periods_s(shape.dim // shape.heads // 2)
        self._cos, self._sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def attention(self, name: str, x: Floats) -> Floats:
        """[T, dim]; block by block, so that memory grows with the window, not with the length."""
        query = self._rotated(self._by_head(linear(self._arrays, f"{name}.query", x)))
        query *= np.float32(1 / math.sqrt(query.shape[2]))
        key, value = np.split(linear(self._arrays, f"{name}.key_value", x), 2, axis=1)
        keys_HDT = self._rotated(self._by_head(key)).transpose(0, 2, 1)
        values_HTD = self._by_head(value)
        mixed = np.empty_like(query)
        for start in range(0, len(x), QUERY_BLOCK):
            block = slice(start, start + QUERY_BLOCK)
            here_s = self._times_s[block]
            edges = [here_s[0] - self._reach_s, here_s[-1] + self._reach_s]
            low, high = np.searchsorted(self._times_s, edges).tolist()
            shares = query[:, block] @ keys_HDT[:, :, low:high]
            shares[:, np.abs(here_s[:, None] - self._times_s[low:high]) > self._reach_s] = -np.inf
            shares = np.exp(shares - shares.max(axis=2, keepdims=True))
            mixed[:, block] = shares @ values_HTD[:, low:high] / shares.sum(axis=2, keepdims=True)
        return linear(self._arrays, f"{name}.out", mixed.transpose(1, 0, 2).reshape(len(x), -1))

    def _by_head(self, x: Floats) -> Floats:
        return x.reshape(len(x), self._heads, -1).transpose(1, 0, 2)

    def _rotated(self, x: Floats) -> Floats:
        a, b = np.split(x, 2, axis=2)
        cos, sin = self._cos, self._sin
        return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=2)


def _both_ways(arrays: Arrays, name: str, x: Floats) -> Floats:
    """A bidirectional LSTM of one layer, as torch computes it: [T, in] -> [T, 2 * hidden]."""
    forth = one_way_lstm(arrays, name, "l0", x)
    back = one_way_lstm(arrays, name, "l0_reverse", x[::-1])[::-1]
    return np.concatenate([forth, back], axis=1)


def one_way_lstm(arrays: Arrays, name: str, way: str, x: Floats) -> Floats:
    """[T, in] -> [T, hidden], as torch computes the direction with that ending."""
    given = x @ arrays[f"{name}.weight_ih_{way}"].T
    given = given + arrays[f"{name}.bias_ih_{way}"] + arrays[f"{name}.bias_hh_{way}"]
    again = np.ascontiguousarray(arrays[f"{name}.weight_hh_{way}"].T)
    hidden = np.zeros(len(again), np.float32)
    cell = np.zeros_like(hidden)
    states = np.empty((len(x), len(hidden)), np.float32)
    for row, gates in enumerate(given):
        into, forget, new, out = np.split(gates + hidden @ again, 4)
        cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(new)
        hidden = states[row] = _sigmoid(out) * np.tanh(cell)
    return states


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), np.float32)
