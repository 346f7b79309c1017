"""What the library says of a video, and how it is written down."""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

COLUMNS = (
    "content_hash, name, duration_s, scenes, encoder, encoder_hash, fps, path, added_s, id, moments"
)


@dataclass(frozen=True, slots=True)
class Space:
    """The model whose vectors are compared: others cannot be."""

    model: str
    model_hash: str

    @property
    def table(self) -> str:
        return f"{self.model}-{self.model_hash[:12]}"


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """A video of the library. `path` is where it lies on this machine, and goes nowhere else."""

    content_hash: str
    name: str
    duration_s: float
    scenes: int  # distinct ones
    encoder: str
    encoder_hash: str
    fps: float
    path: Path | None = None
    added_s: float = 0.0  # since 1970
    number: int = 0
    moments: int = 0


@dataclass(frozen=True, slots=True)
class LibraryFilter:
    """Which videos: `name` is part of theirs, and they were added from `since_s` to `until_s`."""

    name: str = ""
    since_s: float | None = None
    until_s: float | None = None

    @property
    def is_open(self) -> bool:
        return not self.name and self.since_s is None and self.until_s is None


@dataclass(frozen=True, slots=True)
class LibraryFacts:
    videos: int
    duration_s: float
    moments: int
    outdated: int  # videos that only another version of the model knows


def read_entry(row: tuple[object, ...]) -> LibraryEntry:
    values = list(row)
    values[7] = None if values[7] is None else Path(os.fsdecode(str(values[7]).encode("latin-1")))
    return LibraryEntry(*values)  # type: ignore[arg-type]


def path_text(path: Path | None) -> str | None:
    """Paths are bytes; as such any of them can be kept."""
    return None if path is None else os.fsencode(path).decode("latin-1")


def storable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


def folded(name: str) -> str:
    return unicodedata.normalize("NFKC", storable(name)).casefold()
