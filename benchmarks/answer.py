"""How soon a summary shows something, how soon it is whole, and how soon it answers again.

    python -m benchmarks.answer [VIDEO]

Without a video: ten minutes of 1080p H.264 with a key frame every 250. The same services as behind
the page are asked, with an index folder of their own, so that the first question finds nothing.
"""

import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from app.pipelines.requests import SummaryRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from benchmarks.clips import CLIPS
from models.types import VideoInfo

TEN_MINUTES = replace(CLIPS[0], repeats=30)


@dataclass(slots=True)
class Times:
    """Seconds since the question."""

    first_moments: float = 0.0
    first_look: float = 0.0
    whole: float = 0.0
    longest_silence: float = 0.0


def ask(services: Services, video: VideoInfo, method: str) -> Times:
    started = heard = time.perf_counter()
    times = Times()
    for step in services.summarize(video, SummaryRequest(method=method)):
        now = time.perf_counter()
        times.longest_silence = max(times.longest_silence, now - heard)
        heard = now
        if step.result is not None and not times.first_moments:
            times.first_moments = now - started
        looking = step.progress.stage.startswith(("First", "Loading"))
        if not times.first_look and not looking:
            times.first_look = now - started
    times.whole = time.perf_counter() - started
    return times


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TEN_MINUTES.ready()
    with tempfile.TemporaryDirectory() as folder:
        services = Services(replace(Settings(), data_dir=Path(folder)))
        inspected = [step for step in services.inspect_file(path) if isinstance(step, Done)]
        video = inspected[0].value
        first = ask(services, video, "key_shots")
        again = ask(services, video, "kmeans")
    print(f"{video.width}x{video.height}, {video.duration_s:.0f} s of {video.codec}")
    print(f"first key moments          {first.first_moments:7.2f} s")
    print(f"first look complete        {first.first_look:7.2f} s")
    print(f"every sampled frame read   {first.whole:7.2f} s"
          f"  ({video.duration_s / first.whole:.0f} times real time)")  # fmt: skip
    print(f"longest wait for a sign    {first.longest_silence:7.2f} s  (Cancel is heard between)")
    print(f"another question           {again.whole:7.2f} s")


if __name__ == "__main__":
    main()
