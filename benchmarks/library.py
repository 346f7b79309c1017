"""How soon a query over a whole library answers, and what the index misses of an exact search.

    python -m benchmarks.library [--hours 1000] [--queries 100] [--data DIR]

The library is made of real frames: one a second of the videos in DIR (../shared/data; where that is
absent, our examples) as `compact` sees them, repeated with noise until there are so many hours, one
row a second. Nothing is merged, which makes it larger than a library of so many hours would be. It
is kept in .cache/benchmarks and built once. Queries are captions that people wrote; the time is
that of the whole search, from the words to the moments.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.index import IndexStore
from app.library import Library
from app.library_entries import LibraryEntry, LibraryFilter
from app.moment_table import Moments
from app.pipelines.library import search_library, space_of
from app.pipelines.requests import LibraryRequest
from models import registry
from models.protocols import FrameTextEncoder
from models.types import Floats
from models.video.source import VideoSource

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"
HOUR_S = 3600
REAL_FRAMES = 4000
FRAMES_A_VIDEO = 120
# Of a length that leaves a frame and its noisy copy at a cosine of about .9.
NOISE = 0.5
EXACT_QUERIES = 30
QUERIES = (
    "a dog runs on the beach", "a man in a red car", "children playing in the snow",
    "a woman is cooking", "people at a parade", "a close up of a face", "a lion in the grass",
    "someone repairs a tire", "a boat on the water", "a crowd in a stadium",
)  # fmt: skip


def real_frames(model: FrameTextEncoder, data_dir: Path) -> Floats:
    """Kept for each version of the model: looking takes longer than building a small library."""
    kept = CACHE / f"library-frames-{(model.weights_hash or 'none')[:12]}.npy"
    if kept.is_file():
        return np.asarray(np.load(kept))
    folders = [data_dir / "tvsum" / "videos", data_dir / "media"]
    videos = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    videos = [path for path in videos if path.suffix == ".mp4"] or sorted(EXAMPLES.glob("*.mp4"))
    vectors = np.concatenate(list(itertools.islice(_seen(model, videos), len(videos))))
    CACHE.mkdir(parents=True, exist_ok=True)
    np.save(kept, vectors[:REAL_FRAMES])
    return vectors[:REAL_FRAMES]


def _seen(model: FrameTextEncoder, videos: Sequence[Path]) -> Iterator[Floats]:
    encoder = registry.load(model.index_encoder)
    total = 0
    for path in videos:
        with VideoSource(path) as source:
            taken: list[Floats] = []
            for batch in source.sample(1.0, short_side_px=encoder.short_side_px):
                taken.append(model.project(encoder.encode_frames(batch.pixels)))
                if sum(map(len, taken)) >= FRAMES_A_VIDEO:
                    break
        total += sum(map(len, taken))
        yield np.concatenate(taken)
        if total >= REAL_FRAMES:
            return


def build(library: Library, model: FrameTextEncoder, hours: int, frames: Floats) -> float:
    """Seconds it took; none where it is there already."""
    space = space_of(model)
    there = library.facts(space).videos
    started = time.perf_counter()
    for hour in range(there, hours):
        chance = np.random.default_rng(hour)
        start = int(chance.integers(len(frames)))
        vectors = np.take(frames, range(start, start + HOUR_S), axis=0, mode="wrap")
        vectors = vectors + chance.normal(0, NOISE / np.sqrt(model.dim), vectors.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        times = np.arange(HOUR_S, dtype=np.float64)
        entry = LibraryEntry(
            content_hash=f"{hour:064x}", name=f"hour {hour}.mp4", duration_s=HOUR_S, scenes=200,
            encoder=model.index_encoder, encoder_hash="none", fps=1.0,
        )  # fmt: skip
        library.add(space, entry, Moments(times, times, times + 1, vectors.astype(np.float32)))
    if there < hours:
        library.tend(space)
        return time.perf_counter() - started
    return 0.0


def queries(data_dir: Path, count: int) -> list[str]:
    captions = data_dir / "flickr8k" / "dev.json"
    if not captions.is_file():
        return list(QUERIES)
    said = json.loads(captions.read_text())
    return [texts[0] for texts in said.values()][:count]


@dataclass(frozen=True, slots=True)
class Latency:
    median_ms: float
    p95_ms: float

    def __str__(self) -> str:
        return (
            f"{self.median_ms:6.1f} ms at the median, {self.p95_ms:6.1f} ms at the 95th percentile"
        )


def latency(
    library: Library, model: FrameTextEncoder, indexes: IndexStore, asked: Sequence[str], name: str
) -> Latency:
    taken_ms = []
    for query in asked:
        started = time.perf_counter()
        search_library(LibraryRequest(query, name=name), model, library, indexes)
        taken_ms.append(1000 * (time.perf_counter() - started))
    return Latency(float(np.median(taken_ms)), float(np.quantile(taken_ms, 0.95)))


def recalls(
    library: Library, model: FrameTextEncoder, asked: Sequence[str], sizes: Sequence[int]
) -> dict[int, float]:
    """The share of the exact nearest that a query gets to see."""
    space = space_of(model)
    entries = library.entries(space)
    table = library.table(space)
    found: dict[int, list[float]] = {size: [] for size in sizes}
    for vector in model.encode_texts(list(asked)):
        exact = _identified(*table.nearest(vector, max(sizes), exact=True))
        quick = _identified(*library.nearest(space, vector, 200, entries, all_=True))
        for size in sizes:
            found[size].append(len(set(exact[:size]) & set(quick[:size])) / size)
    return {size: float(np.mean(shares)) for size, shares in found.items()}


def _identified(videos: Sequence[int], moments: Moments) -> list[tuple[int, float]]:
    return list(zip(map(int, videos), moments.times_s.tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    model: FrameTextEncoder = registry.load("compact")
    # Vectors of another version of the model are of no use.
    folder = CACHE / f"library-{options.hours}h-{space_of(model).model_hash[:12]}"
    library = Library(folder)
    took_s = build(library, model, options.hours, real_frames(model, options.data))
    facts = library.facts(space_of(model))
    size_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{facts.videos} hours, {facts.moments:,} moments, {size_mb:,.0f} MB on disk")
    if took_s:
        print(f"built in {took_s:.0f} s")
    asked = queries(options.data, options.queries)
    indexes = IndexStore(folder / "index", 10**9)
    latency(library, model, indexes, asked[:3], "")  # imports, and opening the files
    print(f"all videos        {latency(library, model, indexes, asked, '')}")
    print(f"some, by name     {latency(library, model, indexes, asked, 'hour 1')}")
    fitting = len(library.entries(space_of(model), LibraryFilter(name="hour 1")))
    print(f"                  ({fitting} videos fit)")
    for size, share in recalls(library, model, asked[:EXACT_QUERIES], (10, 100)).items():
        print(f"recall@{size:<4} against exact search {share:.3f}")


if __name__ == "__main__":
    main()
