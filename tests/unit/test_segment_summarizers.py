import numpy as np
import pytest

from models.colour_encoder import ColourEncoder
from models.segment_summarizers import (
    FrameScores,
    change_threshold,
    rescored,
    shots_of_scores,
)
from models.summary_methods import METHODS, UNTRAINED
from models.types import Floats, Times

ALL = sorted(UNTRAINED)


def frames_of(lengths: list[int], noise: float = 0.1, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    rows = np.repeat(random.normal(size=(len(lengths), 64)), lengths, axis=0)
    rows = rows + noise * random.normal(size=rows.shape)
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def even(count: int) -> Times:
    return np.arange(count) / 2.0


def run(name: str, embeddings: Floats, ratio: float = 0.15, seed: int = 0) -> FrameScores:
    count = len(embeddings)
    return UNTRAINED[name](embeddings, even(count), count / 2, ratio, seed=seed)


def starts_s(found: FrameScores) -> list[float]:
    return [shot.start_s for shot in found.shots]


def check(found: FrameScores, times_s: Times, end_s: float) -> None:
    assert found.scores.shape == times_s.shape and found.scores.dtype == np.float32
    assert np.isfinite(found.scores).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert len(found.shots) == len(found.representatives)
    if len(times_s) == 0:
        assert found.shots == ()
        return
    assert found.shots[0].start_s == times_s[0] and found.shots[-1].end_s == end_s
    for one, other in zip(found.shots[:-1], found.shots[1:], strict=True):
        assert one.end_s == other.start_s
    for shot, index in zip(found.shots, found.representatives, strict=True):
        assert shot.start_s <= times_s[index] < shot.end_s


def test_names_are_those_of_the_requests() -> None:
    untrained = ["key_shots", "kmeans", "ssd_anchor", "ssd_previous"]
    assert list(UNTRAINED) == untrained and list(METHODS) == ["keyframe_scorer", *untrained]
    for name, method in METHODS.items():
        assert method.name == name
        assert method.label and "\n" not in method.help and len(method.help) < 100


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9, 61])
@pytest.mark.parametrize("kind", ["still", "grainy", "all different", "opposite"])
def test_any_length_and_content(name: str, count: int, kind: str) -> None:
    embeddings = {
        "still": np.repeat(frames_of([1]), count, axis=0),
        "grainy": frames_of([count]),
        "all different": frames_of([1] * count) if count else np.zeros((0, 64), np.float32),
        "opposite": np.outer((-1.0) ** np.arange(count), frames_of([1])[0]).astype(np.float32),
    }[kind]
    check(run(name, embeddings), even(count), count / 2)


@pytest.mark.parametrize("name", ALL)
def test_irregular_times_of_a_first_look(name: str) -> None:
    times_s = 7.5 + np.cumsum(np.random.default_rng(0).uniform(0.5, 9, 40))
    end_s = float(times_s[-1]) + 4
    found = UNTRAINED[name](frames_of([8] * 5), times_s, end_s, 0.15)
    check(found, times_s, end_s)
    assert len(found.shots) >= 5


@pytest.mark.parametrize("name", ALL)
def test_same_seed_same_answer(name: str) -> None:
    embeddings = frames_of([1] * 120, seed=4)
    one, other = run(name, embeddings, seed=3), run(name, embeddings, seed=3)
    assert (one.scores == other.scores).all() and one.shots == other.shots
    assert (one.representatives == other.representatives).all()


@pytest.mark.parametrize("name", ALL)
def test_refuses_numbers_that_are_none(name: str) -> None:
    embeddings = frames_of([9])
    embeddings[4, 2] = np.nan
    with pytest.raises(ValueError, match="finite"):
        run(name, embeddings)


def test_key_shots_are_the_shots() -> None:
    lengths = [10, 6, 40, 8, 20]
    assert starts_s(run("key_shots", frames_of(lengths))) == [0, 5, 8, 28, 32]


def test_a_representative_is_typical_and_away_from_the_cut() -> None:
    embeddings = frames_of([20, 20], noise=0.05)
    embeddings[21] = embeddings[20:].mean(axis=0)  # the most typical of all, but near the cut
    embeddings[21] /= np.linalg.norm(embeddings[21])
    mixed = embeddings[18] + embeddings[21]
    embeddings[19] = mixed / np.linalg.norm(mixed)  # a cross-fade
    embeddings[27] = frames_of([1], seed=9)[0]  # one black frame
    found = run("key_shots", embeddings, ratio=0.6)
    first, second = found.representatives.tolist()
    assert 2 <= first <= 16
    assert 22 <= second <= 37 and second not in (26, 27, 28)


