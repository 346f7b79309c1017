"""Real videos through probe, sampling and first look, held against ffprobe and plain decoding."""

import shutil
import subprocess
import sys
from bisect import bisect_right
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.types import Pixels
from models.video.picture import PictureMaker
from models.video.source import VideoSource
from tests.media import Recipe, cached_kind, even_times, make_video, real_videos, repeated

VIDEOS = real_videos()
needs_ffmpeg = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="FFmpeg is not installed here"
)
pytestmark = pytest.mark.skipif(not VIDEOS, reason="no real videos are on this machine")


def sampled(source: VideoSource, fps: float) -> tuple[np.ndarray, Pixels]:
    batches = list(source.sample(fps))
    return (
        np.concatenate([batch.times_s for batch in batches]),
        np.concatenate([batch.pixels for batch in batches]),
    )


def ffprobe_frames(path: Path, entries: str) -> list[list[str]]:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries"]
    command += [f"frame={entries}", "-of", "csv=p=0", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [line.strip(",").split(",") for line in lines]


@needs_ffmpeg
@pytest.mark.parametrize("path", VIDEOS, ids=lambda path: path.name)
def test_sampled_times_are_the_decoders_to_the_millisecond(path: Path) -> None:
    rows = ffprobe_frames(path, "key_frame,best_effort_timestamp_time")
    times = [float(row[1]) for row in rows]
    keys = {round(float(row[1]), 3) for row in rows if row[0] == "1"}
    with VideoSource(path) as source:
        found, _ = sampled(source, 2)
        looks = np.concatenate([batch.times_s for batch in source.first_look()])
        assert source.info.start_s == pytest.approx(times[0], abs=1e-3)
        assert source.info.end_s == pytest.approx(times[-1], abs=0.2)
    moments = np.arange(times[0], times[-1] + 1e-6, 0.5)
    shown = sorted({bisect_right(times, moment + 1e-5) - 1 for moment in moments})
    assert len(shown) <= len(found) <= len(shown) + 1
    assert found[: len(shown)] == pytest.approx([times[i] for i in shown], abs=1e-3)
    assert {round(float(time), 3) for time in looks} <= keys


@pytest.mark.parametrize("path", VIDEOS, ids=lambda path: path.name)
def test_pixels_are_those_of_a_plain_decode(path: Path) -> None:
    with VideoSource(path) as source:
        found, pixels = sampled(source, 1)
    maker = PictureMaker.of_size(pixels.shape[2], pixels.shape[1])
    plain = np.empty(pixels.shape[1:], np.uint8)
    wanted = {round(float(time), 4): picture for time, picture in zip(found, pixels, strict=True)}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            picture = wanted.pop(round(float(frame.pts * stream.time_base), 4), None)
            if picture is not None:
                maker.draw(frame, plain)
                assert (picture == plain).all(), frame.time
    assert not wanted


@needs_ffmpeg
@pytest.mark.parametrize(
    "path",
    [*VIDEOS, *(cached_kind(f"turned_{turn}") for turn in ("90.mp4", "180.mp4", "270.mov"))],
    ids=lambda path: path.name,
)
def test_colours_and_turn_are_those_of_ffmpeg(path: Path) -> None:
    """ffmpeg turns pictures upright by itself; without scaling, both must agree everywhere."""
    with VideoSource(path) as source:
        width, height = source.info.width, source.info.height
        mine = next(source.sample(2, short_side_px=None, chunk=1)).pixels[0]
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-frames:v", "1", "-vf"]
    command += [f"scale={width}:{height}:flags=bicubic", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    theirs = np.frombuffer(raw, np.uint8).reshape(height, width, 3)
    assert np.abs(mine.astype(int) - theirs).mean() < 1.0


PEAK = """
import resource, sys
from pathlib import Path
from models.video.source import VideoSource
with VideoSource(Path(sys.argv[1])) as source:
    frames = sum(len(batch) for batch in source.sample(float(sys.argv[2])))
    looks = sum(len(batch) for batch in source.first_look())
print(frames, looks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(path: Path, fps: float) -> int:
    command = [sys.executable, "-c", PEAK, str(path), str(fps)]
    return int(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[2]
    )


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    recipe = Recipe(size=(320, 180), gop=250, times_s=even_times(500), pixel_shape=Fraction(1))
    piece = make_video(tmp_path / "piece.mp4", recipe)
    short = repeated(piece, tmp_path / "short.mp4", 2)
    long = repeated(piece, tmp_path / "long.mp4", 20)
    for fps in (2, 0.05):  # the second keeps packets waiting for as long as is ever allowed
        assert peak_kb(long, fps) < 1.1 * peak_kb(short, fps)
