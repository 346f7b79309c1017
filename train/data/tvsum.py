"""TVSum: videos with the importance that twenty people gave to every part of them."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.types import Times

ANNOTATIONS = "tvsum.h5"
VIDEOS = "videos"


@dataclass(frozen=True, slots=True)
class TvsumVideo:
    name: str
    category: str
    path: Path
    length_s: float
    user_anno: npt.NDArray[np.uint8]  # [20, frames of the original], 1 to 5

    def annotators_at(self, times_s: Times) -> npt.NDArray[np.uint8]:
        """[20, T]: what each annotator gave to the original frame shown at each time."""
        count = self.user_anno.shape[1]
        frames = np.rint(times_s * count / self.length_s).astype(np.int64)
        return self.user_anno[:, np.clip(frames, 0, count - 1)]


def load_tvsum(folder: Path) -> list[TvsumVideo]:
    """All videos of the folder, sorted by name.

    Raises:
        FileNotFoundError: the annotations or one of the videos they name are not there.
    """
    # A training-time dependency without types: the application never reads annotations.
    h5py: Any = importlib.import_module("h5py")

    annotations = folder / ANNOTATIONS
    if not annotations.is_file():
        raise FileNotFoundError(f"{ANNOTATIONS} is not in {folder}")
    videos = []
    with h5py.File(annotations, "r") as file:
        for name in sorted(file):
            path = folder / VIDEOS / f"{name}.mp4"
            if not path.is_file():
                raise FileNotFoundError(f"{VIDEOS}/{path.name} is not in {folder}")
            group = file[name]
            videos.append(
                TvsumVideo(
                    name=name,
                    category=str(group.attrs["category"]),
                    path=path,
                    length_s=float(group.attrs["length_s"]),
                    user_anno=np.asarray(group["user_anno"], np.uint8),
                )
            )
    return videos
