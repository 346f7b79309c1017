"""Time, memory and what each stage takes when a video is searched for events.

    python -m benchmarks.triggers [VIDEO]

Without a video: ten minutes of 720p H.264 with a key frame every 250. The same services as behind
the page are asked, with an index folder of their own, so that the first question finds nothing.
Every trigger at once: the trained event where there is one, words, an example and both changes,
with the describer and the detector that come with the program. Stages are printed as shares of the
work of all threads, because seconds on a shared machine say little.
"""

import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from app.pipelines.triggering import MOTION, SCENE, TriggerAsked, TriggerRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from app.trigger_results import TriggerResult
from benchmarks.clips import CLIPS
from models.errors import VideoOpenError
from models.types import VideoInfo

HD_CLIP = next(clip for clip in CLIPS if clip.name == "720p H.264 key 250")
TEN_MINUTES = replace(HD_CLIP, repeats=30)
STAGES = ("decode_s", "encode_s", "score_s", "fetch_s", "detect_s", "describe_s", "speak_s")


@dataclass(slots=True)
class Times:
    """Seconds since the question."""

    first_event: float = 0.0
    all_read: float = 0.0
    whole: float = 0.0
    longest_silence: float = 0.0
    memory_mb: float = 0.0


def ask(
    services: Services, video: VideoInfo, request: TriggerRequest
) -> tuple[Times, TriggerResult]:
    started = heard = time.perf_counter()
    times, result = Times(), None
    process = psutil.Process()
    for step in services.triggers.analyze(video, request):
        now = time.perf_counter()
        times.longest_silence = max(times.longest_silence, now - heard)
        heard = now
        times.memory_mb = max(times.memory_mb, process.memory_info().rss / 2**20)
        result = step.result or result
        if step.result is not None and step.result.triggers and not times.first_event:
            times.first_event = now - started
        if step.result is not None and step.result.sampling.depth == "full" and not times.all_read:
            times.all_read = now - started
    times.whole = time.perf_counter() - started
    if result is None:
        raise VideoOpenError("No picture in this video can be decoded.")
    return times, result


def request_for(services: Services) -> TriggerRequest:
    return TriggerRequest(
        triggers=(
            *(TriggerAsked(event=name) for name in services.triggers.events),
            TriggerAsked(words="a turning globe"),
            TriggerAsked(at_s=(10.0,)),
            TriggerAsked(change=SCENE),
            TriggerAsked(change=MOTION),
        )
    )


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TEN_MINUTES.ready()
    with tempfile.TemporaryDirectory() as folder:
        services = Services(replace(Settings(), data_dir=Path(folder)))
        inspected = [step for step in services.inspect_file(path) if isinstance(step, Done)]
        video = inspected[0].value
        request = request_for(services)
        first, result = ask(services, video, request)
        spoken = [s for s in services.triggers.speak(result) if isinstance(s, Done)][0].value
        lower = replace(request, threshold=0.45)
        again, _ = ask(services, video, lower)
    print(f"{video.width}x{video.height}, {video.duration_s:.0f} s of {video.codec}; "
          f"{len(request.triggers)} triggers, {len(result.triggers)} events")  # fmt: skip
    for remark in spoken.result.remarks:
        print(f"  {remark}")
    print(f"first event on screen       {first.first_event:7.2f} s "
          f"({first.first_event / first.whole:.0%} of the whole)")  # fmt: skip
    print(
        f"every sampled frame read    {first.all_read:7.2f} s ({first.all_read / first.whole:.0%})"
    )
    print(f"whole, with a closer look   {first.whole:7.2f} s "
          f"({video.duration_s / first.whole:.0f} times real time)")  # fmt: skip
    print(f"longest wait for a sign     {first.longest_silence:7.2f} s (Cancel is heard between)")
    print(f"another threshold           {again.whole:7.2f} s ({again.whole / first.whole:.1%})")
    print(f"memory at most              {first.memory_mb:7.0f} MB")
    print(f"frames never described      {result.spared:7.1%}")
    spent = spoken.result.to_json()["timing"]
    total = sum(spent[stage] for stage in STAGES)
    for stage in STAGES:
        print(f"  {stage.removesuffix('_s'):10} {spent[stage] / total:6.1%}")


if __name__ == "__main__":
    main()
