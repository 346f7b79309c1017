"""Recordings that show fights and recordings that do not, and five folds that part them by origin.

What must not be on both sides of a split is a group: clips that were cut from one recording or show
one place, a person, a whole set of ut_interaction, a TVSum video.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.types import Floats, Times
from train.data.fight_places import place_of
from train.data.trigger_features import Seen, TriggerFeatures

FOLDS = 5
# Few frames of each and no true times: trained on, never measured.
NEVER_HELD = ("msrvtt",)


@dataclass(frozen=True, slots=True)
class Recording:
    source: str
    name: str
    fights: bool
    group: str
    views: tuple[Floats, ...]  # each [T, D], what the network reads; the first one as it is
    times_s: Times


@dataclass(frozen=True, slots=True)
class Parts:
    """Who trains and who is held out."""

    trained: list[Recording]
    held: list[Recording]


def group_of(source: str, name: str) -> str:
    if source == "fight":
        return f"fight/{place_of(name)}"
    if source == "ut_interaction":  # each set is one place with the same people
        return f"ut_interaction/{name.split('/')[0]}"
    if source == "weizmann":  # one place, nine people
        return f"weizmann/{name.split('/')[1].split('_')[0]}"
    return f"{source}/{name}"


def recordings_of(features: TriggerFeatures, look: Callable[[Floats], Floats]) -> list[Recording]:
    """`look` makes of embeddings what the network reads."""
    views: dict[tuple[str, str], list[Floats]] = {}
    first: dict[tuple[str, str], Seen] = {}
    for seen in features.seen:
        rows = features.rows[seen.start : seen.start + seen.count]
        views.setdefault((seen.source, seen.name), []).append(look(np.asarray(rows, np.float32)))
        first.setdefault((seen.source, seen.name), seen)
    return [
        Recording(
            source,
            name,
            seen.fights,
            group_of(source, name),
            tuple(views[source, name]),
            np.asarray(seen.times_s, np.float64),
        )
        for (source, name), seen in first.items()
    ]


def fold_of_groups(recordings: Sequence[Recording]) -> dict[str, int | None]:
    """The fold that holds each group out, None for those that never are.

    Large groups are dealt first, each to the fold that has least of what the group consists of,
    source by source, so that folds are alike. Depends on names alone, not on their order.
    """
    members: dict[str, dict[str, list[bool]]] = {}
    for recording in recordings:
        groups = members.setdefault(recording.source, {})
        groups.setdefault(recording.group, []).append(recording.fights)
    dealt: dict[str, int | None] = {}
    for source, groups in sorted(members.items()):
        held = np.zeros((FOLDS, 2))
        for group, fights in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            if source in NEVER_HELD:
                dealt[group] = None
                continue
            size = np.array([sum(fights), len(fights) - sum(fights)])
            fold = int(np.argmin(held @ size + held.sum(1) * 1e-3))
            held[fold] += size
            dealt[group] = fold
    return dealt


def parts_of(recordings: Sequence[Recording], left_out: Sequence[int]) -> Parts:
    """Groups of the folds `left_out` are held out; without any everything is trained on."""
    fold_of = fold_of_groups(recordings)
    trained = [r for r in recordings if fold_of[r.group] not in left_out]
    return Parts(trained, [r for r in recordings if fold_of[r.group] in left_out])


def shown_at(recording: Recording, fps: float, view: int = 0) -> tuple[Floats, Times]:
    """What an index of so many frames a second holds of it: each frame shown at an even moment."""
    times_s = recording.times_s
    lasts_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    end_s = times_s[-1] + max(lasts_s - 1e-3, 1e-6)  # the last frame is shown for a while too
    moments_s = np.arange(times_s[0], end_s, 1 / fps)
    rows = np.unique(np.searchsorted(times_s, moments_s + 1e-6, side="right") - 1)
    return recording.views[view][rows], times_s[rows]
