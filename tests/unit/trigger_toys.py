"""An analysis of triggers with models whose rules are plain to see, over a video made here."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from app.index import IndexKey, IndexStore
from app.pipelines.analyze_triggers import Helpers, TriggerStep, analyze
from app.pipelines.closer_look import KeptLooks
from app.pipelines.trigger_conditions import Condition, EventCondition
from app.pipelines.triggering import TriggerRequest
from app.trigger_results import TriggerResult
from models.protocols import Embedded
from models.types import (
    Detections,
    Floats,
    FrameBatch,
    Pixels,
    SceneDescription,
    Times,
    VideoInfo,
)
from models.video.probe import probe

SIZE = (96, 64)  # width, height
SCORES = (0.05, 0.1, 0.9, 0.95, 0.7, 0.1, 0.02, 0.45, 0.1, 0.1, 0.6, 0.65, 0.1, 0.02)
FPS = 2.0


def write_shades(path: Path, frames: int, fps: int = 2) -> Path:
    """Each frame is of one grey: its number times ten."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(frames):
            pixels = np.full((SIZE[1], SIZE[0], 3), 10 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    return path


class ScoredEyes:
    """A frame's embedding starts with the score it shall get."""

    name = "eyes"
    weights_hash: str | None = "cd" * 32
    dim = 8
    short_side_px = 16

    def __init__(self, scores: Sequence[float] = SCORES) -> None:
        self._scores = scores
        self.seen = 0

    def encode_frames(self, frames: Pixels) -> Floats:
        numbers = np.rint(frames[:, 0, 0, 0] / 10).astype(int)
        self.seen += len(frames)
        return np.stack([row_for(self._scores[number % len(self._scores)]) for number in numbers])


def row_for(score: float) -> Floats:
    row = np.zeros(8, np.float32)
    row[0], row[1] = score, np.sqrt(1 - score**2)
    return row


class ToyScorer:
    """Reads the score that the eyes wrote. Implements protocols.TriggerScorer."""

    name = "toy_trigger"
    weights_hash: str | None = "ab" * 32
    index_encoder = "eyes"
    event = "fight"
    start_at, stay_at = 0.5, 0.4

    def score(self, frames: Pixels | Floats | Embedded, times_s: Times) -> Floats:
        rows = frames if isinstance(frames, np.ndarray) else frames.embeddings
        return np.asarray(rows[:, 0], np.float32)


class ToyDetector:
    """One person as large as the picture, and as many dogs as asked for."""

    name = "toy_detector"
    weights_hash: str | None = "11" * 32
    labels = ("person", "dog")

    def __init__(self, dogs: int = 2, error: Exception | None = None) -> None:
        self._dogs, self._error = dogs, error
        self.calls = 0

    def detect(self, frames: Pixels) -> list[Detections]:
        self.calls += 1
        if self._error is not None:
            raise self._error
        height, width = frames.shape[1:3]
        labels = ("person", *["dog"] * self._dogs)
        boxes = np.array([[0, 0, width, height]] * len(labels), np.float32)
        scores = np.linspace(0.9, 0.5, len(labels), dtype=np.float32)
        return [Detections(boxes, scores, labels) for _ in frames]


class ToyDescriber:
    """Says which greys it sees; dismisses what is as dark as `dismissed`. Slow when `held`."""

    name = "toy_describer"
    weights_hash: str | None = "22" * 32
    frames_wanted = 3
    short_side_px = 32

    def __init__(
        self,
        dismissed: Sequence[int] = (),
        error: Exception | None = None,
        held: threading.Event | None = None,
    ) -> None:
        self._dismissed, self._error, self._held = dismissed, error, held
        self.asked: list[tuple[str, list[int]]] = []
        self.began = threading.Event()

    def describe_event(self, frames: FrameBatch, trigger: str) -> SceneDescription:
        numbers = np.rint(frames.pixels[:, 0, 0, 0] / 10).astype(int).tolist()
        self.asked.append((trigger, numbers))
        self.began.set()
        if self._held is not None:
            self._held.wait(20)
        if self._error is not None:
            raise self._error
        verdict = "no" if any(number in self._dismissed for number in numbers) else "yes"
        return SceneDescription(f"pictures {numbers}", 0.4, verdict, ("somebody",), ("a thing",))


class Analysis:
    """A video of one grey a frame, an index of it, and whatever else an analysis needs."""

    def __init__(self, folder: Path, scores: Sequence[float] = SCORES) -> None:
        path = write_shades(folder / "shades.mp4", len(scores))
        self.video: VideoInfo = replace(probe(path), content_hash="e" * 64)
        self.store = IndexStore(folder / "index", 10**9)
        self.eyes = ScoredEyes(scores)
        self.looks = KeptLooks()
        self.detector, self.describer = ToyDetector(), ToyDescriber()

    def index(self, scores: Sequence[float] = SCORES) -> None:
        """As if the video had been read before."""
        pixels = np.zeros((len(scores), 4, 4, 3), np.uint8)
        times_s = np.arange(len(scores)) / FPS
        key = IndexKey(self.video.content_hash, self.eyes.name, self.eyes.weights_hash, FPS)
        with self.store.writer(key) as writer:
            writer.add(FrameBatch(pixels, times_s), np.stack([row_for(s) for s in scores]))
            writer.commit()

    def steps(
        self,
        threshold: float | None = None,
        max_events: int = 20,
        conditions: Sequence[Condition] | None = None,
        helpers: Helpers | None = None,
    ) -> "list[TriggerStep]":
        return list(self.begin(threshold, max_events, conditions, helpers))

    def begin(
        self,
        threshold: float | None = None,
        max_events: int = 20,
        conditions: Sequence[Condition] | None = None,
        helpers: Helpers | None = None,
    ):  # type: ignore[no-untyped-def]
        return analyze(
            self.video,
            TriggerRequest(max_events=max_events),
            conditions or [EventCondition(ToyScorer(), threshold)],
            self.eyes,
            helpers or self.helpers(),
            self.store,
            looks=self.looks,
        )

    def helpers(self, **others: Callable[..., object]) -> Helpers:
        given: dict[str, object] = {
            "detector": lambda _: self.detector, "describer": lambda _: self.describer, **others,
        }  # fmt: skip
        return Helpers(**given)  # type: ignore[arg-type]

    def result(self, threshold: float | None = None, **options: object) -> TriggerResult:
        last = self.steps(threshold, **options)[-1]  # type: ignore[arg-type]
        assert last.complete and last.result is not None
        return last.result


def toy_video(duration_s: float = 75.0) -> VideoInfo:
    return VideoInfo(
        path=Path("missing.mp4"), name="yard.mp4", content_hash="f" * 64, duration_s=duration_s,
        fps=Fraction(25), width=640, height=360, rotation=0, has_audio=True, codec="h264",
    )  # fmt: skip