def test_a_lone_title_card_matters_less() -> None:
    scenes = frames_of([20] * 5, noise=0.1)
    shared = frames_of([100], noise=0.1, seed=8)
    embeddings = scenes + 1.5 * shared  # scenes of one place
    embeddings[40:60] = frames_of([20], noise=0.1, seed=5)  # and a card from elsewhere
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    scores = run("key_shots", embeddings).scores
    assert scores[42:58].mean() < min(scores[22:38].mean(), scores[62:78].mean()) - 0.1


def test_where_something_happens_matters_more() -> None:
    still, lively = frames_of([40], noise=0.02), frames_of([40], noise=0.25)
    scores = run("key_shots", np.concatenate([still, lively, still])).scores
    assert scores[45:75].min() > max(scores[5:35].max(), scores[85:115].max())


def test_shots_are_divided_when_none_fits_the_time_asked_for() -> None:
    for name in ("key_shots", "ssd_anchor", "ssd_previous"):
        found = run(name, frames_of([200], noise=0.05), ratio=0.15)
        assert min(shot.length_s for shot in found.shots) <= 15
        whole = run(name, frames_of([100, 100], noise=0.05), ratio=0.6)
        assert starts_s(whole) == [0, 50]


def test_kmeans_keeps_one_segment_of_each_group_and_the_tail() -> None:
    lengths = [12, 8, 12, 8, 3]  # three places, two of them met twice, and a short tail
    rows = frames_of([43])
    for place, part in enumerate(np.split(np.arange(43), np.cumsum(lengths)[:-1])):
        rows[part] += 5 * frames_of([1], seed=20 + place % 2 + 2 * (place == 4))[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = run("kmeans", rows, ratio=3 / 11)
    assert starts_s(found) == [2.0 * k for k in range(11)]
    assert found.shots[-1].length_s == 1.5
    kept = [k for k, i in enumerate(found.representatives) if found.scores[i] > 0.5]
    groups = [0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 2]
    assert len(kept) == 3 and {groups[k] for k in kept} == {0, 1, 2}
    ordered = found.scores[found.representatives[kept]]
    assert ordered[0] > ordered[2] and ordered[1] > ordered[2]  # larger groups first


def test_drift_is_seen_from_the_anchor_only() -> None:
    angle = np.linspace(0, np.pi / 2, 118)
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    assert len(run("ssd_previous", turn, ratio=1.0).shots) == 1
    assert 3 <= len(run("ssd_anchor", turn, ratio=1.0).shots) <= 15


def test_cuts_are_seen_by_both_and_score_high() -> None:
    embeddings = frames_of([40, 32, 48], noise=0.05)
    for name in ("ssd_anchor", "ssd_previous"):
        found = run(name, embeddings, ratio=0.5)
        assert starts_s(found) == [0, 20, 36]
    scores = run("ssd_previous", embeddings, ratio=0.5).scores
    assert scores[41] > scores[20:32].max() + 0.2


def test_threshold_follows_the_scale_of_the_encoder() -> None:
    embeddings = frames_of([4] * 12, noise=0.2)
    steps = ((embeddings[1:] - embeddings[:-1]) ** 2).sum(axis=1)
    for scale in (0.3, 1.0, 20.0):
        threshold = change_threshold(embeddings * np.float32(scale))
        assert (steps * scale**2 > threshold).sum() == 11
    assert change_threshold(np.ones((30, 4), np.float32)) > 0


def test_compression_noise_cuts_nothing() -> None:
    wall = np.full((60, 90, 160, 3), 120.0)
    noise = np.random.default_rng(0).normal(0, 4, wall.shape)
    embeddings = ColourEncoder().encode_frames(np.clip(wall + noise, 0, 255).astype(np.uint8))
    for name in ("key_shots", "ssd_anchor", "ssd_previous"):
        assert len(run(name, embeddings, ratio=1.0).shots) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 61, 400])
def test_scores_of_any_length_get_shots(count: int) -> None:
    random = np.random.default_rng(1)
    times_s = np.sort(random.uniform(0, 100, count))  # a first look is not evenly spaced
    end_s = float(times_s[-1]) + 1 if count else 0.0
    scores = random.random(count).astype(np.float32)
    found = shots_of_scores(scores, frames_of([count]), times_s, end_s, 0.15)
    check(found, times_s, end_s)
    assert np.array_equal(found.scores, scores)


def test_the_best_frame_away_from_the_cuts_stands_for_a_shot() -> None:
    embeddings = frames_of([12, 12])
    scores = np.zeros(24, np.float32)
    scores[[0, 3, 12, 20, 23]] = [1.0, 0.7, 1.0, 0.6, 0.9]
    found = shots_of_scores(scores, embeddings, even(24), 12.0, 0.5)
    assert starts_s(found) == [0.0, 6.0]
    assert found.representatives.tolist() == [3, 20]
    flat = rescored(found, np.full(24, 0.5, np.float32), even(24))
    assert flat.shots == found.shots
    assert flat.representatives.tolist() == [5, 17], "the middle, not the beginning"
