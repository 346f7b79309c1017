"""Captioned pictures and videos from the usual files: one record for each, in one part only."""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAIN, CHOSEN, REPORTED = PARTS = ("train", "chosen", "reported")
# What the files call the parts; choices are made on validation, figures reported on the test part.
PART_NAMES = {
    **{"train": TRAIN, "restval": TRAIN},
    **{"val": CHOSEN, "validate": CHOSEN, "dev": CHOSEN},
    "test": REPORTED,
}
CHOSEN_PERCENT = 6


@dataclass(frozen=True, slots=True)
class CaptionRecord:
    """A picture, or a video with several frames. `name` is what a split is made by."""

    source: str
    name: str
    part: str
    captions: tuple[str, ...]
    pictures: tuple[Path, ...]  # files of pictures, or one of a video

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ValueError(f"part is one of {', '.join(PARTS)}, received {self.part!r}")
        if not self.captions or not self.pictures:
            raise ValueError(f"{self.name} has a caption and a picture, received neither or one")


def check_apart(records: Iterable[CaptionRecord]) -> None:
    """No picture or video stands in two parts.

    Raises:
        ValueError: one does; it is named.
    """
    seen: dict[tuple[str, str], str] = {}
    for record in records:
        part = seen.setdefault((record.source, record.name), record.part)
        if part != record.part:
            raise ValueError(
                f"{record.source}/{record.name} is in one part only, found in {part} and "
                f"{record.part}"
            )


def held_out(name: str, percent: int = CHOSEN_PERCENT) -> bool:
    """A fixed choice by the name of the picture or video, where the files choose none."""
    return zlib.crc32(name.encode()) % 100 < percent


def tidy(caption: str) -> str:
    """On one line, with single spaces and none before a comma or a full stop."""
    words = " ".join(caption.split())
    for mark in (".", ",", "!", "?", ";"):
        words = words.replace(f" {mark}", mark)
    return words


def existing(folder: Path, *names: str) -> Path:
    """The first of the files that is there.

    Raises:
        FileNotFoundError: none is; all are named.
    """
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{folder} has none of {', '.join(names)}")
    return found


def picture_folder(folder: Path, *names: str) -> Path:
    """Where the pictures lie: a folder of one of these names, else beside the captions."""
    return next((folder / name for name in names if (folder / name).is_dir()), folder)


def read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error})") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a JSON object, received {type(values).__name__}")
    return values


def records_of(
    source: str, captions: dict[str, list[str]], parts: dict[str, str], pictures: Path
) -> list[CaptionRecord]:
    """One record for each named picture that has a part, and whose file is there."""
    return [
        CaptionRecord(source, name, parts[name], tuple(map(tidy, said)), (pictures / name,))
        for name, said in captions.items()
        if name in parts and said and (pictures / name).is_file()
    ]


def karpathy_records(source: str, path: Path, pictures: Path) -> list[CaptionRecord]:
    """dataset_flickr8k.json, dataset_flickr30k.json and dataset_coco.json of Karpathy's splits."""
    captions: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    for image in read_json(path)["images"]:
        name = str(Path(image.get("filepath", "")) / image["filename"])
        captions[name] = [sentence["raw"] for sentence in image["sentences"]]
        parts[name] = part_named(image["split"], path)
    return records_of(source, captions, parts, pictures)


def part_named(name: str, path: Path) -> str:
    """What a file calls a part, in our words.

    Raises:
        ValueError: no file calls a part so.
    """
    if name not in PART_NAMES:
        raise ValueError(f"{path.name}: split is one of {', '.join(PART_NAMES)}, found {name!r}")
    return PART_NAMES[name]


def listed(path: Path) -> list[str]:
    """One name a line, blank ones left out."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def counts(records: Sequence[CaptionRecord]) -> dict[str, int]:
    return {part: sum(record.part == part for record in records) for part in PARTS}
