"""Long work that reports how far it is and stops when asked, seen from a generator.

Blocking functions take `report` and `stop`; `run_reporting` runs one in a thread and turns it into
a stream of Progress with the result at its end. Closing the stream stops the work.
"""

import contextvars
import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from models.errors import CancelledError

HEARTBEAT_S = 0.2
CLOSING_S = 0.3

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the work is: a few words for people, and a share done where one is known."""

    stage: str
    fraction: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Done(Generic[Value]):
    value: Value


Report = Callable[[Progress], None]
Stop = Callable[[], bool]


def ignore_progress(_: Progress) -> None:
    """For callers that do not show progress."""


def never_stop() -> bool:
    return False


def check_stop(stop: Stop) -> None:
    """Raises CancelledError when the work was asked to stop."""
    if stop():
        raise CancelledError("stopped on request")


def run_reporting(
    work: Callable[[Report, Stop], Value],
) -> Generator[Progress | Done[Value], None, None]:
    """Runs `work` in a thread; yields its latest Progress at least every HEARTBEAT_S, then Done.

    Whatever `work` raises is raised here. When the generator is closed (a person pressed Cancel),
    `stop` turns true; the thread cleans up after itself.
    """
    stopped = threading.Event()
    reports: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()
    outcome: list[Value] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work(reports.put, stopped.is_set))
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            failure.append(error)
        finally:
            reports.put(None)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), daemon=True, name="framescry-work")
    thread.start()
    latest = Progress("Starting")
    try:
        while True:
            try:
                report = reports.get(timeout=HEARTBEAT_S)
            except queue.Empty:
                yield latest
                continue
            if report is None:
                break
            latest = report
            if reports.empty():
                yield latest
    finally:
        stopped.set()
        # A page closes the stream on the loop that serves everybody: no longer wait than this.
        thread.join(timeout=CLOSING_S)
    if failure:
        raise failure[0]
    yield Done(outcome[0])
