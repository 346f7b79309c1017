"""What people do during events, by the classifier of actions over the same index."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.trigger_results import Trigger
from models.protocols import ActionClassifier
from models.types import ActionWindows

SAID_FROM = 0.5  # rather this than all others together: a report names nothing less sure


def with_actions(
    triggers: Sequence[Trigger], windows: ActionWindows, model: ActionClassifier
) -> tuple[Trigger, ...]:
    """Each event with the action that is seen longest while it lasts, where one is at all."""
    return tuple(replace(trigger, action=_action(trigger, windows, model)) for trigger in triggers)


def _action(trigger: Trigger, windows: ActionWindows, model: ActionClassifier) -> str | None:
    if not len(windows):
        return None
    starts, ends = windows.spans_s[:, 0], windows.spans_s[:, 1]
    shared_s = np.minimum(ends, trigger.end_s) - np.maximum(starts, trigger.start_s)
    shared_s = np.where(windows.known >= model.known_from, np.maximum(shared_s, 0.0), 0.0)
    if not shared_s.any():
        return None
    by_label = (shared_s[:, None] * windows.probabilities).sum(axis=0) / shared_s.sum()
    best = int(by_label.argmax())
    return str(model.labels[best]) if by_label[best] >= SAID_FROM else None
