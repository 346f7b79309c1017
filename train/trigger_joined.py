"""Long recordings made of left-out clips: a fight now and then in what is ordinary.

A clip of two seconds says nothing of when an event begins. Here every fight clip of a fold stands
once among ordinary clips of that fold, of its own place where there are any.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.types import Floats, Times
from train.data.trigger_folds import Recording, shown_at

BETWEEN = (3, 6)  # ordinary clips before each fight, about two seconds each
FIGHTS_EACH = 4


@dataclass(frozen=True, slots=True)
class Joined:
    name: str
    seen: Floats
    times_s: Times
    spans_s: tuple[tuple[float, float], ...]  # of the fights


def joined_recordings(clips: Sequence[Recording], fps: float) -> list[Joined]:
    """The same order at every rate; it depends on the names of the clips alone."""
    ordered = sorted((clip for clip in clips if clip.source == "fight"), key=lambda c: c.name)
    random = np.random.default_rng(zlib.crc32(" ".join(c.name for c in ordered).encode()))
    fights = [clip for clip in ordered if clip.fights]
    ordinary = [clip for clip in ordered if not clip.fights]
    if not ordinary:
        return []
    made = []
    shuffled = [fights[i] for i in random.permutation(len(fights))]
    for start in range(0, len(shuffled), FIGHTS_EACH):
        pieces: list[Recording] = []
        for fight in shuffled[start : start + FIGHTS_EACH]:
            pieces += _between(ordinary, fight, random)
            pieces.append(fight)
        pieces += _between(ordinary, pieces[-1], random)
        made.append(_join(f"joined{start // FIGHTS_EACH:02d}", pieces, fps))
    return made


def _between(
    ordinary: Sequence[Recording], fight: Recording, random: np.random.Generator
) -> list[Recording]:
    count = int(random.integers(BETWEEN[0], BETWEEN[1] + 1))
    chosen = [ordinary[i] for i in random.integers(0, len(ordinary), count)]
    here = [clip for clip in ordinary if clip.group == fight.group]
    if here:
        chosen[-1] = here[int(random.integers(len(here)))]
    return chosen


def _join(name: str, pieces: Sequence[Recording], fps: float) -> Joined:
    seen, times, spans = [], [], []
    now_s = 0.0
    for piece in pieces:
        rows, rows_s = shown_at(piece, fps)
        rows_s = now_s + rows_s - rows_s[0]
        seen.append(rows)
        times.append(rows_s)
        now_s = float(rows_s[-1]) + 1 / fps
        if piece.fights:
            spans.append((float(rows_s[0]), now_s))
    return Joined(name, np.concatenate(seen), np.concatenate(times), tuple(spans))
