"""Vectors of moments on disk, a million and more: a LanceDB table for each model.

Few are compared with every one of them. Many get an index that finds the nearest candidates, which
are then compared as they are: what comes back always has its exact score.
"""

import importlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import UserFacingError
from models.selection import Indices
from models.types import Floats, Times

# Comparing with each of so many takes a few hundredths of a second. Rows picked out by video are
# read one by one, which costs more.
EXACT_ROWS = 100_000
EXACT_PICKED_ROWS = 40_000
ROWS_A_PARTITION = 4096
CODE_BITS = 4  # a dimension
# Of the index: how many of its partitions are read, and how many times as many candidates as are
# wanted are compared exactly. `python -m benchmarks.library` says what that finds.
PROBES = 160
REFINED = 2
# A reader in another process may still be at an older version.
KEPT_VERSIONS = timedelta(hours=1)
COLUMNS = ("video", "time_s", "start_s", "end_s", "vector")
_PASSING = ("No space left", "Permission denied", "Read-only file", "Too many open", "onflict")


class LibraryError(UserFacingError):
    """The library of this machine cannot be used as it is now."""


class LibraryDamagedError(Exception):
    """What is on disk is not what was written."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Stretches of video, each with the vector of the frame that stands for it."""

    times_s: Times
    starts_s: Times
    ends_s: Times
    vectors: Floats  # [N, D], unit length

    def __len__(self) -> int:
        return len(self.times_s)


class MomentTable:
    """One table. Each change is one commit: whenever a process is killed, all of it or nothing."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._lock = threading.Lock()
        self._opened: Any = None

    def add(self, video: int, moments: Moments) -> None:
        import pyarrow as pa

        vectors = np.ascontiguousarray(moments.vectors, np.float16)
        schema = _schema(vectors.shape[1])
        rows = pa.table(
            [
                pa.array(np.full(len(moments), video, np.int32)),
                pa.array(moments.times_s),
                pa.array(moments.starts_s),
                pa.array(moments.ends_s),
                pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1]),
            ],
            schema=schema,
        )
        with _plain_errors():
            self._table(schema).add(rows)

    def remove(self, video: int) -> None:
        with _plain_errors():
            if self.exists():
                self._table().delete(f"video = {int(video)}")

    def nearest(
        self, vector: Floats, count: int, videos: Sequence[int] | None = None, *, exact: bool
    ) -> tuple[Indices, Moments]:
        """The video of each, and the `count` most alike, best first; of `videos` if given."""
        with _plain_errors():
            query = self._table().search(np.asarray(vector, np.float32), "vector")
            query = query.distance_type("dot").limit(count).select([*COLUMNS, "_distance"])
            if videos is not None:
                numbers = ", ".join(str(int(video)) for video in videos)
                query = query.where(f"video IN ({numbers})", prefilter=True)
            if exact:
                query = query.bypass_vector_index()
            else:
                query = query.nprobes(PROBES).refine_factor(REFINED)
            return _read(query.to_arrow())

    def tend(self) -> None:
        """Joins what was added bit by bit, and takes it into the index where there is one."""
        with _plain_errors():
            if self.exists():
                self._table().optimize(cleanup_older_than=KEPT_VERSIONS)

    def build_index(self) -> None:
        """Takes minutes for millions; what is added meanwhile is found all the same."""
        from lancedb.index import BTree, IvfRq

        with _plain_errors():
            table = self._table()
            partitions = max(1, table.count_rows() // ROWS_A_PARTITION)
            # Nothing is to be learnt but the partitions: built in a tenth of the time of a product
            # quantizer, and it finds more.
            table.create_index(
                "vector", config=IvfRq("dot", num_partitions=partitions, num_bits=CODE_BITS)
            )
            table.create_index("video", config=BTree())

    def has_index(self) -> bool:
        with _plain_errors():
            return bool(list(self._table().list_indices()))

    def drop(self) -> None:
        with _plain_errors():
            self._opened = None
            if self.exists():
                _connect(self._folder).drop_table(self._name)

    def exists(self) -> bool:
        return (self._folder / f"{self._name}.lance").is_dir()

    def __len__(self) -> int:
        with _plain_errors():
            return int(self._table().count_rows()) if self.exists() else 0

    def _table(self, schema: Any = None) -> Any:
        with self._lock:
            if self._opened is None or not self.exists():
                database = _connect(self._folder)
                if schema is not None and not self.exists():
                    self._opened = database.create_table(self._name, schema=schema)
                else:
                    self._opened = database.open_table(self._name)
            return self._opened


def warm_up() -> None:
    """Imports what the first search would wait for."""
    importlib.import_module("lancedb")


def _connect(folder: Path) -> Any:
    import lancedb

    # Each read sees what any process has written before it.
    return lancedb.connect(str(folder), read_consistency_interval=timedelta(0))


def _schema(dim: int) -> Any:
    import pyarrow as pa

    kinds = (pa.int32(), pa.float64(), pa.float64(), pa.float64(), pa.list_(pa.float16(), dim))
    return pa.schema(list(zip(COLUMNS, kinds, strict=True)))


def _read(rows: Any) -> tuple[Indices, Moments]:
    def column(name: str) -> Any:
        return rows[name].combine_chunks().to_numpy(zero_copy_only=False)

    vectors = rows["vector"].combine_chunks()
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    return column("video").astype(np.int64), Moments(
        times_s=column("time_s"),
        starts_s=column("start_s"),
        ends_s=column("end_s"),
        vectors=flat.reshape(len(vectors), -1).astype(np.float32),
    )


@contextmanager
def _plain_errors() -> Iterator[None]:
    """LanceDB tells a full disk from a damaged table by words only.

    Raises:
        LibraryError: something that may be different the next time.
        LibraryDamagedError: what is on disk cannot be read.
    """
    try:
        yield
    except (RuntimeError, OSError, ValueError) as error:
        if any(words in str(error) for words in _PASSING):
            raise LibraryError(
                "The library on this machine cannot be read or written just now; check the space "
                "on the disk and try again."
            ) from error
        raise LibraryDamagedError(str(error)) from error
