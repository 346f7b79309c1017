from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from models.ranks import kendall_tau_b
from models.types import Times
from train.data.judged import JudgedVideo
from train.data.tvsum import load_tvsum
from train.evaluate import as_markdown, summarized
from train.metrics import (
    f_score,
    f_scores_by_annotator,
    leave_one_out,
    rank_correlations,
    spearman_rho,
    summary_flags,
)


@pytest.mark.parametrize("levels", [2, 5, 1000])
@pytest.mark.parametrize("count", [2, 3, 40, 1300])
def test_rank_correlations_equal_scipy(levels: int, count: int) -> None:
    random = np.random.default_rng(levels + count)
    for _ in range(5):
        x = random.integers(0, levels, count)
        y = random.integers(0, 5, count) + (x > levels // 2)
        if len(set(x)) < 2 or len(set(y)) < 2:
            continue
        assert kendall_tau_b(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
        assert spearman_rho(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_a_constant_orders_nothing() -> None:
    assert kendall_tau_b(np.ones(5), np.arange(5)) == 0
    assert spearman_rho(np.arange(5), np.ones(5)) == 0


def test_refuses_what_has_no_order() -> None:
    with pytest.raises(ValueError, match="finite"):
        kendall_tau_b(np.array([1.0, np.nan]), np.arange(2))
    with pytest.raises(ValueError, match="one length"):
        spearman_rho(np.arange(3), np.arange(4))


def test_against_each_annotator_not_against_their_mean() -> None:
    scores = np.arange(6.0)
    annotators = np.array([[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6]])
    tau, rho = rank_correlations(scores, annotators)
    assert tau == pytest.approx(1 / 3) and rho == pytest.approx(1 / 3)


def test_the_summary_is_the_knapsack_of_mean_scores() -> None:
    scores = np.repeat([0.2, 0.9, 0.5, 0.8], [30, 20, 10, 40])
    starts = np.array([0, 30, 50, 60])
    # 15 frames: only the shot of 10 fits. 30: those of 20 and 10, worth 1.4. 40: .9 + .5 beat
    # the one shot of 40 frames at .8, since a shot is worth its mean whatever its length.
    for ratio, expected in ((0.15, (50, 60)), (0.30, (30, 60)), (0.40, (30, 60))):
        flags = summary_flags(scores, starts, ratio)
        assert np.flatnonzero(flags).tolist() == list(range(*expected))


def test_f_score() -> None:
    one = np.array([1, 1, 1, 0, 0, 0], bool)
    other = np.array([0, 0, 1, 1, 0, 0], bool)
    assert f_score(one, other) == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert f_score(one, ~one) == 0 and f_score(one, one) == 1
    assert f_score(one & False, one & False) == 0


def test_f_against_each_annotator_on_the_same_shots() -> None:
    scores = np.repeat([1.0, 3.0, 2.0, 1.0], 25)
    starts = np.array([0, 25, 50, 75])
    same, other = scores, np.repeat([3.0, 1.0, 1.0, 1.0], 25)
    found = f_scores_by_annotator(scores, np.stack([same, other]), starts, ratio=0.25)
    assert found.tolist() == [1.0, 0.0]


def test_leave_one_out_is_the_mean_over_pairs() -> None:
    random = np.random.default_rng(0)
    annotators = random.integers(1, 6, (4, 60))
    starts = np.arange(0, 60, 6)
    tau, rho, f = leave_one_out(annotators, starts)
    each = []
    for i in range(4):
        others = np.delete(annotators, i, axis=0)
        each.append(
            (
                *rank_correlations(annotators[i], others),
                f_scores_by_annotator(annotators[i], others, starts).mean(),
            )
        )
    assert (tau, rho, f) == pytest.approx(np.mean(each, axis=0).tolist())


def test_annotations_are_read_at_the_original_frames() -> None:
    anno = np.arange(100, dtype=np.uint8)[None].repeat(2, axis=0)
    video = JudgedVideo("x", "VT", Path("x.mp4"), length_s=10.0, user_anno=anno)
    times_s: Times = np.array([0.0, 0.5, 9.96, 10.4])
    assert video.annotators_at(times_s)[1].tolist() == [0, 5, 99, 99]


def test_missing_annotations_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="tvsum.h5"):
        load_tvsum(tmp_path)


def test_the_table_has_means_and_errors_over_videos() -> None:
    rows = summarized([(0.1, 0.2, 0.5), (0.3, 0.4, 0.7)])
    assert rows["tau"] == {"mean": 0.2, "error": 0.1}
    report = {
        "data": "D",
        "protocol": "P",
        "encoder": {"name": "colour"},
        "seeds": [0],
        "rows": {"even": {"random": rows}},
    }
    assert "| random | 0.200 +- 0.100 | 0.300 +- 0.100 | 0.600 +- 0.100 |" in as_markdown(report)
