"""Plots and contact sheets can be read and never trip over a name."""

import io
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app import render
from app.results import Compared, ModelUsed, ScoredFrame
from models.errors import ExportError
from models.summary_methods import METHODS
from tests.sample_results import HOSTILE_NAMES, sample_result


def _jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (90, 160)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_plot_shows_time_keyframes_and_chosen_shots() -> None:
    result = sample_result()
    axes = render.importance_plot(result).axes[0]
    assert axes.get_xlim() == (0.0, 130.0)
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == ["0:00", "0:30", "1:00"]
    dots = axes.collections[-1].get_offsets()
    assert [x for x, _ in dots] == [k.time_s for k in result.keyframes]
    shades = [patch.get_x() for patch in axes.patches]
    assert shades == [result.shots[1].start_s, result.shots[3].start_s]
    assert "tour.mp4" in axes.get_title(loc="left") and "Key shots" in axes.get_title(loc="left")


def test_another_method_is_drawn_over_it_with_a_legend() -> None:
    plain = sample_result()
    assert not render.importance_plot(plain).legends
    frames = tuple(ScoredFrame(frame.time_s, 1 - frame.score) for frame in plain.frames)
    other = Compared("kmeans", ModelUsed("colour", None), frames, -1.0)
    figure = render.importance_plot(replace(plain, compared=other))
    [legend] = figure.legends
    labels = [METHODS[name].label for name in ("key_shots", "kmeans")]
    assert [text.get_text() for text in legend.get_texts()] == labels
    own, beside = figure.axes[0].lines
    assert np.allclose(np.asarray(own.get_ydata()) + np.asarray(beside.get_ydata()), 1.0)
    assert own.get_color() != beside.get_color() and own.get_linestyle() != beside.get_linestyle()


def test_long_videos_are_labelled_with_hours_and_drawn_with_few_points() -> None:
    result = sample_result(edges_s=(0.0, 4000.0, 9000.0), chosen=(0,))
    axes = render.importance_plot(result).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()][:2] == ["0:00:00", "0:30:00"]
    assert len(axes.lines[0].get_xdata()) == render.MOST_POINTS


@pytest.mark.parametrize("length_s", [0.04, 3.0, 59.0, 600.0, 3599.0, 40_000.0, 400_000.0])
def test_there_are_few_ticks_and_all_inside(length_s: float) -> None:
    ticks = render.time_ticks(1.5, 1.5 + length_s)
    assert len(ticks) <= render.MOST_TICKS + 1
    assert all(1.5 <= tick <= 1.5 + length_s for tick in ticks)


@pytest.mark.parametrize("dark", [False, True])
def test_saved_plot_is_large_and_has_contrast(dark: bool, tmp_path: Path) -> None:
    path = render.save_plot(sample_result(), tmp_path / "plot.png", dark=dark)
    pixels = _pixels(path)
    assert pixels.shape[1] >= 1200
    paper = pixels[2, 2].mean()
    assert paper < 60 if dark else paper > 240
    title = pixels[: pixels.shape[0] // 7].mean(axis=2)
    assert abs(title - paper).max() > 150, "the title cannot be told from the paper"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_plot_takes_any_name(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render.save_plot(sample_result(name=name), tmp_path / "plot.png")


def test_dollars_are_shown_and_not_read_as_a_formula() -> None:
    axes = render.importance_plot(sample_result(name="$x_1$.mp4")).axes[0]
    assert axes.get_title(loc="left").splitlines()[0] == r"\$x_1\$.mp4"


def test_a_title_of_long_names_stays_on_the_plot() -> None:
    result = replace(sample_result(), method="learned from people, " * 4, steered=True)
    (axes,) = render.importance_plot(result).axes
    lines = axes.get_title(loc="left").splitlines()
    assert max(map(len, lines)) <= render.TITLE_CHARS
    assert lines[-1] == f"{len(result.keyframes)} key moments steered by words"


def test_plots_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    results = [sample_result(edges_s=(0.0, 10.0 * n, 20.0 * n), chosen=(0,)) for n in (1, 2, 3)]
    alone = [render.save_plot(r, tmp_path / f"alone{i}.png") for i, r in enumerate(results)]
    threads = [
        threading.Thread(target=render.save_plot, args=(r, tmp_path / f"together{i}.png"))
        for i, r in enumerate(results)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, path in enumerate(alone):
        assert np.array_equal(_pixels(path), _pixels(tmp_path / f"together{index}.png"))


def test_contact_sheet_shows_every_thumbnail_in_proportion(tmp_path: Path) -> None:
    path = render.contact_sheet(
        sample_result(chosen=(0, 1, 2, 3, 4), thumbnail=_jpeg((250, 20, 20))), tmp_path / "s.jpg"
    )
    pixels = _pixels(path)
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 90)
    assert red.sum() == pytest.approx(5 * 180 * 101, rel=0.05)


def test_contact_sheet_without_keyframes_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        render.contact_sheet(sample_result(chosen=()), tmp_path / "s.jpg")
    assert not list(tmp_path.iterdir())


def test_the_plot_has_the_colours_of_the_page() -> None:
    page = (Path(render.__file__).parent / "timeline" / "names.css").read_text()
    for palette in (render.LIGHT, render.DARK):
        for colour in (palette.paper, palette.ink, palette.quiet, palette.curve, palette.keyframe):
            assert colour in page
