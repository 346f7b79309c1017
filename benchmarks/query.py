"""How soon a query on an indexed video answers, from the words to the moments.

    python -m benchmarks.query [--hours H] [VIDEO ...]

An index of so many hours at two frames a second is made by repeating the embeddings of real videos
(the examples, unless others are named) with noise; then the services behind the page are asked, as
they are while somebody types. The first query, which reads the index from disk and projects it, is
printed beside; what the library does with a video it has not met happens before the others.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from app.index import IndexKey
from app.pipelines.requests import SearchRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from models import registry
from models.types import Floats, FrameBatch, VideoInfo

FPS = 2.0
NOISE = 0.01  # of each dimension, as neighbouring frames of a real video differ
WHO = ("a man", "two children", "a brown dog", "somebody", "a crowd of people", "a red car")
DOES = ("runs", "is cooking", "sits at a table", "jumps over", "walks along", "plays with")
WHERE = ("a street", "the beach", "a kitchen -woman", "a lake", "a stage", "snow -car")
WARM_QUERIES = 10


def real_embeddings(services: Services, paths: Sequence[Path]) -> tuple[VideoInfo, Floats]:
    """The first video, and what the index of all of them holds."""
    videos, found = [], []
    encoder = registry.load("backbone")
    for path in paths:
        video = [s for s in services.inspect_file(path) if isinstance(s, Done)][0].value
        for _ in services.search(video, SearchRequest("anything", fps=FPS)):
            pass
        key = IndexKey(video.content_hash, encoder.name, encoder.weights_hash, FPS)
        index = services.indexes.load(key)
        if index is not None:
            found.append(index.embeddings.astype(np.float32))
        videos.append(video)
    return videos[0], np.concatenate(found)


def long_video(services: Services, paths: Sequence[Path], hours: float) -> VideoInfo:
    """A video that is only an index: nothing of it is ever decoded."""
    like, real = real_embeddings(services, paths)
    frames = round(hours * 3600 * FPS)
    chance = np.random.default_rng(0)
    rows = np.tile(real, (-(-frames // len(real)), 1))[:frames]
    rows += chance.normal(0, NOISE / np.sqrt(rows.shape[1]), rows.shape).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    video = replace(like, content_hash="f" * 64, duration_s=frames / FPS, name="long")
    encoder = registry.load("backbone")
    key = IndexKey(video.content_hash, encoder.name, encoder.weights_hash, FPS)
    times_s = np.arange(frames) / FPS
    with services.indexes.writer(key) as writer:
        for at in range(0, frames, 512):
            batch = times_s[at : at + 512]
            pixels = np.zeros((len(batch), 90, 160, 3), np.uint8)
            writer.add(FrameBatch(pixels, batch), rows[at : at + 512])
        writer.commit()
    return video


def ask_s(services: Services, video: VideoInfo, query: str) -> float:
    """Seconds to the complete answer."""
    started = time.perf_counter()
    steps = list(services.search(video, SearchRequest(query, fps=FPS)))
    if len(steps) != 1 or not steps[0].complete:
        raise SystemExit("the index was to be on disk")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO")
    parser.add_argument("--hours", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        services = Services(replace(Settings(), data_dir=Path(folder)))
        paths = options.videos or [example.path for example in services.examples()]
        video = long_video(services, paths, options.hours)
        queries = [" ".join(words) for words in product(WHO, DOES, WHERE)]
        first_s = ask_s(services, video, queries.pop())
        services.library.wait(60.0)
        taken = np.array([ask_s(services, video, query) for query in queries])[WARM_QUERIES:]
    frames = round(options.hours * 3600 * FPS)
    print(f"{options.hours:g} h, {frames:,} frames; {len(taken)} queries, each a new one")
    print(f"first query (reads and projects the index)  {1000 * first_s:8.1f} ms")
    print(f"each further query, median                  {1000 * np.median(taken):8.1f} ms")
    print(f"                    95th percentile         {1000 * np.quantile(taken, 0.95):8.1f} ms")


if __name__ == "__main__":
    main()
