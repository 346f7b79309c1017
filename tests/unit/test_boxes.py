"""Boxes: overlaps, suppression, and how agreement between two sets of them is counted."""

import numpy as np
import pytest

from models.boxes import kept_boxes, overlaps
from models.types import Floats
from train.detection_figures import LARGE, Agreement


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def scores(*values: float) -> Floats:
    return np.array(values, np.float32)


def test_overlap_is_the_shared_part_of_both() -> None:
    one = boxes((0, 0, 2, 2), (5, 5, 5, 5))
    other = boxes((1, 0, 3, 2), (0, 0, 2, 2), (4, 4, 6, 6))
    assert overlaps(one, other) == pytest.approx(np.array([[1 / 3, 1, 0], [0, 0, 0]]))


def test_of_boxes_that_say_the_same_the_surest_is_kept() -> None:
    same = boxes((0, 0, 10, 10), (0, 0, 10, 9), (20, 0, 30, 10), (1, 0, 11, 10))
    assert kept_boxes(same, scores(0.5, 0.9, 0.3, 0.6), 0.5).tolist() == [1, 2]
    assert kept_boxes(boxes(), scores(), 0.5).tolist() == []


def test_average_precision_by_hand() -> None:
    found = Agreement()
    # Two to be found. In order of score: right, wrong, right.
    theirs = boxes((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1))
    ours = boxes((0, 0, 0.5, 0.5), (0.5, 0, 1, 0.4), (0.5, 0.5, 1, 0.95))
    found.add(ours, scores(0.9, 0.8, 0.7), theirs, scores(0.8, 0.6))
    assert found.wanted == 2
    # Precision 1 up to a recall of 1/2, then 2/3.
    assert found.average_precision() == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found.at(0.75) == (0.5, 0.5)
    assert found.best_score(among=(0.75, 0.5)) == 0.5


def test_a_second_box_on_one_thing_is_wrong() -> None:
    found = Agreement()
    whole = boxes((0, 0, 1, 1))
    found.add(boxes((0, 0, 1, 1), (0, 0, 1, 0.9)), scores(0.9, 0.8), whole, scores(0.8))
    assert found.at(0.0) == (0.5, 1.0)


def test_what_the_teacher_doubts_is_neither_right_nor_wrong() -> None:
    found = Agreement()
    theirs = boxes((0, 0, 0.4, 0.4), (0.5, 0.5, 1, 1))
    found.add(theirs, scores(0.9, 0.8), theirs, scores(0.4, 0.6))
    assert found.wanted == 1
    assert found.at(0.0) == (1.0, 1.0)


def test_only_large_ones_count_where_that_is_asked() -> None:
    found = Agreement(LARGE)
    theirs = boxes((0, 0, 0.1, 0.1), (0.5, 0.5, 1, 1))
    ours = boxes((0.3, 0, 0.35, 0.1), (0.5, 0.5, 1, 1))
    found.add(ours, scores(0.9, 0.8), theirs, scores(0.6, 0.6))
    assert found.wanted == 1
    assert found.at(0.0) == (1.0, 1.0)


def test_nothing_to_find_has_no_precision() -> None:
    assert np.isnan(Agreement().average_precision())
