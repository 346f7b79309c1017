"""The trigger detector's network as it is trained. Where it is used, models.trigger_layers
computes the same in numpy.

Frames go through a projection into an encoder that knows their times, and only what comes out of
that is scored: there is no way around it, so it decides and gets the gradient. Positions are
seconds and only their differences matter, so a network that was shown many rates reads any.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.hub_network import HubNetwork
from models.trigger_layers import WINDOW_MARGIN_S, TriggerShape, periods_s


class NearAttention(nn.Module):
    """Attention of rows [B, T, dim] to those within a window of seconds, rotary positions."""

    def __init__(self, shape: TriggerShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.reach_s = shape.window_s + WINDOW_MARGIN_S
        self.query = nn.Linear(shape.dim, shape.dim)
        self.key_value = nn.Linear(shape.dim, 2 * shape.dim)
        self.out = nn.Linear(shape.dim, shape.dim)
        # Not a buffer: rounding the weights to half precision must not touch them.
        self.periods_s = periods_s(shape.dim // shape.heads // 2)

    def forward(self, x: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        query = self._rotated(self._by_head(self.query(x)), times_s)
        key, value = self.key_value(x).chunk(2, dim=2)
        near = (times_s[:, :, None] - times_s[:, None]).abs() <= self.reach_s
        # A row of padding sees itself: a softmax over nothing is no number.
        near = near & valid[:, None] | torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        mixed = functional.scaled_dot_product_attention(
            query,
            self._rotated(self._by_head(key), times_s),
            self._by_head(value),
            attn_mask=near[:, None],
        )
        return cast(Tensor, self.out(mixed.transpose(1, 2).flatten(2)))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def _rotated(self, x: Tensor, times_s: Tensor) -> Tensor:
        # Angles in double precision: hours in float32 would blur tenths of a second.
        periods_s = torch.tensor(self.periods_s, dtype=torch.float64, device=times_s.device)
        angles = 2 * math.pi * times_s.double()[:, None, :, None] / periods_s
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, dim=3)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=3)


class TransformerLayer(nn.Module):
    """Normalised first."""

    def __init__(self, shape: TriggerShape) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(shape.dim)
        self.attention = NearAttention(shape)
        self.mlp = nn.Sequential(
            nn.LayerNorm(shape.dim),
            nn.Linear(shape.dim, 2 * shape.dim),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(2 * shape.dim, shape.dim),
        )
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.attention_norm(x), times_s, valid))
        return x + cast(Tensor, self.drop(self.mlp(x)))


class LstmLayer(nn.Module):
    """Both ways, told how many seconds passed since the frame before."""

    def __init__(self, shape: TriggerShape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.dim)
        self.lstm = nn.LSTM(shape.dim + 1, shape.dim // 2, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        steps_s = torch.diff(times_s, dim=1, prepend=times_s[:, :1]).clamp(min=1e-2)
        given = torch.cat([self.norm(x), steps_s.log().to(x.dtype)[:, :, None]], dim=2)
        packed = nn.utils.rnn.pack_padded_sequence(
            given, valid.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        mixed, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=x.shape[1]
        )
        return x + cast(Tensor, self.drop(mixed))


class TimeEncoder(nn.Module):
    """Frames [B, T, dim] and their times to frames that know what is around them."""

    def __init__(self, shape: TriggerShape) -> None:
        super().__init__()
        kinds: dict[str, type[TransformerLayer | LstmLayer]] = {
            "transformer": TransformerLayer,
            "lstm": LstmLayer,
        }
        layers = shape.layers if shape.time_encoder in kinds else 0
        self.layers = nn.ModuleList(kinds[shape.time_encoder](shape) for _ in range(layers))

    def forward(self, x: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x, times_s, valid)
        return x


class TriggerNetwork(HubNetwork):
    """What is seen of frames [B, T, seen_dim], times [B, T] and which rows are frames -> logits.

    [B, T] of a single event, [B, T, events] of several.

    `space` is somebody else's projection of the backbone's embeddings and is not trained; `look`
    applies it, once for all of training.
    """

    checkpoint_kind = "trigger_scorer"
    shape_type = TriggerShape

    def __init__(self, shape: TriggerShape) -> None:
        super().__init__()
        self.shape = shape
        if shape.space_dim:
            self.space = nn.Linear(shape.input_dim, shape.space_dim).requires_grad_(False)
        self.input_drop = nn.Dropout(shape.input_dropout)
        if shape.detector_dim:
            self.detect = nn.Sequential(
                nn.Linear(shape.frame_dim, shape.detector_dim), nn.GELU(), nn.Dropout(shape.dropout)
            )
        self.project = nn.Linear(shape.detector_dim or shape.frame_dim, shape.dim)
        self.time = TimeEncoder(shape)
        self.score = nn.Sequential(
            nn.LayerNorm(shape.dim),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.dim, shape.events),
        )

    def look(self, embeddings: Tensor) -> Tensor:
        """Unit-length embeddings [..., input_dim] -> [..., seen_dim], with entries near one."""
        if not self.shape.space_dim:
            return embeddings * math.sqrt(self.shape.seen_dim)
        seen = self.space(embeddings * math.sqrt(self.shape.input_dim))
        return functional.normalize(seen, dim=-1) * math.sqrt(self.shape.seen_dim)

    def forward(self, seen: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        # What is dropped is dropped in all frames, so that no neighbour fills it in.
        keep = self.input_drop(seen.new_ones(len(seen), 1, seen.shape[2]))
        kept = seen * keep
        times_s = times_s.double() - times_s[:, :1]
        if self.shape.motion_s:
            rows = rows_before(times_s, valid, self.shape.motion_s)
            motion = (kept - kept.gather(1, rows[:, :, None].expand_as(kept))).abs()
            kept = torch.cat([kept, motion], dim=2)
        if self.shape.detector_dim:
            kept = self.detect(kept)
        x = self.time(self.project(kept), times_s, valid)
        logits = cast(Tensor, self.score(x))
        return logits.squeeze(2) if self.shape.events == 1 else logits


def rows_before(times_s: Tensor, valid: Tensor, motion_s: float) -> Tensor:
    """As models.trigger_layers.rows_before, for several sequences with padding: [B, T]."""
    count = times_s.shape[1]
    wanted_s = times_s - motion_s
    padded_s = times_s.masked_fill(~valid, torch.inf)
    after = torch.searchsorted(padded_s, wanted_s)
    before = (after - 1).clamp(min=0)
    after = torch.minimum(after, (valid.sum(1, keepdim=True) - 1)).clamp(min=0)
    nearer = padded_s.gather(1, after) - wanted_s < wanted_s - padded_s.gather(1, before)
    rows = torch.where(nearer, after, before)
    return torch.minimum(rows, torch.arange(count, device=rows.device) - 1).clamp(min=0)
