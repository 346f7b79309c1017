"""Decoding ahead of the consumer in a thread."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from models.types import FrameBatch
from models.video.ahead import DecodeAhead
from models.video.source import VideoSource
from tests.media import cached_kind


def batch(number: int) -> FrameBatch:
    return FrameBatch(np.zeros((1, 2, 2, 3), np.uint8), np.array([float(number)]))


def test_batches_come_in_order_and_the_end_is_the_end() -> None:
    with DecodeAhead(batch(n) for n in range(20)) as ahead:
        numbers = [b.times_s[0] for b in ahead if b is not None]
        assert numbers == list(range(20))
        assert list(ahead) == []


def test_nothing_ready_is_said_so() -> None:
    gate = threading.Event()

    def slow() -> Iterator[FrameBatch]:
        gate.wait(10)
        yield batch(1)

    with DecodeAhead(slow(), poll_s=0.01) as ahead:
        assert next(ahead) is None
        gate.set()
        assert [b.times_s[0] for b in ahead if b is not None] == [1.0]


def test_it_runs_no_further_ahead_than_told() -> None:
    made = []

    def counting() -> Iterator[FrameBatch]:
        for number in range(100):
            made.append(number)
            yield batch(number)

    with DecodeAhead(counting(), depth=3) as ahead:
        time.sleep(0.2)
        assert len(made) == 3
        next(ahead)
        time.sleep(0.2)
        assert len(made) == 4


def test_an_error_reaches_the_consumer_after_the_batches_before_it() -> None:
    def failing() -> Iterator[FrameBatch]:
        yield batch(1)
        raise ValueError("as told")

    with DecodeAhead(failing()) as ahead:
        assert isinstance(next(b for b in ahead if b is not None), FrameBatch)
        with pytest.raises(ValueError, match="as told"):
            list(ahead)


def test_leaving_stops_a_decoder_in_the_middle_of_a_batch() -> None:
    before = threading.active_count()
    with VideoSource(cached_kind("long_gop.mp4")) as source:
        with DecodeAhead(source.sample(30, chunk=100_000)):
            pass
        began = time.monotonic()
        ahead = DecodeAhead(source.sample(30, chunk=1), depth=1)
        next(ahead)
        ahead.close()
        ahead.close()
    assert time.monotonic() - began < 2
    assert threading.active_count() == before
