"""A stream of frame batches that can be cancelled from another thread."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress

from models.types import FrameBatch

Stop = Callable[[], bool]


class BatchStream(Iterator[FrameBatch]):
    """Batches, each made when it is asked for."""

    def __init__(
        self, make: Callable[[Stop], Generator[FrameBatch, None, None]], stop: Stop
    ) -> None:
        """`make` starts the work, which ends in CancelledError once its `stop` turns true."""
        self._cancelled = threading.Event()
        self._batches = make(lambda: self._cancelled.is_set() or stop())

    def __next__(self) -> FrameBatch:
        return next(self._batches)

    def cancel(self) -> None:
        """From any thread: the batch in the making ends in CancelledError."""
        self._cancelled.set()

    def close(self) -> None:
        """Closes the file, or, while another thread is in the middle of a batch, cancels that."""
        self._cancelled.set()
        with suppress(ValueError):  # "generator already executing"
            self._batches.close()
