"""Whether a trained event, such as a fight, is going on at each frame: a network over embeddings.

It runs in numpy, from the arrays of its checkpoint; models.trigger_network computes the same in
torch, is what training optimises, and is the reference. Nothing is clamped: a frame that looks like
no event gets a probability near 0, and low thresholds mean something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.checkpoint import Checkpoint, beside, load_arrays, read_checkpoint
from models.errors import CheckpointError
from models.protocols import Embedded, TriggerScorer
from models.published_triggers import LAYOUT, PublishedShape, published_logits
from models.trigger_layers import TriggerShape, event_logits, look
from models.types import Floats, Pixels, Times

if TYPE_CHECKING:
    from models.backbone_encoder import BackboneEncoder

KIND = "trigger_scorer"
BACKBONE_KIND = "backbone"


@dataclass(frozen=True, slots=True)
class TriggerCalibration:
    """From a logit to a probability, fitted on recordings that were left out of training."""

    slope: float
    offset: float

    def probability(self, logits: Floats) -> Floats:
        # Beyond 60 the exponential has nothing left to say; what it returns is not limited.
        exponent = -(self.slope * logits.astype(np.float64) + self.offset)
        return np.asarray(1 / (1 + np.exp(np.minimum(exponent, 60.0))), np.float32)


@dataclass(frozen=True, slots=True)
class EventDecision:
    """How one event is told: what it is called, how sure one must be, and of what."""

    event: str
    start_at: float
    stay_at: float
    calibration: TriggerCalibration


class TriggerDetector:
    """A detector from its checkpoint folder. Implements protocols.TriggerScorer.

    It reads the embeddings of `index_encoder`, whose weights must be those it was trained on. Given
    pictures, it has them embedded first. One that knows several events answers for the first; each
    of them is a scorer of its own in `by_event`.
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
        self.decisions = _decisions_of(checkpoint, self.shape.events)
        first = self.decisions[0]
        self.event, self.start_at, self.stay_at = first.event, first.start_at, first.stay_at
        self.calibration = first.calibration
        self._backbone_folder = backbone_folder or beside(folder, self.index_encoder)
        _check_backbone(checkpoint.name, self._backbone_folder, self.encoder_hash)
        self._arrays = load_arrays(checkpoint, self.shape.tensors())
        self._backbone: BackboneEncoder | None = None

    @property
    def by_event(self) -> "tuple[OneEvent, ...]":
        return tuple(OneEvent(self, at) for at in range(len(self.decisions)))

    def score(self, frames: Pixels | Floats | Embedded, times_s: Times) -> Floats:
        """Frames u8 [T, H, W, 3], an index or its embeddings [T, D], ascending times -> [T].

        Any length, any number of frames a second, regular or not.
        """
        return self.score_events(frames, times_s)[:, 0]

    def score_events(self, frames: Pixels | Floats | Embedded, times_s: Times) -> Floats:
        """The same for every event: [T, events]."""
        given = self._embeddings(frames)
        if given.ndim != 2 or given.shape[1] != self.dim:
            raise ValueError(f"embeddings are [T, {self.dim}], received {given.shape}")
        if times_s.shape != (len(given),):
            raise ValueError(f"one time a row, received {times_s.shape} and {given.shape}")
        if (np.diff(times_s) < 0).any():
            raise ValueError("times are ascending, received times that fall")
        if not len(given):
            return np.zeros((0, len(self.decisions)), np.float32)
        logits = self._logits(np.asarray(given, np.float32), times_s)
        each = [
            decision.calibration.probability(logits[:, at])
            for at, decision in enumerate(self.decisions)
        ]
        return np.stack(each, axis=1)

    def _logits(self, given: Floats, times_s: Times) -> Floats:
        if isinstance(self.shape, PublishedShape):
            return published_logits(self._arrays, self.shape, given)
        return event_logits(
            self._arrays, self.shape, look(self._arrays, self.shape, given), times_s
        )

    def _embeddings(self, frames: Pixels | Floats | Embedded) -> Floats:
        if not isinstance(frames, np.ndarray):
            return np.asarray(frames.embeddings, np.float32)
        if frames.dtype != np.uint8:
            return np.asarray(frames, np.float32)
        if self._backbone is None:
            from models.backbone_encoder import BackboneEncoder

            self._backbone = BackboneEncoder(self._backbone_folder)
        return self._backbone.encode_frames(np.asarray(frames, np.uint8))


class OneEvent:
    """One event of a detector that knows several. Implements protocols.TriggerScorer."""

    def __init__(self, detector: TriggerDetector, at: int) -> None:
        decision = detector.decisions[at]
        self.name = detector.name
        self.weights_hash = detector.weights_hash
        self.index_encoder = detector.index_encoder
        self.event = decision.event
        self.start_at, self.stay_at = decision.start_at, decision.stay_at
        self._detector, self._at = detector, at

    def score(self, frames: Pixels | Floats | Embedded, times_s: Times) -> Floats:
        return self._detector.score_events(frames, times_s)[:, self._at]


def each_event(model: TriggerScorer) -> Sequence[TriggerScorer]:
    """A scorer for every event that the model was trained to find."""
    return model.by_event if isinstance(model, TriggerDetector) else (model,)


def _shape_of(checkpoint: Checkpoint) -> TriggerShape | PublishedShape:
    described = dict(checkpoint.architecture)
    published = described.pop("layout", None) == LAYOUT
    try:
        return PublishedShape(**described) if published else TriggerShape(**described)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error


def _decisions_of(checkpoint: Checkpoint, events: int) -> tuple[EventDecision, ...]:
    """One event stands in the description itself, several in a list of such."""
    try:
        described = checkpoint.config["decision"]
        each: Sequence[Mapping[str, Any]] = described.get("events", [described])
        made = tuple(
            EventDecision(
                str(one["event"]),
                float(one["start_at"]),
                float(one["stay_at"]),
                TriggerCalibration(**one["calibration"]),
            )
            for one in each
        )
        if len(made) != events:
            raise ValueError(f"{events} events are told apart, but {len(made)} are decided on")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} does not say how it decides: export it again."
        ) from None
    return made


def _check_backbone(name: str, folder: Path, wanted: str) -> None:
    found = read_checkpoint(folder, kind=BACKBONE_KIND).weights_hash
    if found != wanted:
        raise CheckpointError(
            f"The checkpoint {name} was trained on a {folder.name} with the hash {wanted[:12]}, "
            f"but the one beside it has {found[:12]}: fetch both again."
        )
