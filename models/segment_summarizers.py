"""Summaries from embeddings: an importance curve, shots, a frame for each.

Embeddings are unit vectors of any encoder; nothing here depends on which one, on how far apart its
pictures are, or on evenly spaced frames (a first look sees the key frames only).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.clustering import cluster
from models.importance import activity, belonging, end_weights, likeness, within_unit
from models.segment_parts import (
    SEGMENT_S,
    inner_parts,
    owner,
    representatives,
    segment_starts,
    unit_means,
    unit_rows,
)
from models.shots import shot_starts, shots_from_starts, split_long
from models.types import Floats, Shot, Times

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

LONGEST_SHOT_S = 60.0
# Below this squared distance two pictures are the same but for compression.
SAME_PICTURE = 0.01


@dataclass(frozen=True, slots=True)
class FrameScores:
    """How much each frame matters, and the shots it was decided on."""

    scores: Floats  # [T] in [0, 1]
    shots: tuple[Shot, ...]  # from the first frame to the end, without gaps
    representatives: Indices  # [len(shots)] index of the frame that stands for each shot


def key_shots(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
) -> FrameScores:
    """Shots by KTS. A frame matters where something moves in a shot that belongs to the video.

    Belonging is likeness to the shots on either side: a title card or a black picture between two
    scenes resembles neither.
    """
    emb_TD = _checked(embeddings, times_s)
    if len(emb_TD) == 0:
        return _nothing()
    cuts = shot_starts(emb_TD, times_s, end_s)
    shot_of = owner(cuts, len(emb_TD))
    belongs = belonging(unit_means(emb_TD, cuts))[shot_of]
    # From here on the parts of a divided shot, which are no neighbours in that sense.
    firsts = _that_fit(cuts, emb_TD, times_s, end_s, ratio)
    means = unit_means(emb_TD, firsts)
    typical = likeness(emb_TD, means[owner(firsts, len(emb_TD))])
    scores = 0.45 * activity(emb_TD, times_s, shot_of) + 0.45 * belongs + 0.1 * typical
    return FrameScores(
        scores=within_unit(scores * end_weights(times_s, end_s)),
        shots=shots_from_starts(firsts, times_s, end_s),
        representatives=representatives(emb_TD, firsts, means),
    )


def shots_of_scores(
    scores: Floats, embeddings: Floats, times_s: Times, end_s: float, ratio: float
) -> FrameScores:
    """Shots by KTS as in key_shots, the importance from elsewhere: of each shot the best frame."""
    emb_TD = _checked(embeddings, times_s)
    if scores.shape != times_s.shape:
        raise ValueError(f"one time a score, received {scores.shape} and {times_s.shape}")
    if len(emb_TD) == 0:
        return _nothing()
    cuts = shot_starts(emb_TD, times_s, end_s)
    firsts = _that_fit(cuts, emb_TD, times_s, end_s, ratio)
    shots = shots_from_starts(firsts, times_s, end_s)
    found = FrameScores(within_unit(scores), shots, firsts)
    return rescored(found, found.scores, times_s)


def rescored(found: FrameScores, scores: Floats, times_s: Times) -> FrameScores:
    """The same shots under other scores; the best frame of each, away from the cuts, stands for it.

    Of equal scores the frame nearest the middle, so that a flat curve does not show beginnings.
    """
    firsts = np.searchsorted(times_s, [shot.start_s for shot in found.shots])
    chosen = np.empty(len(firsts), np.int64)
    for at, inner in enumerate(inner_parts(firsts, len(times_s))):
        best = np.flatnonzero(scores[inner] == scores[inner].max())
        middle = (inner.stop - inner.start - 1) / 2
        chosen[at] = inner.start + int(best[np.abs(best - middle).argmin()])
    return FrameScores(within_unit(scores), found.shots, chosen)


def kmeans(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
) -> FrameScores:
    """k = ratio x segments groups; the segment nearest each group's centre is kept.

    Kept segments score from .5 up, by the size of the group they stand for; the others below .5,
    by that size and by how near they are to the centre. A shorter last segment is not dropped.
    """
    emb_TD = _checked(embeddings, times_s)
    if len(emb_TD) == 0:
        return _nothing()
    firsts = segment_starts(times_s)
    means = unit_means(emb_TD, firsts)
    return _by_groups(emb_TD, means, firsts, times_s, end_s, ratio, seed)


def kmeans_of_segments(
    features: Floats, starts_s: Times, end_s: float, ratio: float, threshold: float | None = None
) -> FrameScores:
    """The same of segments whose features are given, as far apart as they are."""
    raw_ND = _checked(features, starts_s)
    if len(raw_ND) == 0:
        return _nothing()
    firsts = np.arange(len(raw_ND))
    return _by_groups(unit_rows(raw_ND), raw_ND, firsts, starts_s, end_s, ratio, seed=0)


def _by_groups(
    embeddings: Floats,
    means: Floats,
    firsts: Indices,
    times_s: Times,
    end_s: float,
    ratio: float,
    seed: int,
) -> FrameScores:
    """`means`: of each segment, what the distances are between."""
    wanted = int(np.clip(round(ratio * len(means)), 1, len(means)))
    group, distance = cluster(means, wanted, np.random.default_rng(seed))
    closeness = 1 - distance / (float(distance.max()) + 1e-9)
    sizes = np.bincount(group)
    commonness = sizes[group] / sizes.max()
    worth = 0.225 * (closeness + commonness)
    for one in np.flatnonzero(sizes):
        members = np.flatnonzero(group == one)
        kept = members[int(distance[members].argmin())]
        worth[kept] = 0.55 + 0.4 * commonness[kept]
    segment_of = owner(firsts, len(embeddings))
    directions = unit_rows(means)
    typical = likeness(embeddings, directions[segment_of])
    return FrameScores(
        scores=within_unit(worth[segment_of] + 0.05 * typical),
        shots=shots_from_starts(firsts, times_s, end_s),
        representatives=representatives(embeddings, firsts, directions),
    )


def ssd_anchor(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
) -> FrameScores:
    """A new shot where a segment is far from the one that opened the current shot (drift)."""
    return _of_frames(embeddings, times_s, end_s, ratio, from_anchor=True)


def ssd_previous(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
) -> FrameScores:
    """A new shot where a segment is far from the one before it (a cut)."""
    return _of_frames(embeddings, times_s, end_s, ratio, from_anchor=False)


def ssd_of_segments(
    features: Floats,
    starts_s: Times,
    end_s: float,
    ratio: float,
    threshold: float | None = None,
    *,
    from_anchor: bool,
) -> FrameScores:
    """Either of segments whose features are given; `threshold` None follows the video."""
    raw_ND = _checked(features, starts_s)
    if len(raw_ND) == 0:
        return _nothing()
    if threshold is None:
        size = float((raw_ND**2).sum(axis=1).mean())
        threshold = change_threshold(raw_ND, same=size * SAME_PICTURE)
    return _by_difference(
        unit_rows(raw_ND), raw_ND, np.arange(len(raw_ND)), starts_s, end_s, ratio, threshold,
        from_anchor=from_anchor,
    )  # fmt: skip


def _of_frames(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, *, from_anchor: bool
) -> FrameScores:
    emb_TD = _checked(embeddings, times_s)
    if len(emb_TD) == 0:
        return _nothing()
    segments = segment_starts(times_s)
    means = unit_means(emb_TD, segments)
    threshold = change_threshold(means)
    return _by_difference(
        emb_TD, means, segments, times_s, end_s, ratio, threshold, from_anchor=from_anchor
    )


def _by_difference(
    embeddings: Floats,
    means: Floats,
    segments: Indices,
    times_s: Times,
    end_s: float,
    ratio: float,
    threshold: float,
    *,
    from_anchor: bool,
) -> FrameScores:
    """Shots of whole segments. A frame matters by the change it saw and by how typical it is."""
    change = np.zeros(len(means))
    opens = np.zeros(len(means), np.bool_)
    opens[0] = True
    anchor = 0
    for at in range(1, len(means)):
        other = means[anchor if from_anchor else at - 1]
        change[at] = ((means[at] - other) ** 2).sum()
        opens[at] = change[at] > threshold
        if opens[at]:
            anchor = at
    firsts = _that_fit(segments[opens], embeddings, times_s, end_s, ratio)
    shot_of = owner(firsts, len(embeddings))
    shot_means = unit_means(embeddings, firsts)
    typical = likeness(embeddings, shot_means[shot_of])
    # Half where the change just reaches the threshold, linear between the segments' middles.
    half_way = change / (change + threshold)
    middles = (segments + np.append(segments[1:], len(embeddings)) - 1) / 2
    seen = np.interp(np.arange(len(embeddings)), middles, half_way)
    return FrameScores(
        scores=within_unit(0.6 * seen + 0.4 * typical),
        shots=shots_from_starts(firsts, times_s, end_s),
        representatives=representatives(embeddings, firsts, shot_means),
    )


def change_threshold(segment_means: Floats, same: float = SAME_PICTURE) -> float:
    """The squared distance from which a segment counts as another shot.

    Fixed numbers fit one encoder only (see summary_methods.PUBLISHED). This one follows the
    distances themselves: the median step plus three robust standard deviations, that is a step
    unlike the ordinary ones. Where cuts are so frequent that they are the ordinary steps, half of
    what far-apart segments differ by is enough. Never below what compression alone does.
    """
    count = len(segment_means)
    if count < 2:
        return same
    steps = ((segment_means[1:] - segment_means[:-1]) ** 2).sum(axis=1)
    middle = float(np.median(steps))
    unusual = middle + 3 * 1.4826 * float(np.median(np.abs(steps - middle)))
    apart = segment_means - np.roll(segment_means, count // 2, axis=0)
    return max(same, min(unusual, float(np.quantile((apart**2).sum(axis=1), 0.75)) / 2))


def _checked(embeddings: Floats, times_s: Times) -> Floats:
    if embeddings.ndim != 2 or len(embeddings) != len(times_s):
        raise ValueError(f"one embedding a time, received {embeddings.shape}, {len(times_s)} times")
    emb_TD = embeddings.astype(np.float32, copy=False)
    if not np.isfinite(emb_TD).all():
        raise ValueError("embeddings are finite numbers, received NaN or infinity")
    return emb_TD


def _nothing() -> FrameScores:
    return FrameScores(np.zeros(0, np.float32), (), np.zeros(0, np.int64))


def _that_fit(
    firsts: Indices, embeddings: Floats, times_s: Times, end_s: float, ratio: float
) -> Indices:
    """Divides shots that no one can use: all of them where none fits into the time asked for."""
    shots = shots_from_starts(firsts, times_s, end_s)
    asked_s = ratio * (shots[-1].end_s - shots[0].start_s)
    longest_s = LONGEST_SHOT_S
    if min(shot.length_s for shot in shots) > asked_s:
        longest_s = float(np.clip(asked_s, SEGMENT_S, LONGEST_SHOT_S))
    return split_long(firsts, embeddings, times_s, end_s, longest_s)
