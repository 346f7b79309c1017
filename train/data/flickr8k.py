"""Flickr8k: captions.txt (image,caption) or Flickr8k.token.txt, with the official lists of parts.

A folder without Flickr_8k.trainImages.txt and its like is split by the names of the pictures.
"""

import csv
import zlib
from pathlib import Path

from train.data.caption_records import (
    CHOSEN,
    REPORTED,
    TRAIN,
    CaptionRecord,
    existing,
    karpathy_records,
    listed,
    picture_folder,
    records_of,
)

SOURCE = "flickr8k"
KARPATHY_FILE = "dataset_flickr8k.json"
TOKEN_FILES = ("captions.txt", "Flickr8k.token.txt", "Flickr8k.lemma.token.txt")
LISTS = {
    TRAIN: "Flickr_8k.trainImages.txt",
    CHOSEN: "Flickr_8k.devImages.txt",
    REPORTED: "Flickr_8k.testImages.txt",
}
PICTURE_FOLDERS = ("Images", "images", "Flicker8k_Dataset", "Flickr8k_Dataset")


def read_flickr8k(folder: Path) -> list[CaptionRecord]:
    """
    Raises:
        FileNotFoundError: there is no file of captions, or only some of the lists.
        ValueError: a line of it cannot be read.
    """
    pictures = picture_folder(folder, *PICTURE_FOLDERS)
    if (folder / KARPATHY_FILE).is_file():
        return karpathy_records(SOURCE, folder / KARPATHY_FILE, pictures)
    path = existing(folder, *TOKEN_FILES)
    captions = _from_table(path) if path.name == "captions.txt" else _from_tokens(path)
    return records_of(SOURCE, captions, _parts(folder, list(captions)), pictures)


def _from_table(path: Path) -> dict[str, list[str]]:
    """image,caption with a heading; captions that hold a comma are in quotes."""
    captions: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if [cell.strip() for cell in next(rows, [])] != ["image", "caption"]:
            raise ValueError(f"{path} begins with image,caption")
        for row in rows:
            if not row:
                continue
            if len(row) < 2:
                raise ValueError(f"{path}, line {rows.line_num}: image,caption, found {row}")
            # Some copies leave the quotes out.
            captions.setdefault(row[0].strip(), []).append(",".join(row[1:]))
    return captions


def _from_tokens(path: Path) -> dict[str, list[str]]:
    """NAME.jpg#0, a tab, the caption. Some names carry a second ending, as .jpg.1 does."""
    captions: dict[str, list[str]] = {}
    for number, line in enumerate(listed(path), start=1):
        key, tab, caption = line.partition("\t")
        name, mark, _ = key.partition("#")
        if not tab or not mark:
            raise ValueError(f"{path}, line {number}: NAME#N, a tab and a caption, found {line!r}")
        captions.setdefault(name.strip(), []).append(caption)
    return captions


def _parts(folder: Path, names: list[str]) -> dict[str, str]:
    there = [part for part, file in LISTS.items() if (folder / file).is_file()]
    if not there:
        return {name: _part_by_name(name) for name in names}
    parts: dict[str, str] = {}
    for part, file in LISTS.items():
        for name in listed(existing(folder, file)):
            if parts.setdefault(name, part) != part:
                raise ValueError(f"{name} stands in the lists of two parts of {folder}")
    return parts


def _part_by_name(name: str) -> str:
    """As large as the official parts: an eighth for choices and an eighth for the report."""
    eighth = zlib.crc32(name.encode()) % 8
    return {0: CHOSEN, 1: REPORTED}.get(eighth, TRAIN)
