"""Results as pictures: the importance plot and the contact sheet."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from app.results import Compared, Keyframe, ScoredFrame, SummaryResult
from app.whole_file import whole_file
from app.wording import clock, one_line
from models.errors import ExportError
from models.summary_methods import methods

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

Doubles = npt.NDArray[np.float64]

PLOT_INCHES = (6.4, 3.4)  # legible when a phone shows it 360 px wide
PLOT_DPI = 200
TITLE_CHARS = 48
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200)
MOST_TICKS = 6
MOST_POINTS = 300
SHEET_COLUMNS = 4
SHEET_TILE_PX = (320, 180)
MOST_TILES = 60


@dataclass(frozen=True, slots=True)
class Palette:
    paper: str
    ink: str
    quiet: str
    curve: str
    chosen: str
    keyframe: str
    compared: str


# The page's own colours (app/timeline/names.css): a curve looks the same here as on the timeline.
LIGHT = Palette("#ffffff", "#1b2226", "#55616a", "#0b7f88", "#d9eeee", "#0b6b72", "#a8590c")
DARK = Palette("#191f22", "#e7ecee", "#9fadb5", "#45c4ca", "#14383a", "#5cc8cc", "#f0a45a")


def importance_plot(result: SummaryResult, *, dark: bool = False) -> "Figure":
    """Score over time with the shots behind it and the keyframes on it; beside it what another
    method says, where one was asked.

    The figure has its own canvas and shares nothing, so several threads can draw at once.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    palette = DARK if dark else LIGHT
    figure = Figure(figsize=PLOT_INCHES, dpi=100, facecolor=palette.paper, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_shots(axes, result, palette)
    _draw_scores(axes, result, palette)
    if result.compared is not None:
        _draw_compared(axes, result.compared, palette)
        _draw_legend(figure, axes, palette)
    _draw_title(axes, result, palette)
    _dress(axes, result, palette)
    return figure


def save_plot(result: SummaryResult, path: Path, *, dark: bool = False) -> Path:
    """The importance plot as a PNG."""
    picture = io.BytesIO()
    importance_plot(result, dark=dark).savefig(picture, format="png", dpi=PLOT_DPI)
    with whole_file(path) as file:
        file.write(picture.getvalue())
    return path


def contact_sheet(result: SummaryResult, path: Path) -> Path:
    """The keyframes' thumbnails with their times, as one JPEG."""
    from PIL import Image

    keyframes = _spread(result.keyframes, MOST_TILES)
    if not keyframes:
        raise ExportError("There are no keyframes to show; summarize the video first.")
    columns = min(SHEET_COLUMNS, len(keyframes))
    rows = math.ceil(len(keyframes) / columns)
    width, height = SHEET_TILE_PX
    gap, label = 12, 30
    sheet = Image.new(
        "RGB",
        (columns * (width + gap) + gap, rows * (height + label + gap) + gap),
        DARK.paper,
    )
    for place, keyframe in enumerate(keyframes):
        left = gap + place % columns * (width + gap)
        top = gap + place // columns * (height + label + gap)
        _draw_tile(sheet, keyframe, (left, top))
    picture = io.BytesIO()
    sheet.save(picture, "JPEG", quality=90)
    with whole_file(path) as file:
        file.write(picture.getvalue())
    return path


def time_ticks(start_s: float, end_s: float) -> list[float]:
    """Round times, no more than a phone can show."""
    length_s = max(end_s - start_s, 0.0)
    step = next((s for s in STEPS_S if length_s / s <= MOST_TICKS), None)
    if step is None:
        step = math.ceil(length_s / MOST_TICKS / 3600) * 3600
    first = math.ceil(start_s / step - 1e-9)
    return [float(n * step) for n in range(first, math.floor(end_s / step + 1e-9) + 1)]


def _drawable(text: str) -> str:
    """Without what matplotlib would read as a formula, or has no letter for."""
    from matplotlib import font_manager

    letters = font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()
    known = "".join(c if ord(c) in letters else "□" for c in text)
    return known.replace("$", r"\$")


def _draw_shots(axes: "Axes", result: SummaryResult, palette: Palette) -> None:
    for shot in result.shots:
        if shot.chosen:
            axes.axvspan(shot.start_s, shot.end_s, color=palette.chosen, lw=0, zorder=0)
    edges = [shot.start_s for shot in result.shots[1:]]
    if edges:
        axes.vlines(
            edges, 0, 1.08 * _top(result), color=palette.quiet, lw=0.6, alpha=0.45, zorder=1
        )


def _draw_scores(axes: "Axes", result: SummaryResult, palette: Palette) -> None:
    times, scores, low, high = _few_points(result.frames)
    if len(times) < len(result.frames):
        axes.fill_between(times, low, high, color=palette.curve, alpha=0.22, lw=0, zorder=2)
    else:
        axes.fill_between(times, scores, color=palette.curve, alpha=0.18, lw=0, zorder=2)
    own = _method_label(result.method)
    axes.plot(times, scores, color=palette.curve, lw=1.8, zorder=3, label=own)
    at = [keyframe.time_s for keyframe in result.keyframes]
    heights = [_finite(keyframe.score) for keyframe in result.keyframes]
    axes.vlines(at, 0, heights, color=palette.keyframe, lw=1.2, zorder=4)
    axes.scatter(
        at, heights, s=46, color=palette.keyframe, edgecolors=palette.paper, lw=1.0, zorder=5
    )


def _draw_compared(axes: "Axes", compared: Compared, palette: Palette) -> None:
    """A broken line, so that the two are told apart without colours too."""
    times, scores, _, _ = _few_points(compared.frames)
    label = _method_label(compared.method)
    broken = (0, (4, 1.5))
    axes.plot(times, scores, color=palette.compared, lw=1.8, ls=broken, zorder=3.5, label=label)


def _draw_legend(figure: "Figure", axes: "Axes", palette: Palette) -> None:
    lines = axes.get_lines()
    figure.legend(
        lines,
        [str(line.get_label()) for line in lines],
        loc="outside lower left",
        ncols=2,
        fontsize=11,
        labelcolor=palette.ink,
        frameon=False,
        handlelength=2.6,
        borderaxespad=0.1,
    )


def _few_points(frames: Sequence[ScoredFrame]) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Times and scores; of a long video the mean of each stretch, with its lowest and highest."""
    times = np.array([frame.time_s for frame in frames])
    scores = np.nan_to_num(np.array([frame.score for frame in frames]))
    if len(times) <= MOST_POINTS:
        return times, scores, scores, scores
    starts = np.linspace(0, len(times), MOST_POINTS, endpoint=False).astype(int)
    counts = np.diff(np.append(starts, len(times)))
    return (
        np.add.reduceat(times, starts) / counts,
        np.add.reduceat(scores, starts) / counts,
        np.minimum.reduceat(scores, starts),
        np.maximum.reduceat(scores, starts),
    )


def _method_label(name: str) -> str:
    method = methods().get(name)
    return name if method is None else method.label


def _draw_title(axes: "Axes", result: SummaryResult, palette: Palette) -> None:
    count = len(result.keyframes)
    steered = " steered by words" if result.steered else ""
    moments = "moment" if count == 1 else "moments"
    method, found = _method_label(result.method), f"{count} key {moments}"
    lines = [one_line(result.video.name), f"{method}{steered}, {found}"]
    if len(lines[1]) > TITLE_CHARS:
        lines[1:] = [method, f"{found}{steered}"]
    title = "\n".join(_drawable(_no_wider(line)) for line in lines)
    axes.set_title(title, loc="left", fontsize=13, color=palette.ink)


def _no_wider(line: str) -> str:
    return line if len(line) <= TITLE_CHARS else f"{line[: TITLE_CHARS - 1]}…"


def _dress(axes: "Axes", result: SummaryResult, palette: Palette) -> None:
    video = result.video
    start_s, end_s = video.start_s, max(video.end_s, video.start_s + 0.1)
    axes.set_xlim(start_s, end_s)
    top = _top(result)
    axes.set_ylim(0, 1.08 * top)
    ticks = time_ticks(start_s, end_s)
    axes.set_xticks(ticks, [clock(tick, hours=end_s >= 3600) for tick in ticks])
    marks = [0, top / 2, top]
    axes.set_yticks(marks, [f"{mark:.3g}" for mark in marks])
    axes.set_ylabel("importance", fontsize=13, color=palette.ink)
    axes.tick_params(labelsize=13, colors=palette.ink, length=4)
    axes.set_facecolor(palette.paper)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(palette.quiet)


def _top(result: SummaryResult) -> float:
    """The axis ends at the tenth over the highest score, so that a low curve has a shape too."""
    compared = result.compared.frames if result.compared else ()
    highest = max((_finite(frame.score) for frame in (*result.frames, *compared)), default=1.0)
    return min(1.0, max(0.2, math.ceil(10 * highest - 1e-6) / 10))


def _finite(score: float) -> float:
    return score if math.isfinite(score) else 0.0


def _spread(keyframes: Sequence[Keyframe], most: int) -> list[Keyframe]:
    if len(keyframes) <= most:
        return list(keyframes)
    return [keyframes[round(place)] for place in np.linspace(0, len(keyframes) - 1, most)]


def _draw_tile(sheet: "Image.Image", keyframe: Keyframe, corner: tuple[int, int]) -> None:
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    left, top = corner
    width, height = SHEET_TILE_PX
    drawing = ImageDraw.Draw(sheet)
    drawing.rectangle((left, top, left + width - 1, top + height - 1), fill="#000000")
    if keyframe.thumbnail:
        with Image.open(io.BytesIO(keyframe.thumbnail)) as stored:
            picture = ImageOps.contain(stored.convert("RGB"), SHEET_TILE_PX)
        place = (left + (width - picture.width) // 2, top + (height - picture.height) // 2)
        sheet.paste(picture, place)
    text = f"{clock(keyframe.time_s)}   {round(100 * _finite(keyframe.score))} %"
    drawing.text((left, top + height + 5), text, fill=DARK.ink, font=ImageFont.load_default(18))
