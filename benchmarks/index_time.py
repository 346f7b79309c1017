"""How long indexing ten minutes of 720p takes, against the least it could, and the demos' way.

    python -m benchmarks.index_time [--rounds 3] [--seconds 600] [--json results.json]

The least: what decoding alone and encoding alone cost in CPU seconds, divided among the cores. The
demos' way: OpenCV reads every frame, PIL resizes those that are wanted, and the same network runs
them one at a time in eager torch, float32. Every contender runs in a process of its own, in turn
within each round; medians are compared. Imports and loading the model are not counted.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.children import cpu_s, own_peak_mb, run_child
from benchmarks.clips import CLIPS

FPS = 2.0
HD_CLIP = next(clip for clip in CLIPS if clip.name.startswith("720p H.264 key 250"))
DECODE, ENCODE, INDEX, DEMOS = "decoding alone", "encoding alone", "indexing", "the demos' way"


@dataclass(frozen=True, slots=True)
class Run:
    """What one child process measured of itself."""

    frames: int
    wall_s: float
    cpu_s: float
    peak_mb: float


Work = Callable[[], int]  # the frames that were taken


def _decode(path: Path) -> Work:
    from models.registry import load
    from models.video.source import VideoSource

    side_px = load("backbone").short_side_px

    def work() -> int:
        with VideoSource(path) as source:
            return sum(len(batch) for batch in source.sample(FPS, short_side_px=side_px))

    return work


def _encode(path: Path) -> Work:
    from models.registry import load
    from models.video.source import VideoSource

    encoder = load("backbone")
    with VideoSource(path) as source:
        batches = [b.pixels for b in source.sample(FPS, short_side_px=encoder.short_side_px)]
    encoder.encode_frames(batches[0])

    def work() -> int:
        return sum(len(encoder.encode_frames(pixels)) for pixels in batches)

    return work


def _index(path: Path) -> Work:
    from app.index import IndexStore
    from app.performance import Meter
    from app.pipelines.indexing import index_video
    from models.registry import load
    from models.video.probe import probe

    encoder = load("backbone")
    video = probe(path, content_hash="0" * 64)

    def work() -> int:
        with tempfile.TemporaryDirectory() as folder:
            frames = 0
            store = IndexStore(Path(folder), 1 << 32)
            for step in index_video(video, encoder, FPS, store, Meter()):
                if step.complete and step.index is not None:
                    frames = len(step.index)
            return frames

    return work


def _demos(path: Path) -> Work:
    import cv2
    import numpy as np
    import torch
    from PIL import Image

    from models.backbones import build_network
    from models.checkpoint import read_checkpoint
    from models.device import free_threads

    torch.set_num_threads(free_threads())
    checkpoint = read_checkpoint(Path("checkpoints/backbone"))
    network = build_network(checkpoint).eval()
    side_px = int(checkpoint.preprocessing["side_px"])

    def work() -> int:
        capture = cv2.VideoCapture(str(path))
        step = capture.get(cv2.CAP_PROP_FPS) / FPS
        frames = number = 0
        while True:
            there, picture = capture.read()
            if not there:
                return frames
            if number >= frames * step:
                rgb = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
                pixels = np.asarray(rgb.resize((side_px, side_px)))[None]
                with torch.inference_mode():
                    network(torch.from_numpy(pixels.copy()))
                frames += 1
            number += 1

    return work


CONTENDERS: dict[str, Callable[[Path], Work]] = {
    DECODE: _decode,
    ENCODE: _encode,
    INDEX: _index,
    DEMOS: _demos,
}


def _measure_here(name: str, path: str) -> Run:
    """In the child: runs one contender and measures this process."""
    work = CONTENDERS[name](Path(path))
    began, before_s = time.perf_counter(), cpu_s()
    frames = work()
    return Run(frames, time.perf_counter() - began, cpu_s() - before_s, own_peak_mb())


def _median(runs: list[Run]) -> Run:
    return Run(
        runs[0].frames,
        statistics.median(run.wall_s for run in runs),
        statistics.median(run.cpu_s for run in runs),
        statistics.median(run.peak_mb for run in runs),
    )


def _print(results: dict[str, Run], seconds: int, cores: int) -> None:
    print(f"{seconds} s of 720p H.264, {FPS:g} frames a second, {cores} core(s)\n")
    print("| | wall s | x real time | CPU s | MB |\n|---|---|---|---|---|")
    for name, run in results.items():
        speed = seconds / run.wall_s
        print(f"| {name} | {run.wall_s:.2f} | {speed:.0f} | {run.cpu_s:.2f} | {run.peak_mb:.0f} |")
    ours = results[INDEX]
    alone_s = results[DECODE].cpu_s + results[ENCODE].cpu_s
    print(f"\nindexing / the least possible ({alone_s / cores:.2f} s): "
          f"{ours.wall_s / (alone_s / cores):.2f} in wall time (at most 1.15), "
          f"{ours.cpu_s / alone_s:.2f} in CPU time")  # fmt: skip
    print(f"the demos' way / indexing: {results[DEMOS].wall_s / ours.wall_s:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=600, help="of video, a multiple of 20")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(asdict(_measure_here(*options.child))))
        return
    from models.device import allowed_cores

    path = replace(HD_CLIP, repeats=max(1, options.seconds // HD_CLIP.seconds)).ready()
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    for turn in range(options.rounds):
        for name in list(CONTENDERS) if turn % 2 == 0 else list(CONTENDERS)[::-1]:
            runs[name].append(Run(**run_child("benchmarks.index_time", name, str(path))))
    results = {name: _median(found) for name, found in runs.items()}
    _print(results, options.seconds, allowed_cores())
    if options.json:
        report = {name: asdict(run) for name, run in results.items()}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
