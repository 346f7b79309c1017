"""Adds and takes out videos until it is killed: python -m tests.integration.library_writer DIR N"""

import itertools
import sys
from pathlib import Path

from app.library import Library
from tests.unit.library_toys import SPACE, entry, moments


def main(data_dir: Path, seed: int) -> None:
    library = Library(data_dir)
    for number in itertools.count():
        letter = f"{(number + seed) % 16:x}"
        library.add(SPACE, entry(letter, f"film {letter}"), moments(20, int(letter, 16)))
        if number % 3 == 2:
            library.remove(SPACE, letter * 64)
        if number % 7 == 6:
            library.tend(SPACE)
        print(number, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
