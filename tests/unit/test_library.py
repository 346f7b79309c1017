"""The library on disk: each video once, filters that nothing slips through, damage put aside."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import library as library_module
from app import moment_table
from app.library import Library
from app.library_entries import LibraryFilter, Space
from app.moment_table import LibraryError
from tests.unit.library_toys import SPACE, entry, moments

HOSTILE_NAMES = (
    "100% _real_'\"; DROP TABLE videos; --.mp4",
    "' OR 1=1 --",
    "video IN (1) OR true",
    "Ünïcödé \U0001f3ac ŞEHİR.mp4",
    "lone \udcff half.mp4",
)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def names(library: Library, only: LibraryFilter | None = None) -> list[str]:
    return [found.name for found in library.entries(SPACE, only)]


def best(library: Library, seed: int, at: int) -> tuple[str, float]:
    """Which video and time are nearest to one of the made-up moments."""
    entries = library.entries(SPACE)
    vector = moments(at + 1, seed).vectors[at]
    numbers, near = library.nearest(SPACE, vector, 3, entries, all_=True)
    name = next(found.name for found in entries if found.number == numbers[0])
    return name, float(near.times_s[0])


def test_nothing_is_on_disk_before_the_first_video(library: Library, tmp_path: Path) -> None:
    assert library.facts(SPACE).videos == 0
    assert library.entries(SPACE) == []
    assert not library.remove(SPACE, "a" * 64)
    library.tend(SPACE)
    assert list(tmp_path.iterdir()) == []


def test_each_video_is_there_once_and_found(library: Library, tmp_path: Path) -> None:
    assert library.add(SPACE, entry("a", "one.mp4"), moments(40, seed=1))
    assert library.add(SPACE, entry("b", "two.mp4", path=tmp_path / "two\udcff.mp4"), moments(30))
    assert not library.add(SPACE, entry("a", "one renamed.mp4"), moments(40, seed=1))
    facts = library.facts(SPACE)
    assert (facts.videos, facts.moments, facts.duration_s) == (2, 70, 120.0)
    assert best(library, seed=1, at=7) == ("one renamed.mp4", 7.5)
    other = Library(tmp_path)
    assert names(other) == ["two.mp4", "one renamed.mp4"], "those added last first"
    assert other.entries(SPACE)[0].path == tmp_path / "two\udcff.mp4"
    assert best(other, seed=0, at=3) == ("two.mp4", 3.5)


def test_only_the_videos_that_fit_are_searched(library: Library) -> None:
    for letter, seed in zip("abc", (1, 2, 3), strict=True):
        library.add(SPACE, entry(letter, f"{letter}.mp4"), moments(20, seed))
    only = library.entries(SPACE, LibraryFilter(name="B.MP4"))
    numbers, _ = library.nearest(SPACE, moments(1, 1).vectors[0], 50, only, all_=False)
    assert set(numbers.tolist()) == {only[0].number}
    assert len(numbers) == 20


def test_names_are_text_and_nothing_else(library: Library) -> None:
    for letter, name in zip("abcde", HOSTILE_NAMES, strict=True):
        library.add(SPACE, entry(letter, name), moments(2))
    for name in HOSTILE_NAMES:
        assert names(library, LibraryFilter(name=name)) == [name.replace("\udcff", "?")], name
    assert names(library, LibraryFilter(name="ünïcödé")) == [HOSTILE_NAMES[3]]
    for nowhere in ("100_", "%", "_real%", "' OR '1'='1", "\x00"):
        expected = [HOSTILE_NAMES[0]] if nowhere == "%" else []
        assert names(library, LibraryFilter(name=nowhere)) == expected, nowhere
    assert library.facts(SPACE).videos == 5


def test_the_day_of_adding_is_a_filter(library: Library) -> None:
    for letter, added_s in zip("abc", (100.0, 200.0, 300.0), strict=True):
        library.add(SPACE, entry(letter, letter, added_s=added_s), moments(2))
    assert names(library, LibraryFilter(since_s=200.0)) == ["c", "b"]
    assert names(library, LibraryFilter(until_s=200.0)) == ["a"]
    assert names(library, LibraryFilter(since_s=101.0, until_s=300.0)) == ["b"]


def test_another_version_of_the_model_takes_the_place_of_the_old(
    library: Library, tmp_path: Path
) -> None:
    newer = Space(SPACE.model, "b" * 64)
    for letter in "ab":
        library.add(SPACE, entry(letter, letter), moments(5))
    assert library.facts(newer).outdated == 2
    library.add(newer, entry("a", "a"), moments(5))
    assert (library.facts(newer).videos, library.facts(newer).outdated) == (1, 1)
    assert names(library) == ["b"]
    library.add(newer, entry("b", "b"), moments(5))
    assert library.facts(newer).outdated == 0
    assert [path.name for path in (tmp_path / "library").glob("*.lance")] == [
        f"{newer.table}.lance"
    ]


def test_what_is_taken_out_is_gone(library: Library) -> None:
    for letter in "ab":
        library.add(SPACE, entry(letter, letter), moments(5, seed=ord(letter)))
    assert library.remove(SPACE, "a" * 64)
    assert names(library) == ["b"]
    numbers, _ = library.nearest(
        SPACE, moments(1).vectors[0], 50, library.entries(SPACE), all_=True
    )
    assert len(numbers) == 5
    assert library.add(SPACE, entry("a", "a"), moments(5)), "and may come back"


def test_what_was_left_half_done_is_taken_away(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if killed after the moments were written and before they were said to be whole."""
    library.add(SPACE, entry("a", "whole"), moments(4))
    add = moment_table.MomentTable.add

    def killed(*arguments: Any) -> None:
        add(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(moment_table.MomentTable, "add", killed)
        library.add(SPACE, entry("b", "half"), moments(6, seed=5))
    assert names(library) == ["whole"]
    assert library.add(SPACE, entry("b", "half"), moments(6, seed=5))
    found = library.entries(SPACE)
    numbers, _ = library.nearest(SPACE, moments(1).vectors[0], 50, found, all_=True)
    assert len(numbers) == 10


def damage(folder: Path, what: str) -> None:
    if what == "list":
        (folder / "videos.sqlite").write_bytes(b"not a database" * 500)
    elif what == "format":
        (folder / "videos.sqlite").write_bytes(b"")
    elif what == "moments":
        for data in folder.rglob("data/*.lance"):
            data.write_bytes(data.read_bytes()[:100])
    else:
        newest = min(folder.rglob("*.manifest"))
        newest.write_bytes(b"")


@pytest.mark.parametrize("what", ["list", "format", "moments", "versions"])
@pytest.mark.parametrize("fresh", [True, False])
def test_damage_is_said_once_and_put_aside(tmp_path: Path, what: str, fresh: bool) -> None:
    library = Library(tmp_path)
    library.add(SPACE, entry("a"), moments(4))
    damage(tmp_path / "library", what)
    if fresh:
        library = Library(tmp_path)
    with pytest.raises(LibraryError) as said:
        library.nearest(SPACE, moments(1).vectors[0], 5, library.entries(SPACE), all_=True)
    assert str(said.value).count(".") == 1 and "put aside" in str(said.value)
    assert library.entries(SPACE) == []
    assert library.add(SPACE, entry("b", "new"), moments(4))
    assert best(library, seed=0, at=2) == ("new", 2.5)
    assert len(list(tmp_path.glob("library-damaged-*"))) == 1


def test_moments_without_their_videos_belong_to_nobody(tmp_path: Path) -> None:
    Library(tmp_path).add(SPACE, entry("a"), moments(4, seed=8))
    (tmp_path / "library" / "videos.sqlite").unlink()
    library = Library(tmp_path)
    library.add(SPACE, entry("b"), moments(3))
    numbers, _ = library.nearest(
        SPACE, moments(1).vectors[0], 50, library.entries(SPACE), all_=True
    )
    assert len(numbers) == 3


def test_a_full_disk_is_no_damage(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.add(SPACE, entry("a"), moments(4))

    def full(*_: object) -> None:
        raise OSError("lance error: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(moment_table.MomentTable, "_table", full)
        with pytest.raises(LibraryError, match="space"):
            library.add(SPACE, entry("b"), moments(4))
    assert library.facts(SPACE).videos == 1
    assert library.add(SPACE, entry("b"), moments(4))


def test_many_moments_get_an_index_that_finds_them(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (library_module, moment_table):
        monkeypatch.setattr(module, "EXACT_ROWS", 1500, raising=False)
    monkeypatch.setattr(moment_table, "ROWS_A_PARTITION", 100)
    for letter, seed in zip("abcd", range(4), strict=True):
        library.add(SPACE, entry(letter, letter), moments(500, seed, dim=256))
    library.tend(SPACE)
    table = library.table(SPACE)
    assert table.has_index()
    library.add(SPACE, entry("e", "e"), moments(500, 9, dim=256))  # not in the index yet
    entries = library.entries(SPACE)
    recalls = []
    for query in moments(30, 77, dim=256).vectors:
        _, found = library.nearest(SPACE, query, 20, entries, all_=True)
        _, exact = table.nearest(query, 20, exact=True)
        assert len(found) == 20
        lowest = (exact.vectors @ query).min() - 1e-3
        recalls.append(float(((found.vectors @ query) >= lowest).mean()))
    assert np.mean(recalls) >= 0.95
    numbers, near = library.nearest(
        SPACE, moments(41, 9, dim=256).vectors[40], 1, entries, all_=True
    )
    assert (numbers[0], near.times_s[0]) == (entries[0].number, 40.5)


def test_tending_waits_until_it_is_worth_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    tended: list[int] = []
    monkeypatch.setattr(moment_table.MomentTable, "tend", lambda _: tended.append(1))
    monkeypatch.setattr(library_module, "TEND_EVERY", 2)
    for letter in "abcd":
        library.add(SPACE, entry(letter), moments(2))
        library.tend(SPACE, only_if_due=True)
    assert len(tended) == 2


def test_threads_add_one_after_the_other(library: Library) -> None:
    started = time.monotonic()
    threads = [
        threading.Thread(target=library.add, args=(SPACE, entry(letter), moments(3)))
        for letter in "aabbcc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert time.monotonic() - started < 30
    facts = library.facts(SPACE)
    assert (facts.videos, facts.moments) == (3, 9)
