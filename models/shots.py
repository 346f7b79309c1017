"""Shot boundaries by kernel temporal segmentation (Potapov et al. 2014), in O(T * window).

KTS cuts a sequence so that the scatter inside the pieces, plus a penalty on their number, is
smallest. The classic table over (number of cuts, position) needs O(T^2) memory and O(T^2 M) time.
Here the penalty g, concave in the number of cuts m, is written as the envelope of its tangents:

    min over m of S(m) + g(m)  =  min over tangents of  offset + min over m of S(m) + slope * m

and for one slope the inner minimum is a plain dynamic programme over positions. A few slopes are
run side by side over a band of costs: two hours at two frames a second take about a second.
"""

import numpy as np
import numpy.typing as npt

from models.types import Floats, Shot, Times

Indices = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

MIN_SHOT_S = 1.0
WINDOW_STEPS = 240  # the longest piece looked at; longer shots are joined from such pieces
SLOPES = 12
BLOCK_STEPS = 512
# Dense sampling is averaged into steps of about this length first (cuts are then moved to the
# exact frame), and never more steps than MAX_STEPS, so that the cost stays that of the time axis.
STEP_S = 0.25
MAX_STEPS = 40_000
PENALTY_STEP_S = 0.5  # the penalty counts scatter as if there were two samples a second
# vmax of the penalty (squared distance between unit vectors): this many times what frames half a
# second apart scatter, but not less than a share of how far apart the video's pictures are (a walk
# through a room is not a cut), and within limits for videos that are all still or all turmoil.
NOISE_FACTOR = 10.0
NOISE_LAG_S = 0.5
SPREAD_SHARE = 0.45
SPREAD_FRAMES = 200
PENALTY_FLOOR = 0.2
PENALTY_KNEE = 0.6  # the share of the spread asks for no more than this
PENALTY_CEILING = 1.0


def detect_shots(
    embeddings: Floats, times_s: Times, end_s: float, *, min_shot_s: float = MIN_SHOT_S
) -> tuple[Shot, ...]:
    """Shots that cover [times_s[0], end_s] without gaps, each starting at a frame's time.

    A cut between two sampled frames is placed at the later one. Times may be irregular.
    """
    return shots_from_starts(
        shot_starts(embeddings, times_s, end_s, min_shot_s=min_shot_s), times_s, end_s
    )


def shots_from_starts(firsts: Indices, times_s: Times, end_s: float) -> tuple[Shot, ...]:
    """Shots that begin at the frames `firsts` (ascending, the first of them 0)."""
    if len(times_s) == 0:
        return ()
    edges = np.append(times_s[firsts], max(end_s, float(times_s[-1])))
    return tuple(Shot(float(a), float(b)) for a, b in zip(edges[:-1], edges[1:], strict=True))


