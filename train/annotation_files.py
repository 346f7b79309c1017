"""Label files of several layouts as annotations: CSV, JSON, WebVTT, and a folder of class folders.

Nothing is made up: what has no time is refused, and what lies outside its video is left out and
said so.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from models.annotations import (
    POINT_S,
    Annotations,
    MarkedEvent,
    MarkedVideo,
    from_json,
    label_of,
    videos_in,
)
from models.errors import VideoOpenError

# What columns and keys are called in files people have, the published one's name first.
VIDEO_NAMES = ("video_path", "video", "path", "file", "filename", "name")
START_NAMES = ("start", "start_s", "begin", "from", "timestamp", "time")
END_NAMES = ("end", "end_s", "stop", "to")
LABEL_NAMES = ("label", "event", "class", "trigger", "category")
# Folders of class folders keep what shows no event under one of these.
NO_EVENT_FOLDERS = ("none", "no event", "noevent", "normal", "nothing", "background", "negative")
_CUE = re.compile(r"^\s*([\d:.]+)\s*-->\s*([\d:.]+)")

Say = Callable[[str], None]


def read_labels(source: Path, videos: Path, say: Say = print) -> Annotations:
    """Raises ValueError where the file is of no known layout, or says no time."""
    if source.is_dir():
        subtitles = sorted(source.glob("*.vtt"))
        found = _from_vtts(subtitles, videos) if subtitles else from_class_folders(source, videos)
    else:
        readers = {".csv": _from_csv, ".json": _from_json, ".vtt": _from_one_vtt}
        if source.suffix.lower() not in readers or not source.is_file():
            raise ValueError(
                f"labels are a .csv, .json or .vtt file or a folder, received {source}"
            )
        found = readers[source.suffix.lower()](source, videos)
    return within_their_videos(found, videos, say)


def seconds_of(text: object) -> float:
    """5.2, 05:20, 1:02:03.5 and 5m20s as seconds.

    Raises:
        ValueError: it is no time; nothing becomes 0 by being unreadable.
    """
    words = str(text).strip().lower()
    minutes = re.fullmatch(r"(\d+)m\s*([\d.]+)s?", words)
    try:
        if minutes:
            return 60 * float(minutes[1]) + float(minutes[2])
        total = 0.0
        for part in words.split(":"):
            total = 60 * total + float(part)
        return total
    except ValueError:
        raise ValueError(f"a time is such as 5.2, 1:05 or 5m20s, received {text!r}") from None


def _from_csv(source: Path, videos: Path) -> Annotations:
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return _from_rows(rows, source.name)


def _from_rows(rows: list[dict[str, Any]], where: str) -> Annotations:
    """One event a row; a row of label 0 only says that its video is known."""
    found = Annotations()
    for number, row in enumerate(rows, start=1):
        path = _first(row, VIDEO_NAMES)
        if path is None:
            raise ValueError(f"{where}, row {number}, names no video: {', '.join(VIDEO_NAMES)}")
        given = _first(row, LABEL_NAMES)
        label = label_of(1 if given is None else given, ())
        event = () if label is None else (_event_of(row, label, f"{where}, row {number}"),)
        found = found.joined_by(Annotations((MarkedVideo(str(path), event),)))
    return found


def _event_of(row: Mapping[str, Any], label: str, where: str) -> MarkedEvent:
    start, end = _first(row, START_NAMES), _first(row, END_NAMES)
    if start is None:
        raise ValueError(f"{where}, says no time: {', '.join(START_NAMES)}")
    start_s = seconds_of(start)
    words = str(row.get("description") or "")
    if end is None:
        span = (max(0.0, start_s - POINT_S), start_s + POINT_S)
        return MarkedEvent(label, *span, time_s=start_s, description=words)
    end_s = seconds_of(end)
    if end_s < start_s:
        raise ValueError(f"{where}, ends before it starts: {start} to {end}")
    point = row.get("timestamp") if "timestamp" in row and row["timestamp"] else None
    time_s = (start_s + end_s) / 2 if point is None else seconds_of(point)
    return MarkedEvent(label, start_s, end_s, min(max(time_s, start_s), end_s), description=words)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Of the keys that may name it the first that is there and says something."""
    known = {str(key).strip().casefold(): value for key, value in row.items() if key is not None}
    return next((known[name] for name in names if known.get(name) not in (None, "")), None)


