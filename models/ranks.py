"""Whether two series put things in the same order."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Doubles = npt.NDArray[np.float64]

ROWS_AT_ONCE = 512


def kendall_tau_b(first: Array, second: Array) -> float:
    """Kendall's tau-b with ties. 0 where one side is constant: it orders nothing."""
    x, y = finite_pair(first, second)
    concordance = 0
    untied_x = untied_y = 0
    for start in range(0, len(x), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        sign_x = _signs(x[rows], x)
        sign_y = _signs(y[rows], y)
        # Sums of +-1 over rows of int8 products; every pair is met twice, also in the norm.
        concordance += int((sign_x * sign_y).sum(dtype=np.int64))
        untied_x += int(np.count_nonzero(sign_x))
        untied_y += int(np.count_nonzero(sign_y))
    norm = np.sqrt(float(untied_x) * float(untied_y))
    return concordance / norm if norm > 0 else 0.0


def average_ranks(values: Array) -> Doubles:
    """From 1 for the smallest; equal values share the mean of their places."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Doubles = (last - (counts - 1) / 2.0)[which]
    return ranks


def finite_pair(first: Array, second: Array) -> tuple[Doubles, Doubles]:
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"two series of one length, received {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("scores are finite numbers, received NaN or infinity")
    return x, y


def _signs(rows: Doubles, columns: Doubles) -> npt.NDArray[np.int8]:
    greater: npt.NDArray[np.int8] = (rows[:, None] > columns).view(np.int8)
    less: npt.NDArray[np.int8] = (rows[:, None] < columns).view(np.int8)
    return greater - less
