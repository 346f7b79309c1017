"""The pictures in the ZIP are the keyframes, upright and at source size."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.export.pictures import picture_name, write_folder, write_zip
from app.progress import Progress, ignore_progress, never_stop
from app.results import Keyframe, SummaryResult
from models.errors import CancelledError, UserFacingError
from models.video.probe import probe
from tests.media import make_kind, read_number
from tests.sample_results import sample_result


def _result(path: Path, times_s: tuple[float, ...]) -> SummaryResult:
    return dataclasses.replace(
        sample_result(),
        video=probe(path),
        keyframes=tuple(Keyframe(time_s, 0.875, 0) for time_s in times_s),
    )


@pytest.mark.parametrize(
    ("kind", "size"),
    [("turned_90.mp4", (240, 320)), ("wide_pixels.mp4", (427, 240)), ("plain.mp4", (320, 240))],
)
def test_zip_holds_upright_pictures_of_the_moments(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    result = _result(make_kind(kind, tmp_path), (0.0, 1.0, 3.5))
    reports: list[Progress] = []
    path = write_zip(result, tmp_path / "out.zip", report=reports.append, stop=never_stop)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "01_00m00.000s_0.88.jpg",
            "02_00m01.000s_0.88.jpg",
            "03_00m03.500s_0.88.jpg",
            "summary.json",
        ]
        assert json.loads(archive.read("summary.json")) == result.to_json()
        for name, number in zip(archive.namelist(), (0, 30, 105), strict=False):
            with Image.open(io.BytesIO(archive.read(name))) as picture:
                expected = (result.video.width, result.video.height)
                assert picture.format == "JPEG" and picture.size == expected == size
                assert read_number(np.asarray(picture)) == number
    assert reports[-1].fraction == 1.0


def test_folder_holds_the_same_pictures(tmp_path: Path) -> None:
    result = _result(make_kind("plain.mp4", tmp_path), (2.0,))
    folder = write_folder(result, tmp_path / "a" / "b", report=ignore_progress, stop=never_stop)
    (picture,) = folder.iterdir()
    with Image.open(picture) as opened:
        assert read_number(np.asarray(opened)) == 60


def test_names_sort_by_time_and_hold_no_path() -> None:
    assert picture_name(1, Keyframe(42.5, 0.5, 0)) == "01_00m42.500s_0.50.jpg"
    assert picture_name(12, Keyframe(3725.0004, 1.0, 0)) == "12_62m05.000s_1.00.jpg"


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    result = _result(make_kind("plain.mp4", tmp_path), (0.5, 1.0, 2.0, 3.0))
    before = set(tmp_path.iterdir())
    reports: list[Progress] = []
    with pytest.raises(CancelledError):
        write_zip(result, tmp_path / "o.zip", report=reports.append, stop=lambda: len(reports) >= 2)
    assert set(tmp_path.iterdir()) == before


def test_no_keyframes_or_no_video_are_sentences(tmp_path: Path) -> None:
    video = make_kind("one_frame.mp4", tmp_path)
    results = (_result(video, ()), _result(video, (0.0,)))
    video.unlink()
    for result in results:
        with pytest.raises(UserFacingError) as caught:
            write_zip(result, tmp_path / "o.zip", report=ignore_progress, stop=never_stop)
        assert str(tmp_path) not in str(caught.value)
        assert not list(tmp_path.iterdir())
