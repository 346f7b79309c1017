"""Private folders for unfinished work: gone when the work ends, however it ends.

A folder is locked for as long as its process lives, so that whatever a killed process left behind
is recognised without guessing at ages.
"""

import fcntl
import os
import secrets
import shutil
import time
from pathlib import Path

from app.locks import is_locked, open_lock

_PREFIX = ".work-"
_LOCK = "lock"
_GRACE_S = 60.0


class Scratch:
    """A fresh folder of mode 0700 under `parent`. Files in it are moved out or lost."""

    def __init__(self, parent: Path) -> None:
        private_folder(parent)
        sweep(parent)
        self._root = parent / f"{_PREFIX}{secrets.token_hex(8)}"
        self._root.mkdir(mode=0o700)
        self._lock = _hold(self._root / _LOCK)
        self.path = self._root / "files"
        self.path.mkdir(mode=0o700)
        self._open = True

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Deletes the folder; harmless when done twice."""
        if self._open:
            self._open = False
            shutil.rmtree(self._root, ignore_errors=True)
            os.close(self._lock)


def _hold(lock: Path) -> int:
    """The lock file appears under its name only once it is held: nobody can take it in between."""
    unnamed = lock.with_suffix(".new")
    held = open_lock(unnamed)
    fcntl.flock(held, fcntl.LOCK_EX)
    unnamed.rename(lock)
    return held


def private_folder(path: Path) -> None:
    """Makes the folder, and any above it that is missing, for this user only."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def sweep(parent: Path) -> None:
    """Removes what processes that no longer live left under `parent`."""
    for folder in parent.glob(f"{_PREFIX}*"):
        if _abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    lock = folder / _LOCK
    if lock.exists():
        return not is_locked(lock)
    try:  # killed, or just now between making the folder and its lock
        return time.time() - folder.stat().st_mtime > _GRACE_S
    except FileNotFoundError:
        return False
