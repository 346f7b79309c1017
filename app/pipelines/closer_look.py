"""A closer look at one event: its best frame at a proper size, what is in it, what is seen.

Only here are frames of a video decoded again, and only those of events. What was looked at before
is kept, so that moving a threshold costs nothing for the events that stay.
"""

import inspect
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from app.pipelines.found_events import FoundEvent, rows_to_show
from app.progress import Stop, check_stop
from app.trigger_results import Box, Stages, Trigger
from app.wording import clock
from models.errors import UserFacingError, VideoOpenError
from models.protocols import ObjectDetector, SceneDescriber
from models.types import Detections, FrameBatch, Pixels, SceneDescription, Times, VideoInfo
from models.video.source import VideoSource

log = logging.getLogger(__name__)

# Large enough for small things to be found, and for a card; smaller videos are not made larger.
PICTURE_SIDE_PX = 720
JPEG_QUALITY = 85
KEPT_LOOKS = 600  # pictures are some 60 KB each


class StageClock:
    """Seconds of each kind of work, counted where it is done."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}

    @contextmanager
    def counting(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._spent[stage] = self._spent.get(stage, 0.0) + time.perf_counter() - started

    def reading(self) -> Stages:
        return Stages(**self._spent)


class KeptLooks:
    """What was seen in frames looked at before, those used last; shared between threads."""

    def __init__(self, most: int = KEPT_LOOKS) -> None:
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[Any, ...], value: Any) -> None:
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Described:
    """What was said of an event, and how many frames were shown for it."""

    description: SceneDescription
    frames: int


@dataclass(slots=True)
class CloserLook:
    """Looks at the events of one video. A model that fails is asked no more: `problems` says so."""

    video: VideoInfo
    detector: ObjectDetector | None
    describer: SceneDescriber | None
    kept: KeptLooks
    clock: StageClock
    problems: list[str] = field(default_factory=list)
    described_frames: int = 0

    def at(self, found: FoundEvent, times_s: Times, stop: Stop) -> Trigger:
        """The event with all that a closer look gives; may take long, and is stopped by `stop`.

        Raises:
            VideoOpenError: the video cannot be read any more.
            CancelledError: it was to stop.
        """
        where = (self.video.content_hash, found.trigger.time_s)
        picture_key = ("picture", *where)
        boxes_key = ("boxes", *where, *_which(self.detector))
        said_key = ("said", *where, found.said, *_which(self.describer))
        jpeg: bytes | None = self.kept.get(picture_key)
        boxes: tuple[Box, ...] | None = self.kept.get(boxes_key)
        said: Described | None = self.kept.get(said_key)
        lacks_boxes = boxes is None and self.detector is not None
        lacks_words = said is None and self.describer is not None
        if jpeg is None or lacks_boxes or lacks_words:
            shown = self._rows(found, len(times_s)) if lacks_words else [found.event.peak]
            frames = self._frames(times_s[shown], stop)
            check_stop(stop)
            # One that is damaged is not among them; its neighbours tell as much.
            peak = frames.pixels[int(np.abs(frames.times_s - found.trigger.time_s).argmin())]
            if jpeg is None:
                jpeg = _jpeg(peak)
                self.kept.put(picture_key, jpeg)
            if lacks_boxes:
                boxes = self._boxes(peak)
                if boxes is not None:
                    self.kept.put(boxes_key, boxes)
            check_stop(stop)
            if lacks_words:
                said = self._said(frames, found.said, stop)
                if said is not None:
                    self.kept.put(said_key, said)
        looked = replace(found.trigger, looked_closer=True, picture=jpeg, boxes=boxes or ())
        return looked if said is None else self._with_words(looked, said)

    def _with_words(self, trigger: Trigger, said: Described) -> Trigger:
        self.described_frames += said.frames
        about = said.description
        return replace(
            trigger,
            description=about.text,
            sure=about.confidence,
            verdict=about.verdict,
            people=about.people,
            objects=about.objects,
        )

    def _rows(self, found: FoundEvent, count: int) -> list[int]:
        wanted = self.describer.frames_wanted if self.describer is not None else 1
        return rows_to_show(found.event, count, wanted)

    def _frames(self, times_s: Times, stop: Stop) -> FrameBatch:
        side = min(PICTURE_SIDE_PX, self.video.width, self.video.height)
        with (
            self.clock.counting("fetch_s"),
            VideoSource(self.video.path, name=self.video.name, stop=stop) as source,
        ):
            batches = list(source.frames_at(times_s.tolist(), short_side_px=side))
        if not batches:
            raise VideoOpenError(
                f"The pictures of the event at {clock(float(times_s[0]))} cannot be decoded."
            )
        return FrameBatch(
            np.concatenate([batch.pixels for batch in batches]),
            np.concatenate([batch.times_s for batch in batches]),
        )

    def _boxes(self, frame: Pixels) -> tuple[Box, ...] | None:
        detector = self.detector
        if detector is None:
            return None
        with self.clock.counting("detect_s"):
            found = self._tried(lambda: detector.detect(frame[None])[0], detector.name)
        if found is None:
            self.detector = None
            return None
        return _in_video(found, frame, self.video)

    def _said(self, frames: FrameBatch, trigger: str, stop: Stop) -> Described | None:
        describer = self.describer
        if describer is None:
            return None
        with self.clock.counting("describe_s"):
            small = FrameBatch(_small(frames.pixels, describer.short_side_px), frames.times_s)
            said = self._tried(lambda: _describe(describer, small, trigger, stop), describer.name)
        if said is None:
            self.describer = None
            return None
        return Described(said, len(frames))

    def _tried(self, work: Callable[[], Any], name: str) -> Any:
        """What a model gives; None where it fails, for then the events stand without it."""
        try:
            return work()
        except UserFacingError as error:
            self.problems.append(str(error))
        except (RuntimeError, ValueError, OSError, MemoryError):
            log.exception("%s failed on an event of %s", name, self.video.name)
            self.problems.append(
                f"{name} failed, and events stand without what it would say (the log says why)."
            )
        return None


def _describe(
    describer: SceneDescriber, frames: FrameBatch, trigger: str, stop: Stop
) -> SceneDescription:
    """Slow describers take a `stop` that they ask after every word."""
    if "stop" in inspect.signature(describer.describe_event).parameters:
        asked: Callable[..., SceneDescription] = describer.describe_event
        return asked(frames, trigger, stop=stop)
    return describer.describe_event(frames, trigger)


def _which(model: ObjectDetector | SceneDescriber | None) -> Sequence[str | None]:
    return (None, None) if model is None else (model.name, model.weights_hash)


def _in_video(found: Detections, frame: Pixels, video: VideoInfo) -> tuple[Box, ...]:
    """From pixels of the frame as it was decoded to those of the video as people see it."""
    height, width = frame.shape[:2]
    sides = np.array([video.width / width, video.height / height] * 2)
    return tuple(
        Box(label, float(score), (x0, y0, x1, y1))
        for label, score, (x0, y0, x1, y1) in zip(
            found.labels, found.scores, (found.boxes_px * sides).tolist(), strict=True
        )
    )


def _small(frames: Pixels, short_side_px: int) -> Pixels:
    import cv2

    height, width = frames.shape[1:3]
    scale = short_side_px / min(height, width)
    if scale >= 1:
        return frames
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _jpeg(frame: Pixels) -> bytes:
    import cv2

    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
