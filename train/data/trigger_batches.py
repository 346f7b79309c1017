"""What one step of the trigger detector's training sees: pieces of recordings, perhaps joined.

Every sequence has its own frame rate, so that none is special. Clips last for two seconds and real
videos for hours: clips are run back and forth, and joined with others, of the same place or of any
other, so that what is around a frame says nothing by being there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.types import Floats, Times
from train.data.trigger_folds import Recording

Batch = dict[str, Tensor]  # seen [B, T, D], times_s [B, T], fights [B, T], valid [B, T]
LONGEST_ROWS = 24
TVSUM_PIECE_S = (3.0, 15.0)


@dataclass(frozen=True, slots=True)
class Draws:
    """How pieces are drawn."""

    shares: dict[str, float]  # of pieces, by source and whether they fight: "fight+", "fight-", ...
    fps: tuple[float, float] = (1.0, 12.0)
    join_share: float = 0.4  # of sequences that get a further piece, and of those that get another
    same_place_share: float = 0.5  # of further pieces
    back_and_forth_share: float = 0.5
    views: int = 6


@dataclass(frozen=True, slots=True)
class Stretch:
    seen: Floats
    times_s: Times
    fights: Floats


def kind_of(recording: Recording) -> str:
    return f"{recording.source}{'+' if recording.fights else '-'}"


class TriggerBatches(Dataset[Batch]):
    """A round's batches; each depends on seed, round and number alone, so resuming is exact."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        draws: Draws,
        *,
        batch_size: int,
        batches: int,
        key: tuple[int, int],
    ) -> None:
        self._draws, self._key = draws, key
        self._batch_size, self._batches = batch_size, batches
        self._kinds: dict[str, list[Recording]] = {}
        self._places: dict[str, list[Recording]] = {}
        for recording in recordings:
            self._kinds.setdefault(kind_of(recording), []).append(recording)
            self._places.setdefault(recording.group, []).append(recording)
        there = [kind for kind in draws.shares if kind in self._kinds]
        shares = np.array([draws.shares[kind] for kind in there])
        self._there, self._shares = there, shares / shares.sum()

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng([*self._key, number])
        return padded([self._sequence(random) for _ in range(self._batch_size)])

    def _sequence(self, random: np.random.Generator) -> Stretch:
        low, high = np.log(self._draws.fps)
        step_s = 1 / float(np.exp(random.uniform(low, high)))
        pieces = [self._any(random)]
        while len(pieces) < 4 and random.random() < self._draws.join_share:
            same = random.random() < self._draws.same_place_share
            here = self._places[pieces[-1].group]
            pieces.append(here[int(random.integers(len(here)))] if same else self._any(random))
        seen, times, fights = [], [], []
        now_s = 0.0
        for recording in pieces:
            rows, rows_s = self._piece(recording, step_s, random)
            seen.append(rows)
            times.append(now_s + rows_s - rows_s[0])
            fights.append(np.full(len(rows), recording.fights, np.float32))
            now_s = float(times[-1][-1]) + step_s
        whole = Stretch(np.concatenate(seen), np.concatenate(times), np.concatenate(fights))
        spare = len(whole.seen) - LONGEST_ROWS
        start = int(random.integers(spare + 1)) if spare > 0 else 0
        part = slice(start, start + LONGEST_ROWS)
        return Stretch(whole.seen[part], whole.times_s[part], whole.fights[part])

    def _any(self, random: np.random.Generator) -> Recording:
        kind = self._there[int(random.choice(len(self._there), p=self._shares))]
        return self._kinds[kind][int(random.integers(len(self._kinds[kind])))]

    def _piece(
        self, recording: Recording, step_s: float, random: np.random.Generator
    ) -> tuple[Floats, Times]:
        views = min(len(recording.views), self._draws.views)
        rows, times_s = recording.views[int(random.integers(views))], recording.times_s
        if recording.source == "msrvtt":
            return rows, times_s
        if recording.source == "tvsum":
            length_s = random.uniform(*TVSUM_PIECE_S)
            start_s = random.uniform(times_s[0], max(times_s[-1] - length_s, times_s[0]))
            low, high = np.searchsorted(times_s, [start_s, start_s + length_s])
            rows, times_s = rows[low : max(high, low + 1)], times_s[low : max(high, low + 1)]
        if random.random() < 0.5:
            rows, times_s = rows[::-1], times_s[-1] - times_s[::-1]
        if recording.source != "tvsum" and random.random() < self._draws.back_and_forth_share:
            rows, times_s = back_and_forth(rows, times_s, int(random.integers(2, 5)))
        first_s = times_s[0] + random.uniform(0, min(step_s, times_s[-1] - times_s[0]))
        moments_s = np.arange(first_s, times_s[-1] + 1e-6, step_s)
        kept = np.unique(np.searchsorted(times_s, moments_s + 1e-6, side="right") - 1)
        return rows[kept], times_s[kept]


def back_and_forth(rows: Floats, times_s: Times, turns: int) -> tuple[Floats, Times]:
    """Forwards, backwards, forwards, ...; frames at which it turns are not repeated."""
    steps_s = np.diff(times_s)
    order = [np.arange(len(rows))]
    steps = [steps_s]
    for turn in range(1, turns):
        back = turn % 2 == 1
        order.append(np.arange(len(rows) - 2, -1, -1) if back else np.arange(1, len(rows)))
        steps.append(steps_s[::-1] if back else steps_s)
    return rows[np.concatenate(order)], np.concatenate([[0.0], np.cumsum(np.concatenate(steps))])


def padded(sequences: Sequence[Stretch]) -> Batch:
    longest = max(len(sequence.seen) for sequence in sequences)
    shape = (len(sequences), longest)
    seen = np.zeros((*shape, sequences[0].seen.shape[1]), np.float32)
    times_s, fights = np.zeros(shape), np.zeros(shape, np.float32)
    valid = np.zeros(shape, np.bool_)
    for row, sequence in enumerate(sequences):
        count = len(sequence.seen)
        seen[row, :count], valid[row, :count] = sequence.seen, True
        times_s[row, :count], fights[row, :count] = sequence.times_s, sequence.fights
        times_s[row, count:] = sequence.times_s[-1]
    arrays = {"seen": seen, "times_s": times_s, "fights": fights, "valid": valid}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
