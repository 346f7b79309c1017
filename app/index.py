"""What is kept of a video once it was looked at: times, embeddings and small pictures, on disk.

One folder per (content hash, encoder and its weights, sampling). A folder is written elsewhere and
renamed when whole, so a reader sees all of it or nothing, whenever a process is killed.
"""

import json
import os
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, overload

import numpy as np

from app.locks import open_lock, try_lock
from app.scratch import Scratch, private_folder, sweep
from models.types import Floats, FrameBatch, Halves, Pixels, Times

FORMAT = 1
THUMBNAIL_PX = 256
# What was read a moment ago may still be in use by a page; it is not evicted however full it is.
RECENT_S = 120.0


@dataclass(frozen=True, slots=True)
class IndexKey:
    """What makes one index differ from another."""

    content_hash: str
    encoder: str
    weights_hash: str | None
    fps: float

    @property
    def folder(self) -> str:
        weights = (self.weights_hash or "none")[:12]
        return f"{self.content_hash}/{self.encoder}-{weights}-{self.fps:g}fps-{FORMAT}"


class Thumbnails(Sequence[bytes]):
    """JPEG pictures by their number, wherever they are."""

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self.picture(at % len(self))

    @abstractmethod
    def picture(self, at: int) -> bytes:
        """The picture numbered `at`, from 0."""


