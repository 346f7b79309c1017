import itertools
import time

import numpy as np
import pytest

from models import selection
from models.selection import knapsack, peaks, spread, top_k_spaced, worth_beside_better


def best_by_trying(values: list[float], lengths: list[int], capacity: int) -> float:
    return max(
        sum(values[i] for i in chosen)
        for size in range(len(values) + 1)
        for chosen in itertools.combinations(range(len(values)), size)
        if sum(lengths[i] for i in chosen) <= capacity
    )


def test_knapsack_is_exact() -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        count = int(random.integers(1, 10))
        values, lengths = random.random(count), random.integers(1, 30, count)
        capacity = int(random.integers(0, 100))
        chosen = knapsack(values, lengths, capacity)
        assert lengths[chosen].sum() <= capacity
        assert (np.diff(chosen) > 0).all()
        best = best_by_trying(values.tolist(), lengths.tolist(), capacity)
        assert values[chosen].sum() == pytest.approx(best)


def test_knapsack_counts_seconds() -> None:
    # Twenty shots of two seconds, in floats that do not add up evenly, into six of forty seconds.
    edges = np.arange(21) * 2.0 + 1.0 / 3
    lengths = np.diff(edges)
    values = np.arange(20.0) + 1
    assert knapsack(values, lengths, 0.15 * 40.0).tolist() == [17, 18, 19]
    third = 0.1 + 0.2  # a little more than 0.3
    assert knapsack([1.0, 1.0, 1.0, 0.5], [third] * 4, 0.9).tolist() == [0, 1, 2]
    assert knapsack([1.0, 1.0], [0.011, 0.02], 0.019).tolist() == []


def test_knapsack_takes_nothing_that_is_worth_nothing_or_does_not_fit() -> None:
    assert knapsack([0.0, -1.0, 2.0], [1, 1, 9], 8).tolist() == []
    assert knapsack([0.0, 1.0], [1, 1], 8).tolist() == [1]
    assert knapsack([], [], 5).tolist() == []


def test_knapsack_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="one length a value"):
        knapsack([1.0], [1, 2], 3)
    with pytest.raises(ValueError, match="not negative"):
        knapsack([1.0], [-1], 3)


def test_knapsack_falls_back_to_coarser_units(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    values, lengths = random.random(200), random.integers(100, 2000, 200)
    capacity = int(lengths.sum() * 0.15)
    exact = knapsack(values, lengths, capacity)
    monkeypatch.setattr(selection, "MAX_TABLE_CELLS", 200 * capacity // 20)
    coarse = knapsack(values, lengths, capacity)
    assert lengths[coarse].sum() <= capacity
    assert 0.97 * values[exact].sum() < values[coarse].sum() < values[exact].sum()


def test_knapsack_is_quick_for_thousands_of_shots() -> None:
    random = np.random.default_rng(2)
    lengths = random.uniform(1, 4, 3600)
    started = time.process_time()
    chosen = knapsack(random.random(3600), lengths, 0.15 * lengths.sum())
    assert time.process_time() - started < 10  # half a second on an idle core
    assert 0.99 < lengths[chosen].sum() / (0.15 * lengths.sum()) <= 1


def test_top_k_keeps_its_distance() -> None:
    times_s = np.arange(10) / 2.0
    scores = np.array([1, 9, 8, 7, 0, 0, 5, 6, 0, 4.0])
    assert top_k_spaced(scores, times_s, 3, 1.0).tolist() == [1, 3, 7]
    assert top_k_spaced(scores, times_s, 3, 0.0).tolist() == [1, 2, 3]
    assert top_k_spaced(scores, times_s, 99, 1.0).tolist() == [1, 3, 5, 7, 9]
    assert top_k_spaced(scores, times_s, 0, 1.0).tolist() == []
    assert top_k_spaced(np.zeros(3), times_s[:3], 1).tolist() == [0]


def test_peaks_are_the_tops() -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.5, 0.5, 0.2, 0.3, 0.2, 0.8, 0.8])
    times_s = np.arange(10.0)
    assert peaks(scores, times_s).tolist() == [0, 3, 6, 8]
    assert peaks(scores, times_s, threshold=0.5).tolist() == [0, 3, 8]
    assert peaks(scores, times_s, spacing_s=3.0).tolist() == [0, 3, 8]
    assert peaks(scores, times_s, prominence=0.2).tolist() == [0, 3, 8]
    assert peaks(np.zeros(0), np.zeros(0)).tolist() == []
    assert peaks(np.full(5, 0.4), np.arange(5.0)).tolist() == [2]
    assert peaks(np.full(5, 0.4), np.arange(5.0), prominence=0.1).tolist() == []


def test_spread_covers_evenly() -> None:
    assert spread(100, 4).tolist() == [12, 37, 62, 87]
    assert spread(3, 9).tolist() == [0, 1, 2]
    assert spread(0, 3).tolist() == [] and spread(5, 0).tolist() == []
    assert spread(9, 1).tolist() == [4]


def test_a_repeated_picture_is_worth_less_than_a_new_one() -> None:
    embeddings = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    worth = worth_beside_better(np.array([0.9, 0.8, 0.6, 0.5]), embeddings)
    assert worth[0] == 0.9, "the best of its kind loses nothing"
    assert worth[1] < 0.3, "what the best shows already is worth little"
    assert worth[2:].tolist() == [0.6, 0.5], "what nothing shows is worth all of its score"


def test_likeness_counts_only_towards_better_ones() -> None:
    half_alike = np.array([[1, 0], [np.sqrt(0.5), np.sqrt(0.5)]], dtype=np.float32)
    worth = worth_beside_better(np.array([0.4, 0.8]), half_alike)
    assert worth[1] == 0.8
    assert 0.2 < worth[0] < 0.3
    assert len(worth_beside_better(np.zeros(0), np.zeros((0, 4), np.float32))) == 0
