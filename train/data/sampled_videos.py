"""Videos as sampled frames on disk, squashed to a square: written once, read at random.

A folder has two files a video, pixels and times. Both are renamed when whole and say by their name
what they were made of, so that a run that was broken off goes on where it stopped. Pixels go to
disk as they are decoded: memory does not grow with the length of a video.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.squash import squash_all
from models.types import Floats, Pixels, Times
from models.video.source import VideoSource

ENCODED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class SampledVideo:
    """Pixels stay on disk until they are read."""

    name: str  # its path in the folder of videos
    pixels: Pixels  # u8 RGB [T, side, side, 3]
    times_s: Times

    def __len__(self) -> int:
        return len(self.times_s)


class SampledVideos:
    """The folder of what was sampled so often and made so large."""

    def __init__(self, cache: Path, videos: Path, fps: float, side_px: int) -> None:
        self._videos, self._fps, self._side_px = videos, fps, side_px
        self.folder = cache / f"{fps:g}fps-{side_px}px"

    def has(self, name: str) -> bool:
        return all(path.is_file() for path in self._paths(name))

    def write(self, name: str) -> bool:
        """Whether there was anything to do.

        Raises:
            VideoOpenError: the video cannot be decoded.
        """
        if self.has(name):
            return False
        pixels_path, times_path = self._paths(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished, times = pixels_path.with_suffix(".part"), []
        with VideoSource(self._videos / name) as source, unfinished.open("wb") as file:
            for batch in source.sample(self._fps, short_side_px=self._side_px):
                file.write(squash_all(batch.pixels, self._side_px).tobytes())
                times.append(batch.times_s)
        _save(times_path, np.concatenate(times))
        unfinished.replace(pixels_path)
        return True

    def read(self, name: str) -> SampledVideo:
        """Samples it first where that was not done."""
        self.write(name)
        pixels_path, times_path = self._paths(name)
        times_s = np.load(times_path)
        shape = (len(times_s), self._side_px, self._side_px, 3)
        return SampledVideo(name, np.memmap(pixels_path, np.uint8, "r", shape=shape), times_s)

    def features(
        self,
        name: str,
        tag: str,
        encode: Callable[[Pixels], Floats],
    ) -> Floats:
        """What a network that does not change makes of the frames, kept beside them by its tag."""
        path = self._paths(name)[0].with_suffix(f".{tag}.features.npy")
        if not path.is_file():
            video = self.read(name)
            rows = [
                encode(np.asarray(video.pixels[at : at + ENCODED_AT_ONCE]))
                for at in range(0, len(video), ENCODED_AT_ONCE)
            ]
            _save(path, np.concatenate(rows))
        return np.asarray(np.load(path), np.float32)

    def _paths(self, name: str) -> tuple[Path, Path]:
        """Of the video as it is now: another file under the same name is sampled anew."""
        file = self._videos / name
        status = file.stat() if file.is_file() else None
        made_of = (name, status and status.st_size, status and status.st_mtime_ns)
        key = hashlib.sha256(repr(made_of).encode()).hexdigest()[:20]
        return self.folder / f"{key}.pixels.u8", self.folder / f"{key}.times.npy"


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.save(file, array)
    unfinished.replace(path)


def sample_all(store: SampledVideos, names: Sequence[str], say: Callable[[str], None]) -> int:
    """Samples what is not there yet; how many were new."""
    new = 0
    for number, name in enumerate(names, start=1):
        if store.write(name):
            new += 1
            say(f"{number} of {len(names)}: {name}")
    return new
