"""Killed at any moment, indexing leaves whole indexes or none, and the next run works."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from app.index import IndexKey, IndexStore, read_index
from app.performance import Meter
from app.pipelines.indexing import index_video
from models.registry import load
from models.video.probe import probe
from tests.real_media import gradio_media

ROUNDS = int(os.environ.get("FRAMESCRY_KILLS", "12"))


def test_no_half_index_is_ever_read(tmp_path: Path) -> None:
    video = gradio_media("world.mp4")
    info = probe(video)
    root = tmp_path / "index"
    chance = random.Random(7)
    whole_seen = 0
    for kill in range(ROUNDS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.indexing_forever", str(video), str(root)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() != "", "the child must get to work before it is killed"
        time.sleep(chance.uniform(0.0, 0.8))
        child.send_signal(signal.SIGKILL)
        child.wait()
        for folder in root.glob("[!.]*/[!.]*"):
            key = IndexKey(folder.parent.name, "colour", None, 2.0)
            index = read_index(folder, key)
            assert index is not None, f"half an index after kill {kill}: {list(folder.iterdir())}"
            assert all(picture[:2] == b"\xff\xd8" for picture in index.thumbnails)
            whole_seen += 1

        store = IndexStore(root, 10**9)
        mine = replace(info, content_hash=f"{kill + 16:064x}")
        last = None
        for step in index_video(mine, load("colour"), 2.0, store, Meter()):
            last = step
        assert last is not None and last.complete and last.index is not None
        assert len(last.index) == 61
    assert whole_seen > 0, "the kills never met a finished index; the test shows nothing"


def test_what_the_killed_left_is_removed(tmp_path: Path) -> None:
    root = tmp_path / "index"
    video = gradio_media("world.mp4")
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.indexing_forever", str(video), str(root)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.time() + 60
    while not list(root.glob(".work-*/files/index")) and time.time() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    left = list(root.glob(".work-*/files/index"))
    IndexStore(root, 10**9).evict()
    assert left and not list(root.glob(".work-*/files/index"))
