"""Judged videos through a frozen encoder, once: unit-length features of two frames a second.

    python -m train.data.tvsum_features teacher|CHECKPOINT_FOLDER [--data-dir ../shared/data]
        [--dataset tvsum|summe]

The scorer reads what the application's index holds: one unit-length row a frame. `teacher` is the
network that compact backbones are distilled from, in the space that they are trained to answer in;
it is the ceiling of what they can give. Anything else is the folder of an exported backbone or of a
frame-text encoder.
"""

import argparse
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.checkpoint import file_hash
from models.squash import squash_all
from models.types import Floats, Pixels, Times
from models.video.source import VideoSource
from train.data.judged import JudgedVideo
from train.data.judged_sets import JUDGED_SETS, TVSUM, load_judged
from train.data.teacher import TEACHER_FILE, TEACHER_PX, Teacher
from train.data.teacher_views import open_teacher_space

LOG = logging.getLogger(__name__)

SAMPLE_FPS = 2.0
TEACHER = "teacher"
SOURCE_FILE = "source.json"


@dataclass(frozen=True, slots=True)
class VideoFeatures:
    features: Floats  # [T, D], each row of length one
    times_s: Times
    end_s: float


@dataclass(frozen=True, slots=True)
class Backbone:
    """What computes the features: pictures to unit-length rows."""

    name: str
    weights_hash: str
    short_side_px: int
    encode_frames: Callable[[Pixels], Floats]


def open_backbone(name: str, data_dir: Path, cache_dir: Path) -> Backbone:
    """`teacher`, or the folder of an exported encoder.

    Raises:
        CheckpointError, FileNotFoundError: it cannot be used.
    """
    if name == TEACHER:
        return _teacher(data_dir / "teachers" / TEACHER_FILE, cache_dir)
    from models.backbone_encoder import BackboneEncoder
    from models.checkpoint import read_checkpoint
    from models.frame_text_encoder import KIND as FRAME_TEXT
    from models.frame_text_encoder import FrameTextEncoder

    folder = Path(name)
    reads_text = read_checkpoint(folder).kind == FRAME_TEXT
    encoder = FrameTextEncoder(folder) if reads_text else BackboneEncoder(folder)
    return Backbone(
        encoder.name, encoder.weights_hash or "", encoder.short_side_px, encoder.encode_frames
    )


def _teacher(path: Path, cache_dir: Path) -> Backbone:
    network = Teacher(path)
    space = open_teacher_space(cache_dir / "views")

    def encode(frames: Pixels) -> Floats:
        pooled = np.stack([network.answer(f).pooled for f in squash_all(frames, TEACHER_PX)])
        return unit_rows((pooled * space.pooled_scale - space.mean) / space.std)

    return Backbone(TEACHER, file_hash(path), TEACHER_PX, encode)


def unit_rows(values: Floats) -> Floats:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-6), np.float32)


def read_features(video: JudgedVideo, backbone: Backbone) -> VideoFeatures:
    rows, times = [], []
    with VideoSource(video.path, threads=1) as source:
        for batch in source.sample(SAMPLE_FPS, short_side_px=backbone.short_side_px):
            rows.append(backbone.encode_frames(batch.pixels))
            times.append(batch.times_s)
        end_s = source.info.end_s
    return VideoFeatures(np.concatenate(rows), np.concatenate(times), end_s)


def features_place(backbone: str, dataset: str) -> str:
    """Inside the cache: TVSum was the first set, and its features lie where they always did."""
    return f"features/{backbone}" if dataset == TVSUM else f"features/{backbone}_{dataset}"


def ensure_features(folder: Path, videos: Sequence[JudgedVideo], backbone: Backbone) -> None:
    """Computes what the folder lacks; everything again where other weights wrote it."""
    folder.mkdir(parents=True, exist_ok=True)
    source = {"name": backbone.name, "weights_hash": backbone.weights_hash, "fps": SAMPLE_FPS}
    note = folder / SOURCE_FILE
    if not note.is_file() or json.loads(note.read_text()) != source:
        for old in folder.glob("*.npz"):
            old.unlink()
        note.write_text(json.dumps(source) + "\n")
    for video in videos:
        path = folder / f"{video.name}.npz"
        if path.is_file():
            continue
        found = read_features(video, backbone)
        # Half precision, as in the application's index; written whole or not at all.
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(
                file,
                features=found.features.astype(np.float16),
                times_s=found.times_s,
                end_s=found.end_s,
            )
        unfinished.rename(path)
        LOG.info("%s: %d frames", video.name, len(found.times_s))


def load_features(folder: Path, name: str) -> VideoFeatures:
    """Raises FileNotFoundError where this module has not been run."""
    path = folder / f"{name}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run python -m train.data.tvsum_features first")
    with np.load(path) as stored:
        return VideoFeatures(
            stored["features"].astype(np.float32), stored["times_s"], float(stored["end_s"])
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Features of judged videos, once.")
    parser.add_argument("backbone", help="teacher, or the folder of an exported encoder")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--dataset", choices=tuple(JUDGED_SETS), default=TVSUM)
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    backbone = open_backbone(flags.backbone, flags.data_dir, flags.cache_dir)
    folder = flags.cache_dir / features_place(backbone.name, flags.dataset)
    ensure_features(folder, load_judged(flags.dataset, flags.data_dir), backbone)


if __name__ == "__main__":
    main()
