"""Actions as page, command line and programs ask for them: where classifiers meet the index."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.action_results import ActionResult
from app.index import IndexKey, IndexStore
from app.library_service import LibraryService
from app.performance import Meter
from app.pipelines.recognizing import DEFAULT_READER, RecognizeRequest
from app.pipelines.segmenting import segment_key
from app.progress import Done, Progress, Report, Stop, check_stop, run_reporting
from models import registry
from models.catalogue import model_facts
from models.class_quality import ClassQuality, class_quality
from models.errors import RequestError
from models.protocols import ActionClassifier, FrameEncoder, SegmentClassifier
from models.types import VideoInfo

if TYPE_CHECKING:
    from app.pipelines.recognize import RecognizeStep

KIND = "action_classifier"
SEGMENT_KIND = "segment_classifier"
NOT_TRAINED_ON = "labels it was not trained on"
SAME_TIME_S = 1e-3


class ActionService:
    """Stateless between calls but for what is on disk."""

    def __init__(
        self, indexes: IndexStore, library: LibraryService, quality: Callable[[str], str]
    ) -> None:
        """`quality` says what was measured of a model."""
        self._indexes = indexes
        self._library = library
        self._quality = quality

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Those that name actions they were trained on."""
        return registry.names(KIND) + registry.names(SEGMENT_KIND)

    def looks_at_segments(self, checkpoint: str) -> bool:
        """Whether it looks at the video itself, and not at the index that others share."""
        return checkpoint in registry.names(SEGMENT_KIND)

    def recognize(
        self, video: VideoInfo, request: RecognizeRequest, meter: Meter | None = None
    ) -> "Iterator[RecognizeStep]":
        """Partial results as they come, the complete one last; closing it cancels the work.

        Raises:
            RequestError: there is no such checkpoint, or a label cannot be read.
            CheckpointError: the checkpoint does not fit the encoder beside it.
        """
        from app.pipelines.recognize import RecognizeStep, recognize

        meter = meter or Meter()
        yield RecognizeStep(Progress("Loading the model"), meter.reading(), video.start_s)
        if not request.labels and self.looks_at_segments(request.checkpoint):
            yield from self._recognize_segments(video, request, meter)
            return
        model, encoder = self._models(request)
        quality = NOT_TRAINED_ON if request.labels else self._quality(request.checkpoint)
        steps = recognize(video, request, model, encoder, self._indexes, meter, quality)
        yield from self._library.remembered(steps, video, encoder.name, request.fps)

    def _recognize_segments(
        self, video: VideoInfo, request: RecognizeRequest, meter: Meter
    ) -> "Iterator[RecognizeStep]":
        """Some of these models are fetched first, which takes a while and can be cancelled."""
        from app.pipelines.recognize import RecognizeStep, recognize_segments

        for step in run_reporting(lambda report, stop: _loaded(request.checkpoint, report, stop)):
            if isinstance(step, Done):
                model, quality = step.value, self._quality(request.checkpoint)
                yield from recognize_segments(video, request, model, self._indexes, meter, quality)
            else:
                yield RecognizeStep(step, meter.reading(), video.start_s)

    def class_quality(self, checkpoint: str) -> ClassQuality | None:
        """How well each class of a checkpoint is known; None where that was not measured."""
        if checkpoint not in self.checkpoints:
            return None
        return class_quality(model_facts(registry.entry_of(checkpoint)).metrics)

    def pictures(self, result: ActionResult, times_s: Sequence[float]) -> list[bytes]:
        """Small JPEGs of sampled frames; empty where the video was not read to the end."""
        found = self._indexes.pictures(_key_of(result))
        if found is None or not len(found[0]):
            return [b""] * len(times_s)
        times, thumbnails = found
        nearest = [int(np.abs(times - time_s).argmin()) for time_s in times_s]
        return [
            thumbnails[at] if abs(times[at] - time_s) < SAME_TIME_S else b""
            for at, time_s in zip(nearest, times_s, strict=True)
        ]

    def _models(self, request: RecognizeRequest) -> tuple[ActionClassifier, FrameEncoder]:
        if request.labels:
            from app.pipelines.own_labels import OwnLabels

            reader = registry.load(DEFAULT_READER)
            encoder = registry.load(reader.index_encoder)
            return OwnLabels(reader, request.labels, encoder), encoder
        if request.checkpoint not in self.checkpoints:
            known = ", ".join(self.checkpoints) or "none"
            raise RequestError(f"{request.checkpoint!r} names no actions; choose one of: {known}.")
        model = registry.load(request.checkpoint)
        return model, registry.load(model.index_encoder)


def _key_of(result: ActionResult) -> IndexKey:
    """Where what the result was made of is kept."""
    content_hash, used = result.video.content_hash, result.model
    if result.every_s is not None:
        return segment_key(content_hash, used.name, used.hash, result.every_s)
    model = registry.load(DEFAULT_READER if result.zero_shot else used.name)
    encoder = registry.load(model.index_encoder)
    return IndexKey(content_hash, encoder.name, encoder.weights_hash, result.sampling.fps)


def _loaded(name: str, report: Report, stop: Stop) -> SegmentClassifier:
    def hear(stage: str, share: float | None) -> None:
        check_stop(stop)
        report(Progress(stage, share))

    model: SegmentClassifier = registry.load(name, hear)
    return model
