"""Tiny videos for tests, made on the spot."""

from pathlib import Path

import av
import numpy as np


def write_clip(
    path: Path, *, seconds: float = 1.0, shade: int = 90, codec: str = "libx264", fps: int = 10
) -> Path:
    """A square that moves over a plain ground."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(round(seconds * fps)):
            pixels = np.full((64, 96, 3), shade, np.uint8)
            pixels[20:40, number * 4 % 76 : number * 4 % 76 + 20] = 255 - shade
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_sound(path: Path, seconds: float = 1.0) -> Path:
    rate = 44100
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=rate, layout="mono")
        wave = 0.3 * np.sin(np.arange(round(seconds * rate)) * 0.05, dtype=np.float32)
        for start in range(0, len(wave), 1024):
            piece = wave[None, start : start + 1024]
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
