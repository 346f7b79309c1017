"""How fast two frames a second come out of a video, against the usual ways of getting them.

    python -m benchmarks.decode [--rounds 5] [--only 1080p] [--no-memory] [--json results.json]

Every contender turns the same file into RGB pictures of 224 pixels' short side, two a second, in a
process of its own; contenders alternate within each round, and medians of the rounds are compared.
Python's start and imports are not counted, the ffmpeg command's own start is. Peak memory is the
whole process's. Seeking is measured on SOUGHT of the samples and scaled up to all of them.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import cpu_s, own_peak_mb, run_child
from benchmarks.clips import CLIPS, FIRST_LOOK_CLIP, LONG_CLIP, SHORT_CLIP, Clip

FPS = 2
SHORT_SIDE_PX = 224
WIDTH_PX = 398  # of ffmpeg's pictures: every clip is 16:9
SOUGHT = 6

FULL, LOOK = "Framescry, full pass", "Framescry, first look"
OPENCV, SEEK, FFMPEG = "OpenCV, every frame", "OpenCV, seek per sample", "ffmpeg fps=2,scale"


@dataclass(frozen=True, slots=True)
class Run:
    """What one child process measured of itself."""

    frames: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    first_s: float | None = None  # until the first pictures


def _full_pass(path: str) -> tuple[int, float | None]:
    from models.video.ahead import DecodeAhead
    from models.video.source import VideoSource

    with VideoSource(Path(path)) as source, DecodeAhead(source.sample(FPS)) as ahead:
        return sum(len(batch) for batch in ahead if batch is not None), None


def _first_look(path: str) -> tuple[int, float | None]:
    from models.video.source import VideoSource

    began = time.perf_counter()
    first = None
    frames = 0
    with VideoSource(Path(path)) as source:
        for batch in source.first_look():
            first = first or time.perf_counter() - began
            frames += len(batch)
    return frames, first


def _opencv(path: str) -> tuple[int, float | None]:
    import cv2

    capture = cv2.VideoCapture(path)
    rate = capture.get(cv2.CAP_PROP_FPS)
    frames = number = 0
    while True:
        there, picture = capture.read()
        if not there:
            return frames, None
        if number >= frames * rate / FPS:
            _shrink(picture)
            frames += 1
        number += 1


def _opencv_seek(path: str) -> tuple[int, float | None]:
    import cv2

    capture = cv2.VideoCapture(path)
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    samples = int(count / rate * FPS)
    frames = 0
    for index in range(SOUGHT):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(index * samples / SOUGHT) * rate / FPS)
        there, picture = capture.read()
        if there:
            _shrink(picture)
            frames += 1
    return frames, None


def _shrink(picture: Any) -> None:
    import cv2

    height, width = picture.shape[:2]
    scale = SHORT_SIDE_PX / min(height, width)
    size = (round(width * scale), round(height * scale))
    cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def _ffmpeg(path: str) -> tuple[int, float | None]:
    command = ["ffmpeg", "-v", "error", "-i", path, "-vf", f"fps={FPS},scale=-2:{SHORT_SIDE_PX}"]
    command += ["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    taken = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        while block := child.stdout.read(1 << 20):
            taken += len(block)
    return round(taken / (WIDTH_PX * SHORT_SIDE_PX * 3)), None


CONTENDERS: dict[str, Callable[[str], tuple[int, float | None]]] = {
    FULL: _full_pass,
    LOOK: _first_look,
    OPENCV: _opencv,
    SEEK: _opencv_seek,
    FFMPEG: _ffmpeg,
}


def _measure_here(name: str, path: str) -> Run:
    """In the child: runs one contender and measures this process, or ffmpeg's for its row."""
    if name in (OPENCV, SEEK):
        import cv2  # noqa: F401 - imports are not what is compared
    elif name in (FULL, LOOK):
        import models.video.ahead
        import models.video.source  # noqa: F401
    who = resource.RUSAGE_CHILDREN if name == FFMPEG else resource.RUSAGE_SELF
    before_s = cpu_s(who)
    began = time.perf_counter()
    frames, first_s = CONTENDERS[name](path)
    wall_s = time.perf_counter() - began
    spent_s = cpu_s(who) - before_s
    children_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    peak_mb = children_mb if name == FFMPEG else own_peak_mb()
    return Run(frames, wall_s, spent_s, peak_mb, first_s)


