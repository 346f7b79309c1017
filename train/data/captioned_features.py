"""What the teacher and a student see in every captioned frame, computed once.

    python -m train.data.captioned_features [--backbone checkpoints/backbone]

Every frame is taken whole, and whole but flipped, so that training has two views of it. Without
--backbone only the teacher is asked. Features lie in CACHE/features/<name>.npz; a student's file
carries the hash of the weights that made it, so that another student's is never taken for it.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.types import Floats, Halves, Pixels
from train.data.frames import FrameStore, open_frame_store
from train.data.teacher import TEACHER_FILE, TEACHER_PX, Teacher
from train.data.teacher_views import WHOLE_PICTURE, TeacherSpace, cut_view, open_teacher_space

LOG = logging.getLogger(__name__)

TEACHER = "teacher"
CAPTIONED_SOURCES = ("msrvtt", "flickr8k")
CHUNK_FRAMES = 64


@dataclass(frozen=True, slots=True)
class CaptionedFeatures:
    """One row for each captioned frame of the store, in the store's order."""

    pictures: npt.NDArray[np.int64]  # [M] rows of the frame store
    views: Halves  # [2, M, D]: as it is, flipped
    maker: str  # the teacher's file, or the hash of the student's weights


def captioned_pictures(store: FrameStore) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.isin(store.sources, CAPTIONED_SOURCES)).astype(np.int64)


def features_path(cache_dir: Path, name: str) -> Path:
    return cache_dir / "features" / f"{name}.npz"


def open_features(cache_dir: Path, name: str) -> CaptionedFeatures:
    """Raises FileNotFoundError where they have not been computed."""
    path = features_path(cache_dir, name)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run python -m train.data.captioned_features")
    with np.load(path) as file:
        return CaptionedFeatures(file["pictures"], file["views"], str(file["maker"]))


def write_features(cache_dir: Path, name: str, features: CaptionedFeatures) -> None:
    """Replaces the file at once, so that a broken run leaves none."""
    path = features_path(cache_dir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, pictures=features.pictures, views=features.views, maker=features.maker)
    partial.replace(path)


def _squares(store: FrameStore, rows: npt.NDArray[np.int64], side_px: int) -> Iterator[Pixels]:
    """u8 [<= CHUNK_FRAMES, side, side, 3]: whole frames squashed to squares."""
    box = np.asarray(WHOLE_PICTURE, np.float32)
    for start in range(0, len(rows), CHUNK_FRAMES):
        chunk = rows[start : start + CHUNK_FRAMES]
        yield np.stack([cut_view(store.picture(int(row)), box, side_px) for row in chunk])


def ask_teacher(store: FrameStore, teacher: Teacher, space: TeacherSpace) -> CaptionedFeatures:
    """The teacher's pooled features, standardized as the student's are."""
    rows = captioned_pictures(store)
    views: list[list[Floats]] = [[], []]
    for pixels in _squares(store, rows, TEACHER_PX):
        for number, seen in enumerate((pixels, pixels[:, :, ::-1])):
            pooled = np.stack([teacher.answer(np.ascontiguousarray(p)).pooled for p in seen])
            standard = (pooled.astype(np.float32) * space.pooled_scale - space.mean) / space.std
            views[number].append(standard)
        done = sum(map(len, views[0]))
        if done % (CHUNK_FRAMES * 32) == 0:
            LOG.info("teacher: %d of %d frames", done, len(rows))
    stacked = np.stack([np.concatenate(part) for part in views]).astype(np.float16)
    return CaptionedFeatures(rows, stacked, TEACHER_FILE)


def ask_student(store: FrameStore, folder: Path) -> CaptionedFeatures:
    from models.backbone_encoder import BackboneEncoder

    encoder = BackboneEncoder(folder)
    rows = captioned_pictures(store)
    views: list[list[Floats]] = [[], []]
    for pixels in _squares(store, rows, encoder.side_px):
        views[0].append(encoder.features(pixels))
        views[1].append(encoder.features(np.ascontiguousarray(pixels[:, :, ::-1])))
        done = sum(map(len, views[0]))
        if done % (CHUNK_FRAMES * 32) == 0:
            LOG.info("%s: %d of %d frames", encoder.name, done, len(rows))
    stacked = np.stack([np.concatenate(part) for part in views]).astype(np.float16)
    return CaptionedFeatures(rows, stacked, str(encoder.weights_hash))


def teacher_features(data_dir: Path, cache_dir: Path) -> CaptionedFeatures:
    """From the cache where they are; else the teacher is asked, once."""
    if not features_path(cache_dir, TEACHER).is_file():
        store = open_frame_store(cache_dir / "frames")
        teacher = Teacher(data_dir / "teachers" / TEACHER_FILE)
        asked = ask_teacher(store, teacher, open_teacher_space(cache_dir / "views"))
        write_features(cache_dir, TEACHER, asked)
    return open_features(cache_dir, TEACHER)


def student_features(folder: Path, cache_dir: Path) -> CaptionedFeatures:
    """From the cache where the weights are still the same; else computed anew."""
    from models.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(folder)
    path = features_path(cache_dir, checkpoint.name)
    if path.is_file():
        found = open_features(cache_dir, checkpoint.name)
        if found.maker == checkpoint.weights_hash:
            return found
    asked = ask_student(open_frame_store(cache_dir / "frames"), folder)
    write_features(cache_dir, checkpoint.name, asked)
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description="Features of every captioned frame, once.")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    parser.add_argument("--backbone", type=Path, help="a checkpoint folder")
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    teacher_features(flags.data_dir, flags.cache_dir)
    if flags.backbone is not None:
        student_features(flags.backbone, flags.cache_dir)


if __name__ == "__main__":
    main()