def _from_json(source: Path, videos: Path) -> Annotations:
    """The published layout, a list of rows, or ActivityNet's database of segments."""
    values = json.loads(source.read_text(encoding="utf-8"))
    if isinstance(values, dict) and isinstance(values.get("database"), dict):
        return _from_activitynet(values["database"], videos)
    if isinstance(values, dict) and isinstance(values.get("videos"), list):
        try:
            return from_json(values)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{source.name} holds an event that is none: {error}") from error
    if isinstance(values, list):
        return _from_rows([dict(row) for row in values], source.name)
    raise ValueError(f"{source.name} lists no videos, no rows and no database")


def _from_activitynet(database: Mapping[str, Any], videos: Path) -> Annotations:
    by_stem = {path.stem: path for path in videos_in(videos)}
    found = Annotations()
    for name, described in database.items():
        path = by_stem.get(name) or by_stem.get(f"v_{name}")
        if path is None:
            continue
        events = []
        for one in described.get("annotations", ()):
            start_s, end_s = (float(moment) for moment in one["segment"])
            label = label_of(one.get("label", 1), ())
            if label is not None:
                events.append(MarkedEvent(label, start_s, end_s, (start_s + end_s) / 2))
        marked = MarkedVideo(path.relative_to(videos).as_posix(), tuple(events))
        found = found.joined_by(Annotations((marked,)))
    return found


def _from_one_vtt(source: Path, videos: Path) -> Annotations:
    return _from_vtts([source], videos)


def _from_vtts(sources: list[Path], videos: Path) -> Annotations:
    """Each file is of the video of its name; a cue is an event, its first line the label."""
    by_stem = {path.stem: path for path in videos_in(videos)}
    found = Annotations()
    for source in sources:
        if source.stem not in by_stem:
            raise ValueError(f"{source.name} is of no video in {videos}: none has its name")
        path = by_stem[source.stem].relative_to(videos).as_posix()
        marked = MarkedVideo(path, tuple(_cues(source.read_text(encoding="utf-8-sig"))))
        found = found.joined_by(Annotations((marked,)))
    return found


def _cues(text: str) -> Iterator[MarkedEvent]:
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.strip().split("\n")
        at = next((i for i, line in enumerate(lines) if _CUE.match(line)), None)
        if at is None or at + 1 >= len(lines):
            continue
        times = _CUE.match(lines[at])
        assert times is not None
        start_s, end_s = seconds_of(times[1]), seconds_of(times[2])
        label = label_of(lines[at + 1], ())
        if label is not None:
            words = " ".join(lines[at + 1 :])
            yield MarkedEvent(label, start_s, end_s, (start_s + end_s) / 2, description=words)


def from_class_folders(source: Path, videos: Path) -> Annotations:
    """class/video: the whole of each video is the event of its class."""
    from models.video.probe import probe

    found = Annotations()
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        label = folder.name.replace("_", " ")
        for path in videos_in(folder):
            try:
                info = probe(path)
            except VideoOpenError:
                continue  # said by within_their_videos
            named = path.resolve().relative_to(videos.resolve()).as_posix()
            middle_s = info.start_s + info.duration_s / 2
            whole = MarkedEvent(label, info.start_s, info.end_s, middle_s)
            none = label.casefold() in NO_EVENT_FOLDERS
            marked = MarkedVideo(named, () if none else (whole,))
            found = found.joined_by(Annotations((marked,)))
    if not found.videos:
        raise ValueError(f"{source} holds no folders of videos and no .vtt files")
    return found


def within_their_videos(found: Annotations, videos: Path, say: Say) -> Annotations:
    """Without videos that are not there and events that lie outside; each is said in a line."""
    from models.video.probe import probe

    kept = Annotations(labels=found.labels)
    for video in found.videos:
        try:
            info = probe(videos / video.path)
        except VideoOpenError as error:
            say(f"{video.path} is left out: {error}")
            continue
        events = []
        for event in video.events:
            if event.start_s >= info.end_s:
                say(f"{video.path}: {event.label} at {event.start_s:g} s is after its end")
                continue
            end_s = min(event.end_s, info.end_s)
            time_s = min(event.time_s, end_s)
            events.append(
                MarkedEvent(
                    event.label, event.start_s, end_s, time_s, event.source, event.review,
                    event.probability, event.description,
                )
            )  # fmt: skip
        kept = kept.with_video(MarkedVideo(video.path, tuple(events), video.description))
    return kept