def _run_child(name: str, clip: Clip) -> Run | None:
    run = Run(**run_child("benchmarks.decode", name, str(clip.path)))
    if name == SEEK and run.frames:
        scale = clip.seconds * clip.repeats * FPS / run.frames
        return Run(run.frames, run.wall_s * scale, run.cpu_s * scale, run.peak_mb)
    return run if run.frames else None


def _median(runs: list[Run]) -> Run:
    firsts = [run.first_s for run in runs if run.first_s is not None]
    return Run(
        runs[0].frames,
        statistics.median(run.wall_s for run in runs),
        statistics.median(run.cpu_s for run in runs),
        statistics.median(run.peak_mb for run in runs),
        statistics.median(firsts) if firsts else None,
    )


def _compare(clip: Clip, rounds: int) -> dict[str, Run]:
    """Medians per contender; one that cannot read the clip is left out."""
    names = [name for name in CONTENDERS if name != FFMPEG or shutil.which("ffmpeg")]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for turn in range(rounds):
        order = names if turn % 2 == 0 else names[::-1]
        for name in order:
            if name == SEEK and turn:  # slow, and far from mattering
                continue
            run = _run_child(name, clip)
            if run is not None:
                runs[name].append(run)
    return {name: _median(found) for name, found in runs.items() if found}


def _print_clip(clip: Clip, results: dict[str, Run]) -> None:
    ours = results[FULL]
    print(f"\n{clip.name}, {clip.seconds * clip.repeats} s")
    print(f"  {'':26}{'wall s':>8}{'x real':>8}{'CPU s':>8}{'MB':>7}{'ours is':>16}{'in CPU':>8}")
    for name, run in results.items():
        speed = clip.seconds * clip.repeats / run.wall_s
        faster = f"{run.wall_s / ours.wall_s:.2f} x faster"
        print(
            f"  {name:26}{run.wall_s:8.2f}{speed:8.0f}{run.cpu_s:8.2f}{run.peak_mb:7.0f}"
            f"{faster:>16}{run.cpu_s / ours.cpu_s:8.2f}"
        )
    for name in (OPENCV, SEEK, FFMPEG):
        if name not in results:
            print(f"  {name:26} cannot")


def _best_other(results: dict[str, Run]) -> float:
    ours = results[FULL].wall_s
    return min(run.wall_s for name, run in results.items() if name not in (FULL, LOOK)) / ours


def _memory(rounds: int) -> dict[str, float]:
    """Peak of the full pass over two minutes and over two hours of the same pictures."""
    SHORT_CLIP.ready()
    LONG_CLIP.ready()
    short = statistics.median(_peak(SHORT_CLIP) for _ in range(max(3, rounds)))
    long = _peak(LONG_CLIP)
    print(
        f"\npeak memory: two minutes {short:.0f} MB, two hours {long:.0f} MB, {long / short:.3f} x"
    )
    look = _run_child(LOOK, LONG_CLIP)
    assert look is not None
    print(f"first look at two hours: {look.wall_s:.2f} s, first picture after {look.first_s:.3f} s")
    return {"two_minutes_mb": short, "two_hours_mb": long, "look_s": look.wall_s}


def _peak(clip: Clip) -> float:
    run = _run_child(FULL, clip)
    assert run is not None
    return run.peak_mb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="clips whose name holds this")
    parser.add_argument("--no-memory", action="store_true", help="leave out the two-hour video")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(asdict(_measure_here(*options.child))))
        return
    report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "rounds": options.rounds}
    report["clips"] = {}
    summary = []
    for clip in CLIPS:
        if options.only not in clip.name:
            continue
        clip.ready()
        results = _compare(clip, options.rounds)
        _print_clip(clip, results)
        report["clips"][clip.name] = {name: asdict(run) for name, run in results.items()}
        summary.append(f"  {clip.name:24}{_best_other(results):6.2f} x the best other")
        if clip == FIRST_LOOK_CLIP:
            look = results[FULL].wall_s / results[LOOK].wall_s
            summary.append(f"  {clip.name:24}{look:6.1f} x: first look against full pass")
    print("\nfull pass, wall time\n" + "\n".join(summary))
    if not options.no_memory:
        report["memory"] = _memory(options.rounds)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
