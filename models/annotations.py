"""Which events people (or a model that proposes) say there are in videos: one JSON file.

The layout is the published one, {"videos": [{"video_path", "triggers": [{"timestamp", "label",
"description"}], "description"}]}, with more keys that its readers pass over: "labels" at the top
names the numbers, and each trigger has its start, end, source, review state and probability.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import RequestError

SOURCES = ("labels", "query", "hand")
PROPOSED, ACCEPTED, REJECTED = "proposed", "accepted", "rejected"
REVIEWS = (PROPOSED, ACCEPTED, REJECTED)
NO_EVENT = "none"  # what the label 0 is called
ANY_EVENT = "event"  # what the label 1 is called in files that name no labels
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".flv", ".m4v", ".mpg", ".mpeg", ".ts")
# The published system takes what is so near to a timestamp for the event itself.
POINT_S = 1.0


@dataclass(frozen=True, slots=True)
class MarkedEvent:
    """One event of a video. `time_s` is its surest moment, `probability` None where nobody said."""

    label: str
    start_s: float
    end_s: float
    time_s: float
    source: str = "labels"
    review: str = ACCEPTED
    probability: float | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"source is one of {SOURCES}, received {self.source!r}")
        if self.review not in REVIEWS:
            raise ValueError(f"review is one of {REVIEWS}, received {self.review!r}")
        if not self.start_s <= self.time_s <= self.end_s:
            raise ValueError(
                "start_s <= time_s <= end_s, received "
                f"{self.start_s}, {self.time_s} and {self.end_s}"
            )


@dataclass(frozen=True, slots=True)
class MarkedVideo:
    """`path` is relative to the folder of videos; one without events is known to have none."""

    path: str
    events: tuple[MarkedEvent, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Annotations:
    videos: tuple[MarkedVideo, ...] = ()
    labels: tuple[str, ...] = field(default=())  # numbered from 1, in this order

    @property
    def names(self) -> tuple[str, ...]:
        """Every label there is: those that were named, then others that events have."""
        used = (event.label for video in self.videos for event in video.events)
        return tuple(dict.fromkeys((*self.labels, *used)))

    def video(self, path: str) -> MarkedVideo:
        return next((one for one in self.videos if one.path == path), MarkedVideo(path))

    def with_video(self, changed: MarkedVideo) -> "Annotations":
        """The video in its place, or after all others."""
        known = any(one.path == changed.path for one in self.videos)
        kept = tuple(changed if one.path == changed.path else one for one in self.videos)
        return Annotations(kept if known else (*kept, changed), self.labels)

    def joined_by(self, more: "Annotations") -> "Annotations":
        """Both together; of two events of one label that begin and end alike the first stays."""
        whole = Annotations(self.videos, tuple(dict.fromkeys((*self.labels, *more.labels))))
        for video in more.videos:
            before = whole.video(video.path)
            there = {_span(event) for event in before.events}
            new = (event for event in video.events if _span(event) not in there)
            events = sorted((*before.events, *new), key=lambda event: event.start_s)
            words = before.description or video.description
            whole = whole.with_video(MarkedVideo(video.path, tuple(events), words))
        return whole


def _span(event: MarkedEvent) -> tuple[str, float, float]:
    return event.label, round(event.start_s, 2), round(event.end_s, 2)


def read_annotations(path: Path) -> Annotations:
    """Ours, and files of the published system, whose events are points in time.

    Raises:
        RequestError: it cannot be read, or says something that no annotation can.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RequestError(f"There are no annotations in “{path}”: no file is there.") from None
    except (OSError, ValueError) as error:
        raise RequestError(f"“{path.name}” holds no annotations: {error}.") from error
    if not isinstance(values, dict) or not isinstance(values.get("videos"), list):
        raise RequestError(f"“{path.name}” holds no annotations: it lists no videos.")
    try:
        return from_json(values)
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(f"“{path.name}” holds an event that is none: {error}.") from error


def from_json(values: Mapping[str, Any]) -> Annotations:
    """Raises KeyError, TypeError or ValueError where something does not fit."""
    labels = tuple(str(name) for name in values.get("labels", ()) if name != NO_EVENT)
    return Annotations(
        tuple(
            MarkedVideo(
                str(one["video_path"]),
                tuple(_events(one.get("triggers", ()), labels)),
                str(one.get("description") or ""),
            )
            for one in values["videos"]
        ),
        labels,
    )


def _events(triggers: Iterable[Mapping[str, Any]], labels: tuple[str, ...]) -> list[MarkedEvent]:
    found = []
    for trigger in triggers:
        label = label_of(trigger.get("label", 1), labels)
        if label is None:
            continue
        time_s = float(trigger["timestamp"])
        start_s = float(trigger.get("start", max(0.0, time_s - POINT_S)))
        end_s = float(trigger.get("end", time_s + POINT_S))
        chance = trigger.get("probability")
        found.append(
            MarkedEvent(
                label=label,
                start_s=start_s,
                end_s=end_s,
                time_s=min(max(time_s, start_s), end_s),
                source=str(trigger.get("source", "labels")),
                review=str(trigger.get("review", ACCEPTED)),
                probability=None if chance is None else float(chance),
                description=str(trigger.get("description") or ""),
            )
        )
    return found


def label_of(given: object, labels: tuple[str, ...]) -> str | None:
    """A label by its name or its number; None for the one that says that there is no event."""
    text = str(given).strip()
    if text.isdigit():
        number = int(text)
        if number == 0:
            return None
        if number <= len(labels):
            return labels[number - 1]
        return ANY_EVENT if number == 1 else f"{ANY_EVENT} {number}"
    return None if text.casefold() in ("", NO_EVENT) else text


def to_json(annotations: Annotations) -> dict[str, Any]:
    names = annotations.names
    return {
        "labels": [NO_EVENT, *names],
        "videos": [
            {
                "video_path": video.path,
                "triggers": [_trigger(event, names) for event in video.events],
                "description": video.description,
            }
            for video in annotations.videos
        ],
    }


def _trigger(event: MarkedEvent, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "timestamp": round(event.time_s, 3),
        "label": names.index(event.label) + 1,
        "description": event.description,
        "start": round(event.start_s, 3),
        "end": round(event.end_s, 3),
        "source": event.source,
        "review": event.review,
        "probability": event.probability,
    }


def videos_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)


def write_annotations(path: Path, annotations: Annotations) -> Path:
    """All of it or nothing: a file that is there stays whole until the new one is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    text = json.dumps(to_json(annotations), indent=2, ensure_ascii=False)
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path
