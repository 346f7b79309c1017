"""What the teacher says of fixed, randomly cropped views of every picture, computed once.

The teacher must see the very view that the student sees. Running it inside every training step
would cost as much again as the step, so views are made ahead, in numbered sets of a few thousand:
pictures in a random order, pass after pass, one crop of each with the teacher's answer to it.
Training uses all sets that are complete and picks up new ones as they appear. A flip of the crop is
left to training: the teacher's pooled answer hardly changes under it, and its map is flipped along.
"""

import argparse
import logging
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.squash import squash_to_square
from models.types import Floats, Halves, Pixels
from train.data.frames import UNLABELLED, FrameStore, open_frame_store
from train.data.teacher import MAP_SIDE, POOLED_DIM, TEACHER_FILE, TEACHER_PX, Teacher

LOG = logging.getLogger(__name__)

MAP_DIM = 128  # principal directions kept of the map's 1280 channels
AREA_RANGE = (0.25, 1.0)
# Pictures are squashed to a square at the end, so shapes up to 16:9 must look familiar.
SHAPE_RANGE = (0.7, 1.9)
WHOLE_PICTURE = (0.0, 0.0, 1.0, 1.0)
BASIS_PICTURES = 1500
SET_SIZE = 4000
COMPARED_PICTURES = 1000
PROBE_PICTURES = 1000
SOURCE_WEIGHTS = {"flickr8k": 2.0, "actions15": 1.5, "sports22": 1.5, "tvsum": 0.7, "clips": 0.6}
ARRAYS = ("pictures", "boxes", "pooled", "maps")


def random_boxes(
    pictures: FrameStore, indices: npt.NDArray[np.int64], random: np.random.Generator
) -> Floats:
    """[M, 4]: x0, y0, x1, y1 as shares of each picture's width and height."""
    count = len(indices)
    area = random.uniform(*AREA_RANGE, count)
    shape = np.exp(random.uniform(np.log(SHAPE_RANGE[0]), np.log(SHAPE_RANGE[1]), count))
    shape *= pictures.heights[indices] / pictures.widths[indices]  # from pixels to shares
    width = np.minimum(np.sqrt(area * shape), 1.0)
    height = np.minimum(area / width, 1.0)
    x0, y0 = random.random(count) * (1 - width), random.random(count) * (1 - height)
    return np.stack([x0, y0, x0 + width, y0 + height], axis=1).astype(np.float32)


def pictures_of_set(store: FrameStore, number: int, seed: int) -> npt.NDArray[np.int64]:
    """The training pictures of one set, from an endless order shuffled pass by pass.

    A source whose weight is .5 is in every second pass on the average, one of 2 twice in each.
    """
    chances = np.where(store.held_out, 0.0, [SOURCE_WEIGHTS.get(s, 1.0) for s in store.sources])
    pass_size = max(1, int(chances.sum()))
    start, found = number * SET_SIZE, list[npt.NDArray[np.int64]]()
    for pass_number in range(start // pass_size, (start + SET_SIZE - 1) // pass_size + 1):
        random = np.random.default_rng([seed, 1, pass_number])
        # Systematic sampling: exactly pass_size draws, each picture floor or ceiling of its weight.
        order = random.permutation(len(store))
        edges = np.cumsum(chances[order])
        marks = (np.arange(pass_size) + random.random()) * (edges[-1] / pass_size)
        drawn = order[np.minimum(np.searchsorted(edges, marks), len(store) - 1)]
        drawn = random.permutation(drawn)
        low = max(0, start - pass_number * pass_size)
        found.append(drawn[low : start + SET_SIZE - pass_number * pass_size])
    return np.concatenate(found).astype(np.int64)


def cut_view(picture: Pixels, box: Floats, side_px: int) -> Pixels:
    """The part of the picture inside the box, squashed to a square."""
    height, width = picture.shape[:2]
    x0, x1 = round(float(box[0]) * width), round(float(box[2]) * width)
    y0, y1 = round(float(box[1]) * height), round(float(box[3]) * height)
    part = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    return squash_to_square(part, side_px)


@dataclass(frozen=True, slots=True)
class ViewSet:
    """Crops with the teacher's answers to them; arrays stay on disk."""

    pictures: npt.NDArray[np.int64]  # [M]
    boxes: Floats  # [M, 4]
    pooled: npt.NDArray[np.uint8]  # [M, 1280]
    maps: Halves  # [M, 16, 128]


@dataclass(frozen=True, slots=True)
class TeacherSpace:
    """What is needed to read the teacher's answers as numbers."""

    pooled_scale: float
    mean: Floats  # [1280], of pooled features over random views
    std: Floats
    class_weights: Floats  # [1001, 1280]
    map_mean: Floats  # [1280]
    map_basis: Floats  # [1280, 128]


def open_view_sets(folder: Path) -> list[ViewSet]:
    """The complete sets, in order of their numbers."""
    return [_open_set(path) for path in sorted(folder.glob("views_[0-9][0-9][0-9]"))]


def open_whole_views(folder: Path) -> ViewSet:
    """Whole pictures: all that are held out, and labelled training photographs for the probe."""
    return _open_set(folder / "views_whole")


def _open_set(path: Path) -> ViewSet:
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is missing: run python -m train.data.teacher_views first")
    arrays = [np.load(path / f"{name}.npy", mmap_mode="r") for name in ARRAYS]
    return ViewSet(*arrays)


def write_view_set(folder: Path, views: ViewSet) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(views, name))


