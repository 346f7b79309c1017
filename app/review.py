"""Looking through annotated events: each change is saved at once and can be taken back."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from models.annotations import (
    ACCEPTED,
    PROPOSED,
    REJECTED,
    REVIEWS,
    Annotations,
    MarkedEvent,
    MarkedVideo,
    read_annotations,
    videos_in,
    write_annotations,
)
from models.errors import RequestError

Change = Callable[[MarkedEvent], MarkedEvent]
SHORTEST_S = 0.05
# Added where the player stands: so long, until it is moved.
NEW_EVENT_S = 2.0
KEPT_STEPS = 500
LONGEST_LABEL = 80


@dataclass(frozen=True, slots=True)
class ReviewedEvent:
    """An event with the number that it keeps while it is looked at, however often it changes."""

    number: int
    event: MarkedEvent


@dataclass(frozen=True, slots=True)
class _Step:
    """How a video was before it was changed."""

    path: str
    entries: tuple[ReviewedEvent, ...]


class Review:
    """One file of annotations and the folder of its videos. May be used from several threads."""

    def __init__(self, file: Path, videos: Path) -> None:
        """Videos of the folder that the file does not know are looked through as well.

        Raises:
            RequestError: the file holds no annotations, or there is no video.
        """
        if not videos.is_dir():
            raise RequestError(f"“{videos}” is no folder of videos; name the one that holds them.")
        self.file, self.folder = file, videos
        known = read_annotations(file) if file.is_file() else Annotations()
        for video in known.videos:  # the file may be somebody else's
            _need_inside(videos, video.path)
        self._labels = known.labels
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._steps: list[_Step] = []
        self._words = {video.path: video.description for video in known.videos}
        self._entries = {video.path: self._numbered(video.events) for video in known.videos}
        for path in videos_in(videos):
            self._entries.setdefault(path.relative_to(videos).as_posix(), ())
        if not self._entries:
            raise RequestError(f"There are no videos in “{videos}”; name the folder that has some.")

    @property
    def paths(self) -> tuple[str, ...]:
        """Of all videos, those with proposed events first."""
        return tuple(sorted(self._entries, key=lambda path: (not self.waiting(path), path)))

    @property
    def labels(self) -> tuple[str, ...]:
        return self._annotations().names

    @property
    def can_undo(self) -> bool:
        return bool(self._steps)

    def waiting(self, path: str) -> int:
        """How many events of the video nobody has looked through."""
        return sum(entry.event.review == PROPOSED for entry in self.entries(path))

    def entries(self, path: str) -> tuple[ReviewedEvent, ...]:
        """In order of time.

        Raises:
            RequestError: the video is none of these.
        """
        if path not in self._entries:
            raise RequestError(f"“{path}” is none of the videos that are looked through.")
        return self._entries[path]

    def file_of(self, path: str) -> Path:
        self.entries(path)
        return self.folder / path

    # -- changes, each saved before it returns --------------------------------------------------

    def judge(self, path: str, number: int, review: str) -> ReviewedEvent:
        """Raises RequestError where there is no such event or no such judgement."""
        if review not in REVIEWS:
            raise RequestError(f"An event is accepted or rejected, not {review!r}.")
        return self._change(path, number, lambda event: replace(event, review=review))

    def move(self, path: str, number: int, start_s: float, end_s: float) -> ReviewedEvent:
        """By hand, so it is accepted: whoever corrects an event has looked at it.

        Raises:
            RequestError: it would end before it starts.
        """
        start_s = max(0.0, start_s)
        if end_s - start_s < SHORTEST_S:
            raise RequestError("An event ends after it starts; move its other end first.")

        def moved(event: MarkedEvent) -> MarkedEvent:
            return replace(
                event, start_s=start_s, end_s=end_s, review=_looked_at(event),
                time_s=min(max(event.time_s, start_s), end_s), source="hand",
            )  # fmt: skip

        return self._change(path, number, moved)

    def name(self, path: str, number: int, label: str) -> ReviewedEvent:
        words = _label(label)
        return self._change(path, number, lambda event: replace(event, label=words))

    def add(self, path: str, time_s: float, label: str, end_s: float) -> ReviewedEvent:
        """An event of the player's time on, accepted; it ends with the video at the latest."""
        latest = max(end_s, time_s + SHORTEST_S)
        event = MarkedEvent(
            _label(label), time_s, min(time_s + NEW_EVENT_S, latest), time_s, "hand", ACCEPTED
        )
        with self._lock:
            before = self.entries(path)
            made = ReviewedEvent(next(self._numbers), event)
            self._put(path, before, (*before, made))
        return made

    def undo(self) -> str | None:
        """Takes the last change back; the video it was of, or None where there is none."""
        with self._lock:
            if not self._steps:
                return None
            step = self._steps.pop()
            self._entries[step.path] = step.entries
            self._save()
            return step.path

    def _change(self, path: str, number: int, make: Change) -> ReviewedEvent:
        with self._lock:
            before = self.entries(path)
            known = next((entry for entry in before if entry.number == number), None)
            if known is None:
                raise RequestError("That event is no longer there; it was taken back.")
            made = ReviewedEvent(number, make(known.event))
            self._put(path, before, tuple(made if e.number == number else e for e in before))
        return made

    def _put(
        self, path: str, before: tuple[ReviewedEvent, ...], after: tuple[ReviewedEvent, ...]
    ) -> None:
        """What cannot be saved is not changed either."""
        self._entries[path] = tuple(sorted(after, key=lambda e: (e.event.start_s, e.number)))
        try:
            self._save()
        except OSError as error:
            self._entries[path] = before
            raise RequestError(
                f"“{self.file.name}” could not be saved ({error.strerror}); check its folder."
            ) from error
        self._steps = [*self._steps[-KEPT_STEPS:], _Step(path, before)]

    def _save(self) -> None:
        write_annotations(self.file, self._annotations())

    def _annotations(self) -> Annotations:
        videos = tuple(
            MarkedVideo(path, tuple(e.event for e in entries), self._words.get(path, ""))
            for path, entries in self._entries.items()
        )
        return Annotations(videos, self._labels)

    def _numbered(self, events: tuple[MarkedEvent, ...]) -> tuple[ReviewedEvent, ...]:
        ordered = sorted(events, key=lambda event: event.start_s)
        return tuple(ReviewedEvent(next(self._numbers), event) for event in ordered)


def _looked_at(event: MarkedEvent) -> str:
    return event.review if event.review == REJECTED else ACCEPTED


def _need_inside(folder: Path, path: str) -> None:
    """By its name; where a link in the folder leads is its owner's to decide."""
    top = folder.absolute()
    if not Path(os.path.normpath(top / path)).is_relative_to(os.path.normpath(top)):
        raise RequestError(f"“{path}” is not in the folder of videos; name it from there on.")


def _label(text: str) -> str:
    words = " ".join(text.split())[:LONGEST_LABEL]
    if not words:
        raise RequestError("An event has a label, such as: a fight.")
    return words
