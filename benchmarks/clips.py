"""Videos to measure on, made once from what is installed anyway and kept in .cache/benchmarks.

The turning Earth that comes with Gradio moves over a textured, panning background with a cut every
five seconds: enough detail and motion that a decoder works about as hard as on a camera's picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from benchmarks.priority import keep_priority

CACHE = Path(".cache/benchmarks")
FPS = 30
SHOT_FRAMES = 150


@dataclass(frozen=True, slots=True)
class Clip:
    """One encoding of the same pictures; `repeats` plays it that many times over."""

    name: str
    codec: str
    size: tuple[int, int]
    key_distance: int
    seconds: int
    options: dict[str, str] = field(default_factory=dict)
    suffix: str = ".mp4"
    repeats: int = 1

    @property
    def path(self) -> Path:
        once = f"{self.name.replace(' ', '_')}_{self.seconds}s"
        return CACHE / f"{once}_x{self.repeats}{self.suffix}"

    def ready(self) -> Path:
        """The file, made unless it is there."""
        if not self.path.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            half = self.path.with_suffix(".part" + self.suffix)
            if self.repeats == 1:
                _encode(self, half)
            else:
                _repeat(self.once().ready(), half, self.repeats)
            half.replace(self.path)
        return self.path

    def once(self) -> "Clip":
        return Clip(
            self.name, self.codec, self.size, self.key_distance, self.seconds,
            self.options, self.suffix,
        )  # fmt: skip


def _earth(size: tuple[int, int]) -> list[npt.NDArray[np.uint8]]:
    spec = find_spec("gradio")
    if spec is None or spec.origin is None:
        raise SystemExit("the benchmark is made from media inside Gradio, which is not installed")
    path = Path(spec.origin).parent / "media_assets" / "videos" / "world.mp4"
    with av.open(str(path)) as container:
        return [
            frame.reformat(size[0], size[1], "rgb24").to_ndarray()
            for frame in container.decode(video=0)
        ]


def _texture(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Detail at several scales, like foliage or brick."""
    rng = np.random.default_rng(7)
    total = np.zeros((height, width, 3), np.float32)
    for cell in (128, 32, 8, 4):
        small = rng.integers(0, 256, (height // cell + 2, width // cell + 2, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(small, "rgb24").reformat(width, height, "rgb24")
        total += frame.to_ndarray().astype(np.float32) / 4
    return np.clip((total - 128) * 1.6 + 128, 0, 255).astype(np.uint8)


def _pictures(size: tuple[int, int], count: int) -> Iterator[npt.NDArray[np.uint8]]:
    width, height = size
    texture = _texture(2 * width, 2 * height)
    earth = _earth((width // 2, height // 2))
    for number in range(count):
        shot = number // SHOT_FRAMES
        left = int((np.sin(number / 60 + shot) + 1) / 2 * (width - 1))
        top = int((np.cos(number / 75 + 2 * shot) + 1) / 2 * (height - 1))
        picture = texture[top : top + height, left : left + width].copy()
        x = int((np.sin(number / 40) + 1) / 2 * (width // 2))
        y = int((np.cos(number / 55) + 1) / 2 * (height // 2))
        globe = earth[(number + 137 * shot) % len(earth)]
        picture[y : y + globe.shape[0], x : x + globe.shape[1]] = globe
        yield picture


def _encode(clip: Clip, path: Path) -> None:
    with keep_priority(), av.open(str(path), "w") as out:
        stream = out.add_stream(clip.codec, rate=FPS, options=clip.options)
        stream.width, stream.height = clip.size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = clip.key_distance
        for number, picture in enumerate(_pictures(clip.size, clip.seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _repeat(source: Path, path: Path, times: int) -> None:
    """The same packets again and again with shifted times: hours of video in seconds."""
    with av.open(str(source)) as have, av.open(str(path), "w") as out:
        stream = have.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [packet for packet in have.demux(stream) if packet.dts is not None]
        for turn in range(times):
            shift = round(turn * stream.duration)
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.pts, again.dts = packet.pts + shift, packet.dts + shift
                again.duration, again.time_base = packet.duration, packet.time_base
                again.is_keyframe, again.stream = packet.is_keyframe, copy
                out.mux(again)


# Key frames at the distance given and nowhere else, so that the clip is what its name says.
X264 = {"preset": "medium", "crf": "23", "x264-params": "scenecut=0"}
# Between two predicted frames three that nothing refers to, as many cameras and sites encode.
SPARE_B = {
    "preset": "medium",
    "crf": "23",
    "x264-params": "scenecut=0:bframes=3:b-adapt=0:b-pyramid=none",
}
AV1 = {"preset": "10", "crf": "35"}
VP9 = {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "b": "4M"}
FULL_HD, HD, SMALL = (1920, 1080), (1280, 720), (640, 360)

CLIPS = (
    Clip("1080p H.264 key 250", "libx264", FULL_HD, 250, 20, X264, repeats=3),
    Clip("1080p H.264 key 60", "libx264", FULL_HD, 60, 20, SPARE_B),
    Clip("720p H.264 key 250", "libx264", HD, 250, 20, X264, repeats=2),
    Clip("720p H.264 key 60", "libx264", HD, 60, 20, SPARE_B, repeats=2),
    Clip("360p H.264 key 250", "libx264", SMALL, 250, 20, X264, repeats=4),
    Clip("360p H.264 key 60", "libx264", SMALL, 60, 20, SPARE_B, repeats=4),
    Clip("1080p VP9", "libvpx-vp9", FULL_HD, 250, 10, VP9, ".webm"),
    Clip("1080p AV1", "libsvtav1", FULL_HD, 250, 10, AV1),
)
FIRST_LOOK_CLIP = CLIPS[0]
SHORT_CLIP = Clip("720p H.264 key 250", "libx264", HD, 250, 20, X264, repeats=6)
LONG_CLIP = Clip("720p H.264 key 250", "libx264", HD, 250, 20, X264, repeats=360)