def open_teacher_space(folder: Path) -> TeacherSpace:
    with np.load(folder / "teacher.npz") as file:
        columns = {name: file[name] for name in file.files}
    return TeacherSpace(pooled_scale=float(columns.pop("pooled_scale")), **columns)


_worker: tuple[Teacher, FrameStore, TeacherSpace | None] | None = None


def _start_worker(teacher_path: Path, frames: Path, space_folder: Path | None) -> None:
    global _worker
    space = None if space_folder is None else open_teacher_space(space_folder)
    _worker = Teacher(teacher_path), open_frame_store(frames), space


def _answer(job: tuple[int, Floats]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    index, box = job
    if _worker is None:
        raise RuntimeError("the worker was not started")
    teacher, store, space = _worker
    answer = teacher.answer(cut_view(store.picture(index), box, TEACHER_PX))
    flat = answer.map_yxc.reshape(MAP_SIDE * MAP_SIDE, POOLED_DIM)
    if space is None:
        return answer.pooled, flat
    return answer.pooled, ((flat - space.map_mean) @ space.map_basis).astype(np.float16)


class ViewWriter:
    """Runs the teacher in `workers` processes and writes sets atomically."""

    def __init__(self, data_dir: Path, cache_dir: Path, workers: int) -> None:
        self._teacher = data_dir / "teachers" / TEACHER_FILE
        self._frames = cache_dir / "frames"
        self._folder = cache_dir / "views"
        self._workers = workers
        self._store = open_frame_store(self._frames)

    def _answers(
        self, indices: npt.NDArray[np.int64], boxes: Floats, space: Path | None
    ) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]]:
        jobs = zip(indices.tolist(), boxes, strict=True)
        context = multiprocessing.get_context("spawn")
        with context.Pool(
            self._workers, _start_worker, (self._teacher, self._frames, space)
        ) as pool:
            yield from pool.imap(_answer, jobs, chunksize=16)

    def write_space(self, seed: int) -> None:
        """Means, deviations and principal directions from some random views."""
        random = np.random.default_rng(seed)
        train = np.flatnonzero(~self._store.held_out)
        indices = random.choice(train, min(BASIS_PICTURES, len(train)), replace=False)
        boxes = random_boxes(self._store, indices, random)
        pooled, maps = zip(*self._answers(indices, boxes, None), strict=True)
        teacher = Teacher(self._teacher)
        features = np.stack(pooled).astype(np.float32) * teacher.pooled_scale
        cells = np.concatenate(maps)
        centre = cells.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((cells - centre).T))
        self._folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            self._folder / "teacher.npz",
            pooled_scale=teacher.pooled_scale,
            mean=features.mean(axis=0),
            std=features.std(axis=0) + 1e-2,
            class_weights=teacher.class_weights(),
            map_mean=centre.astype(np.float32),
            map_basis=vectors[:, ::-1][:, :MAP_DIM].astype(np.float32),
        )
        kept = values[::-1][:MAP_DIM].sum() / values.sum()
        LOG.info("%d directions keep %.0f %% of the map's variance", MAP_DIM, 100 * kept)

    def write_set(self, name: str, pictures: npt.NDArray[np.int64], boxes: Floats) -> None:
        """One set, renamed into place when it is complete."""
        target, partial = self._folder / name, self._folder / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        started_s = time.monotonic()
        pooled, maps = zip(*self._answers(pictures, boxes, self._folder), strict=True)
        write_view_set(partial, ViewSet(pictures, boxes, np.stack(pooled), np.stack(maps)))
        partial.rename(target)
        rate = len(pictures) / (time.monotonic() - started_s)
        LOG.info("%s: %d views, %.0f a second", name, len(pictures), rate)

    def write_missing(self, sets: int, seed: int) -> None:
        if not (self._folder / "teacher.npz").is_file():
            self.write_space(seed)
        for number in range(sets):
            name = f"views_{number:03d}"
            if not (self._folder / name).is_dir():
                pictures = pictures_of_set(self._store, number, seed)
                random = np.random.default_rng([seed, 2, number])
                self.write_set(name, pictures, random_boxes(self._store, pictures, random))
            if number == 0 and not (self._folder / "views_whole").is_dir():
                pictures = self._compared(seed)
                whole = np.tile(np.asarray(WHOLE_PICTURE, np.float32), (len(pictures), 1))
                self.write_set("views_whole", pictures, whole)

    def _compared(self, seed: int) -> npt.NDArray[np.int64]:
        store, random = self._store, np.random.default_rng([seed, 5])
        labelled = store.labels != UNLABELLED
        chosen = [
            np.flatnonzero(store.held_out & labelled),
            random.permutation(np.flatnonzero(store.held_out & ~labelled))[:COMPARED_PICTURES],
            random.permutation(np.flatnonzero(~store.held_out & labelled))[:PROBE_PICTURES],
        ]
        return np.sort(np.concatenate(chosen)).astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask the teacher about cropped views, once.")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # Read by the workers as they start: several would spin on the same cores, a fifth as fast.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if flags.sets < 1 or flags.workers < 1:
        parser.error("--sets and --workers are at least 1")
    if not (flags.data_dir / "teachers" / TEACHER_FILE).is_file():
        parser.error(f"--data-dir {flags.data_dir} has no teachers/{TEACHER_FILE}")
    ViewWriter(flags.data_dir, flags.cache_dir, flags.workers).write_missing(flags.sets, flags.seed)


if __name__ == "__main__":
    main()
