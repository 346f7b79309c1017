"""Stretches decoded side by side: the same frames as one pass gives, in order, and nothing left."""

import threading
import time
from collections.abc import Callable, Generator, Iterator

import numpy as np
import pytest

from models.errors import CancelledError
from models.video import source as source_module
from models.video.batches import Stop
from models.video.opening import open_video
from models.video.side_by_side import AHEAD, SideBySide
from models.video.source import VideoSource
from models.video.stretches import divide
from tests.media import KINDS, cached_kind

SHORT_S = 0.3


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "LENGTH_S", SHORT_S)
    monkeypatch.setattr(source_module, "allowed_cores", lambda: 2)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_frames_are_those_of_one_pass(name: str, divided: None) -> None:
    def frames(threads: int | None) -> tuple[np.ndarray, np.ndarray]:
        with VideoSource(cached_kind(name), threads=threads) as source:
            batches = list(source.sample(7.3, short_side_px=None))
        times = np.concatenate([batch.times_s for batch in batches])
        return times, np.concatenate([batch.pixels for batch in batches])

    for found, wanted in zip(frames(None), frames(1), strict=True):  # given threads: one pass
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["plain.mp4", "vp9.webm", "hevc.mp4"])
def test_these_are_divided(name: str) -> None:
    with open_video(cached_kind(name), pictures_only=True) as video:
        found = divide(video, SHORT_S)
    assert len(found) > 2
    assert [stretch.until_ticks for stretch in found[:-1]] == [s.from_ticks for s in found[1:]]
    assert found[0].seek_ticks is None
    assert found[-1].until_ticks is None


def test_sampling_can_be_cancelled_in_between(divided: None) -> None:
    before = threading.active_count()
    with VideoSource(cached_kind("plain.mp4")) as source:
        batches = source.sample(30, chunk=1)
        next(batches)
        batches.cancel()
        with pytest.raises(CancelledError):
            list(batches)
    assert threading.active_count() == before


def numbers(stop: Stop) -> Generator[Callable[[int], Iterator[int]], None, None]:
    """Piece n gives 10 n and 10 n + 1; piece 3 takes longest."""

    def make(piece: int) -> Iterator[int]:
        yield 10 * piece
        time.sleep(0.05 if piece == 3 else 0.0)
        yield 10 * piece + 1

    yield make


def test_results_come_in_the_order_of_the_pieces() -> None:
    found = list(SideBySide(range(20), numbers, 3, bool).results())
    assert found == [10 * n + one for n in range(20) for one in (0, 1)]


def test_what_goes_wrong_is_raised_in_its_turn() -> None:
    def work(stop: Stop) -> Generator[Callable[[int], Iterator[int]], None, None]:
        def make(piece: int) -> Iterator[int]:
            if piece == 2:
                raise ValueError("two")
            yield piece

        yield make

    found = []
    with pytest.raises(ValueError, match="two"):
        for number in SideBySide(range(6), work, 2, bool).results():
            found.append(number)
    assert found == [0, 1]


def test_what_cannot_begin_is_raised() -> None:
    def work(stop: Stop) -> Generator[Callable[[int], Iterator[int]], None, None]:
        raise OSError("gone")
        yield

    with pytest.raises(OSError, match="gone"):
        list(SideBySide(range(4), work, 2, bool).results())


def test_workers_wait_for_whoever_takes_the_results() -> None:
    begun: list[int] = []

    def work(stop: Stop) -> Generator[Callable[[int], Iterator[int]], None, None]:
        def make(piece: int) -> Iterator[int]:
            begun.append(piece)
            yield piece

        yield make

    results = SideBySide(range(50), work, 2, bool).results()
    next(results)
    time.sleep(0.2)
    assert len(begun) <= 2 + AHEAD + 1
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("framescry-decode-")]
