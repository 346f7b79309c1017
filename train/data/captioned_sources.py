"""Every source of captioned pictures and videos by its name, and how its pictures are opened."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.types import Pixels
from train.data.caption_records import CaptionRecord, check_apart
from train.data.coco_captions import read_coco_captions
from train.data.flickr8k import read_flickr8k
from train.data.flickr30k import read_flickr30k
from train.data.frames import FrameStore, open_frame_store
from train.data.msrvtt import SUFFIXES as VIDEO_SUFFIXES
from train.data.msrvtt import read_msrvtt

STORED = "stored"
READERS: dict[str, Callable[[Path], list[CaptionRecord]]] = {
    "flickr8k": read_flickr8k,
    "flickr30k": read_flickr30k,
    "msrvtt": read_msrvtt,
    "coco": read_coco_captions,
}
SOURCES = (*READERS, STORED)
KEPT_SHORT_SIDE_PX = 256
JPEG_QUALITY = 92

Reference = Path | int  # a file, or a row of the frame store


@dataclass(frozen=True, slots=True)
class Captioned:
    """One picture or video with its captions; `frames` are in the order of time."""

    source: str
    name: str
    part: str
    captions: tuple[str, ...]
    frames: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class CaptionedSet:
    items: tuple[Captioned, ...]
    store: FrameStore | None = field(default=None, repr=False)

    def part(self, part: str) -> list[Captioned]:
        return [item for item in self.items if item.part == part]

    def picture(self, reference: Reference) -> Pixels:
        """u8 RGB [H, W, 3]."""
        if isinstance(reference, int):
            assert self.store is not None
            return self.store.picture(reference)
        return read_picture(reference)


def open_captioned(source: str, folder: Path, cache_dir: Path, frames: int) -> CaptionedSet:
    """`frames` of each video are taken once, and kept in the cache.

    Raises:
        FileNotFoundError: captions or pictures are missing.
        ValueError: a file cannot be read, or one picture stands in two parts.
    """
    if source == STORED:
        return _stored(folder, cache_dir)
    records = READERS[source](folder)
    check_apart(records)
    if not records:
        raise FileNotFoundError(f"{folder} has no picture or video that its captions name")
    kept = cache_dir / "captioned" / source
    items = [
        Captioned(r.source, r.name, r.part, r.captions, tuple(_frames(r, kept, frames)))
        for r in records
    ]
    return CaptionedSet(tuple(items))


def _stored(data_dir: Path, cache_dir: Path) -> CaptionedSet:
    from train.data.captioned_features import captioned_pictures
    from train.data.captions import load_captions

    store = open_frame_store(cache_dir / "frames")
    rows = captioned_pictures(store).tolist()
    items = [
        Captioned(
            i.source, i.name, i.part, i.captions, tuple(int(rows[row]) for row in i.rows.tolist())
        )
        for i in load_captions(data_dir, store, rows).items
    ]
    return CaptionedSet(tuple(items), store)


def _frames(record: CaptionRecord, kept: Path, count: int) -> Sequence[Path]:
    first = record.pictures[0]
    if first.suffix.lower() not in VIDEO_SUFFIXES:
        return record.pictures
    if not (kept / f"{record.name}_of{count}_00.jpg").is_file():  # written last
        return _take_frames(first, kept, record.name, count)
    return sorted(kept.glob(f"{glob.escape(record.name)}_of{count}_*.jpg"))


def _take_frames(video: Path, kept: Path, name: str, count: int) -> list[Path]:
    """Evenly spread over the video, as small pictures; written whole or not at all."""
    import cv2

    from models.video.source import VideoSource

    pictures = []
    with VideoSource(video) as source:
        fps = count / max(source.info.duration_s, 1e-3)
        for batch in source.sample(fps, short_side_px=KEPT_SHORT_SIDE_PX):
            pictures += list(batch.pixels)
    kept.mkdir(parents=True, exist_ok=True)
    paths = [kept / f"{name}_of{count}_{number:02d}.jpg" for number in range(len(pictures[:count]))]
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    for path, picture in zip(reversed(paths), reversed(pictures[:count]), strict=True):
        partial = path.with_suffix(".partial")
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        partial.write_bytes(bytes(cv2.imencode(".jpg", bgr, quality)[1]))
        partial.replace(path)
    return paths


def read_picture(path: Path) -> Pixels:
    """u8 RGB [H, W, 3], upright."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.uint8)
