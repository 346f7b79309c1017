import time
import tracemalloc

import numpy as np
import pytest

from models.shots import Indices, detect_shots, shot_starts, split_long
from models.types import Floats, Shot, Times


def frames_of(lengths: list[int], noise: float = 0.2, seed: int = 0) -> Floats:
    """Unit vectors that stay near one point for each length, then jump to another."""
    random = np.random.default_rng(seed)
    places = random.normal(size=(len(lengths), 64))
    rows = np.repeat(places, lengths, axis=0)
    rows = rows + noise * random.normal(size=rows.shape)
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def even(count: int, fps: float = 2.0) -> Times:
    return np.arange(count) / fps


def cost_of(embeddings: Floats, firsts: Indices, vmax: float) -> float:
    count, cuts = len(embeddings), len(firsts) - 1
    scatter = sum(
        float(((part - part.mean(axis=0)) ** 2).sum()) for part in np.split(embeddings, firsts[1:])
    )
    return scatter + (vmax * cuts / 2 * (np.log(count / cuts) + 1) if cuts else 0.0)


def test_finds_every_cut_and_no_other() -> None:
    lengths = [12, 2, 30, 7, 3, 3, 45, 20, 2, 9]
    found = shot_starts(frames_of(lengths), even(sum(lengths)), sum(lengths) / 2)
    assert found.tolist() == [0, *np.cumsum(lengths)[:-1].tolist()]


def test_is_as_cheap_as_the_full_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tangents of the penalty must reach what the classic O(T^2 M) table reaches."""
    monkeypatch.setattr("models.shots.penalty_scale", lambda *_: 0.7)
    for seed in range(4):
        lengths = np.random.default_rng(seed).integers(2, 9, 9).tolist()
        emb_TD = frames_of(lengths, noise=1.2, seed=seed)
        count = len(emb_TD)
        best = _table_optimum(emb_TD, 0.7, shortest=2)
        found = shot_starts(emb_TD, even(count), count / 2)
        assert cost_of(emb_TD, found, 0.7) <= best * 1.01 + 1e-6


def _table_optimum(embeddings: Floats, vmax: float, shortest: int) -> float:
    count = len(embeddings)
    scatter = np.full((count + 1, count + 1), np.inf)
    for a in range(count):
        for b in range(a + shortest, count + 1):
            part = embeddings[a:b]
            scatter[a, b] = ((part - part.mean(axis=0)) ** 2).sum()
    best = scatter[0].copy()
    values = [best[count]]
    for cuts in range(1, count // shortest):
        best = np.array([np.min(best + scatter[:, end]) for end in range(count + 1)])
        values.append(best[count] + vmax * cuts / 2 * (np.log(count / cuts) + 1))
    return float(min(values))


def test_shots_cover_the_video_without_gaps_and_start_at_frames() -> None:
    random = np.random.default_rng(5)
    times_s = 3.25 + np.cumsum(random.uniform(0.5, 6.0, 80))  # as a first look sees it
    shots = detect_shots(frames_of([10] * 8), times_s, float(times_s[-1]) + 2.5)
    assert shots[0].start_s == times_s[0] and shots[-1].end_s == times_s[-1] + 2.5
    assert all(a.end_s == b.start_s for a, b in zip(shots[:-1], shots[1:], strict=True))
    assert [shot.start_s for shot in shots] == times_s[::10].tolist()


@pytest.mark.parametrize("fps", [1.0, 5.0, 25.0, 60.0])
def test_cuts_do_not_depend_on_how_densely_frames_are_taken(fps: float) -> None:
    seconds = [4, 9, 3, 14]
    emb_TD = frames_of([round(s * fps) for s in seconds])
    shots = detect_shots(emb_TD, even(len(emb_TD), fps), 30.0)
    assert [shot.start_s for shot in shots] == pytest.approx([0, 4, 13, 16])


def test_no_shot_is_shorter_than_the_minimum() -> None:
    emb_TD = frames_of([1] * 60)
    for shot in detect_shots(emb_TD, even(60), 30.0, min_shot_s=2.0):
        assert shot.length_s >= 2.0


@pytest.mark.parametrize("count", [2, 3, 50, 2000])
def test_a_still_video_is_one_shot(count: int) -> None:
    still = np.repeat(frames_of([1]), count, axis=0)
    assert detect_shots(still, even(count), count / 2) == (Shot(0.0, count / 2),)
    grainy = frames_of([count], noise=0.05)
    assert len(detect_shots(grainy, even(count), count / 2)) == 1


def test_something_small_that_moves_is_not_a_cut() -> None:
    room, person = frames_of([1, 1])
    place = np.repeat(np.array([0.0, 0.1, 0.05, 0.15, 0.0]), 20)[:, None]
    embeddings = (room + place * person).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert len(detect_shots(embeddings, even(100), 50.0)) == 1


def test_a_slow_change_is_divided_into_stretches() -> None:
    angle = np.linspace(0, 2 * np.pi, 400)
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    lengths = [shot.length_s for shot in detect_shots(turn, even(400), 200.0)]
    assert 3 <= len(lengths) <= 20
    assert min(lengths) > 5


def test_a_shot_longer_than_the_window_is_one() -> None:
    emb_TD = frames_of([900, 500], noise=0.3)
    assert shot_starts(emb_TD, even(1400), 700.0).tolist() == [0, 900]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_to_cut(count: int) -> None:
    shots = detect_shots(frames_of([3])[:count], even(count), 4.0)
    assert shots == ((Shot(0.0, 4.0),) if count else ())


def test_refuses_times_that_do_not_belong() -> None:
    with pytest.raises(ValueError, match="one embedding a time"):
        detect_shots(frames_of([4]), even(5), 3.0)


def test_two_hours_are_quick_and_need_little_memory() -> None:
    lengths = np.random.default_rng(0).integers(2, 40, 900).tolist()
    emb_TD = (np.tile(frames_of(lengths), (1, 4))[:14400] / 2).astype(np.float32)
    tracemalloc.start()
    started = time.process_time()
    found = shot_starts(emb_TD, even(len(emb_TD)), len(emb_TD) / 2)
    spent_s = time.process_time() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    true = np.append(0, np.cumsum(lengths))
    true = true[true < len(emb_TD)]
    assert len(np.intersect1d(found, true)) > 0.98 * len(true)
    assert peak < 100e6
    assert spent_s < 10  # under one second on an idle core


def test_long_shots_are_divided_where_most_changes() -> None:
    emb_TD = frames_of([19, 21, 6], noise=0.0)
    firsts = split_long(np.array([0, 40]), emb_TD, even(46), 23.0, max_shot_s=14.0)
    assert firsts.tolist() == [0, 19, 40]
    lengths = np.diff(np.append(split_long(firsts, emb_TD, even(46), 23.0, 2.0), 46)) / 2
    assert lengths.max() <= 2.0


def test_long_shots_without_frames_inside_stay() -> None:
    times_s = np.array([0.0, 100.0, 101.0])
    firsts = split_long(np.array([0, 1]), frames_of([1, 2]), times_s, 102.0, 10.0)
    assert firsts.tolist() == [0, 1]
