"""How well boxes agree with the teacher's: average precision and recall at an overlap of one half.

The teacher's sure boxes are what should be found. Its doubtful ones are neither right nor wrong: a
box that fits one of them is left out of the count.
"""

from dataclasses import dataclass, field

import numpy as np

from models.boxes import areas, overlaps
from models.types import Floats

SURE = 0.5  # of the teacher's score
SAME_IOU = 0.5
LARGE = 1 / 20  # of the picture's area


@dataclass(slots=True)
class Agreement:
    """Of one label, over many pictures. `least_area` in shares of the picture."""

    least_area: float = 0.0
    wanted: int = 0
    _found: list[tuple[float, bool]] = field(default_factory=list)  # score, and whether right

    def add(self, boxes: Floats, scores: Floats, theirs: Floats, their_scores: Floats) -> None:
        """One picture's: ours, and all of the teacher's, doubtful ones too."""
        if not len(boxes) and not len(theirs):
            return
        large_enough = areas(boxes) >= self.least_area
        sure = (their_scores >= SURE) & (areas(theirs) >= self.least_area)
        self.wanted += int(sure.sum())
        taken = np.zeros(len(theirs), bool)
        shared = overlaps(boxes, theirs)
        for row in np.argsort(-scores, kind="stable"):
            fits = (shared[row] >= SAME_IOU) & ~taken
            right = np.flatnonzero(fits & sure)
            if len(right):
                taken[right[shared[row, right].argmax()]] = True
                self._found.append((float(scores[row]), True))
            elif large_enough[row] and not fits.any():
                self._found.append((float(scores[row]), False))

    def average_precision(self) -> float:
        """The area under precision over recall, precision never rising; NaN without any wanted."""
        if not self.wanted:
            return float("nan")
        _, precision, recall = self.curve()
        best_after = np.maximum.accumulate(precision[::-1])[::-1]
        steps = np.diff(np.concatenate([np.zeros(1), recall]))
        return float((best_after * steps).sum())

    def at(self, least_score: float) -> tuple[float, float]:
        """Precision and recall of the boxes that have at least this score."""
        kept = [right for score, right in self._found if score >= least_score]
        precision = sum(kept) / len(kept) if kept else float("nan")
        return precision, sum(kept) / self.wanted if self.wanted else float("nan")

    def best_score(self, *, among: tuple[float, ...]) -> float:
        """Where precision and recall are best together (F1)."""

        def f1(least: float) -> float:
            precision, recall = self.at(least)
            total = precision + recall
            return 2 * precision * recall / total if total > 0 else 0.0

        return max(among, key=f1)

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """Scores, surest first, with precision and recall down to each."""
        found = sorted(self._found, reverse=True)
        right = np.cumsum([is_right for _, is_right in found]) if found else np.zeros(0)
        count = np.arange(1, len(found) + 1)
        scores = np.array([score for score, _ in found], np.float32)
        return (
            scores,
            np.asarray(right / count, np.float32),
            np.asarray(right / max(self.wanted, 1), np.float32),
        )
