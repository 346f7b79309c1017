"""What was indexed on this machine, to be searched all at once.

    videos.sqlite   the videos, and which of their moments are whole
    *.lance         the moments, one table for each model whose space they are in

A video is there when its row says so, and its row says so only after its moments are. What a killed
process left half done is taken away by the next one that writes.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.library_entries import (
    COLUMNS,
    LibraryEntry,
    LibraryFacts,
    LibraryFilter,
    Space,
    folded,
    path_text,
    read_entry,
    storable,
)
from app.locks import brief_lock, long_lock
from app.moment_table import (
    EXACT_PICKED_ROWS,
    EXACT_ROWS,
    LibraryDamagedError,
    LibraryError,
    Moments,
    MomentTable,
)
from app.progress import Progress, Report, Stop, ignore_progress, never_stop
from app.scratch import private_folder
from models.selection import Indices
from models.types import Floats

FORMAT = 1
BUSY_S = 20.0
# Videos added one by one are joined on disk when there are so many of them.
TEND_EVERY = 50
DAMAGED = (
    "The library was damaged and has been put aside; it starts anew, and holds again what you "
    "open or index from now on."
)
_WHOLE, _ADDING, _REMOVING = "whole", "adding", "removing"
_SCHEMA = """
CREATE TABLE videos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL, model_hash TEXT NOT NULL,
    content_hash TEXT NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL,
    added_s REAL NOT NULL, duration_s REAL NOT NULL,
    moments INTEGER NOT NULL, scenes INTEGER NOT NULL,
    encoder TEXT NOT NULL, encoder_hash TEXT NOT NULL, fps REAL NOT NULL,
    path TEXT, state TEXT NOT NULL,
    UNIQUE (model, model_hash, content_hash));
CREATE TABLE tended (
    model TEXT, model_hash TEXT, videos INTEGER, indexed INTEGER, PRIMARY KEY (model, model_hash));
