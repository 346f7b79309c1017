"""Randomly damaged copies of real and made videos: frames or one sentence, never anything else.

FRAMESCRY_DAMAGED says how many copies; the usual run tries fewer than a thorough one (500).
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media import cached_kind, real_videos

COPIES = int(os.environ.get("FRAMESCRY_DAMAGED", "60"))
LONGEST_S = 10.0
MADE = (
    "plain.mp4", "uneven.mkv", "open_gop.ts", "hevc.mp4", "vp8.webm", "vp9.webm", "av1.mp4",
    "mpeg4.avi", "mpeg2.mpg", "mjpeg.avi", "raw.h264", "no_length.mkv", "fragments.mp4",
    "flash.flv", "palette.gif", "turned_90.mp4", "lossless.mkv",
)  # fmt: skip
LARGEST_BYTES = 1_000_000


class Worker:
    """The child process, started anew after it crashed or hung."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def run(self, source: Path, seed: int, target: Path) -> str:
        """What the child said of one damaged copy."""
        child = self._child or self._start()
        assert child.stdin is not None
        child.stdin.write(f"{source}\t{seed}\t{target}\n")
        child.stdin.flush()
        try:
            line = self._lines.get(timeout=2 * LONGEST_S)
        except queue.Empty:
            self.stop()
            return "hung"
        if not line:
            code = child.wait()
            self._child = None
            return f"crashed with {code}"
        answer = json.loads(line)
        return "slow" if answer["seconds"] > LONGEST_S else str(answer["outcome"])

    def _start(self) -> subprocess.Popen[str]:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.damaged_worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._lines = queue.Queue()
        threading.Thread(target=self._pump, args=(self._child, self._lines), daemon=True).start()
        return self._child

    @staticmethod
    def _pump(child: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.put(line)
        lines.put("")

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.stop()


@pytest.mark.timeout(max(120, COPIES * 3))
def test_a_damaged_video_gives_frames_or_one_sentence(tmp_path: Path, worker: Worker) -> None:
    sources = [path for path in real_videos() if path.stat().st_size < LARGEST_BYTES]
    sources += [cached_kind(name) for name in MADE]
    wrong = []
    outcomes: dict[str, int] = {}
    for seed in range(COPIES):
        source = sources[seed * 7 % len(sources)]
        outcome = worker.run(source, seed, tmp_path / f"damaged{source.suffix}")
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if outcome not in ("frames", "refused"):
            wrong.append((source.name, seed, outcome))
    assert not wrong, (wrong, outcomes)
    assert outcomes["frames"] and outcomes["refused"], (
        "the damage is neither too light nor too deep"
    )
