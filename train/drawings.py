"""What a scorer says of a video, as pictures: its curve beside the truth, and its keyframes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.ticker
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont, ImageOps

from models.types import Floats, Pixels, Times
from models.video.source import VideoSource
from train.metrics import Flags

Indices = npt.NDArray[np.int64]

CURVE_FILE, GRID_FILE = "importance_curve.png", "keyframes_grid.jpg"
CURVE_INCHES, CURVE_DPI = (9.0, 3.6), 130
PREDICTED, TRUTH, CHOSEN = "#0b7f88", "#a8590c", "#d9eeee"
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MOST_TICKS = 9
GRID_COLUMNS, TILE_PX, LABEL_PX = 4, (320, 180), 28
JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Drawn:
    """A video with all that is drawn of it."""

    name: str
    times_s: Times
    end_s: float
    scores: Floats  # [T], in [0, 1]
    truth: Floats  # [T], in [0, 1]
    chosen: Flags  # [T]: the frames of the summary
    path: Path | None = None  # of the video; without it only the curve is drawn


def keyframes_of(scores: Floats, chosen: Flags, starts: Indices) -> Indices:
    """The best frame of every shot of the summary, in order of time."""
    ends = np.append(starts[1:], len(scores))
    return np.array(
        [
            a + int(np.argmax(scores[a:b]))
            for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
            if chosen[a]
        ],
        np.int64,
    )


def draw_video(folder: Path, drawn: Drawn, keyframes: Indices) -> list[Path]:
    """Writes the curve, the grid and one picture a keyframe; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("keyframe*.jpg"):
        old.unlink()
    written = [draw_curve(folder / CURVE_FILE, drawn, keyframes)]
    if drawn.path is None or not len(keyframes):
        return written
    times_s = drawn.times_s[keyframes].tolist()
    pictures = []
    with VideoSource(drawn.path, threads=1) as source:
        for number, batch in enumerate(source.frames_at(times_s), start=1):
            time_s = times_s[number - 1]
            score = float(drawn.scores[keyframes[number - 1]])
            ms = round(1000 * time_s)
            at = f"{ms // 60_000:02d}m{ms % 60_000 / 1000:06.3f}s"
            path = folder / f"keyframe_{number:02d}_{at}_{score:.2f}.jpg"
            picture = Image.fromarray(batch.pixels[0])
            picture.save(path, quality=JPEG_QUALITY)
            written.append(path)
            pictures.append((batch.pixels[0], f"{clock(time_s)}   {round(100 * score)} %"))
    written.append(draw_grid(folder / GRID_FILE, pictures))
    return written


def draw_curve(path: Path, drawn: Drawn, keyframes: Indices) -> Path:
    """Predicted and true importance over time; the summary behind, the keyframes on the curve."""
    figure = Figure(figsize=CURVE_INCHES, dpi=CURVE_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for start_s, end_s in _spans(drawn):
        axes.axvspan(start_s, end_s, color=CHOSEN, lw=0, zorder=0)
    axes.plot(drawn.times_s, drawn.truth, color=TRUTH, lw=1.4, label="people's mean")
    axes.plot(drawn.times_s, drawn.scores, color=PREDICTED, lw=1.6, label="predicted")
    axes.scatter(
        drawn.times_s[keyframes], drawn.scores[keyframes], s=26, color=PREDICTED, zorder=4,
        label="keyframes",
    )  # fmt: skip
    axes.set_xlim(float(drawn.times_s[0]), max(drawn.end_s, float(drawn.times_s[-1]) + 0.1))
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_locator(matplotlib.ticker.MultipleLocator(_step_s(drawn.end_s)))
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda s, _: clock(s)))
    axes.set_xlabel("time, min:s")
    axes.set_ylabel("importance")
    axes.set_title(drawn.name.replace("$", r"\$"), loc="left")
    axes.legend(loc="upper right", ncols=3, frameon=False)
    figure.savefig(path)
    return path


def _spans(drawn: Drawn) -> list[tuple[float, float]]:
    """Stretches of time that the summary keeps."""
    edges_s = np.append(drawn.times_s, max(drawn.end_s, float(drawn.times_s[-1])))
    turns = np.flatnonzero(np.diff(np.concatenate([[False], drawn.chosen, [False]])))
    return [
        (float(edges_s[a]), float(edges_s[b])) for a, b in zip(turns[::2], turns[1::2], strict=True)
    ]


def _step_s(length_s: float) -> float:
    return next(
        (s for s in STEPS_S if length_s / s <= MOST_TICKS), math.ceil(length_s / 3600) * 600
    )


def clock(time_s: float) -> str:
    """12:05, also after an hour: 72:05."""
    whole = round(max(time_s, 0.0))
    return f"{whole // 60:02d}:{whole % 60:02d}"


def draw_grid(path: Path, pictures: Sequence[tuple[Pixels, str]]) -> Path:
    """All keyframes with their times, as one picture."""
    columns = min(GRID_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    width, height = TILE_PX
    sheet = Image.new("RGB", (columns * width, rows * (height + LABEL_PX)), "#ffffff")
    drawing, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for place, (pixels, label) in enumerate(pictures):
        left, top = place % columns * width, place // columns * (height + LABEL_PX)
        tile = ImageOps.contain(Image.fromarray(pixels), (width - 6, height - 6))
        sheet.paste(tile, (left + (width - tile.width) // 2, top + (height - tile.height) // 2))
        drawing.text((left + 6, top + height + 2), label, fill="#1b2226", font=font)
    sheet.save(path, quality=JPEG_QUALITY)
    return path
