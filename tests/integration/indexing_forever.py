"""Child of test_index_killed: indexes one video again and again until it is killed."""

import sys
from dataclasses import replace
from pathlib import Path

from app.index import IndexStore
from app.performance import Meter
from app.pipelines.indexing import index_video
from models.registry import load
from models.video.probe import probe


def main(video: str, root: str) -> None:
    store = IndexStore(Path(root), 10**9)
    info = probe(Path(video))
    encoder = load("colour")
    round_ = 0
    while True:
        # The same pictures under another hash every time, so that there is always work to do.
        named = replace(info, content_hash=f"{round_:064x}")
        for step in index_video(named, encoder, 2.0, store, Meter()):
            if step.complete:
                print(f"{round_}", flush=True)
        round_ += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
