"""Work on pieces of something in several threads, with the results in the order of the pieces."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Generic, TypeVar

from models.errors import CancelledError
from models.video.batches import Stop

P = TypeVar("P")
R = TypeVar("R")

AHEAD = 2  # pieces beyond those in work that may wait for the consumer
POLL_S = 0.1


class _End:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class SideBySide(Generic[P, R]):
    """Each worker takes the next piece nobody has taken; results wait until it is their turn.

    `work` is called once in each worker and gives the function that makes results of a piece, so
    that a worker can keep what it opens; it is a generator that ends when the worker does.
    """

    def __init__(
        self,
        pieces: Sequence[P],
        work: Callable[[Stop], Generator[Callable[[P], Iterator[R]], None, None]],
        workers: int,
        stop: Stop,
    ) -> None:
        self._pieces = pieces
        self._work = work
        self._workers = workers
        self._asked_to_stop = stop
        self._over = threading.Event()
        self._next = iter(range(len(pieces)))
        self._taking = threading.Lock()
        self._room = threading.Semaphore(workers + AHEAD)
        self._results: list[queue.Queue[R | _End]] = [queue.Queue() for _ in pieces]

    def results(self) -> Generator[R, None, None]:
        """Closing it ends the threads.

        Raises:
            CancelledError: `stop` turned true.
        """
        count = min(self._workers, len(self._pieces))
        threads = [
            threading.Thread(target=self._run, daemon=True, name=f"framescry-decode-{number}")
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            for results in self._results:
                yield from self._of_one(results)
                self._room.release()
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _of_one(self, results: "queue.Queue[R | _End]") -> Iterator[R]:
        while True:
            try:
                entry = results.get(timeout=POLL_S)
            except queue.Empty:
                if self._asked_to_stop():
                    raise CancelledError("stopped on request") from None
                continue
            if isinstance(entry, _End):
                if entry.error is not None:
                    raise entry.error
                return
            yield entry

    def _stopped(self) -> bool:
        return self._over.is_set() or self._asked_to_stop()

    def _take(self) -> int | None:
        while not self._room.acquire(timeout=POLL_S):
            if self._stopped():
                return None
        with self._taking:
            return None if self._stopped() else next(self._next, None)

    def _run(self) -> None:
        worker = self._work(self._stopped)
        number: int | None = None
        try:
            make = next(worker)
            while (number := self._take()) is not None:
                for result in make(self._pieces[number]):
                    self._results[number].put(result)
                self._results[number].put(_End())
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            self._fail(number, error)
        finally:
            worker.close()

    def _fail(self, number: int | None, error: BaseException) -> None:
        """Tells whoever waits: for that piece, or, where none was begun, for any that is left."""
        if number is None:
            number = self._take()
        if number is not None:
            self._results[number].put(_End(error))
