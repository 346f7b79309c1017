"""Reads damaged videos in a process of its own, so that a crash or a hang is seen from outside.

One job a line on standard input: source, seed, target. One line of JSON each on standard output.
"""

import json
import sys
import time
import traceback
from pathlib import Path

import av

from models.errors import UserFacingError
from models.video.source import VideoSource
from tests.media import damaged


def read_all(path: Path) -> str:
    """What came of probing, a first look and a pass at two frames a second."""
    try:
        with VideoSource(path) as source:
            frames = sum(len(batch) for batch in source.first_look())
            times = [float(time) for batch in source.sample(2) for time in batch.times_s]
    except UserFacingError as error:
        text = str(error)
        plain = text.endswith(".") and "\n" not in text and str(path.parent) not in text
        return "refused" if plain else f"not one plain sentence: {text}"
    if any(later <= earlier for earlier, later in zip(times, times[1:], strict=False)):
        return f"times do not rise: {times}"
    return "frames" if frames or times else "nothing"


def main() -> None:
    av.logging.set_level(None)
    for line in sys.stdin:
        source, seed, target = line.rstrip("\n").split("\t")
        path = damaged(Path(source), Path(target), int(seed))
        began = time.monotonic()
        try:
            outcome = read_all(path)
        except Exception:
            outcome = traceback.format_exc()
        seconds = time.monotonic() - began
        path.unlink()
        print(json.dumps({"outcome": outcome, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
