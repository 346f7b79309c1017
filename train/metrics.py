"""Rank correlation and F-score of summaries, in numpy, to the protocols the README states."""

import numpy as np
import numpy.typing as npt

from models.ranks import average_ranks, finite_pair, kendall_tau_b
from models.selection import knapsack

Array = npt.NDArray[np.generic]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SUMMARY_RATIO = 0.15


def spearman_rho(first: Array, second: Array) -> float:
    """Pearson's correlation of average ranks. 0 where one side is constant."""
    x, y = finite_pair(first, second)
    rank_x, rank_y = average_ranks(x), average_ranks(y)
    rank_x -= rank_x.mean()
    rank_y -= rank_y.mean()
    norm = float(np.sqrt((rank_x @ rank_x) * (rank_y @ rank_y)))
    return float(rank_x @ rank_y) / norm if norm > 0 else 0.0


def rank_correlations(scores: Array, annotators: Array) -> tuple[float, float]:
    """(tau-b, rho) of scores [T] against EACH row of annotators [A, T], mean over annotators."""
    taus = [kendall_tau_b(scores, row) for row in annotators]
    rhos = [spearman_rho(scores, row) for row in annotators]
    return float(np.mean(taus)), float(np.mean(rhos))


def summary_flags(scores: Array, shot_starts: Indices, ratio: float = SUMMARY_RATIO) -> Flags:
    """The frames of the shots that a knapsack keeps; a shot's value is the mean of its frames.

    The value of a shot in the knapsack is its mean score (not times its length), as in the
    published code that the figures in BENCHMARKS come from.
    """
    score = np.asarray(scores, np.float64)
    lengths = np.diff(np.append(shot_starts, len(score)))
    means = np.add.reduceat(score, shot_starts) / lengths
    kept = np.zeros(len(lengths), np.bool_)
    kept[knapsack(means, lengths, int(len(score) * ratio))] = True
    flags: Flags = np.repeat(kept, lengths)
    return flags


def f_score(predicted: Flags, reference: Flags) -> float:
    """Harmonic mean of precision and recall over frames; 0 where nothing overlaps."""
    both = int((predicted & reference).sum())
    total = int(predicted.sum()) + int(reference.sum())
    return 2 * both / total if both else 0.0


def f_scores_by_annotator(
    scores: Array, annotators: Array, shot_starts: Indices, ratio: float = SUMMARY_RATIO
) -> Doubles:
    """F of the summary made from scores against that of each annotator, on the same shots."""
    predicted = summary_flags(scores, shot_starts, ratio)
    return np.array(
        [f_score(predicted, summary_flags(row, shot_starts, ratio)) for row in annotators]
    )


def leave_one_out(annotators: Array, shot_starts: Indices) -> tuple[float, float, float]:
    """(tau, rho, F) of each annotator against each of the others, mean over all pairs."""
    count = len(annotators)
    pairs = [(i, j) for i in range(count) for j in range(i)]  # all three are symmetric
    tau = np.mean([kendall_tau_b(annotators[i], annotators[j]) for i, j in pairs])
    rho = np.mean([spearman_rho(annotators[i], annotators[j]) for i, j in pairs])
    flags = [summary_flags(row, shot_starts) for row in annotators]
    f_mean = np.mean([f_score(flags[i], flags[j]) for i, j in pairs])
    return float(tau), float(rho), float(f_mean)
