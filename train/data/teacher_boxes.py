"""What the detection teacher sees in the pictures, asked once and kept in one file.

    python -m train.data.teacher_boxes [--workers 2]

Held-out pictures are among them, for the figures; training leaves them out. Of videos, whose frames
are much alike, only some. The order is random, and what is there is written every few thousand
pictures: training can begin on a part.
"""

import argparse
import logging
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.types import Floats
from train.data.detection_teacher import TEACHER_FILE, DetectionTeacher, TeacherBoxes
from train.data.frames import FrameStore, open_frame_store

LOG = logging.getLogger(__name__)

BOXES_FILE = "teacher_boxes.npz"
LEAST_SCORE = 0.3
KEPT_OF = {"msrvtt": 2, "tvsum": 5, "clips": 4}  # every so many-th picture of a source
WRITE_EVERY = 4000


@dataclass(frozen=True, slots=True)
class BoxStore:
    """The boxes of all pictures asked about, one after the other."""

    pictures: npt.NDArray[np.int64]  # [P], rows of the frame store
    ends: npt.NDArray[np.int64]  # [P], where the boxes of each end
    boxes: Floats  # [N, 4], in shares of the picture
    kinds: npt.NDArray[np.uint8]
    members: npt.NDArray[np.uint8]
    scores: Floats

    def of(self, place: int) -> TeacherBoxes:
        rows = slice(self.ends[place - 1] if place else 0, self.ends[place])
        return TeacherBoxes(
            self.boxes[rows], self.kinds[rows], self.members[rows], self.scores[rows]
        )


def open_box_store(folder: Path) -> BoxStore:
    """Raises FileNotFoundError where the teacher has not been asked."""
    path = folder / BOXES_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run python -m train.data.teacher_boxes first")
    with np.load(path) as file:
        return BoxStore(**{name: file[name] for name in file.files})


def write_box_store(
    folder: Path, pictures: npt.NDArray[np.int64], answers: list[TeacherBoxes]
) -> None:
    partial = folder / f"partial_{BOXES_FILE}"
    np.savez(
        partial,
        pictures=pictures,
        ends=np.cumsum([len(answer.scores) for answer in answers]),
        boxes=np.concatenate([answer.boxes for answer in answers]).astype(np.float32),
        kinds=np.concatenate([answer.kinds for answer in answers]),
        members=np.concatenate([answer.members for answer in answers]),
        scores=np.concatenate([answer.scores for answer in answers]).astype(np.float32),
    )
    partial.rename(folder / BOXES_FILE)


def asked_about(store: FrameStore, seed: int) -> npt.NDArray[np.int64]:
    chosen = np.ones(len(store), bool)
    for source, step in KEPT_OF.items():
        rows = np.flatnonzero(store.sources == source)
        chosen[rows] = np.arange(len(rows)) % step == 0
    return np.random.default_rng(seed).permutation(np.flatnonzero(chosen))


_worker: tuple[DetectionTeacher, FrameStore] | None = None


def _start_worker(teachers: Path, frames: Path) -> None:
    global _worker
    _worker = DetectionTeacher(teachers, LEAST_SCORE), open_frame_store(frames)


def _answer(index: int) -> TeacherBoxes:
    if _worker is None:
        raise RuntimeError("the worker was not started")
    teacher, store = _worker
    return teacher.answer(store.picture(index))


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask the detection teacher, once.")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    teachers, frames = flags.data_dir / "teachers", flags.cache_dir / "frames"
    if not (teachers / TEACHER_FILE).is_file():
        parser.error(f"--data-dir {flags.data_dir} has no teachers/{TEACHER_FILE}")
    if flags.workers < 1:
        parser.error("--workers is at least 1")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read by the workers as they start
    pictures = asked_about(open_frame_store(frames), flags.seed)
    answers, started_s = list[TeacherBoxes](), time.monotonic()
    context = multiprocessing.get_context("spawn")
    with context.Pool(flags.workers, _start_worker, (teachers, frames)) as pool:
        for answer in pool.imap(_answer, pictures.tolist(), chunksize=16):
            answers.append(answer)
            if len(answers) % WRITE_EVERY == 0:
                write_box_store(flags.cache_dir, pictures[: len(answers)], answers)
                rate = len(answers) / (time.monotonic() - started_s)
                LOG.info("%d of %d pictures, %.0f a second", len(answers), len(pictures), rate)
    write_box_store(flags.cache_dir, pictures, answers)
    LOG.info("%d boxes", sum(len(answer.scores) for answer in answers))


if __name__ == "__main__":
    main()
