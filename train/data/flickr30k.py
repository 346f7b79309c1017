"""Flickr30k: Karpathy's dataset_flickr30k.json with its parts, or results.csv with bars.

results.csv names no parts. Where Karpathy's file is missing, pictures are split by their names, and
figures are then not those of the 1,000 pictures that others report.
"""

import zlib
from pathlib import Path

from train.data.caption_records import (
    CHOSEN,
    REPORTED,
    TRAIN,
    CaptionRecord,
    existing,
    karpathy_records,
    picture_folder,
    records_of,
)

SOURCE = "flickr30k"
KARPATHY_FILE = "dataset_flickr30k.json"
PICTURE_FOLDERS = ("flickr30k_images", "flickr30k-images", "Images", "images")
HEADING = ["image_name", "comment_number", "comment"]


def read_flickr30k(folder: Path) -> list[CaptionRecord]:
    """
    Raises:
        FileNotFoundError: there is no file of captions.
        ValueError: it cannot be read.
    """
    pictures = picture_folder(folder, *PICTURE_FOLDERS)
    if (folder / KARPATHY_FILE).is_file():
        return karpathy_records(SOURCE, folder / KARPATHY_FILE, pictures)
    if not (folder / "results.csv").is_file():
        inside = picture_folder(folder, *PICTURE_FOLDERS)
        folder = inside if (inside / "results.csv").is_file() else folder
    captions = _from_bars(existing(folder, "results.csv"))
    parts = {name: _part_by_name(name) for name in captions}
    return records_of(SOURCE, captions, parts, pictures)


def _from_bars(path: Path) -> dict[str, list[str]]:
    """image_name| comment_number| comment. The published file has a row that lacks a bar."""
    captions: dict[str, list[str]] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    if [cell.strip() for cell in (lines or [""])[0].split("|")] != HEADING:
        raise ValueError(f"{path} begins with {'| '.join(HEADING)}")
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        name, bar, rest = line.partition("|")
        count, second_bar, caption = rest.partition("|")
        if not second_bar:
            count, _, caption = rest.strip().partition(" ")
        if not bar or not count.strip().isdigit() or not caption.strip():
            raise ValueError(f"{path}, line {number}: {'| '.join(HEADING)}, found {line!r}")
        captions.setdefault(name.strip(), []).append(caption)
    return captions


def _part_by_name(name: str) -> str:
    """About 1,000 of 31,783 pictures for choices and as many for the report."""
    thirtieth = zlib.crc32(name.encode()) % 30
    return {0: CHOSEN, 1: REPORTED}.get(thirtieth, TRAIN)
