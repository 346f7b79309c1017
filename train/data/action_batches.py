"""What one step of the action classifier's training sees: windows of up to 16 frames.

A view of an example (its crop, flip, light and camera move) is drawn for a window, never for a
frame. So is the number of frames a second. A photograph is shown for as long as the window lasts,
still or by a camera move that runs through all or a part of its frames, either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.action_classifier import LONGEST_WINDOW_S, WINDOW_FRAMES
from models.action_layers import padded
from models.types import Floats, Times
from train.data.action_examples import Example
from train.data.trigger_batches import back_and_forth

Batch = dict[str, Tensor]  # seen [B, T, D], times_s [B, T], valid [B, T], labels [B]
STILL_SHARE = 0.25  # of windows over a photograph: the camera does not move
SHORT_SHARE = 0.25  # of windows, that have fewer frames than they might
OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Draws:
    """How windows are drawn. Shares are of kinds: see `kind_of`."""

    shares: dict[str, float]
    fps: tuple[float, float] = (1.0, 12.0)
    back_and_forth_share: float = 0.4


def kind_of(example: Example) -> str:
    """stills, clips, captioned, other: each with its own share of what is shown."""
    if example.label is None:
        return "other"
    if example.times_s is None:
        return "stills"
    return "captioned" if example.source == "msrvtt" else "clips"


class ActionBatches(Dataset[Batch]):
    """A round's batches; each depends on seed, round and number alone, so resuming is exact.

    Within a kind a label is as frequent as the square root of how many examples it has: few
    captioned videos of one are not learned by heart, and many do not drown the others.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        labels: Sequence[str],
        draws: Draws,
        *,
        batch_size: int,
        batches: int,
        key: tuple[int, int],
    ) -> None:
        self._draws, self._key = draws, key
        self._batch_size, self._batches = batch_size, batches
        self._number = {label: number for number, label in enumerate(labels)}
        self._kinds: dict[str, dict[str, list[Example]]] = {}
        for example in examples:
            # What is something else has its sources in the place of labels.
            inside = example.label or example.source
            self._kinds.setdefault(kind_of(example), {}).setdefault(inside, []).append(example)
        self._inside: dict[str, list[str]] = {k: list(named) for k, named in self._kinds.items()}
        self._weights = {
            kind: np.sqrt([len(members) for members in named.values()])
            for kind, named in self._kinds.items()
        }
        self._there = [kind for kind in draws.shares if kind in self._kinds]
        shares = np.array([draws.shares[kind] for kind in self._there])
        self._shares = shares / shares.sum()

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng([*self._key, number])
        drawn = [self._any(random) for _ in range(self._batch_size)]
        windows = [draw_window(example, self._draws, random) for example in drawn]
        seen, times_s, valid = padded([w[0] for w in windows], [w[1] for w in windows])
        names = [self._number.get(e.label or OTHER, len(self._number)) for e in drawn]
        arrays = {"seen": seen, "times_s": times_s, "valid": valid, "labels": np.array(names)}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _any(self, random: np.random.Generator) -> Example:
        kind = self._there[int(random.choice(len(self._there), p=self._shares))]
        weights = self._weights[kind] / self._weights[kind].sum()
        members = self._kinds[kind][self._inside[kind][int(random.choice(len(weights), p=weights))]]
        return members[int(random.integers(len(members)))]


def draw_window(
    example: Example, draws: Draws, random: np.random.Generator
) -> tuple[Floats, Times]:
    """Up to 16 frames [T, D] of one view, and their times from 0 on."""
    low, high = np.log(draws.fps)
    step_s = 1 / float(np.exp(random.uniform(low, high)))
    most = min(WINDOW_FRAMES, int(LONGEST_WINDOW_S / step_s))
    count = int(random.integers(1, most + 1)) if random.random() < SHORT_SHARE else most
    if example.times_s is None:
        times_s = np.arange(count, dtype=np.float64) * step_s
        return _of_photograph(example, count, random), times_s
    view = example.views[int(random.integers(len(example.views)))]
    rows, times_s = np.asarray(view, np.float32), example.times_s - example.times_s[0]
    if example.source not in ("msrvtt", "tvsum") and random.random() < draws.back_and_forth_share:
        rows, times_s = back_and_forth(rows, times_s, int(random.integers(2, 5)))
    start_s = random.uniform(0.0, max(float(times_s[-1]) - (count - 1) * step_s, 0.0))
    moments_s = np.arange(start_s, min(start_s + count * step_s, times_s[-1] + 1e-6), step_s)
    shown = np.searchsorted(times_s, moments_s[:count] + 1e-6, side="right") - 1
    # A fast look at few frames shows them again and again, which no recording does.
    kept = np.unique(shown)
    return rows[kept], times_s[kept] - times_s[kept[0]]


def _of_photograph(example: Example, count: int, random: np.random.Generator) -> Floats:
    if random.random() < STILL_SHARE or len(example.views) == 1:
        return np.repeat(np.asarray(example.views[0], np.float32)[:1], count, axis=0)
    moved = example.views[1 + int(random.integers(len(example.views) - 1))]
    first, last = random.uniform(0, len(moved) - 1, 2)
    shown = np.linspace(first, last, count).round().astype(np.int64)
    return np.asarray(moved, np.float32)[shown]


def whole_window(example: Example, fps: float, *, moved: bool = False) -> tuple[Floats, Times]:
    """All of an example as an index of so many frames a second holds it.

    A photograph is shown for a whole window, still or by one camera move.
    """
    if example.times_s is None:
        count = min(WINDOW_FRAMES, int(LONGEST_WINDOW_S * fps))
        view = np.asarray(example.views[1 if moved else 0], np.float32)
        shown = np.linspace(0, len(view) - 1, count).round().astype(np.int64)
        return view[shown], np.arange(count) / fps
    times_s = example.times_s
    moments_s = np.arange(times_s[0], times_s[-1] + 1e-6, 1 / fps)
    kept = np.unique(np.searchsorted(times_s, moments_s + 1e-6, side="right") - 1)
    return np.asarray(example.views[0], np.float32)[kept], times_s[kept]
