"""Videos of a few seconds with the annotations of both published sets, in their exact layouts."""

from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import numpy.typing as npt
import scipy.io

FPS = 10
FRAMES = 60
PEOPLE = 4


def plain_video(path: Path, number: int, frames: int = FRAMES) -> Path:
    """Bright in its second half: what people are said to like."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(number)
    pixels = random.integers(0, 40, (frames, 32, 48, 3)).astype(np.uint8)
    pixels[frames // 2 :] += 180
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for picture in pixels:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def grades(number: int, frames: int = FRAMES) -> npt.NDArray[np.uint8]:
    """[PEOPLE, frames], 1 to 5."""
    random = np.random.default_rng([7, number])
    liked = np.where(np.arange(frames) < frames // 2, 2, 4)
    return np.clip(liked + random.integers(-1, 2, (PEOPLE, frames)), 1, 5).astype(np.uint8)


def choices(number: int, frames: int = FRAMES) -> npt.NDArray[np.uint8]:
    """[frames, PEOPLE]: 0, or the number of the part that somebody chose."""
    chosen = np.zeros((frames, PEOPLE), np.uint8)
    for person in range(PEOPLE):
        start = frames // 2 + (3 * person + number) % (frames // 4)
        chosen[start : start + frames // 8, person] = 1 + person % 2
    return chosen


def write_tvsum_table(folder: Path, names: list[str]) -> None:
    """data/ydata-tvsum50-anno.tsv and the videos."""
    (folder / "data").mkdir(parents=True)
    lines = []
    for number, name in enumerate(names):
        plain_video(folder / "video" / f"{name}.mp4", number)
        for row in grades(number):
            lines.append(f"{name}\tVT\t{','.join(str(value) for value in row)}\n")
    (folder / "data" / "ydata-tvsum50-anno.tsv").write_text("".join(lines))


def write_tvsum_matlab(path: Path, names: list[str]) -> None:
    """ydata-tvsum50.mat as MATLAB 7.3 writes a struct array: a reference for each field."""
    with h5py.File(path, "w", userblock_size=512) as file:
        hidden, table = file.create_group("#refs#"), file.create_group("tvsum50")
        values: dict[str, list[Any]] = {"video": [], "category": [], "user_anno": []}
        for number, name in enumerate(names):
            rows = {
                "video": np.array([[ord(c)] for c in name], np.uint16),
                "category": np.array([[ord(c)] for c in "VT"], np.uint16),
                "user_anno": grades(number).astype(np.float64),
            }
            for field, array in rows.items():
                values[field].append(hidden.create_dataset(f"{field}{number}", data=array).ref)
        for field, references in values.items():
            data = np.array(references, dtype=h5py.ref_dtype)[:, None]
            table.create_dataset(field, data=data, dtype=h5py.ref_dtype)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_summe(folder: Path, names: list[str], version: str = "5", frames: int = FRAMES) -> None:
    """GT/NAME.mat and videos/NAME.mp4."""
    (folder / "GT").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        plain_video(folder / "videos" / f"{name}.mp4", number, frames)
        chosen = choices(number, frames)
        fields = {
            "user_score": chosen.astype(np.float64),
            "gt_score": (chosen > 0).mean(axis=1, keepdims=True),
            "nFrames": np.array([[float(frames)]]),
            "FPS": np.array([[float(FPS)]]),
            "video_duration": np.array([[frames / FPS]]),
        }
        path = folder / "GT" / f"{name}.mat"
        if version == "5":
            segments = np.empty((1, PEOPLE), object)
            for person in range(PEOPLE):
                at = np.flatnonzero(chosen[:, person]) / FPS
                segments[0, person] = np.array([[at[0], at[-1]]])
            scipy.io.savemat(path, {**fields, "segments": segments})
        else:
            with h5py.File(path, "w", userblock_size=512) as file:
                for field, array in fields.items():
                    file[field] = array.T  # MATLAB counts columns first
            with path.open("r+b") as raw:
                raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
