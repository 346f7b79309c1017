"""Which of the trained actions a video shows, window by window: a network over embeddings.

A window is up to 16 frames in a row. They are projected, read both ways by an LSTM, weighed by an
attention over time, and named. One more answer, "something else", is learned beside the names; how
far a name is ahead of it, calibrated, says whether a window shows one of the labels at all.

It runs in numpy (models.action_layers); models.action_network is what training optimises.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.action_layers import ActionShape, classify_sequences, look, padded
from models.checkpoint import Checkpoint, beside, load_arrays, read_checkpoint
from models.errors import CheckpointError
from models.numpy_layers import Arrays
from models.protocols import Embedded
from models.types import ActionWindows, Floats, Pixels, Times

if TYPE_CHECKING:
    from models.backbone_encoder import BackboneEncoder

KIND = "action_classifier"
BACKBONE_KIND = "backbone"
WINDOW_FRAMES = 16
LONGEST_WINDOW_S = 8.0  # where frames are far apart, a window has fewer
STEP_FRAMES = 4  # from the start of one window to that of the next
WINDOWS_AT_ONCE = 256
ROWS_AT_ONCE = 4096
TIME_MARGIN_S = 1e-6
ALONE_S = 0.5  # how long a single frame lasts

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ActionCalibration:
    """From logits to probabilities, fitted on recordings that were left out of training."""

    temperature: float  # of the labels among themselves
    best: float  # weight of the best label's logit
    lead: float  # weight of its lead over "something else"
    offset: float

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature is above 0, received {self.temperature}")

    def probabilities(self, logits: Floats) -> Floats:
        """[W, K + 1] -> [W, K] that sum to one: which label, if it is one of them."""
        named = logits[:, :-1].astype(np.float64) / self.temperature
        shares = np.exp(named - named.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def known(self, logits: Floats) -> Floats:
        """[W, K + 1] -> [W]: that it is one of the labels."""
        best, lead = evidence(logits)
        exponent = -(self.best * best + self.lead * lead + self.offset)
        return np.asarray(1 / (1 + np.exp(np.minimum(exponent, 60.0))), np.float32)


def evidence(logits: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What speaks for any label: the best one's logit, and its lead over "something else"."""
    values = logits.astype(np.float64)
    best = values[:, :-1].max(axis=1)
    return best, best - values[:, -1]


