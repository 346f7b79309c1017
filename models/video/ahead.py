"""Decodes in a thread while the consumer works on the frames it already has."""

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, runtime_checkable

from models.types import FrameBatch


@runtime_checkable
class _Cancellable(Protocol):
    def cancel(self) -> None: ...


class _End:
    """The stream is over; `error` is what ended it, if not its end."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class DecodeAhead:
    """Iterates `batches` in a thread, at most `depth` ahead of the consumer.

    Yields None whenever nothing is ready after `poll_s`, so that the consumer can show progress
    and be cancelled. What the iterator raises is raised in the consumer. Leaving the context stops
    the thread: at once where the iterator has `cancel()`, as VideoSource's have.
    """

    def __init__(self, batches: Iterator[FrameBatch], depth: int = 2, poll_s: float = 0.1) -> None:
        self._batches = batches
        self._poll_s = poll_s
        self._ready: queue.Queue[FrameBatch | _End] = queue.Queue()
        self._room = threading.Semaphore(depth)
        self._closed = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="framescry-decode")
        self._thread.start()

    def __enter__(self) -> "DecodeAhead":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[FrameBatch | None]:
        return self

    def __next__(self) -> FrameBatch | None:
        if self._ended or self._closed.is_set():
            raise StopIteration
        try:
            entry = self._ready.get(timeout=self._poll_s)
        except queue.Empty:
            return None
        if isinstance(entry, _End):
            self._ended = True
            if entry.error is not None:
                raise entry.error
            raise StopIteration
        self._room.release()
        return entry

    def close(self) -> None:
        """Stops the thread and waits for it; safe to call more than once."""
        self._closed.set()
        if isinstance(self._batches, _Cancellable):
            self._batches.cancel()
        self._room.release()
        self._thread.join()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while True:
                self._room.acquire()
                if self._closed.is_set():
                    break
                batch = next(self._batches, None)
                if batch is None:
                    break
                self._ready.put(batch)
        except BaseException as raised:  # noqa: BLE001 - handed to the consumer, whatever it is
            error = raised
        finally:
            self._close_batches()
            self._ready.put(_End(error))

    def _close_batches(self) -> None:
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
