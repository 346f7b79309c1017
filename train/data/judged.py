"""A video with what several people said of every part of it, whatever data set it is from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.types import Floats, Times

LEVELS = 5  # importance is from 1 to 5, as TVSum asked for it
NOT_CHOSEN, CHOSEN = 1, 5  # of people who chose parts rather than graded them
VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi")


@dataclass(frozen=True, slots=True)
class JudgedVideo:
    name: str
    category: str  # empty where the data set has none
    path: Path
    length_s: float
    user_anno: npt.NDArray[np.uint8]  # [annotators, frames of the original], 1 to 5

    def annotators_at(self, times_s: Times) -> npt.NDArray[np.uint8]:
        """[annotators, T]: what each gave to the original frame shown at each time."""
        count = self.user_anno.shape[1]
        frames = np.rint(times_s * count / self.length_s).astype(np.int64)
        return self.user_anno[:, np.clip(frames, 0, count - 1)]


@dataclass(frozen=True, slots=True)
class ScoredVideo:
    """A video as features, with what each annotator gave to each of its frames."""

    name: str
    category: str
    features: Floats  # [T, D], unit length
    times_s: Times
    end_s: float
    annotators: npt.NDArray[Any]  # [annotators, T], 1 to 5


def find_video(folder: Path, name: str) -> Path:
    """The video of that name, whatever its container; spaces and underscores are the same.

    Raises:
        FileNotFoundError: there is none.
    """
    wanted = name.replace(" ", "_")
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        if path.stem.replace(" ", "_") == wanted and path.suffix.lower() in VIDEO_SUFFIXES:
            return path
    raise FileNotFoundError(f"{folder.name}/{name}.mp4 is not in {folder.parent}")
