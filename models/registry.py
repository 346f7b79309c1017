"""Every model by its name: what it is for, where its weights are, and how it is built."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ModelUnavailableError

NO_WEIGHTS = "no weights"
CHECKPOINTS_DIR = Path(__file__).resolve().parent.parent / "checkpoints"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One row of the table. `kind` says which protocol the built model fulfils."""

    name: str
    kind: str
    purpose: str
    build: Callable[[], Any]
    weights: str = NO_WEIGHTS
    licence: str = "Apache-2.0"


def _colour() -> Any:
    from models.colour_encoder import ColourEncoder

    return ColourEncoder()


def _backbone() -> Any:
    from models.backbone_encoder import BackboneEncoder

    return BackboneEncoder(CHECKPOINTS_DIR / "backbone")


def _compact() -> Any:
    from models.frame_text_encoder import FrameTextEncoder

    return FrameTextEncoder(CHECKPOINTS_DIR / "compact")


def _keyframe_scorer() -> Any:
    from models.keyframe_scorer import KeyframeScorer

    return KeyframeScorer(CHECKPOINTS_DIR / "keyframe_scorer")


def _captioner() -> Any:
    from models.captioner import Captioner

    return Captioner(CHECKPOINTS_DIR / "captioner")


MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="colour",
            kind="frame_encoder",
            purpose="Layout of colour and edges: finds shots and near-duplicates, knows no meaning",
            build=_colour,
        ),
        ModelEntry(
            name="backbone",
            kind="frame_encoder",
            purpose="What is in a picture, as numbers that the models below read",
            build=_backbone,
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="compact",
            kind="frame_text_encoder",
            purpose="Finds moments by words or by a picture",
            build=_compact,
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="keyframe_scorer",
            kind="frame_scorer",
            purpose="How important people would find each moment",
            build=_keyframe_scorer,
            weights="shipped, trained here",
        ),
    )
}

_loaded: dict[str, Any] = {}
_locks: dict[str, threading.Lock] = {name: threading.Lock() for name in MODELS}


def names(kind: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in MODELS.values() if entry.kind == kind)


def load(name: str) -> Any:
    """The model of that name, built on first use and then shared.

    Raises:
        ModelUnavailableError: there is no such model, or its weights cannot be had.
    """
    if name not in MODELS:
        raise ModelUnavailableError(
            f"There is no model named {name!r}; there are: {', '.join(MODELS)}."
        )
    with _locks[name]:
        if name not in _loaded:
            _loaded[name] = MODELS[name].build()
        return _loaded[name]
