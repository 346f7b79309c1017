"""Work in a thread, seen as a stream: progress, the value, the error, and being stopped."""

import threading
import time

import pytest

from app.progress import Done, Progress, Report, Stop, check_stop, run_reporting
from models.errors import CancelledError, VideoOpenError


def test_progress_then_the_value() -> None:
    def work(report: Report, stop: Stop) -> int:
        for share in (0.5, 1.0):
            report(Progress("Working", share))
            time.sleep(0.3)
        return 7

    steps = list(run_reporting(work))
    assert steps[-1] == Done(7)
    assert Progress("Working", 0.5) in steps


def test_what_the_work_raises_is_raised_here() -> None:
    def work(report: Report, stop: Stop) -> int:
        raise VideoOpenError("This is no video.")

    with pytest.raises(VideoOpenError, match=r"This is no video\."):
        list(run_reporting(work))


def test_closing_the_stream_stops_the_work_at_once() -> None:
    ended = threading.Event()

    def work(report: Report, stop: Stop) -> int:
        try:
            while True:
                check_stop(stop)
                time.sleep(0.01)
        except CancelledError:
            ended.set()
            raise

    stream = run_reporting(work)
    next(stream)
    before = time.perf_counter()
    stream.close()
    assert ended.is_set()
    assert time.perf_counter() - before < 0.5


def test_a_silent_worker_still_gives_signs_of_life() -> None:
    def work(report: Report, stop: Stop) -> None:
        time.sleep(0.7)

    assert len(list(run_reporting(work))) >= 3
