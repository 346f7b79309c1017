"""COCO captions: captions_train2017.json and captions_val2017.json beside train2017/ and val2017/.

The validation pictures are reported on; a few of the training pictures, by their names, are held
out for choices. dataset_coco.json has Karpathy's parts of the pictures of 2014.
"""

from pathlib import Path

from train.data.caption_records import (
    CHOSEN,
    REPORTED,
    TRAIN,
    CaptionRecord,
    existing,
    held_out,
    karpathy_records,
    picture_folder,
    read_json,
    records_of,
)

SOURCE = "coco"
KARPATHY_FILE = "dataset_coco.json"
FILES = {"train2017": "captions_train2017.json", "val2017": "captions_val2017.json"}


def read_coco_captions(folder: Path) -> list[CaptionRecord]:
    """
    Raises:
        FileNotFoundError: the captions of the training pictures are missing.
        ValueError: a file cannot be read.
    """
    if (folder / KARPATHY_FILE).is_file():
        return karpathy_records(SOURCE, folder / KARPATHY_FILE, folder)
    notes = picture_folder(folder, "annotations")
    records = _records(existing(notes, FILES["train2017"]), folder / "train2017", reported=False)
    if (notes / FILES["val2017"]).is_file():
        records += _records(notes / FILES["val2017"], folder / "val2017", reported=True)
    return records


def _records(path: Path, pictures: Path, *, reported: bool) -> list[CaptionRecord]:
    values = read_json(path)
    try:
        names = {image["id"]: str(image["file_name"]) for image in values["images"]}
        captions: dict[str, list[str]] = {name: [] for name in names.values()}
        for note in values["annotations"]:
            captions[names[note["image_id"]]].append(str(note["caption"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} has images and annotations with captions ({error})") from None
    parts = {
        name: REPORTED if reported else CHOSEN if held_out(name) else TRAIN for name in captions
    }
    return records_of(SOURCE, captions, parts, pictures)