class ActionClassifier:
    """A classifier from its checkpoint folder. Implements protocols.ActionClassifier.

    It reads the embeddings of `index_encoder`, whose weights must be those it was trained on. Given
    pictures, it has them embedded first.
    """

    def __init__(self, folder: Path, backbone_folder: Path | None = None) -> None:
        """The backbone is the folder beside this one that the description names, unless given.

        Raises:
            CheckpointError: this folder or the backbone's cannot be used.
        """
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.index_encoder = str(checkpoint.preprocessing["encoder"])
        self.encoder_hash = str(checkpoint.preprocessing["encoder_hash"])
        self.shape = _shape_of(checkpoint)
        self.dim = self.shape.input_dim
        self.labels = tuple(str(label) for label in checkpoint.config.get("labels", ()))
        try:
            decision = checkpoint.config["decision"]
            self.known_from = float(decision["known_from"])
            self.calibration = ActionCalibration(**decision["calibration"])
        except (KeyError, TypeError, ValueError):
            raise CheckpointError(
                f"The checkpoint {checkpoint.name} does not say how it decides: export it again."
            ) from None
        if len(self.labels) != self.shape.labels:
            raise CheckpointError(
                f"The checkpoint {checkpoint.name} names {len(self.labels)} labels for a network "
                f"that tells {self.shape.labels} apart: export it again."
            )
        self._backbone_folder = backbone_folder or beside(folder, self.index_encoder)
        _check_backbone(checkpoint.name, self._backbone_folder, self.encoder_hash)
        self.arrays: Arrays = load_arrays(checkpoint, self.shape.tensors())
        self._backbone: BackboneEncoder | None = None

    def classify(self, frames: Pixels, times_s: Times) -> Floats:
        """u8 RGB [T, H, W, 3] and ascending times -> float32 [K], sums to one, for the whole.

        Windows count by how long they are and how likely they show one of the labels.
        """
        if len(frames) == 0:
            raise ValueError("there is at least one frame, received none")
        if self._backbone is None:
            from models.backbone_encoder import BackboneEncoder

            self._backbone = BackboneEncoder(self._backbone_folder)
        return overall(self.classify_windows(self._backbone.encode_frames(frames), times_s))

    def classify_windows(self, embeddings: Floats | Embedded, times_s: Times) -> ActionWindows:
        """An index or its embeddings, any length and any number of frames a second."""
        given = embeddings if isinstance(embeddings, np.ndarray) else embeddings.embeddings
        if given.ndim != 2 or given.shape[1] != self.dim:
            raise ValueError(f"embeddings are [T, {self.dim}], received {given.shape}")
        if times_s.shape != (len(given),):
            raise ValueError(f"one time a row, received {times_s.shape} and {given.shape}")
        if (np.diff(times_s) < 0).any():
            raise ValueError("times are ascending, received times that fall")
        seen = np.empty((len(given), self.shape.seen_dim), np.float32)
        for start in range(0, len(given), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            seen[part] = look(self.arrays, self.shape, np.asarray(given[part], np.float32))
        windows = windows_over(times_s)
        logits, attention = window_logits(self.arrays, self.shape, seen, times_s, windows)
        return ActionWindows(
            spans_s=spans_of(times_s, windows),
            probabilities=self.calibration.probabilities(logits),
            known=self.calibration.known(logits),
            frames=tuple(windows),
            attention=tuple(attention),
        )


def overall(windows: ActionWindows) -> Floats:
    """[K], sums to one: the windows' mean by length and by how likely they show any label."""
    lengths_s = np.maximum(windows.spans_s[:, 1] - windows.spans_s[:, 0], 1e-3)
    weights = lengths_s * np.maximum(windows.known, 1e-3)
    return np.asarray(weights @ windows.probabilities / weights.sum(), np.float32)


def windows_over(times_s: Times) -> list[Rows]:
    """Rows of each window, in order of time: none is empty and together they hold every row.

    The last one ends with the last row, so that the end of a video has as much around it as any
    other part.
    """
    count = len(times_s)
    windows: list[Rows] = []
    start = 0
    while start < count:
        low = start
        if start + WINDOW_FRAMES > count:  # as many rows before the end as it may have
            low = int(np.searchsorted(times_s, times_s[-1] - LONGEST_WINDOW_S + TIME_MARGIN_S))
            low = max(min(low, start), count - WINDOW_FRAMES, 0)
        reach_s = times_s[low] + LONGEST_WINDOW_S - TIME_MARGIN_S
        high = min(int(np.searchsorted(times_s, reach_s)), low + WINDOW_FRAMES)
        high = max(high, low + 1)
        windows.append(np.arange(low, high))
        if high == count:
            break
        start = min(start + STEP_FRAMES, high)
    return windows


def spans_of(times_s: Times, windows: list[Rows]) -> Times:
    """[W, 2]. A frame lasts until the next one; the last as long as frames are apart elsewhere."""
    if not windows:
        return np.empty((0, 2), np.float64)
    apart_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else ALONE_S
    ends_s = np.append(times_s[1:], times_s[-1] + apart_s)
    spans = [
        (times_s[rows[0]], min(ends_s[rows[-1]], times_s[rows[-1]] + LONGEST_WINDOW_S))
        for rows in windows
    ]
    return np.asarray(spans, np.float64)


def window_logits(
    arrays: Arrays, shape: ActionShape, seen: Floats, times_s: Times, windows: list[Rows]
) -> tuple[Floats, list[Floats]]:
    """[W, K + 1], and how much each frame of each window counted."""
    logits = np.empty((len(windows), shape.labels + 1), np.float32)
    attention: list[Floats] = []
    for start in range(0, len(windows), WINDOWS_AT_ONCE):
        part = windows[start : start + WINDOWS_AT_ONCE]
        batch = padded([seen[rows] for rows in part], [times_s[rows] for rows in part])
        found, weights = classify_sequences(arrays, shape, *batch)
        logits[start : start + len(part)] = found
        attention += [row[: len(rows)] for row, rows in zip(weights, part, strict=True)]
    return logits, attention


def _shape_of(checkpoint: Checkpoint) -> ActionShape:
    try:
        return ActionShape(**checkpoint.architecture)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error


def _check_backbone(name: str, folder: Path, wanted: str) -> None:
    found = read_checkpoint(folder, kind=BACKBONE_KIND).weights_hash
    if found != wanted:
        raise CheckpointError(
            f"The checkpoint {name} was trained on a {folder.name} with the hash {wanted[:12]}, "
            f"but the one beside it has {found[:12]}: fetch both again."
        )
