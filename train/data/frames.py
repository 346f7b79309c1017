"""Every real picture there is to train on, decoded once into one flat file of bytes.

Pictures keep their proportions (short side at most 128 px), so that a crop taken at training time
is resized once, from the original. What is held out is held out by video or by photograph, never
by frame; the official validation parts (MSR-VTT val, Flickr8k dev) are held out whole.
"""

import argparse
import io
import json
import logging
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.types import Pixels

LOG = logging.getLogger(__name__)

PIXELS_FILE = "frames.u8"
TABLE_FILE = "frames.npz"
SHORT_SIDE_PX = 128
HELD_OUT_PERCENT = 6
TVSUM_FPS = 1.5
CLIP_FPS = 4.0
UNLABELLED = ""


@dataclass(frozen=True, slots=True)
class Picture:
    pixels: Pixels  # [H, W, 3]
    source: str  # msrvtt, flickr8k, actions15, sports22, tvsum, clips
    name: str
    group: str  # what must not be on both sides of a split: the video or the photograph
    label: str = UNLABELLED
    official_validation: bool = False

    @property
    def held_out(self) -> bool:
        share = zlib.crc32(f"{self.source}/{self.group}".encode()) % 100
        return self.official_validation or share < HELD_OUT_PERCENT


@dataclass(frozen=True, slots=True)
class FrameStore:
    """Random access to the pictures; the bytes stay on disk and in the system's page cache."""

    flat: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    heights: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]
    sources: npt.NDArray[np.str_]
    names: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    labels: npt.NDArray[np.str_]
    held_out: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.offsets)

    def picture(self, index: int) -> Pixels:
        start, height, width = self.offsets[index], self.heights[index], self.widths[index]
        flat = self.flat[start : start + height * width * 3]
        return np.asarray(flat).reshape(height, width, 3)


def open_frame_store(folder: Path) -> FrameStore:
    """Raises FileNotFoundError where `python -m train.data.frames` has not been run."""
    table_path = folder / TABLE_FILE
    if not table_path.is_file():
        raise FileNotFoundError(f"{table_path} is missing: run python -m train.data.frames first")
    with np.load(table_path) as table:
        columns = {name: table[name] for name in table.files}
    return FrameStore(flat=np.memmap(folder / PIXELS_FILE, np.uint8, "r"), **columns)


def write_frame_store(folder: Path, pictures: Iterable[Picture]) -> int:
    """Writes both files; the table comes last, so that a broken run leaves no store."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TABLE_FILE).unlink(missing_ok=True)
    rows: list[Picture] = []
    offsets, sizes = [0], []
    with (folder / PIXELS_FILE).open("wb") as file:
        for picture in pictures:
            file.write(np.ascontiguousarray(picture.pixels).tobytes())
            offsets.append(offsets[-1] + picture.pixels.size)
            sizes.append(picture.pixels.shape[:2])
            rows.append(
                Picture(
                    np.empty((0, 0, 3), np.uint8),
                    picture.source,
                    picture.name,
                    picture.group,
                    picture.label,
                    picture.official_validation,
                )
            )
            if len(rows) % 5000 == 0:
                LOG.info("%d pictures", len(rows))
    np.savez(
        folder / TABLE_FILE,
        offsets=np.asarray(offsets[:-1], np.int64),
        heights=np.asarray([height for height, _ in sizes], np.int64),
        widths=np.asarray([width for _, width in sizes], np.int64),
        sources=np.asarray([row.source for row in rows]),
        names=np.asarray([row.name for row in rows]),
        groups=np.asarray([row.group for row in rows]),
        labels=np.asarray([row.label for row in rows]),
        held_out=np.asarray([row.held_out for row in rows]),
    )
    return len(rows)


def _tar_pictures(path: Path) -> Iterator[tuple[str, Pixels]]:
    from PIL import Image

    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            with Image.open(io.BytesIO(file.read())) as image:
                yield member.name, np.asarray(image.convert("RGB"))


def _video_pictures(path: Path, fps: float) -> Iterator[Pixels]:
    from models.video.source import VideoSource

    with VideoSource(path, threads=1) as source:
        for batch in source.sample(fps, short_side_px=SHORT_SIDE_PX):
            yield from batch.pixels


def real_pictures(data_dir: Path) -> Iterator[Picture]:
    """Everything in the shared data folder, in a fixed order."""
    for part in ("train", "val"):
        for name, pixels in _tar_pictures(data_dir / "msrvtt" / f"{part}.tar"):
            video = Path(name).name.split("_")[0]
            yield Picture(pixels, "msrvtt", name, video, official_validation=part == "val")
    for part in ("train", "dev"):
        for name, pixels in _tar_pictures(data_dir / "flickr8k" / f"{part}.tar"):
            yield Picture(pixels, "flickr8k", name, name, official_validation=part == "dev")
    for archive in ("actions15", "sports22"):
        for name, pixels in _tar_pictures(data_dir / "stills" / f"{archive}.tar"):
            yield Picture(pixels, archive, name, name, label=name.split("/")[0])
    for path in sorted((data_dir / "tvsum" / "videos").glob("*.mp4")):
        for number, pixels in enumerate(_video_pictures(path, TVSUM_FPS)):
            yield Picture(pixels, "tvsum", f"{path.stem}#{number}", path.stem)
    for path in sorted((data_dir / "clips").rglob("*.mp4")):
        name = path.relative_to(data_dir / "clips").as_posix()
        for number, pixels in enumerate(_video_pictures(path, CLIP_FPS)):
            yield Picture(pixels, "clips", f"{name}#{number}", name)


def main() -> None:
    parser = argparse.ArgumentParser(description="Decode every picture to train on, once.")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if not flags.data_dir.is_dir():
        parser.error(f"--data-dir {flags.data_dir} is not a folder")
    count = write_frame_store(flags.cache_dir / "frames", real_pictures(flags.data_dir))
    store = open_frame_store(flags.cache_dir / "frames")
    kinds, counts = np.unique(store.sources, return_counts=True)
    LOG.info(
        "%d pictures, %d held out: %s",
        count,
        store.held_out.sum(),
        json.dumps(dict(zip(kinds.tolist(), counts.tolist(), strict=True))),
    )


if __name__ == "__main__":
    main()