def shot_starts(
    embeddings: Floats, times_s: Times, end_s: float, *, min_shot_s: float = MIN_SHOT_S
) -> Indices:
    """Index of the first frame of every shot, [0, ...], ascending."""
    if embeddings.ndim != 2 or len(embeddings) != len(times_s):
        raise ValueError(f"one embedding a time, received {embeddings.shape}, {len(times_s)} times")
    count = len(times_s)
    if count < 2:
        return np.zeros(count, np.int64)
    emb_TD = embeddings.astype(np.float32, copy=False)
    edges_s = np.append(times_s, max(end_s, float(times_s[-1])))
    pace_s = max(float(np.median(np.diff(times_s))), 1e-6)
    group = max(1, int(STEP_S / pace_s), -(-count // MAX_STEPS))
    steps = np.arange(0, count, group)
    step_SD = _averages(emb_TD, steps) if group > 1 else emb_TD
    step_edges_s = np.append(edges_s[steps], edges_s[-1])
    scale = penalty_scale(step_SD, pace_s * group)
    firsts = np.append(0, _cut(step_SD, step_edges_s, scale, min_shot_s))
    if group > 1:
        return _to_exact_frames(emb_TD, firsts * group, group)
    return firsts


def split_long(
    firsts: Indices, embeddings: Floats, times_s: Times, end_s: float, max_shot_s: float
) -> Indices:
    """Divides shots longer than max_shot_s into about equal parts, where the picture changes most.

    For choosing whole shots out of a video that has few or none that are short enough.
    """
    edges_s = np.append(times_s[firsts], max(end_s, float(times_s[-1])))
    parts = [firsts]
    for start_s, stop_s in zip(edges_s[:-1].tolist(), edges_s[1:].tolist(), strict=True):
        if stop_s - start_s <= max_shot_s + 1e-6:
            continue
        # A part may grow by a tenth on either side and must still be short enough.
        count = int(np.ceil(1.2 * (stop_s - start_s) / max_shot_s))
        part_s = (stop_s - start_s) / count
        goals = start_s + part_s * np.arange(1, count)
        low = np.searchsorted(times_s, goals - part_s / 10)
        high = np.searchsorted(times_s, goals + part_s / 10, side="right")
        for first, last in zip(low.tolist(), high.tolist(), strict=True):
            last = min(max(last, first + 1), len(times_s))
            if first == 0 or first >= last or times_s[first] >= stop_s:
                continue  # no frame of this shot is near
            change = ((embeddings[first:last] - embeddings[first - 1 : last - 1]) ** 2).sum(axis=1)
            parts.append(np.array([first + int(change.argmax())]))
    return np.unique(np.concatenate(parts))


def penalty_scale(samples: Floats, pace_s: float) -> float:
    """vmax of the penalty, from the data: what neighbouring frames differ by without any cut.

    A quantile below the median does not see the cuts even where shots are two frames long, so one
    rule serves encoders whose cosines spread widely and encoders whose cosines are all near one.
    """
    lag = max(1, round(NOISE_LAG_S / pace_s))
    steps = ((samples[lag:] - samples[:-lag]) ** 2).sum(axis=1) / 2
    noise = float(np.quantile(steps, 0.4)) if len(steps) else 0.0
    some = samples[np.linspace(0, len(samples) - 1, SPREAD_FRAMES).astype(np.int64)]
    spread = float(np.quantile(2 - 2 * (some @ some.T), 0.9))
    least = float(np.clip(SPREAD_SHARE * spread, PENALTY_FLOOR, PENALTY_KNEE))
    vmax = float(np.clip(NOISE_FACTOR * noise, least, PENALTY_CEILING))
    return vmax * max(1.0, PENALTY_STEP_S / pace_s)


def _averages(embeddings: Floats, starts: Indices) -> Floats:
    lengths = np.diff(np.append(starts, len(embeddings))).astype(np.float32)
    sums: Floats = np.add.reduceat(embeddings, starts, axis=0)
    return sums / lengths[:, None]


def _to_exact_frames(embeddings: Floats, firsts: Indices, group: int) -> Indices:
    """Moves each cut to the largest change between two frames near it."""
    exact = [0]
    for first in firsts[1:].tolist():
        low, high = max(1, first - group + 1), min(len(embeddings), first + group)
        changes = ((embeddings[low:high] - embeddings[low - 1 : high - 1]) ** 2).sum(axis=1)
        exact.append(low + int(changes.argmax()))
    return np.unique(np.array(exact, np.int64))


def _cut(samples: Floats, edges_s: Times, scale: float, min_shot_s: float) -> Indices:
    """The cuts (0 is not one of them) with the smallest scatter plus penalty."""
    count = len(samples)
    slopes = scale / 2 * np.linspace(np.log(2), max(np.log(count), np.log(2)), SLOPES)
    costs = _banded_scatter(samples, edges_s, min_shot_s)
    previous = _partition(costs, slopes)
    best, best_value = np.zeros(0, np.int64), np.inf
    for row, slope in zip(previous, slopes.tolist(), strict=True):
        cuts = _join_pieces(samples, _trace(row), slope)
        penalty = scale * len(cuts) / 2 * (np.log(count / len(cuts)) + 1) if len(cuts) else 0.0
        value = _total_scatter(samples, costs, cuts) + penalty
        if value < best_value:
            best, best_value = cuts, value
    return best


def _total_scatter(samples: Floats, costs: Floats, cuts: Indices) -> float:
    """Squared distance to the mean of the piece, over all pieces.

    Most pieces are in the table of costs; those that are longer than its window are not.
    """
    starts, ends = np.append(0, cuts), np.append(cuts, len(samples))
    window = costs.shape[1]
    listed = ends - starts <= window
    columns = window - (ends - starts)[listed]
    total = float(costs[ends[listed] - 1, columns].sum(dtype=np.float64))
    for start, end in zip(starts[~listed].tolist(), ends[~listed].tolist(), strict=True):
        piece = samples[start:end]
        total += float(((piece - piece.mean(axis=0, dtype=np.float64)) ** 2).sum())
    return total


def _banded_scatter(samples: Floats, edges_s: Times, min_shot_s: float) -> Floats:
    """[S, W]: cost of the piece that ends before step t + 1 and starts at t + 1 - W + column.

    Infinite where the piece would start before the video or be shorter than the minimum. Scatter
    needs inner products only: summed over the square of a piece they are its squared sum, so that
    the number of dimensions counts once, in one matrix product.
    """
    count = len(samples)
    window = min(WINDOW_STEPS, count)
    costs = np.full((count, window), np.inf, np.float32)
    for first in range(0, count, BLOCK_STEPS):
        stop = min(first + BLOCK_STEPS, count)
        base = first + 1 - window  # the start that column 0 of the block's first row means
        low = max(0, base)
        inner = (samples[low:stop] @ samples[low:stop].T).astype(np.float64)
        squares = np.append(0.0, np.cumsum(np.diagonal(inner)))
        sums = np.zeros((len(inner) + 1, len(inner) + 1))
        sums[1:, 1:] = inner.cumsum(axis=0).cumsum(axis=1)
        own = np.diagonal(sums)
        ends, starts = np.arange(first + 1, stop + 1), np.arange(low, stop)
        length = ends[:, None] - starts[None, :]
        inside = (length > 0) & (
            edges_s[ends][:, None] - edges_s[starts][None, :] >= min_shot_s - 1e-6
        )
        norm = own[ends - low][:, None] + own[starts - low] - 2 * sums[ends - low, :-1]
        scatter = (
            squares[ends - low][:, None] - squares[starts - low] - norm / np.maximum(length, 1)
        )
        block = np.full((stop - first, stop - base), np.inf)
        block[:, low - base :] = np.where(inside, np.maximum(scatter, 0), np.inf)
        row, column = block.strides
        costs[first:stop] = np.lib.stride_tricks.as_strided(
            block, (stop - first, window), (row + column, column)
        )
    return costs


def _partition(costs: Floats, slopes: Doubles) -> Indices:
    """[slopes, S + 1]: where the last piece of the cheapest cut of the first t steps starts."""
    count, window = costs.shape
    best = np.full((len(slopes), window + count), np.inf)  # `window` columns of padding in front
    best[:, window] = 0.0
    previous = np.zeros((len(slopes), count + 1), np.int64)
    rows = np.arange(len(slopes))
    # best[:, window + t] is the cost of the first t steps, every piece paying one slope.
    best = np.concatenate([best, np.full((len(slopes), 1), np.inf)], axis=1)
    for end in range(1, count + 1):
        candidates = best[:, end : end + window] + costs[end - 1]
        choice = candidates.argmin(axis=1)
        best[:, window + end] = candidates[rows, choice] + slopes
        previous[:, end] = end - window + choice
    previous[~np.isfinite(best[:, window:])] = 0
    return previous


def _trace(previous: Indices) -> Indices:
    cuts = []
    end = int(previous[-1])
    while end > 0:
        cuts.append(end)
        end = int(previous[end])
    return np.array(cuts[::-1], np.int64)


def _join_pieces(samples: Floats, cuts: Indices, slope: float) -> Indices:
    """Removes cuts that are there only because a longer piece did not fit into the window."""
    while len(cuts):
        edges = np.concatenate([[0], cuts, [len(samples)]])
        long = np.flatnonzero(edges[2:] - edges[:-2] > WINDOW_STEPS)
        gains = [_gain(samples, *edges[i : i + 3].tolist()) for i in long]
        if not gains or min(gains) >= slope:
            break
        cuts = np.delete(cuts, long[int(np.argmin(gains))])
    return cuts


def _gain(samples: Floats, start: int, cut: int, end: int) -> float:
    """Scatter that the cut saves: the distance of the two means, by the lengths."""
    left, right = cut - start, end - cut
    apart = samples[start:cut].mean(axis=0) - samples[cut:end].mean(axis=0)
    return left * right / (left + right) * float(apart @ apart)
