"""Models in memory: loaded once, side by side, and let go in order, but never under somebody."""

import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.services import Services
from app.settings import Settings
from models import hub, registry
from models.hub import HubModel
from models.registry import ModelEntry
from models.residency import Limits, Residents


class Toy:
    """A model that can be watched."""


class Circle:
    """A network that holds itself, as torch's may."""

    def __init__(self) -> None:
        self.me = self


class Slotted:
    """One that cannot be watched."""

    __slots__ = ()


def full(most_mb: float = 250) -> Residents:
    return Residents(Limits(most_mb=most_mb))


def test_many_who_ask_at_once_load_it_once() -> None:
    residents, built = Residents(), []

    def build() -> Toy:
        time.sleep(0.1)
        built.append(Toy())
        return built[-1]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: residents.get("toy", build), range(8)))
    assert len(built) == 1
    assert all(model is built[0] for model in found)


def test_loading_one_does_not_hold_up_another() -> None:
    residents, may_end, waiting = Residents(), threading.Event(), []

    def slow() -> Toy:
        assert may_end.wait(10)
        return Toy()

    def say(words: str, _share: float | None) -> None:
        waiting.append(words)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(residents.get, "slow", slow)
        while not residents.is_loading("slow"):
            time.sleep(0.001)
        second = pool.submit(residents.get, "slow", slow, report=say)
        for name in ("quick", "other", "quick"):
            residents.get(name, Toy)  # would wait for ever
        residents.make_room(1e9)
        while not waiting:
            time.sleep(0.01)
        may_end.set()
        assert first.result(5) is second.result(5)
    assert waiting[0] == "Waiting for slow, which is being loaded"


def test_waiting_can_be_stopped_and_a_failed_load_tried_again() -> None:
    residents, tries = Residents(), []

    def fails_first() -> Toy:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("torn")
        return Toy()

    with pytest.raises(ValueError, match="torn"):
        residents.get("toy", fails_first)
    assert residents.names() == ()
    assert isinstance(residents.get("toy", fails_first), Toy)

    may_end = threading.Event()
    thread = threading.Thread(target=residents.get, args=("held", lambda: may_end.wait(10)))
    thread.start()

    def stop(_words: str, _share: float | None) -> None:
        raise InterruptedError

    while not residents.is_loading("held"):
        time.sleep(0.001)
    with pytest.raises(InterruptedError):
        residents.get("held", Toy, report=stop)
    may_end.set()
    thread.join(5)


def test_those_asked_for_longest_ago_go_first_and_no_more_than_needed() -> None:
    residents = full()
    for name in ("a", "b"):
        residents.get(name, Toy, megabytes=100)
    residents.get("a", Toy)
    residents.get("c", Toy, megabytes=100)
    assert residents.names() == ("a", "c")
    assert residents.megabytes() == 200


@pytest.mark.parametrize("kind", [Toy, Circle])
def test_one_in_use_stays_and_is_found_again(kind: type[Any]) -> None:
    residents = full()
    used = residents.get("a", kind, megabytes=100)
    residents.get("b", kind, megabytes=100)
    residents.get("c", kind, megabytes=100)
    assert residents.names() == ("a", "c")
    assert residents.get("a", kind, megabytes=100) is used
    watched = weakref.ref(used)
    assert residents.make_room(1e9) == ("c",)
    del used
    residents.get("c", kind, megabytes=100)
    assert residents.names() == ("a", "c"), "it was not let go while it was used"
    residents.get("d", kind, megabytes=200)
    assert watched() is None
    assert residents.names() == ("d",)


def test_one_that_cannot_be_watched_or_is_small_stays() -> None:
    residents = full(60)
    slotted = residents.get("slotted", Slotted, megabytes=55)
    residents.get("small", Toy, megabytes=5)
    residents.get("large", Toy, megabytes=100)
    assert residents.names() == ("slotted", "small", "large")
    assert residents.get("slotted", Slotted) is slotted


@pytest.mark.parametrize("gpu", [False, True])
def test_room_is_made_where_the_machine_is_short(gpu: bool) -> None:
    """Each model takes 100 of 1,000 MB; 600 are to stay free."""

    def free() -> float:
        return 1000 - residents.megabytes()

    residents = Residents(
        Limits(free_mb=600),
        free_mb=(lambda: 1e6) if gpu else free,
        gpu_mb=free if gpu else (lambda: None),
    )
    for name in "abcdef":
        residents.get(name, Toy, megabytes=100)
    assert residents.names() == ("c", "d", "e", "f")


def test_one_built_from_other_files_is_built_again() -> None:
    residents = Residents()
    old = residents.get("toy", Toy, stamp="before")
    new = residents.get("toy", Toy, stamp="after")
    assert new is not old
    assert residents.get("toy", Toy, stamp="after") is new


def test_letting_go_while_many_use_it() -> None:
    """Whoever got a model can use it to the end, whatever is asked to leave meanwhile."""
    residents = full(150)

    class Counting(Toy):
        def work(self) -> int:
            time.sleep(0.001)
            return 1

    def use(number: int) -> int:
        model = residents.get(f"m{number % 4}", Counting, megabytes=100)
        return sum(model.work() for _ in range(3))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(100))) == 300
    residents.make_room(1e9)
    assert residents.names() == ()


def test_the_registry_keeps_to_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    residents = Residents()
    monkeypatch.setattr(registry, "_residents", residents)
    Services(Settings(data_dir=tmp_path, models_mb=70, free_memory_mb=0))
    assert residents.limits == Limits(most_mb=70, free_mb=None)
    for name, megabytes in (("first", 60), ("second", 60)):
        model = HubModel(name, f"somebody/{name}", "a" * 40, megabytes, "toys", "nothing")
        row = ModelEntry(name, "toy", "", Toy, hub=model)
        monkeypatch.setitem(registry.MODELS, name, row)
    monkeypatch.setattr(hub, "fetch", lambda *_: tmp_path)
    registry.load("first")
    assert registry.is_loaded("first")
    registry.load("second")
    assert not registry.is_loaded("first")
    registry.let_go("second")
    assert not registry.is_loaded("second")
