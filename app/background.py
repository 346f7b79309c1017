"""Work that nobody waits for: one piece after the other, in a thread of its own."""

import logging
import queue
import threading
import time
from collections.abc import Callable

from models.errors import CancelledError, UserFacingError

log = logging.getLogger(__name__)

_POLL_S = 0.05


class Background:
    """Its thread starts with the first piece of work and ends with the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._works: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._left = 0
        self._thread: threading.Thread | None = None

    def put(self, work: Callable[[], None]) -> None:
        """What goes wrong in it is logged: there is nobody to tell."""
        with self._lock:
            self._left += 1
            self._works.put(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name=self._name)
                self._thread.start()

    def wait(self, at_most_s: float) -> bool:
        """Until nothing is left to do; False if there still is."""
        deadline = time.monotonic() + at_most_s
        while self._left and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return self._left == 0

    def _run(self) -> None:
        while True:
            work = self._works.get()
            try:
                work()
            except CancelledError:
                log.info("%s: stopped", self._name)
            except UserFacingError as error:
                log.warning("%s: %s", self._name, error)
            except Exception:
                log.exception("%s failed", self._name)
            finally:
                with self._lock:
                    self._left -= 1
