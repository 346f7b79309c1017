"""What is said of the events in a video: when, how sure, what is seen then, and a report of all."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from app.results import (
    SCHEMA_VERSION,
    ModelUsed,
    Performance,
    Sampling,
    ScoredFrame,
    plain,
    video_to_json,
)
from models.types import VideoInfo


@dataclass(frozen=True, slots=True)
class Box:
    """A thing in the picture of an event; `xyxy` in pixels of the video as people see it."""

    label: str
    score: float
    xyxy: tuple[float, float, float, float]

    def to_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "score": plain(self.score),
            "xyxy": [round(side, 2) for side in self.xyxy],
        }


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event: a span of time in which something looked for seems to happen.

    What a closer look gives is empty until it was taken, and stays so where there is no model for
    it. `description` is what a describer says, `verdict` whether the event really happens
    ("yes", "no", "unsure", None where it cannot judge that), `action` what people do.
    """

    trigger: str  # the name of what was looked for
    time_s: float  # of the frame that is surest
    frame_index: int  # of that frame, among those that were analyzed, from 0
    confidence: float
    start_s: float
    end_s: float
    looked_closer: bool = False
    description: str | None = None
    sure: float | None = None  # of the description
    verdict: str | None = None
    people: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    action: str | None = None
    kind: str = "event"  # as of what was looked for: words may be called like an event
    thumbnail: bytes = field(default=b"", repr=False)  # JPEG, not part of the JSON
    picture: bytes = field(default=b"", repr=False)  # the same frame, larger, once looked at

    @property
    def dismissed(self) -> bool:
        """Whether who looked closer says that it does not happen."""
        return self.verdict == "no"

    def to_json(self) -> dict[str, Any]:
        return {
            "timestamp": plain(self.time_s),
            "frame_index": self.frame_index,
            "trigger_confidence": plain(self.confidence),
            "analysis": self.description,
            "start_s": plain(self.start_s),
            "end_s": plain(self.end_s),
            "trigger": self.trigger,
            "kind": self.kind,
            "boxes": [box.to_json() for box in self.boxes],
            "verdict": self.verdict,
            "dismissed": self.dismissed,
            "analysis_confidence": plain(self.sure),
            "people": list(self.people),
            "objects": list(self.objects),
            "action": self.action,
        }


@dataclass(frozen=True, slots=True)
class LookedFor:
    """One of the triggers asked for, and what each frame says of it.

    `kind`: "event" (trained), "words", "example" (pictures or moments) or "change".
    """

    name: str
    kind: str
    start_at: float
    stay_at: float
    found: int  # events, those left out by the limit included
    highest: float  # score of any frame
    model: ModelUsed | None = None
    curve: tuple[ScoredFrame, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "start_at": plain(self.start_at),
            "stay_at": plain(self.stay_at),
            "found": self.found,
            "highest": plain(self.highest),
            "model": None if self.model is None else self.model.to_json(),
            "scores": [{"time_s": plain(f.time_s), "score": plain(f.score)} for f in self.curve],
        }


@dataclass(frozen=True, slots=True)
class CountedObjects:
    """How many things of each class the picture of one event shows."""

    time_s: float
    counts: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        return {"time_s": plain(self.time_s), "counts": self.counts}


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds of each kind of work beside decoding and encoding, which Performance has."""

    score_s: float = 0.0
    fetch_s: float = 0.0  # decoding the frames of events at their proper size
    detect_s: float = 0.0
    describe_s: float = 0.0
    speak_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {name: plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class TriggerResult:
    """What one analysis found. Events stand in order of time, dismissed ones among them."""

    video: VideoInfo
    sampling: Sampling
    looked_for: tuple[LookedFor, ...]
    triggers: tuple[Trigger, ...]
    below: tuple[Trigger, ...]  # what lies just below its threshold, the nearest to it first
    left_out: int  # weaker events than those asked for at most
    described_frames: int  # shown to the describer
    timing: Performance
    stages: Stages
    encoder: ModelUsed | None = None
    detector: ModelUsed | None = None
    describer: ModelUsed | None = None
    remarks: tuple[str, ...] = ()  # what went on without, each in one sentence
    report: str = ""

    @property
    def dismissed(self) -> int:
        return sum(trigger.dismissed for trigger in self.triggers)

    @property
    def spared(self) -> float:
        """The share of the analyzed frames that were never shown to the describer."""
        frames = self.sampling.frames
        return 1.0 - min(self.described_frames, frames) / frames if frames else 1.0

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the things with boxes, the one in most pictures first."""
        seen: dict[str, int] = {}
        for trigger in self.triggers:
            for label in {box.label for box in trigger.boxes}:
                seen[label] = seen.get(label, 0) + 1
        return tuple(sorted(seen, key=lambda label: (-seen[label], label)))

    @property
    def counts(self) -> tuple[CountedObjects, ...]:
        """Over time: one entry for each event that was looked at closer."""
        return tuple(
            CountedObjects(trigger.time_s, count_boxes(trigger.boxes))
            for trigger in self.triggers
            if trigger.looked_closer
        )

    def only_with(self, classes: Iterable[str]) -> "TriggerResult":
        """The events whose picture shows one of the classes, and of the boxes only those."""
        wanted = set(classes)
        kept = (
            replace(trigger, boxes=tuple(box for box in trigger.boxes if box.label in wanted))
            for trigger in self.triggers
        )
        return replace(self, triggers=tuple(trigger for trigger in kept if trigger.boxes))

    def to_published_json(self) -> dict[str, Any]:
        """What the published system's programs read, and nothing else."""
        return {
            "video_path": self.video.name,
            "num_frames_analyzed": self.sampling.frames,
            "num_triggers_detected": len(self.triggers),
            "triggers": [
                {
                    "timestamp": plain(trigger.time_s),
                    "frame_index": trigger.frame_index,
                    "trigger_confidence": plain(trigger.confidence),
                    "analysis": trigger.description or "",
                }
                for trigger in self.triggers
            ],
            "video_summary": self.report,
        }

    def to_json(self) -> dict[str, Any]:
        models = {"encoder": self.encoder, "detector": self.detector, "describer": self.describer}
        return {
            "schema_version": SCHEMA_VERSION,
            "video_path": self.video.name,
            "video": video_to_json(self.video),
            "num_frames_analyzed": self.sampling.frames,
            "num_triggers_detected": len(self.triggers),
            "num_dismissed": self.dismissed,
            "num_left_out": self.left_out,
            "triggers": [trigger.to_json() for trigger in self.triggers],
            "below": [trigger.to_json() for trigger in self.below],
            "video_summary": self.report,
            "remarks": list(self.remarks),
            "thresholds": [looked.to_json() for looked in self.looked_for],
            "counts": [counted.to_json() for counted in self.counts],
            "classes": list(self.classes),
            "spared": plain(self.spared),
            "models": {name: used and used.to_json() for name, used in models.items()},
            "sampling": self.sampling.to_json(),
            "timing": {**self.timing.to_json(), **self.stages.to_json()},
        }


def count_boxes(boxes: Iterable[Box]) -> dict[str, int]:
    """The most frequent class first."""
    counts: dict[str, int] = {}
    for box in boxes:
        counts[box.label] = counts.get(box.label, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
