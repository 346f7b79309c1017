"""What a pipeline gives back: plain values that any caller can print, store or draw."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from models.certainty import MEASURED, Certainty
from models.types import Shot, VideoInfo

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """Which model made a score, by the hash of its weights (None where it has none)."""

    name: str
    hash: str | None
    quality: str | None = None  # what was measured of it, in a few words

    @property
    def in_words(self) -> str:
        known = f"{self.name}, {self.hash[:12] if self.hash else 'no weights'}"
        return f"{known}; {self.quality}" if self.quality else known

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "hash": self.hash, "quality": self.quality}


@dataclass(frozen=True, slots=True)
class Sampling:
    fps: float
    frames: int
    depth: str = "full"  # "full", or "first look": the stream's own key frames only
    segment_frames: int | None = None  # where each score is of a segment of so many frames

    def to_json(self) -> dict[str, Any]:
        said = {"fps": plain(self.fps), "frames": self.frames, "depth": self.depth}
        if self.segment_frames is not None:
            said["segment_frames"] = self.segment_frames
        return said


@dataclass(frozen=True, slots=True)
class ScoredFrame:
    time_s: float
    score: float


@dataclass(frozen=True, slots=True)
class Keyframe:
    time_s: float
    score: float
    shot: int
    thumbnail: bytes = field(default=b"", repr=False)  # JPEG, not part of the JSON


@dataclass(frozen=True, slots=True)
class ScoredShot:
    start_s: float
    end_s: float
    score: float
    chosen: bool

    @property
    def span(self) -> Shot:
        return Shot(self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class Performance:
    """Where the time went; seconds are summed over the work itself, not over waiting."""

    download_mb_per_s: float | None = None
    download_s: float | None = None
    decode_s: float = 0.0
    encode_s: float = 0.0
    select_s: float = 0.0
    total_s: float = 0.0
    first_result_s: float | None = None
    frames_processed: int = 0
    frames_per_s: float = 0.0
    times_real_time: float = 0.0
    cpu_percent: float = 0.0
    memory_mb: float = 0.0
    from_index: bool = False

    def to_json(self) -> dict[str, Any]:
        return {name: plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Compared:
    """What another method says of the same frames; never steered by a query."""

    method: str
    model: ModelUsed
    frames: tuple[ScoredFrame, ...]
    tau: float  # Kendall's tau-b between both curves

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "model": self.model.to_json(),
            "tau": plain(self.tau),
            "frames": [{"time_s": plain(f.time_s), "score": plain(f.score)} for f in self.frames],
        }


@dataclass(frozen=True, slots=True)
class SummaryResult:
    video: VideoInfo
    model: ModelUsed
    method: str
    sampling: Sampling
    frames: tuple[ScoredFrame, ...]
    keyframes: tuple[Keyframe, ...]  # in order of time
    shots: tuple[ScoredShot, ...]
    timing: Performance
    query: str | None = None  # the words that were to steer it
    steered: bool = False  # not where nothing in the video matches them with confidence
    compared: Compared | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "video": video_to_json(self.video),
            "model": self.model.to_json(),
            "method": self.method,
            "query": self.query,
            "steered": self.steered,
            "sampling": self.sampling.to_json(),
            "frames": [{"time_s": plain(f.time_s), "score": plain(f.score)} for f in self.frames],
            "keyframes": [
                {"time_s": plain(k.time_s), "score": plain(k.score), "shot": k.shot}
                for k in self.keyframes
            ],
            "shots": [
                {
                    "start_s": plain(s.start_s),
                    "end_s": plain(s.end_s),
                    "score": plain(s.score),
                    "chosen": s.chosen,
                }
                for s in self.shots
            ],
            "compared": None if self.compared is None else self.compared.to_json(),
            "timing": self.timing.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of the video that matches, and the frame in it that matches best."""

    time_s: float
    start_s: float
    end_s: float
    score: float  # that the frame alone matches
    # That it matches although it is the best of so many; None where the model only compares.
    probability: float | None
    thumbnail: bytes = field(default=b"", repr=False)  # JPEG, not part of the JSON

    @property
    def span(self) -> Shot:
        return Shot(self.start_s, self.end_s)

    @property
    def rating(self) -> float:
        """What moments of one answer are ordered by, in [0, 1]."""
        return self.score if self.probability is None else self.probability

    def to_json(self) -> dict[str, Any]:
        names = ("time_s", "start_s", "end_s", "score", "probability")
        return {name: plain(getattr(self, name)) for name in names}


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What one query finds in one video."""

    video: VideoInfo
    model: ModelUsed
    query: str
    sampling: Sampling
    moments: tuple[Moment, ...]  # the best first
    below: tuple[Moment, ...]  # those that come next, best first
    curve: tuple[ScoredFrame, ...]
    # Whether the best moment is more likely to match than not; None where the model only compares.
    confident: bool | None
    timing: Performance
    top: int = 12  # moments asked for
    certainty: Certainty = MEASURED  # what the probabilities are worth

    @property
    def best(self) -> tuple[Moment, ...]:
        """As many as were asked for, however sure."""
        return (*self.moments, *self.below)[: self.top]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "video": video_to_json(self.video),
            "model": self.model.to_json(),
            "query": self.query,
            "sampling": self.sampling.to_json(),
            "certainty": self.certainty,
            "confident": self.confident,
            "moments": [moment.to_json() for moment in self.best],
            "curve": [{"time_s": plain(f.time_s), "score": plain(f.score)} for f in self.curve],
            "timing": self.timing.to_json(),
        }


@dataclass(frozen=True, slots=True)
class LibraryVideo:
    """A video of the library and what was found in it."""

    content_hash: str
    name: str
    duration_s: float
    added_s: float  # since 1970
    moments: tuple[Moment, ...]  # the best first

    def to_json(self) -> dict[str, Any]:
        added = datetime.fromtimestamp(self.added_s, UTC)
        return {
            "content_hash": self.content_hash,
            "name": self.name,
            "duration_s": plain(self.duration_s),
            "added": added.isoformat(timespec="seconds"),
            "moments": [moment.to_json() for moment in self.moments],
        }


@dataclass(frozen=True, slots=True)
class LibraryResult:
    """What one query finds in all the videos of the library that fit the filters."""

    model: ModelUsed
    query: str
    searched_videos: int
    searched_s: float
    searched_moments: int
    videos: tuple[LibraryVideo, ...]  # by their best moment
    below: tuple[LibraryVideo, ...]  # what comes next, likewise
    confident: bool  # whether the best moment is more likely to match than not
    timing: Performance

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.model.to_json(),
            "query": self.query,
            "searched": {
                "videos": self.searched_videos,
                "duration_s": plain(self.searched_s),
                "moments": self.searched_moments,
            },
            "confident": self.confident,
            "videos": [video.to_json() for video in self.videos],
            "below": [video.to_json() for video in self.below],
            "timing": self.timing.to_json(),
        }


def video_to_json(video: VideoInfo) -> dict[str, Any]:
    return {
        "name": video.name,
        "content_hash": video.content_hash,
        "duration_s": plain(video.duration_s),
        "start_s": plain(video.start_s),
        "fps": plain(float(video.fps)),
        "width": video.width,
        "height": video.height,
        "rotation": video.rotation,
        "has_audio": video.has_audio,
        "codec": video.codec,
    }


def plain(value: Any) -> Any:
    """Six decimals are finer than any time base in use; JSON knows no NaN."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
