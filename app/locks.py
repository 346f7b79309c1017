"""File locks that hold between threads and processes and vanish with their holder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.progress import Stop, check_stop

POLL_S = 0.1


def open_lock(path: Path) -> int:
    """Each opening is a holder of its own, two threads of one process included."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def brief_lock(path: Path) -> Iterator[None]:
    """For work of milliseconds."""
    lock = open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextmanager
def long_lock(path: Path, stop: Stop) -> Iterator[None]:
    """For work of minutes: whoever waits for it can be stopped."""
    lock = open_lock(path)
    try:
        while not try_lock(lock):
            check_stop(stop)
            time.sleep(POLL_S)
        yield
    finally:
        os.close(lock)


def is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    lock = open_lock(path)
    try:
        return not try_lock(lock)
    finally:
        os.close(lock)
