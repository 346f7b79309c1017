"""Summaries from embeddings: an importance curve, shots, a frame for each.

Embeddings are unit vectors of any encoder; nothing here depends on which one, on how far apart its
pictures are, or on evenly spaced frames (a first look sees the key frames only).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.clustering import cluster
from models.importance import activity, belonging, end_weights, likeness, within_unit
from models.shots import shot_starts, shots_from_starts, split_long
from models.types import Floats, Shot, Times

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

SEGMENT_S = 2.0  # four frames at the usual two a second
LONGEST_SHOT_S = 60.0
# Of a shot's frames, this share at either end is kept from standing for it: cuts fade and blur.
MARGIN_SHARE = 0.15
# How much likeness to its own shot counts beside unlikeness to the video in choosing its frame.
OWN_SHOT = 0.5
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
    shot_of = _owner(cuts, len(emb_TD))
    belongs = belonging(_unit_means(emb_TD, cuts))[shot_of]
    # From here on the parts of a divided shot, which are no neighbours in that sense.
    firsts = _that_fit(cuts, emb_TD, times_s, end_s, ratio)
    means = _unit_means(emb_TD, firsts)
    typical = likeness(emb_TD, means[_owner(firsts, len(emb_TD))])
    scores = 0.45 * activity(emb_TD, times_s, shot_of) + 0.45 * belongs + 0.1 * typical
    return FrameScores(
        scores=within_unit(scores * end_weights(times_s, end_s)),
        shots=shots_from_starts(firsts, times_s, end_s),
        representatives=_representatives(emb_TD, firsts, means),
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
    for at, inner in enumerate(_inner_parts(firsts, len(times_s))):
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
    firsts = _segment_starts(times_s)
    if len(firsts) == 0:
        return _nothing()
    means = _unit_means(emb_TD, firsts)
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
    segment_of = _owner(firsts, len(emb_TD))
    typical = likeness(emb_TD, means[segment_of])
    return FrameScores(
        scores=within_unit(worth[segment_of] + 0.05 * typical),
        shots=shots_from_starts(firsts, times_s, end_s),
        representatives=_representatives(emb_TD, firsts, means),
    )


def ssd_anchor(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
) -> FrameScores:
    """A new shot where a segment is far from the one that opened the current shot (drift)."""
    return _by_difference(embeddings, times_s, end_s, ratio, from_anchor=True)


def ssd_previous(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
) -> FrameScores:
    """A new shot where a segment is far from the one before it (a cut)."""
    return _by_difference(embeddings, times_s, end_s, ratio, from_anchor=False)


def _by_difference(
    embeddings: Floats, times_s: Times, end_s: float, ratio: float, *, from_anchor: bool
) -> FrameScores:
    """Shots of whole segments. A frame matters by the change it saw and by how typical it is."""
    emb_TD = _checked(embeddings, times_s)
    segments = _segment_starts(times_s)
    if len(segments) == 0:
        return _nothing()
    means = _unit_means(emb_TD, segments)
    threshold = change_threshold(means)
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
    firsts = _that_fit(segments[opens], emb_TD, times_s, end_s, ratio)
    shot_of = _owner(firsts, len(emb_TD))
    shot_means = _unit_means(emb_TD, firsts)
    typical = likeness(emb_TD, shot_means[shot_of])
    # Half where the change just reaches the threshold, linear between the segments' middles.
    half_way = change / (change + threshold)
    middles = (segments + np.append(segments[1:], len(emb_TD)) - 1) / 2
    seen = np.interp(np.arange(len(emb_TD)), middles, half_way)
    return FrameScores(
        scores=within_unit(0.6 * seen + 0.4 * typical),
        shots=shots_from_starts(firsts, times_s, end_s),
        representatives=_representatives(emb_TD, firsts, shot_means),
    )


def change_threshold(segment_means: Floats) -> float:
    """The squared distance from which a segment counts as another shot.

    Fixed numbers (100, 400, 800 on TimeSformer features) fit one encoder only. This one follows
    the distances themselves: the median step plus three robust standard deviations, that is a step
    unlike the ordinary ones. Where cuts are so frequent that they are the ordinary steps, half of
    what far-apart segments differ by is enough. Never below what compression alone does.
    """
    count = len(segment_means)
    if count < 2:
        return SAME_PICTURE
    steps = ((segment_means[1:] - segment_means[:-1]) ** 2).sum(axis=1)
    middle = float(np.median(steps))
    unusual = middle + 3 * 1.4826 * float(np.median(np.abs(steps - middle)))
    apart = segment_means - np.roll(segment_means, count // 2, axis=0)
    return max(SAME_PICTURE, min(unusual, float(np.quantile((apart**2).sum(axis=1), 0.75)) / 2))


def _checked(embeddings: Floats, times_s: Times) -> Floats:
    if embeddings.ndim != 2 or len(embeddings) != len(times_s):
        raise ValueError(f"one embedding a time, received {embeddings.shape}, {len(times_s)} times")
    emb_TD = embeddings.astype(np.float32, copy=False)
    if not np.isfinite(emb_TD).all():
        raise ValueError("embeddings are finite numbers, received NaN or infinity")
    return emb_TD


def _nothing() -> FrameScores:
    return FrameScores(np.zeros(0, np.float32), (), np.zeros(0, np.int64))


def _segment_starts(times_s: Times) -> Indices:
    """First frames of segments of about SEGMENT_S; the last may be shorter."""
    if len(times_s) < 2:
        return np.zeros(len(times_s), np.int64)
    pace_s = max(float(np.median(np.diff(times_s))), 1e-6)
    return np.arange(0, len(times_s), max(1, round(SEGMENT_S / pace_s)))


def _owner(firsts: Indices, count: int) -> Indices:
    """[T]: which shot each frame is in."""
    return np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, count)))


def _unit_means(embeddings: Floats, firsts: Indices) -> Floats:
    means: Floats = np.add.reduceat(embeddings, firsts, axis=0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.float32(1e-9))
    return means


def _representatives(embeddings: Floats, firsts: Indices, means: Floats) -> Indices:
    """Of each shot, the frame that shows most of what the shot is and the rest of the video is not.

    Near the shot's mean and far from the video's: before a still camera the empty scene is typical
    of every shot, and the person who walks through is what tells one from the other. Frames next
    to cuts and in sudden change are left aside.
    """
    ordinary = embeddings @ embeddings.mean(axis=0)
    steps = np.zeros(len(embeddings) + 1)
    steps[1:-1] = ((embeddings[1:] - embeddings[:-1]) ** 2).sum(axis=1)
    unrest = np.maximum(steps[:-1], steps[1:])
    chosen = np.empty(len(firsts), np.int64)
    for at, inner in enumerate(_inner_parts(firsts, len(embeddings))):
        own = OWN_SHOT * (embeddings[inner] @ means[at])
        telling = own - ordinary[inner] - 0.1 * unrest[inner]
        chosen[at] = inner.start + int(telling.argmax())
    return chosen


def _inner_parts(firsts: Indices, count: int) -> list[slice]:
    """Each shot without the frames next to its cuts, which fade and blur; never empty."""
    parts = []
    ends = np.append(firsts[1:], count)
    for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
        # From three frames up there is a frame that is not next to a cut.
        margin = min(max(1, round(MARGIN_SHARE * (end - first))), (end - first - 1) // 2)
        parts.append(slice(first + margin, end - margin))
    return parts


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
