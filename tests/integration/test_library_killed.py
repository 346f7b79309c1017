"""The library with several processes at it, of which some are killed wherever they are."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from app.library import Library
from tests.unit.library_toys import SPACE, entry, moments

ROUNDS = 2
START_S = 60.0


def writer(folder: Path, seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.library_writer", str(folder), str(seed)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


EVERYTHING = 16 * 20 * 4


def is_as_it_says(library: Library, *, settled: bool) -> None:
    """Every video has all of its moments; once `settled`, no moment is without its video."""
    entries = library.entries(SPACE)
    assert library.facts(SPACE).videos == len(entries)
    if not entries:
        return
    numbers, found = library.nearest(SPACE, moments(1).vectors[0], EVERYTHING, entries, all_=True)
    if settled:
        assert set(numbers.tolist()) == {kept.number for kept in entries}
    for kept in entries:
        mine = numbers == kept.number
        assert mine.sum() == kept.moments == 20, kept
        wanted = moments(20, int(kept.content_hash[0], 16))
        order = np.argsort(found.times_s[mine])
        assert np.allclose(found.vectors[mine][order], wanted.vectors, atol=2e-3)


def test_killed_writers_leave_whole_videos(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for attempt in range(ROUNDS):
        writers = [writer(tmp_path, seed) for seed in (0, 5)]
        try:
            for process in writers:
                assert process.stdout is not None
                for _ in range(3):  # it is at work
                    assert process.stdout.readline(), "a writer ended by itself"
            time.sleep(0.05 + 0.13 * attempt)
            entries = library.entries(SPACE)  # readable while others write
            assert entries
            library.nearest(SPACE, moments(1).vectors[0], 9, entries, all_=True)
            assert all(process.poll() is None for process in writers)
        finally:
            for process in writers:
                process.kill()
                process.wait(timeout=START_S)
        is_as_it_says(Library(tmp_path), settled=False)
        Library(tmp_path).add(SPACE, entry("0", "film 0"), moments(20, 0))
        is_as_it_says(Library(tmp_path), settled=True)
    assert not list(tmp_path.glob("library-damaged-*"))
