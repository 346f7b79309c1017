"""What was measured of a classifier, class by class, from its metrics.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """`confusion[i][j]`: how many tests with class i were taken for class j."""

    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    protocol: str = ""  # how that was measured, in sentences

    def accuracy(self, at: int) -> float:
        """The share that was recognized; 0 where the class was never tested."""
        return self.confusion[at][at] / max(self.count(at), 1)

    def count(self, at: int) -> int:
        return sum(self.confusion[at])


def class_quality(
    metrics: Mapping[str, Any], labels: Sequence[str] | None = None
) -> ClassQuality | None:
    """None where nothing of the kind was written down, or it does not fit together.

    The description has `confusion` as rows of counts, in the order of its `labels`.
    """
    confusion = metrics.get("confusion")
    if isinstance(confusion, Mapping):
        labels = confusion.get("labels", labels)
        confusion = confusion.get("counts")
    labels = metrics.get("labels", labels)
    try:
        rows = tuple(tuple(int(count) for count in row) for row in confusion or ())
    except (TypeError, ValueError):
        return None
    fits = labels is not None and {len(rows), *map(len, rows)} == {len(labels)}
    if not rows or not fits:
        return None
    return ClassQuality(tuple(map(str, labels or ())), rows, str(metrics.get("protocol", "")))
