"""TVSum: videos with the importance that twenty people gave to every part of them.

A folder holds the annotations in one of three forms, and the videos in videos/ or video/:

- tvsum.h5: one group a video with user_anno, and its category and length as attributes;
- the published matlab/ydata-tvsum50.mat (MATLAB 7.3);
- the published data/ydata-tvsum50-anno.tsv: video, category, grades of all frames with commas
  between them, one line for each of a video's annotators.

The published files do not say how long a video is to the frame: that is read from the video.
"""

import csv
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.video.source import VideoSource
from train.data.judged import LEVELS, JudgedVideo, find_video

ANNOTATIONS = "tvsum.h5"
MATLAB_FILE = "ydata-tvsum50.mat"
TABLE_FILE = "ydata-tvsum50-anno.tsv"
VIDEOS = "videos"
PUBLISHED_VIDEOS = "video"


@dataclass(frozen=True, slots=True)
class Grades:
    name: str
    category: str
    user_anno: npt.NDArray[np.uint8]  # [annotators, frames]


def load_tvsum(folder: Path) -> list[JudgedVideo]:
    """All videos of the folder, sorted by name.

    Raises:
        FileNotFoundError: the annotations or one of the videos they name are not there.
        ValueError: the annotations are not what they should be.
    """
    if (folder / ANNOTATIONS).is_file():
        return _load_prepared(folder)
    grades = _published_grades(folder)
    where = folder / VIDEOS
    if not where.is_dir():
        where = folder / PUBLISHED_VIDEOS
    return [_with_video(found, where) for found in sorted(grades, key=lambda found: found.name)]


def _published_grades(folder: Path) -> Iterator[Grades]:
    for file_name, place, read in (
        (MATLAB_FILE, "matlab", read_matlab),
        (TABLE_FILE, "data", read_table),
    ):
        for path in (folder / file_name, folder / place / file_name):
            if path.is_file():
                return read(path)
    raise FileNotFoundError(f"{ANNOTATIONS}, {MATLAB_FILE} or {TABLE_FILE} is not in {folder}")


def _with_video(grades: Grades, folder: Path) -> JudgedVideo:
    path = find_video(folder, grades.name)
    with VideoSource(path, threads=1) as source:
        length_s = source.info.duration_s
    return JudgedVideo(grades.name, grades.category, path, length_s, grades.user_anno)


def read_table(path: Path) -> Iterator[Grades]:
    """Raises ValueError where annotators of one video graded different numbers of frames."""
    rows: dict[str, list[npt.NDArray[np.uint8]]] = {}
    categories: dict[str, str] = {}
    csv.field_size_limit(1 << 24)  # one field holds the grades of a whole video
    with path.open(newline="") as file:
        for line in csv.reader(file, delimiter="\t"):
            if len(line) < 3:
                raise ValueError(f"{path.name}: a line is video, category, grades; received {line}")
            name, category, text = line[:3]
            grades = np.array([float(value) for value in text.split(",")])
            rows.setdefault(name, []).append(_graded(grades, name))
            categories[name] = category
    for name, found in rows.items():
        if len({len(row) for row in found}) > 1:
            raise ValueError(f"{path.name}: annotators of {name} graded different frames")
        yield Grades(name, categories[name], np.stack(found))


def read_matlab(path: Path) -> Iterator[Grades]:
    """Raises ValueError where the file is not MATLAB 7.3 with the struct tvsum50."""
    h5py: Any = importlib.import_module("h5py")

    if not h5py.is_hdf5(path):
        raise ValueError(f"{path.name} is a file of MATLAB 7.3, as TVSum is published")
    with h5py.File(path, "r") as file:
        if "tvsum50" not in file:
            raise ValueError(f"{path.name} has no struct tvsum50")
        table = file["tvsum50"]
        for row in range(table["video"].shape[0]):
            name, category = (
                "".join(chr(int(code)) for code in np.ravel(file[table[field][row, 0]]))
                for field in ("video", "category")
            )
            grades = _graded(file[table["user_anno"][row, 0]][()], name)
            # There are more frames than annotators, whichever comes first.
            yield Grades(name, category, grades if grades.shape[0] < grades.shape[1] else grades.T)


def _graded(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    if values.min() < 1 or values.max() > LEVELS:
        raise ValueError(
            f"grades of {name} are from 1 to {LEVELS}, received {values.min()} to {values.max()}"
        )
    return np.asarray(np.rint(values), np.uint8)


def _load_prepared(folder: Path) -> list[JudgedVideo]:
    # A training-time dependency without types: the application never reads annotations.
    h5py: Any = importlib.import_module("h5py")

    videos = []
    with h5py.File(folder / ANNOTATIONS, "r") as file:
        for name in sorted(file):
            path = folder / VIDEOS / f"{name}.mp4"
            if not path.is_file():
                raise FileNotFoundError(f"{VIDEOS}/{path.name} is not in {folder}")
            group = file[name]
            videos.append(
                JudgedVideo(
                    name=name,
                    category=str(group.attrs["category"]),
                    path=path,
                    length_s=float(group.attrs["length_s"]),
                    user_anno=np.asarray(group["user_anno"], np.uint8),
                )
            )
    return videos
