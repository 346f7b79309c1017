"""What people do during an event: only where one action is likelier than all others together."""

from dataclasses import dataclass

import numpy as np

from app.pipelines.event_actions import with_actions
from app.trigger_results import Trigger
from models.types import ActionWindows

LABELS = ("running", "boxing")


@dataclass
class Classifier:
    labels: tuple[str, ...] = LABELS
    known_from: float = 0.5


def named(probabilities: list[list[float]], known: list[float]) -> str | None:
    """For an event from 3 to 7 s, by windows of 4 s that follow each other."""
    count = len(known)
    spans = np.array([[4.0 * n, 4.0 * n + 4.0] for n in range(count)])
    windows = ActionWindows(
        spans,
        np.array(probabilities, np.float32),
        np.array(known, np.float32),
        tuple(np.array([n]) for n in range(count)),
        tuple(np.ones(1, np.float32) for _ in range(count)),
    )
    event = Trigger("fight", 5.0, 10, 0.9, 3.0, 7.0)
    return with_actions([event], windows, Classifier())[0].action  # type: ignore[arg-type]


def test_the_longest_counts_most() -> None:
    assert named([[0.9, 0.1], [0.1, 0.9]], [1.0, 1.0]) == "boxing"


def test_what_is_none_of_the_labels_counts_nothing() -> None:
    assert named([[0.9, 0.1], [0.1, 0.9]], [1.0, 0.2]) == "running"
    assert named([[0.9, 0.1], [0.1, 0.9]], [0.2, 0.2]) is None


def test_nothing_is_named_that_others_outweigh() -> None:
    assert named([[0.4, 0.3], [0.4, 0.45]], [1.0, 1.0]) is None
