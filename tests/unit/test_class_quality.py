"""What is read of how well each class is known."""

import pytest

from app.tabs.actions_view import measured
from models.class_quality import class_quality

LABELS = ["clapping", "running", "reading"]
COUNTS = [[8, 1, 1], [0, 4, 0], [5, 0, 5]]


def test_shares_and_counts() -> None:
    quality = class_quality({"labels": LABELS, "confusion": COUNTS})
    assert quality is not None
    assert [quality.count(at) for at in range(3)] == [10, 4, 10]
    assert [quality.accuracy(at) for at in range(3)] == [0.8, 1.0, 0.5]
    assert class_quality({"confusion": {"labels": LABELS, "counts": COUNTS}}) == quality


def test_a_class_that_was_never_tested_is_not_known() -> None:
    quality = class_quality({"labels": ["a", "b"], "confusion": [[0, 0], [0, 1]]})
    assert quality is not None and quality.accuracy(0) == 0.0


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"labels": LABELS},
        {"confusion": COUNTS},
        {"labels": LABELS[:2], "confusion": COUNTS},
        {"labels": LABELS, "confusion": [[1, 2], [3, 4], [5, 6]]},
        {"labels": LABELS, "confusion": "none"},
        {"labels": LABELS, "confusion": [["a", "b", "c"]] * 3},
    ],
)
def test_what_does_not_fit_is_not_shown(metrics: dict[str, object]) -> None:
    assert class_quality(metrics) is None
    assert measured("action_classifier", None) is None


def test_the_panel_begins_with_what_is_known_best() -> None:
    metrics = {"labels": LABELS, "confusion": COUNTS, "protocol": "Photographs left out."}
    shown = measured("some_model", class_quality(metrics))
    assert shown is not None
    assert [row["label"] for row in shown["classes"]] == ["running", "clapping", "reading"]
    assert shown["protocol"] == "Photographs left out."
    assert "17 of 24" in shown["said"] and "some_model" in shown["said"]
