"""What is drawn of a scorer's answer."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit import judged_toys
from train import drawings
from train.drawings import Drawn, clock, draw_video, keyframes_of


def a_drawing(path: Path | None) -> tuple[Drawn, np.ndarray]:
    times_s = np.arange(12) / 2
    scores = np.linspace(0.1, 0.9, 12).astype(np.float32)
    chosen = np.arange(12) >= 8
    starts = np.array([0, 4, 8, 10])
    drawn = Drawn("a $video", times_s, 6.0, scores, scores[::-1], chosen, path)
    return drawn, keyframes_of(scores, chosen, starts)


def test_keyframes_are_the_best_of_the_chosen_shots() -> None:
    _, keyframes = a_drawing(None)
    assert keyframes.tolist() == [9, 11]


def test_the_curve_the_grid_and_each_keyframe(tmp_path: Path) -> None:
    path = judged_toys.plain_video(tmp_path / "video.mp4", 0)
    drawn, keyframes = a_drawing(path)
    folder = tmp_path / "out"
    (folder).mkdir()
    (folder / "keyframe_09_of_an_earlier_run.jpg").touch()
    written = draw_video(folder, drawn, keyframes)
    names = [made.name for made in written]
    assert names == [
        "importance_curve.png",
        "keyframe_01_00m04.500s_0.75.jpg",
        "keyframe_02_00m05.500s_0.90.jpg",
        "keyframes_grid.jpg",
    ]
    assert {found.name for found in folder.iterdir()} == set(names)
    with Image.open(folder / names[1]) as picture:
        assert picture.size == (48, 32)
        assert np.asarray(picture).mean() > 150  # the video's second half is bright
    with Image.open(folder / "keyframes_grid.jpg") as grid:
        assert grid.size[0] == 2 * drawings.TILE_PX[0]


def test_without_the_video_the_curve_alone(tmp_path: Path) -> None:
    drawn, keyframes = a_drawing(None)
    assert [p.name for p in draw_video(tmp_path, drawn, keyframes)] == ["importance_curve.png"]


def test_the_axis_says_minutes_and_seconds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = Drawn(
        "long",
        np.arange(400) / 2,
        200.0,
        np.full(400, 0.5, np.float32),
        np.full(400, 0.4, np.float32),
        np.zeros(400, np.bool_),
    )
    shown: list[str] = []

    def look(figure: drawings.Figure, *_: object, **__: object) -> None:
        axes = figure.axes[0]
        figure.canvas.draw()
        shown.extend(label.get_text() for label in axes.get_xticklabels())
        shown.append(axes.get_xlabel())

    monkeypatch.setattr(drawings.Figure, "savefig", look)
    drawings.draw_curve(tmp_path / "x.png", drawn, np.array([], np.int64))
    assert {"00:30", "01:00", "02:30", "03:00"} <= set(shown) and "min:s" in shown[-1]


def test_hours_go_on_in_minutes() -> None:
    assert (clock(0), clock(65.4), clock(4325)) == ("00:00", "01:05", "72:05")