class StoredThumbnails(Thumbnails):
    """JPEG pictures in one file, read when asked for; stays readable after an eviction."""

    def __init__(self, path: Path, offsets: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        self._file = path.open("rb")
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def picture(self, at: int) -> bytes:
        start, end = (int(x) for x in self._offsets[at : at + 2])
        return os.pread(self._file.fileno(), end - start, start)


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The frames of one video as an encoder sees them."""

    key: IndexKey
    times_s: Times
    embeddings: Halves  # [T, D], unit length
    thumbnails: Sequence[bytes]  # JPEG, one a frame

    def __post_init__(self) -> None:
        if not len(self.times_s) == len(self.embeddings) == len(self.thumbnails):
            raise ValueError(
                "an index has one embedding and one thumbnail a frame, received "
                f"{len(self.times_s)}, {len(self.embeddings)}, {len(self.thumbnails)}"
            )

    def __len__(self) -> int:
        return len(self.times_s)

    def continued_by(self, later: "FrameIndex") -> "FrameIndex":
        """This index up to where it ends, then `later` from there on."""
        if not len(self):
            return later
        start = int(np.searchsorted(later.times_s, self.times_s[-1], side="right"))
        return FrameIndex(
            self.key,
            np.concatenate([self.times_s, later.times_s[start:]]),
            np.concatenate([self.embeddings, later.embeddings[start:]]),
            JoinedThumbnails(self.thumbnails, later.thumbnails[start:]),
        )


class JoinedThumbnails(Thumbnails):
    """Two sequences one after the other, neither copied."""

    def __init__(self, first: Sequence[bytes], second: Sequence[bytes]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def picture(self, at: int) -> bytes:
        if at < len(self._first):
            return self._first[at]
        return self._second[at - len(self._first)]


class IndexWriter:
    """Collects an index; nothing of it can be read by others before `commit`."""

    def __init__(self, key: IndexKey, root: Path) -> None:
        self.key = key
        self._root = root
        self._scratch = Scratch(root)
        self._folder = self._scratch.path / "index"
        self._folder.mkdir()
        self._pictures: IO[bytes] = (self._folder / "thumbnails.bin").open("wb")
        self._times: list[Times] = []
        self._embeddings: list[Halves] = []
        self._offsets: list[int] = [0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._pictures.close()
        self._scratch.remove()

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def add(self, batch: FrameBatch, embeddings: Floats) -> None:
        self._times.append(batch.times_s)
        self._embeddings.append(embeddings.astype(np.float16))
        for frame in batch.pixels:
            self._offsets.append(self._offsets[-1] + self._pictures.write(to_thumbnail(frame)))

    def snapshot(self) -> FrameIndex:
        """What has been collected so far."""
        self._pictures.flush()
        times, embeddings = self._arrays()
        offsets = np.array(self._offsets, dtype=np.int64)
        pictures = StoredThumbnails(self._folder / "thumbnails.bin", offsets)
        return FrameIndex(self.key, times, embeddings, pictures)

    def commit(self) -> FrameIndex:
        """Makes the index visible under its key, whole."""
        times, embeddings = self._arrays()
        np.save(self._folder / "times_s.npy", times)
        np.save(self._folder / "embeddings.npy", embeddings)
        np.save(self._folder / "offsets.npy", np.array(self._offsets, dtype=np.int64))
        meta = {"format": FORMAT, "frames": len(times), "encoder": self.key.encoder,
                "weights_hash": self.key.weights_hash, "fps": self.key.fps}  # fmt: skip
        (self._folder / "meta.json").write_text(json.dumps(meta))
        self._pictures.flush()
        for path in self._folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        final = self._root / self.key.folder
        private_folder(final.parent)
        try:
            self._folder.rename(final)
        except OSError:
            # Another process was first, and same key means same content; or what stands there is
            # from a damaged disk, and then ours replaces it.
            if read_index(final, self.key) is None:
                _remove_folder(final, self._root)
                self._folder.rename(final)
        index = read_index(final, self.key)
        return index if index is not None else self.snapshot()

    def _arrays(self) -> tuple[Times, Halves]:
        if not self._times:
            return np.zeros(0), np.zeros((0, 0), dtype=np.float16)
        return np.concatenate(self._times), np.concatenate(self._embeddings)


class IndexStore:
    """Indexes on disk, safe with several processes, the least recently read dropped first."""

    def __init__(self, root: Path, capacity_bytes: int) -> None:
        self._root = root
        self._capacity_bytes = capacity_bytes

    def load(self, key: IndexKey) -> FrameIndex | None:
        folder = self._root / key.folder
        index = read_index(folder, key)
        if index is not None:
            with suppress(OSError):  # evicted this instant by another process: it is open already
                os.utime(folder)
        return index

    def pictures(self, key: IndexKey) -> tuple[Times, Thumbnails] | None:
        """The small pictures and their times, without reading all that the encoder saw."""
        folder = self._root / key.folder
        try:
            offsets = np.load(folder / "offsets.npy", allow_pickle=False)
            times = np.load(folder / "times_s.npy", allow_pickle=False)
            thumbnails = StoredThumbnails(folder / "thumbnails.bin", offsets)
        except (OSError, ValueError, EOFError):
            return None
        return (times, thumbnails) if len(times) == len(thumbnails) else None

    def writer(self, key: IndexKey) -> IndexWriter:
        return IndexWriter(key, self._root)

    @contextmanager
    def try_building(self, key: IndexKey) -> Iterator[bool]:
        """True if this caller may build the index, False while another one is at it."""
        locks = self._root / ".locks"
        private_folder(locks)
        lock = open_lock(locks / key.folder.replace("/", "-"))
        try:
            yield try_lock(lock)
        finally:
            os.close(lock)

    def evict(self, unread_s: float | None = None) -> None:
        """Removes what dead writers left, then the least recently read until all of it fits.

        `unread_s`: what was not read for so long goes in any case.
        """
        if not self._root.is_dir():
            return
        sweep(self._root)
        found = [(_read_at(folder), _size_bytes(folder), folder)
                 for folder in self._root.glob("[!.]*/*")]  # fmt: skip
        excess = sum(size for _, size, _ in found) - self._capacity_bytes
        for read_at, size, folder in sorted(found):
            idle_s = time.time() - read_at
            too_old = unread_s is not None and idle_s > unread_s
            if idle_s < RECENT_S or not (too_old or excess > 0):
                break
            _remove_folder(folder, self._root)
            with suppress(OSError):  # other indexes of the same video stay
                folder.parent.rmdir()
            excess -= size


def read_index(folder: Path, key: IndexKey) -> FrameIndex | None:
    """The index in `folder`, or None if there is none that is whole."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        if meta["format"] != FORMAT or meta["weights_hash"] != key.weights_hash:
            return None
        offsets = np.load(folder / "offsets.npy", allow_pickle=False)
        if offsets[-1] != (folder / "thumbnails.bin").stat().st_size:
            return None
        return FrameIndex(
            key,
            np.load(folder / "times_s.npy", allow_pickle=False),
            # Mapped, not read: a query that was projected before needs none of it.
            np.load(folder / "embeddings.npy", mmap_mode="r", allow_pickle=False),
            StoredThumbnails(folder / "thumbnails.bin", offsets),
        )
    except (OSError, ValueError, KeyError, IndexError, EOFError):
        return None


def to_thumbnail(frame: Pixels) -> bytes:
    """A small JPEG of an RGB frame, in proportion."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(1.0, THUMBNAIL_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 78])[1])


def _remove_folder(folder: Path, root: Path) -> None:
    """Renamed first, so that no reader meets it half removed."""
    with Scratch(root) as scratch, suppress(OSError):  # another process removed it
        folder.rename(scratch.path / "doomed")


def _read_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()


def _size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with suppress(OSError):  # evicted by another process meanwhile
            total += path.stat().st_size
    return total