"""


class Library:
    """Safe with several threads and processes. Nothing is on disk before the first video."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "library"
        self._locks = data_dir
        self._tables: dict[str, MomentTable] = {}

    # -- reading -------------------------------------------------------------------------------

    def facts(self, space: Space) -> LibraryFacts:
        with self._sound():
            if not self._file.exists():
                return LibraryFacts(0, 0.0, 0, 0)
            with self._reading() as database:
                row = database.execute(
                    "SELECT count(*), total(duration_s), coalesce(sum(moments), 0) FROM videos "
                    "WHERE model = ? AND model_hash = ? AND state = ?",
                    (space.model, space.model_hash, _WHOLE),
                ).fetchone()
                outdated = database.execute(
                    "SELECT count(DISTINCT content_hash) FROM videos WHERE model = ? AND "
                    "content_hash NOT IN "
                    "(SELECT content_hash FROM videos WHERE model = ? AND model_hash = ?)",
                    (space.model, space.model, space.model_hash),
                ).fetchone()
        return LibraryFacts(row[0], row[1], row[2], outdated[0])

    def entries(
        self, space: Space, only: LibraryFilter | None = None, limit: int = -1
    ) -> list[LibraryEntry]:
        """The whole videos that fit, those added last first."""
        only = only or LibraryFilter()
        with self._sound():
            if not self._file.exists():
                return []
            with self._reading() as database:
                rows = database.execute(
                    f"SELECT {COLUMNS} FROM videos WHERE model = ? AND model_hash = ? "
                    "AND state = ? AND instr(folded, ?) AND added_s >= ? AND added_s < ? "
                    "ORDER BY id DESC LIMIT ?",
                    (
                        space.model, space.model_hash, _WHOLE, folded(only.name),
                        only.since_s if only.since_s is not None else float("-inf"),
                        only.until_s if only.until_s is not None else float("inf"), limit,
                    ),
                ).fetchall()  # fmt: skip
        return [read_entry(row) for row in rows]

    def entry(self, space: Space, content_hash: str) -> LibraryEntry | None:
        with self._sound():
            if not self._file.exists():
                return None
            with self._reading() as database:
                row = database.execute(
                    f"SELECT {COLUMNS} FROM videos WHERE model = ? AND model_hash = ? "
                    "AND content_hash = ? AND state = ?",
                    (space.model, space.model_hash, content_hash, _WHOLE),
                ).fetchone()
        return None if row is None else read_entry(row)

    def nearest(
        self, space: Space, vector: Floats, count: int, entries: list[LibraryEntry], *, all_: bool
    ) -> tuple[Indices, Moments]:
        """Of these entries' moments the `count` most alike; `all_`: there are no other entries.

        Exact where there are few enough to compare with each.
        """
        rows = sum(entry.moments for entry in entries)
        few = rows <= (EXACT_ROWS if all_ else EXACT_PICKED_ROWS)
        numbers = None if all_ else [entry.number for entry in entries]
        with self._sound():
            try:
                return self.table(space).nearest(vector, count, numbers, exact=few)
            except LibraryDamagedError:  # or it was tidied up under our hands
                self._tables.pop(space.table, None)
                return self.table(space).nearest(vector, count, numbers, exact=few)

    # -- writing -------------------------------------------------------------------------------

    def add(
        self, space: Space, entry: LibraryEntry, moments: Moments, stop: Stop = never_stop
    ) -> bool:
        """False if it was there already; then only its name and place are brought up to date."""
        with self._sound(), self._writing(stop) as database:
            self._settle(database, space)
            if self._is_known(database, space, entry):
                return False
            with database:
                number = database.execute(
                    "INSERT INTO videos (model, model_hash, content_hash, name, folded, added_s, "
                    "duration_s, moments, scenes, encoder, encoder_hash, fps, path, state) "
                    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        space.model, space.model_hash, entry.content_hash, storable(entry.name),
                        folded(entry.name), entry.added_s or time.time(), entry.duration_s,
                        len(moments), entry.scenes, entry.encoder, entry.encoder_hash, entry.fps,
                        path_text(entry.path), _ADDING,
                    ),
                ).lastrowid  # fmt: skip
            self.table(space).add(int(number or 0), moments)
            with database:
                database.execute("UPDATE videos SET state = ? WHERE id = ?", (_WHOLE, number))
                database.execute(
                    "UPDATE videos SET state = ? "
                    "WHERE model = ? AND content_hash = ? AND model_hash != ?",
                    (_REMOVING, space.model, entry.content_hash, space.model_hash),
                )
            self._settle(database, space)
        return True

    def remove(self, space: Space, content_hash: str) -> bool:
        """Of whatever version of the model."""
        with self._sound():
            if not self._file.exists():
                return False
            with self._writing(never_stop) as database:
                with database:
                    gone = database.execute(
                        "UPDATE videos SET state = ? WHERE model = ? AND content_hash = ?",
                        (_REMOVING, space.model, content_hash),
                    ).rowcount
                self._settle(database, space)
        return bool(gone)

    def tend(
        self,
        space: Space,
        report: Report = ignore_progress,
        stop: Stop = never_stop,
        *,
        only_if_due: bool = False,
    ) -> None:
        """Joins what came bit by bit; builds the index where there are many moments."""
        with self._sound():
            if not self._file.exists():
                return
            with long_lock(self._locks / "library.tending.lock", stop):
                table = self.table(space)
                videos, known, tended, indexed = self._how_tended(space, table)
                if only_if_due and videos < tended + TEND_EVERY:
                    return
                report(Progress("Tidying the library"))
                with long_lock(self._locks / "library.lock", stop):
                    table.tend()
                if known > EXACT_ROWS and (not table.has_index() or known > 2 * indexed):
                    report(Progress("Indexing the library", note=f"{known:,} moments"))
                    table.build_index()
                    indexed = known
                with self._writing(stop) as database, database:
                    database.execute(
                        "INSERT OR REPLACE INTO tended VALUES (?, ?, ?, ?)",
                        (space.model, space.model_hash, videos, indexed),
                    )

    def _how_tended(self, space: Space, table: MomentTable) -> tuple[int, int, int, int]:
        """Videos and moments now, and what they were when last tended and indexed."""
        with self._reading() as database:
            videos = database.execute(
                "SELECT count(*) FROM videos WHERE model = ? AND model_hash = ?",
                (space.model, space.model_hash),
            ).fetchone()[0]
            row = database.execute(
                "SELECT videos, indexed FROM tended WHERE model = ? AND model_hash = ?",
                (space.model, space.model_hash),
            ).fetchone()
        return videos, len(table), *(row or (0, 0))

    def _is_known(self, database: sqlite3.Connection, space: Space, entry: LibraryEntry) -> bool:
        with database:
            found = database.execute(
                "UPDATE videos SET name = ?, folded = ?, path = coalesce(?, path) "
                "WHERE model = ? AND model_hash = ? AND content_hash = ?",
                (
                    storable(entry.name), folded(entry.name), path_text(entry.path),
                    space.model, space.model_hash, entry.content_hash,
                ),
            )  # fmt: skip
        return found.rowcount > 0

    def _settle(self, database: sqlite3.Connection, kept: Space) -> None:
        """Takes away what is not whole: nobody else writes now. A space left empty goes too, but
        for the one in use: others may have its table open."""
        undone = database.execute(
            "SELECT id, model, model_hash FROM videos WHERE state != ?", (_WHOLE,)
        ).fetchall()
        for number, model, model_hash in undone:
            space = Space(model, model_hash)
            table = self.table(space)
            table.remove(number)
            with database:
                database.execute("DELETE FROM videos WHERE id = ?", (number,))
            left = database.execute(
                "SELECT count(*) FROM videos WHERE model = ? AND model_hash = ?",
                (model, model_hash),
            ).fetchone()[0]
            if not left and space != kept:
                table.drop()

    # -- the files -----------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self._root / "videos.sqlite"

    def table(self, space: Space) -> MomentTable:
        """The moments themselves, whatever is said of their videos."""
        return self._tables.setdefault(space.table, MomentTable(self._root, space.table))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=BUSY_S)) as database:
            if database.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                raise LibraryDamagedError("it is of another version")
            yield database

    @contextmanager
    def _writing(self, stop: Stop) -> Iterator[sqlite3.Connection]:
        """One process at a time, whoever waits can be stopped."""
        private_folder(self._root)
        with long_lock(self._locks / "library.lock", stop):
            if not self._file.exists():
                self._create()
            with self._reading() as database:
                yield database

    def _create(self) -> None:
        """Under its name only when it is complete. Vectors without their videos are worthless."""
        for lost in self._root.glob("*.lance"):
            shutil.rmtree(lost)
        self._tables.clear()
        unfinished = self._root / "videos.new"
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(unfinished)) as database:
            database.executescript(f"{_SCHEMA} PRAGMA user_version = {FORMAT};")
        unfinished.chmod(0o600)
        unfinished.rename(self._file)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """Turns what is wrong with the files into a sentence; damaged ones are put aside.

        Raises:
            LibraryError: with the sentence.
        """
        before = self._identity()
        try:
            yield
        except (LibraryDamagedError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not _means_damage(error):
                raise LibraryError(
                    "The library on this machine is busy or its disk is full; try again."
                ) from error
            self._put_aside(before)
            raise LibraryError(DAMAGED) from error

    def _identity(self) -> int | None:
        try:
            return self._root.stat().st_ino
        except FileNotFoundError:
            return None

    def _put_aside(self, damaged: int | None) -> None:
        """Unless another process has done so already."""
        with brief_lock(self._locks / "library.lock"):
            self._tables.clear()
            if damaged is not None and self._identity() == damaged:
                stamp = time.strftime("%Y%m%d-%H%M%S")
                self._root.rename(self._locks / f"library-damaged-{stamp}-{os.getpid()}")


def _means_damage(error: sqlite3.DatabaseError) -> bool:
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in codes
