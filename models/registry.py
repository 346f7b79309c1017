"""Every model by its name: what it is for, where its weights are, and how it is built."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.errors import ModelUnavailableError


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One row of the table. `kind` says which protocol the built model fulfils."""

    name: str
    kind: str
    purpose: str
    build: Callable[[], Any]
    weights: str = "no weights"
    licence: str = "Apache-2.0"


def _colour() -> Any:
    from models.colour_encoder import ColourEncoder

    return ColourEncoder()


MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="colour",
            kind="frame_encoder",
            purpose="Layout of colour and edges: finds shots and near-duplicates, knows no meaning",
            build=_colour,
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
