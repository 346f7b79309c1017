"""MSR-VTT: train_val_videodatainfo.json or MSRVTT_data.json, and the 1k-A list of test videos.

With MSRVTT_JSFUSION_test.csv (key, vid_key, video_id, sentence) its 1,000 videos are reported on,
with one sentence each, and all others are trained on but for the official validation videos.
Without it the official parts hold. A video is what is split, never a caption of it.
"""

import csv
from pathlib import Path
from typing import Any

from train.data.caption_records import (
    REPORTED,
    TRAIN,
    CaptionRecord,
    existing,
    part_named,
    picture_folder,
    read_json,
    tidy,
)

SOURCE = "msrvtt"
NOTES = ("MSRVTT_data.json", "train_val_videodatainfo.json")
TEST_NOTES = "test_videodatainfo.json"
ONE_K_A = "MSRVTT_JSFUSION_test.csv"
VIDEO_FOLDERS = ("videos/all", "videos", "video", "TrainValVideo", "all", "MSRVTT_Videos")
SUFFIXES = (".mp4", ".avi", ".mkv", ".webm")


def read_msrvtt(folder: Path) -> list[CaptionRecord]:
    """
    Raises:
        FileNotFoundError: there is no file of captions.
        ValueError: it cannot be read.
    """
    places = (folder, picture_folder(folder, "annotation", "annotations"))
    notes = next((place for place in places if _has_notes(place)), folder)
    path = existing(notes, *NOTES)
    splits, captions = _read_notes(path)
    if (notes / TEST_NOTES).is_file() and path.name != NOTES[0]:
        more_splits, more_captions = _read_notes(notes / TEST_NOTES)
        splits, captions = {**splits, **more_splits}, {**captions, **more_captions}
    parts = {video: part_named(split, path) for video, split in splits.items()}
    if (notes / ONE_K_A).is_file():
        tested = _read_one_k_a(notes / ONE_K_A)
        parts = {
            video: REPORTED if video in tested else TRAIN if part == REPORTED else part
            for video, part in parts.items()
        }
        for video, sentences in tested.items():
            parts[video], captions[video] = REPORTED, sentences
    videos = picture_folder(folder, *VIDEO_FOLDERS)
    found = {video: _file_of(videos, video) for video in parts}
    return [
        CaptionRecord(SOURCE, video, parts[video], tuple(map(tidy, captions[video])), (file,))
        for video, file in found.items()
        if file is not None and captions.get(video)
    ]


def _has_notes(folder: Path) -> bool:
    return any((folder / name).is_file() for name in NOTES)


def _read_notes(path: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The part and the captions of each video."""
    values: dict[str, Any] = read_json(path)
    try:
        splits = {str(video["video_id"]): str(video["split"]) for video in values["videos"]}
        captions: dict[str, list[str]] = {video: [] for video in splits}
        for sentence in values["sentences"]:
            captions[sentence["video_id"]].append(str(sentence["caption"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} has videos and sentences about them ({error})") from None
    return splits, captions


def _read_one_k_a(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if not {"video_id", "sentence"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{path} has the columns video_id and sentence")
        sentences: dict[str, list[str]] = {}
        for row in rows:
            sentences.setdefault(row["video_id"].strip(), []).append(row["sentence"])
    return sentences


def _file_of(folder: Path, video: str) -> Path | None:
    names = (folder / f"{video}{suffix}" for suffix in SUFFIXES)
    return next((path for path in names if path.is_file()), None)
