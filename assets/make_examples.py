"""Composes the example videos: `python -m assets.make_examples`.

The pictures come from packages that are installed anyway (see CREDITS.md); the camera moves, the
cuts and the commentary are ours. The result is committed, so nothing is composed at run time.
"""

import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from assets.camera import HEIGHT_PX, WIDTH_PX, Picture
from assets.films import Film, all_films

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "examples"
FPS = 25
RATE_HZ = 44100
LEAD_S = 0.35  # silence after a cut before the voice sets in
POSTER_PX = (480, 270)

Sound = npt.NDArray[np.float32]


def spoken(text: str) -> Sound:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(
            [sys.executable, "-m", "assets.speak", str(path)],
            input=text, text=True, stdout=subprocess.DEVNULL,
            check=True, timeout=60, cwd=HERE.parent,
        )  # fmt: skip
        with wave.open(str(path)) as file:
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    times_s = np.arange(round(len(samples) * RATE_HZ / rate)) / RATE_HZ
    wide = np.interp(times_s, np.arange(len(samples)) / rate, samples / 32768)
    loud = np.flatnonzero(np.abs(wide) > 0.01)
    return wide[loud[0] : loud[-1] + 1].astype(np.float32)


def commentary(film: Film) -> Sound:
    track = np.zeros(round(film.seconds * RATE_HZ), np.float32)
    start_s = 0.0
    for shot in film.shots:
        speech = spoken(shot.says)
        lead_s = min(LEAD_S, 0.1 * shot.seconds)
        if lead_s + len(speech) / RATE_HZ > shot.seconds:
            raise ValueError(
                f"the words fit the shot, received {shot.says!r} of {len(speech) / RATE_HZ:.1f} s "
                f"in {shot.seconds} s"
            )
        at = round((start_s + lead_s) * RATE_HZ)
        track[at : at + len(speech)] = speech
        start_s += shot.seconds
    return np.asarray(0.7 * track / np.abs(track).max(), np.float32)


def frames(film: Film) -> Iterator[Picture]:
    for shot in film.shots:
        count = round(shot.seconds * FPS)
        for number in range(count):
            yield shot.draw(number / (count - 1))


def write(film: Film, path: Path) -> None:
    options = {"movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as out:
        picture = out.add_stream("libx264", rate=FPS, options={"preset": "veryslow", "crf": "26"})
        picture.width, picture.height, picture.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        picture.codec_context.gop_size = 4 * FPS
        sound = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        sound.bit_rate = 48_000
        for number, pixels in enumerate(frames(film)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(picture.encode(frame))
        track = commentary(film)
        for start in range(0, len(track), 1024):
            piece = av.AudioFrame.from_ndarray(
                track[None, start : start + 1024], format="fltp", layout="mono"
            )
            piece.sample_rate, piece.pts = RATE_HZ, start
            piece.time_base = Fraction(1, RATE_HZ)
            out.mux(sound.encode(piece))
        for stream in (picture, sound):
            out.mux(stream.encode(None))


def write_poster(film: Film, path: Path) -> None:
    wanted = round(film.poster_s * FPS)
    pixels = next(pixels for number, pixels in enumerate(frames(film)) if number == wanted)
    small = cv2.resize(pixels, POSTER_PX, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    listed: list[dict[str, Any]] = []
    for film in all_films():
        video, poster = f"{film.name}.mp4", f"{film.name}.jpg"
        write(film, FOLDER / video)
        write_poster(film, FOLDER / poster)
        listed.append(
            {
                "name": film.name,
                "label": film.label,
                "file": video,
                "poster": poster,
                "duration_s": round(film.seconds, 2),
            }
        )
        print(f"{video}: {film.seconds:.1f} s, {(FOLDER / video).stat().st_size / 1000:.0f} kB")
    (FOLDER / "examples.json").write_text(json.dumps(listed, indent=2) + "\n")


if __name__ == "__main__":
    main()
