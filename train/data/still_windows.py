"""Labelled photographs through a frozen backbone, once: whole, and as a moving camera sees them.

    python -m train.data.still_windows [--backbone checkpoints/backbone]

Each photograph gives one frame as it is and a few windows of camera moves. Rows lie in
CACHE/features/stills_BACKBONE.npz with the hash of the weights that made them.
"""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.backbone_encoder import BackboneEncoder
from models.checkpoint import read_checkpoint
from models.squash import squash_to_square
from models.types import Halves, Pixels
from train.data.camera_moves import filmed
from train.data.frames import FrameStore, open_frame_store

LOG = logging.getLogger(__name__)

LABELLED_SOURCES = ("actions15", "sports22")
WINDOWS, WINDOW_FRAMES = 3, 5
PICTURES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class StillWindows:
    """One row for each labelled photograph of the frame store, in the store's order."""

    pictures: npt.NDArray[np.int64]  # [M] rows of the frame store
    whole: Halves  # [M, D]: as it is; length one
    windows: Halves  # [M, WINDOWS, WINDOW_FRAMES, D]
    backbone_hash: str


def labelled_pictures(store: FrameStore) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.isin(store.sources, LABELLED_SOURCES)).astype(np.int64)


def windows_path(cache_dir: Path, backbone: str) -> Path:
    return cache_dir / "features" / f"stills_{backbone}.npz"


def load_still_windows(cache_dir: Path, backbone: str = "backbone") -> StillWindows:
    """Raises FileNotFoundError where this module has not been run."""
    path = windows_path(cache_dir, backbone)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run python -m train.data.still_windows first")
    with np.load(path) as file:
        return StillWindows(
            file["pictures"], file["whole"], file["windows"], str(file["backbone_hash"])
        )


def write_still_windows(cache_dir: Path, backbone: str, made: StillWindows) -> Path:
    """Replaces the file at once, so that a broken run leaves none."""
    path = windows_path(cache_dir, backbone)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        pictures=made.pictures,
        whole=made.whole,
        windows=made.windows,
        backbone_hash=made.backbone_hash,
    )
    partial.replace(path)
    return path


def frames_of(picture: Pixels, number: int, side_px: int) -> Pixels:
    """The whole picture first, then its windows; they depend on the picture's number alone."""
    random = np.random.default_rng([number, 31])
    windows = [filmed(picture, random, WINDOW_FRAMES, side_px) for _ in range(WINDOWS)]
    return np.concatenate([squash_to_square(picture, side_px)[None], *windows])


def see_stills(store: FrameStore, encoder: BackboneEncoder) -> StillWindows:
    rows = labelled_pictures(store)
    seen: list[Halves] = []
    for start in range(0, len(rows), PICTURES_AT_ONCE):
        chunk = rows[start : start + PICTURES_AT_ONCE].tolist()
        frames = [frames_of(store.picture(row), row, encoder.side_px) for row in chunk]
        found: Halves = encoder.encode_frames(np.concatenate(frames)).astype(np.float16)
        seen.append(found.reshape(len(chunk), 1 + WINDOWS * WINDOW_FRAMES, -1))
        if start % (PICTURES_AT_ONCE * 100) == 0:
            LOG.info("%d of %d photographs", start, len(rows))
    every = np.concatenate(seen)
    windows = every[:, 1:].reshape(len(rows), WINDOWS, WINDOW_FRAMES, -1)
    return StillWindows(rows, every[:, 0], windows, encoder.weights_hash or "")


def ensure_still_windows(folder: Path, cache_dir: Path) -> StillWindows:
    """From the cache where the backbone is still the same; else computed anew."""
    checkpoint = read_checkpoint(folder)
    if windows_path(cache_dir, checkpoint.name).is_file():
        found = load_still_windows(cache_dir, checkpoint.name)
        if found.backbone_hash == checkpoint.weights_hash:
            return found
    made = see_stills(open_frame_store(cache_dir / "frames"), BackboneEncoder(folder))
    write_still_windows(cache_dir, checkpoint.name, made)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Features of photographs as windows, once.")
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    parser.add_argument("--backbone", type=Path, default=Path("checkpoints/backbone"))
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    made = ensure_still_windows(flags.backbone, flags.cache_dir)
    LOG.info("%d photographs, %d windows each", len(made.pictures), made.windows.shape[1])


if __name__ == "__main__":
    main()
