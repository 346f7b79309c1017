"""Labels that people type, told apart without examples by a model of frames and texts."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.errors import RequestError
from models.protocols import Embedded, FrameEncoder, FrameTextEncoder
from models.types import ActionWindows, Floats, Halves, Pixels, Times

# As long as most actions take to be seen; half of each window is shared with the next.
WINDOW_S = 4.0
STEP_S = 2.0
ROWS_AT_ONCE = 4096
EDGE = 1e-7  # probabilities of 0 and 1 have no odds

Rows = npt.NDArray[np.int64]


class OwnLabels:
    """Implements protocols.ActionClassifier with the labels given.

    A window is the mean of its frames. The odds of each label are those that the model was
    calibrated to, "none of these" has even odds beside them, and each has its share of the sum.
    A label is said where it is likelier than "none of these". Among many labels one looks right
    by chance; but people name what they expect, so that they count as the square root of so many
    (measured in train/LOG.md).
    """

    known_from = 0.5

    def __init__(
        self, model: FrameTextEncoder, labels: Sequence[str], encoder: FrameEncoder | None = None
    ) -> None:
        """`encoder` makes the index; it is needed for `classify` alone.

        Raises:
            RequestError: the model can make nothing of one of the labels.
        """
        for label in labels:
            if not model.reads(label):
                raise RequestError(
                    f"“{label}” is no label that can be read; write English words, such as: "
                    "pouring coffee."
                )
        self.name = model.name
        self.weights_hash = model.weights_hash
        self.index_encoder = model.index_encoder
        self.labels = tuple(labels)
        self._model, self._encoder = model, encoder
        self._texts_KD = model.encode_texts(labels)

    def classify(self, frames: Pixels, times_s: Times) -> Floats:
        """u8 RGB [T, H, W, 3] and ascending times -> float32 [K], sums to one, for the whole."""
        if self._encoder is None:
            raise ValueError("frames need the encoder of the index, received none")
        vectors = self._project(self._encoder.encode_frames(frames))
        shares, _ = self._shares(vectors.mean(0, keepdims=True))
        return np.asarray(shares[0] / shares[0].sum(), np.float32)

    def classify_windows(self, embeddings: Floats | Embedded, times_s: Times) -> ActionWindows:
        """An index or its embeddings, any length and any number of frames a second."""
        given = embeddings if isinstance(embeddings, np.ndarray) else embeddings.embeddings
        vectors_TD = self._project(given)
        rows = _windows(times_s)
        means_WD = np.stack([vectors_TD[part].mean(0) for part in rows])
        probabilities, known = self._shares(means_WD)
        best = probabilities.argmax(1)
        return ActionWindows(
            spans_s=_spans(times_s, rows),
            probabilities=probabilities,
            known=known,
            frames=tuple(rows),
            attention=tuple(
                self._counted(vectors_TD[part], int(label))
                for part, label in zip(rows, best, strict=True)
            ),
        )

    def _project(self, features: Floats | Halves) -> Floats:
        parts = range(0, len(features), ROWS_AT_ONCE)
        return np.concatenate(
            [
                self._model.project(features[at : at + ROWS_AT_ONCE].astype(np.float32))
                for at in parts
            ]
        )

    def _shares(self, means: Floats) -> tuple[Floats, Floats]:
        """[W, K] the probability of each label, and [W] that the best one beats none of them."""
        unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
        odds = np.exp(self._logits(unit))  # beside 1 for none of these
        best = odds.max(1)
        shares = odds / (1 + odds.sum(1, keepdims=True))
        return np.asarray(shares, np.float32), np.asarray(best / (1 + best), np.float32)

    def _logits(self, vectors: Floats) -> Floats:
        searched = round(math.sqrt(len(self.labels)))
        chance = self._model.probability(vectors @ self._texts_KD.T, searched)
        sure = chance.astype(np.float64).clip(EDGE, 1 - EDGE)
        return np.asarray(np.log(sure / (1 - sure)))

    def _counted(self, vectors: Floats, label: int) -> Floats:
        """How much each frame speaks for the label, beside the others of its window."""
        logits = self._logits(vectors)[:, label]
        shares = np.exp(logits - logits.max())
        return np.asarray(shares / shares.sum(), np.float32)


def _windows(times_s: Times) -> list[Rows]:
    """The rows of each window; none is empty, and together they hold every row."""
    first, last = float(times_s[0]), float(times_s[-1])
    starts = np.arange(first, max(last - WINDOW_S, first) + STEP_S, STEP_S)
    found = list[Rows]()
    for start_s in starts:
        low, high = np.searchsorted(times_s, [start_s - 1e-6, start_s + WINDOW_S - 1e-6])
        if start_s == starts[-1]:
            high = len(times_s)
        rows = np.arange(low, high)
        if len(rows) and (not found or rows[-1] > found[-1][-1]):
            found.append(rows)
    return found


def _spans(times_s: Times, rows: Sequence[Rows]) -> Times:
    """A frame lasts until the next one; the last as long as frames are apart elsewhere."""
    apart = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.5
    ends = np.append(times_s[1:], times_s[-1] + apart)
    return np.array([(times_s[part[0]], ends[part[-1]]) for part in rows], np.float64)
