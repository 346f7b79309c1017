"""Small odd videos, made when a test asks for them.

Every frame carries its number as a row of black and white squares, so that a test can tell which
frame it was given whatever was done to its size: `read_number(pixels)`.
"""

import hashlib
import os
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np

from benchmarks.priority import keep_priority
from models.types import Pixels

os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder talks a lot

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "test_media"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "media"
SUFFIXES = {".mp4", ".mkv", ".avi", ".flv", ".webm", ".mov"}
NUMBER_BITS = 12
SIZE = (320, 240)
TICKS = 90_000  # of the encoder's clock, a second
SOUND_RATE = 44_100


def numbered_picture(number: int, width: int, height: int) -> Pixels:
    """A moving texture with `number` burnt in: two marks, then NUMBER_BITS squares, as a band."""
    x = np.arange(width)[None, :]
    y = np.arange(height)[:, None]
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = 128 + 90 * np.sin(x / 17 + number / 9) * np.cos(y / 23)
    picture[..., 1] = 128 + 90 * np.sin((x + y) / 29 - number / 7)
    picture[..., 2] = (x * 2 + y + number * 3) % 200 + 20
    bits = [1, 0, *((number >> bit) & 1 for bit in range(NUMBER_BITS))]
    top, bottom = height // 3, 2 * height // 3
    edges = np.linspace(0, width, len(bits) + 1).round().astype(int)
    for bit, left, right in zip(bits, edges, edges[1:], strict=False):
        picture[top:bottom, left:right] = 235 if bit else 20
    return picture


