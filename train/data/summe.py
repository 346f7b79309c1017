"""SumMe: videos of which 15 to 18 people each chose the parts that a summary should have.

    FOLDER/videos/NAME.mp4    FOLDER/GT/NAME.mat

Each .mat, of MATLAB 5 or 7.3, has user_score [frames, people] (above 0: that person chose the
frame), gt_score [frames] (the share of people who did), nFrames and FPS. What each person chose is
in user_score; `segments` says the same in seconds and is not needed.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from train.data.judged import CHOSEN, NOT_CHOSEN, JudgedVideo, find_video

VIDEOS = "videos"
TRUTHS = "GT"
FIELDS = ("user_score", "nFrames", "FPS")


def load_summe(folder: Path) -> list[JudgedVideo]:
    """All videos of the folder, sorted by name.

    Raises:
        FileNotFoundError: there is no truth, or a video that has one is not there.
        ValueError: a file is not what it should be.
    """
    paths = sorted((folder / TRUTHS).glob("*.mat"))
    if not paths:
        raise FileNotFoundError(f"{TRUTHS}/*.mat is not in {folder}")
    return [_load(path, folder / VIDEOS) for path in paths]


def _load(path: Path, videos: Path) -> JudgedVideo:
    fields = read_matlab(path)
    count, fps = (int(np.ravel(fields["nFrames"])[0]), float(np.ravel(fields["FPS"])[0]))
    chosen = np.asarray(fields["user_score"])
    if chosen.ndim != 2 or count not in chosen.shape or fps <= 0:
        raise ValueError(
            f"{path.name}: user_score is [nFrames, people] and FPS above 0, received "
            f"{list(chosen.shape)}, {count} frames, {fps} a second"
        )
    if chosen.shape[0] == count:
        chosen = chosen.T
    return JudgedVideo(
        name=path.stem.replace(" ", "_"),
        category="",
        path=find_video(videos, path.stem),
        length_s=count / fps,
        user_anno=np.where(chosen > 0, CHOSEN, NOT_CHOSEN).astype(np.uint8),
    )


def read_matlab(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The fields that are needed, of either version; in 7.3 every array is transposed.

    Raises:
        ValueError: a field is not there.
    """
    h5py: Any = importlib.import_module("h5py")
    scipy_io: Any = importlib.import_module("scipy.io")

    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            found = {name: np.asarray(file[name][()]).T for name in FIELDS if name in file}
    else:
        try:
            loaded = scipy_io.loadmat(path, variable_names=FIELDS)
        except ValueError as error:
            raise ValueError(f"{path.name} is no file of MATLAB ({error})") from error
        found = {name: np.asarray(loaded[name]) for name in FIELDS if name in loaded}
    missing = [name for name in FIELDS if name not in found]
    if missing:
        raise ValueError(f"{path.name} does not say {missing[0]}")
    return found