def read_number(picture: Pixels) -> int:
    """The number burnt into an upright picture of any size; ValueError if it is not there."""
    height, width, _ = picture.shape
    cells = NUMBER_BITS + 2
    row = picture[height * 4 // 10 : height * 6 // 10].mean(axis=(0, 2))
    centres = ((np.arange(cells) + 0.5) * width / cells).astype(int)
    margin = max(1, width // cells // 6)
    levels = np.array([row[c - margin : c + margin + 1].mean() for c in centres])
    if not (levels[0] > 180 and levels[1] < 80) or np.any((levels > 80) & (levels < 180)):
        raise ValueError(f"a picture carries a number, received levels {levels.round()}")
    return sum(1 << bit for bit, level in enumerate(levels[2:]) if level > 128)


def numbered_frames(path: Path) -> list[tuple[float, int]]:
    """(time, number) of every frame, by a decoder that knows nothing of ours."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        shown = []
        for frame in container.decode(stream):
            upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            shown.append((float(frame.pts * stream.time_base), read_number(upright)))
    return sorted(shown)


@dataclass(frozen=True)
class Recipe:
    """How a numbered video is encoded. `times_s` are the frames' presentation times."""

    codec: str = "libx264"
    size: tuple[int, int] = SIZE
    times_s: Sequence[float] = tuple(number / 30 for number in range(120))
    fps: int = 30
    gop: int = 30
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    rotation: int = 0  # clockwise, as a player turns it
    pixel_shape: Fraction | None = None
    beeps_every_s: float | None = None
    colours: tuple[int, int] | None = None  # colour space and range, by FFmpeg's numbers


def even_times(frames: int, fps: float = 30, start_s: float = 0.0) -> tuple[float, ...]:
    return tuple(start_s + number / fps for number in range(frames))


def uneven_times(frames: int, seed: int = 0, start_s: float = 0.0) -> tuple[float, ...]:
    """Gaps from 10 ms to 400 ms, in whole milliseconds so that every container can hold them."""
    gaps = np.random.default_rng(seed).choice([10, 17, 33, 40, 100, 400], frames - 1)
    return tuple(start_s + ms / 1000 for ms in np.concatenate([[0], np.cumsum(gaps)]))


def make_video(path: Path, recipe: Recipe) -> Path:
    """Writes the numbered video; the file's suffix chooses the container unless `format` does."""
    writing = av.open(str(path), "w", format=recipe.format, options=recipe.muxer)
    with keep_priority(), writing as out:
        stream = out.add_stream(recipe.codec, rate=recipe.fps, options=recipe.options)
        stream.width, stream.height = recipe.size
        stream.pix_fmt = recipe.pixel_format
        stream.gop_size = recipe.gop
        stream.thread_count = 1
        uneven = len(set(np.diff(recipe.times_s).round(6))) > 1 or recipe.times_s[0] != 0
        ticks = TICKS if uneven and recipe.codec != "mpeg4" else recipe.fps
        stream.codec_context.time_base = Fraction(1, ticks)
        if recipe.pixel_shape:
            stream.codec_context.sample_aspect_ratio = recipe.pixel_shape
        if recipe.colours:
            stream.codec_context.colorspace, stream.codec_context.color_range = recipe.colours
        if recipe.rotation:
            stream.set_display_rotation(-recipe.rotation)
        sound = None
        if recipe.beeps_every_s is not None:
            sound = out.add_stream(_sound_codec(path), rate=SOUND_RATE, layout="mono")
        for number, time_s in enumerate(recipe.times_s):
            picture = numbered_picture(number, *_upright(recipe))
            frame = av.VideoFrame.from_ndarray(_turned(picture, recipe.rotation), "rgb24")
            frame = frame.reformat(format=recipe.pixel_format)
            frame.pts, frame.time_base = round(time_s * ticks), Fraction(1, ticks)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None and recipe.beeps_every_s is not None:
            length_s = recipe.times_s[-1] + 1 / recipe.fps
            _write_sound(out, sound, beeps(length_s, recipe.beeps_every_s))
    return path


def _upright(recipe: Recipe) -> tuple[int, int]:
    width, height = recipe.size
    return (height, width) if recipe.rotation % 180 else (width, height)


def _turned(picture: Pixels, rotation: int) -> Pixels:
    """The picture as the camera stored it, so that turning it clockwise makes it upright."""
    return np.ascontiguousarray(np.rot90(picture, k=rotation // 90))


def beeps(length_s: float, every_s: float) -> np.ndarray:
    """Silence with 100 ms of a 1 kHz tone at 0, every_s, 2 every_s, ...; float32 mono."""
    time = np.arange(round(length_s * SOUND_RATE)) / SOUND_RATE
    return np.where(time % every_s < 0.1, 0.6 * np.sin(2000 * np.pi * time), 0).astype(np.float32)


def _sound_codec(path: Path) -> str:
    return {".webm": "libopus", ".avi": "mp3", ".mp3": "mp3", ".wav": "pcm_s16le"}.get(
        path.suffix, "aac"
    )


def _write_sound(
    out: av.container.OutputContainer, stream: av.AudioStream, wave: np.ndarray
) -> None:
    resampler = av.AudioResampler(
        stream.codec_context.format, "mono", stream.codec_context.sample_rate, frame_size=1024
    )
    frame = av.AudioFrame.from_ndarray(wave[None, :], "flt", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        out.mux(stream.encode(part))
    out.mux(stream.encode(None))


def add_cover(source: Path, path: Path) -> Path:
    """The streams of `source` after a cover picture, which is the first video stream of all."""
    with av.open(str(source)) as have, av.open(str(path), "w") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        kept = {s.index: out.add_stream_from_template(s) for s in have.streams}
        picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8), "rgb24")
        picture.pts, picture.time_base = 0, Fraction(1, 1)
        for packet in [*cover.encode(picture.reformat(format="yuvj420p")), *cover.encode(None)]:
            out.mux(packet)
        for packet in have.demux():
            if packet.dts is not None:
                packet.stream = kept[packet.stream_index]
                out.mux(packet)
    return path


def cover_only(path: Path) -> Path:
    """Sound with a cover picture and no video: "audio only" to a person."""
    sound = audio_only(path.with_name("sound_for_cover" + path.suffix))
    return add_cover(sound, path)


def audio_only(path: Path, length_s: float = 2.0) -> Path:
    with av.open(str(path), "w") as out:
        sound = out.add_stream(_sound_codec(path), rate=SOUND_RATE, layout="mono")
        _write_sound(out, sound, beeps(length_s, 1.0))
    return path


def repeated(source: Path, path: Path, times: int) -> Path:
    """The packets of `source` over and over with shifted times: a long video in a second."""
    with av.open(str(source)) as have, av.open(str(path), "w") as out:
        kept = {s.index: out.add_stream_from_template(s) for s in have.streams}
        packets = [p for p in have.demux() if p.dts is not None]
        length = Fraction(have.duration, av.time_base)
        for turn in range(times):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                shift = round(turn * length / packet.time_base)
                copy.pts, copy.dts = packet.pts + shift, packet.dts + shift
                copy.duration, copy.time_base = packet.duration, packet.time_base
                copy.is_keyframe = packet.is_keyframe
                copy.stream = kept[packet.stream_index]
                out.mux(copy)
    return path


def truncated(source: Path, path: Path, share: float = 0.6) -> Path:
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


DAMAGES = ("flips", "cut", "zeros", "shuffle", "insert")


def damaged(source: Path, path: Path, seed: int) -> Path:
    """A copy with bytes flipped, cut off, zeroed, shuffled or inserted; the seed decides which."""
    rng = random.Random(seed)
    data = bytearray(source.read_bytes())
    kind = DAMAGES[seed % len(DAMAGES)]

    # Half of the time near an end, where the headers are.
    def place() -> int:
        head = min(4096, len(data))
        return rng.choice(
            (
                rng.randrange(head),
                len(data) - 1 - rng.randrange(head),
                rng.randrange(len(data)),
                rng.randrange(len(data)),
            )
        )

    if kind == "flips":
        for _ in range(rng.choice((1, 5, 50, 500))):
            data[place()] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[rng.randrange(1, len(data)) :]
    elif kind == "zeros":
        for _ in range(rng.choice((1, 3, 20))):
            at = place()
            length = min(rng.choice((4, 64, 1024, 16384)), len(data) - at)
            data[at : at + length] = bytes(length)
    elif kind == "shuffle":
        size = rng.choice((64, 512, 4096, 32768))
        blocks = [data[at : at + size] for at in range(0, len(data), size)]
        for _ in range(rng.choice((1, 4, 30))):
            a, b = rng.randrange(len(blocks)), rng.randrange(len(blocks))
            blocks[a], blocks[b] = blocks[b], blocks[a]
        data = bytearray(b"".join(blocks))
    else:
        for _ in range(rng.choice((1, 3, 20))):
            at = place()
            data[at:at] = rng.randbytes(rng.choice((1, 7, 300)))
    path.write_bytes(data)
    return path


def _quiet_x265(**options: str) -> dict[str, str]:
    parameters = ":".join(["log-level=none", *(f"{k}={v}" for k, v in options.items())])
    return {"preset": "ultrafast", "x265-params": parameters}


FAST = {"preset": "veryfast"}
PYRAMID = {"preset": "veryfast", "x264-params": "bframes=4:b-adapt=0:b-pyramid=normal"}

# Each kind of file that is known to have gone wrong somewhere, in the container given by its name.
KINDS: dict[str, Recipe] = {
    "plain.mp4": Recipe(options=FAST, beeps_every_s=1.0),
    "uneven.mp4": Recipe(options=FAST, times_s=uneven_times(120)),
    "uneven.mkv": Recipe(options=FAST, times_s=uneven_times(120)),
    "late_start.mkv": Recipe(options=FAST, times_s=even_times(90, start_s=1.5)),
    "long_gop.mp4": Recipe(options=PYRAMID, gop=250, times_s=even_times(300)),
    "dropped_b.mp4": Recipe(
        options={"preset": "veryfast", "x264-params": "bframes=3:b-adapt=0:b-pyramid=none"}, gop=60
    ),
    "open_gop.mp4": Recipe(
        options={"x264-params": "open-gop=1:bframes=4:b-adapt=0:b-pyramid=normal:keyint=24"}
    ),
    "open_gop.ts": Recipe(
        options={"x264-params": "open-gop=1:bframes=4:b-adapt=0:b-pyramid=normal:keyint=24"}
    ),
    "refresh.mkv": Recipe(
        options={"preset": "veryfast", "x264-params": "intra-refresh=1:keyint=30"}
    ),
    "intra_only.mp4": Recipe(options=FAST, gop=1),
    "interlaced.mkv": Recipe(options={"preset": "veryfast", "x264-params": "tff=1"}),
    "turned_90.mp4": Recipe(options=FAST, rotation=90),
    "turned_180.mp4": Recipe(options=FAST, rotation=180),
    "turned_270.mov": Recipe(options=FAST, rotation=270),
    "wide_pixels.mp4": Recipe(options=FAST, pixel_shape=Fraction(4, 3)),
    "tall_pixels.mkv": Recipe(options=FAST, pixel_shape=Fraction(2, 3)),
    "odd_size.mkv": Recipe(options=FAST, size=(323, 241), pixel_format="yuv444p"),
    "one_frame.mp4": Recipe(options=FAST, times_s=(0.0,)),
    "full_range.mp4": Recipe(options=FAST, colours=(1, 2)),
    "ten_bit.mp4": Recipe(options=FAST, pixel_format="yuv420p10le"),
    "four_two_two.mp4": Recipe(options=FAST, pixel_format="yuv422p"),
    "grey.mp4": Recipe(options=FAST, pixel_format="gray"),
    "rgb.mkv": Recipe(codec="libx264rgb", options=FAST, pixel_format="rgb24"),
    "hevc.mp4": Recipe(
        codec="libx265", options=_quiet_x265(keyint="40", bframes="4", **{"open-gop": "0"})
    ),
    "hevc_open.mkv": Recipe(
        codec="libx265", options=_quiet_x265(keyint="24", bframes="4", **{"open-gop": "1"})
    ),
    "hevc_ten_bit.mp4": Recipe(
        codec="libx265", options=_quiet_x265(keyint="40"), pixel_format="yuv420p10le"
    ),
    "vp8.webm": Recipe(
        codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}
    ),
    "vp9.webm": Recipe(codec="libvpx-vp9", options={"cpu-used": "8", "lag-in-frames": "20"}),
    "vp9.mp4": Recipe(codec="libvpx-vp9", options={"cpu-used": "8"}),
    "av1.mp4": Recipe(codec="libsvtav1", options={"preset": "8", "crf": "4"}),
    "av1.mkv": Recipe(
        codec="libsvtav1", options={"preset": "8", "crf": "4"}, times_s=uneven_times(80)
    ),
    "mpeg4.avi": Recipe(codec="mpeg4", beeps_every_s=1.0),
    "mpeg4_b.avi": Recipe(codec="mpeg4", options={"bf": "2"}),
    "mpeg4.mp4": Recipe(codec="mpeg4", options={"bf": "2"}),
    "mpeg2.ts": Recipe(codec="mpeg2video", options={"bf": "2"}, beeps_every_s=1.0),
    "mpeg2.mpg": Recipe(codec="mpeg2video", options={"bf": "2"}),
    "mjpeg.avi": Recipe(codec="mjpeg", pixel_format="yuvj420p"),
    "mjpeg.mov": Recipe(codec="mjpeg", pixel_format="yuvj420p"),
    "raw.h264": Recipe(options=PYRAMID, format="h264"),
    "raw.hevc": Recipe(codec="libx265", options=_quiet_x265(), format="hevc"),
    "no_length.mkv": Recipe(options=FAST, muxer={"live": "1"}, beeps_every_s=1.0),
    "fragments.mp4": Recipe(
        options=FAST, muxer={"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    ),
    "flash.flv": Recipe(options=FAST, beeps_every_s=1.0),
    "lossless.mkv": Recipe(codec="ffv1", gop=1),
    "palette.gif": Recipe(codec="gif", pixel_format="rgb8", fps=10, times_s=even_times(30, 10)),
}


def make_kind(name: str, folder: Path) -> Path:
    """The file of KINDS called `name`, made in `folder` unless it is there."""
    path = folder / name
    if not path.exists():
        make_video(path, KINDS[name])
    return path


def cached_kind(name: str) -> Path:
    """The same, kept between runs; not to be written to."""
    digest = hashlib.sha256(f"{KINDS[name]}{av.__version__}".encode()).hexdigest()[:12]
    folder = CACHE / digest
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            make_kind(name, Path(scratch)).replace(folder / name)
    return folder / name


def real_videos() -> list[Path]:
    """The shared videos, where they are, and those inside Gradio, which is not imported for it."""
    gradio = find_spec("gradio")
    folders = [SHARED]
    if gradio is not None and gradio.origin is not None:
        folders.append(Path(gradio.origin).parent / "media_assets" / "videos")
    return sorted(p for folder in folders for p in folder.glob("*") if p.suffix in SUFFIXES)
