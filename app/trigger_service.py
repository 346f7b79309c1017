"""Events as page, command line and programs ask for them: where scorers meet the index."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.files import ResultFiles
from app.index import IndexStore
from app.library_service import LibraryService
from app.performance import Meter
from app.pipelines.requests import DEFAULT_ENCODER
from app.pipelines.searchable import Searchables
from app.pipelines.triggering import (
    DEFAULT_DESCRIBER,
    DEFAULT_DETECTOR,
    DEFAULT_READER,
    TriggerAsked,
    TriggerRequest,
)
from app.progress import Done, Progress, Report, Stop, run_reporting
from app.results import ModelUsed
from app.trigger_results import TriggerResult
from models import registry
from models.checkpoint import read_checkpoint
from models.errors import CheckpointError, ModelUnavailableError, RequestError, SpeechError
from models.types import VideoInfo

if TYPE_CHECKING:
    from app.pipelines.analyze_triggers import Hear, Helpers, TriggerStep
    from app.pipelines.trigger_conditions import Condition, EventCondition

NO_DETECTOR = "No object detector comes with this program; events stand without boxes."
NO_DESCRIBER = "No describer comes with this program; events stand without descriptions."
ACTIONS = "action_classifier"
DETECTOR_KIND, DESCRIBER_KIND = "object_detector", "scene_describer"


@dataclass(frozen=True, slots=True)
class Spoken:
    """`result` says what speaking took, and in a remark what went wrong; `path` is None then."""

    result: TriggerResult
    path: Path | None


class TriggerService:
    """Stateless between calls but for what is on disk, and a few events looked at before."""

    def __init__(
        self,
        indexes: IndexStore,
        library: LibraryService,
        searchables: Searchables,
        files: ResultFiles,
        quality: Callable[[str], str],
    ) -> None:
        """`quality` says what was measured of a model."""
        self._indexes = indexes
        self._library = library
        self._searchables = searchables
        self._files = files
        self._quality = quality
        self._looks: Any = None  # made with the first analysis: what it is for needs the decoder

    @property
    def events(self) -> tuple[str, ...]:
        """Models with a trained event; none is loaded. `event_of` says which event it is."""
        return registry.names("trigger_scorer")

    @property
    def detectors(self) -> tuple[str, ...]:
        return registry.names(DETECTOR_KIND)

    @property
    def describers(self) -> tuple[str, ...]:
        return registry.names(DESCRIBER_KIND)

    def event_of(self, name: str) -> str:
        """What the model was trained to find, in a few words; its own name where unknown.

        Read from its description: to list models none has to be loaded.
        """
        try:
            folder = registry.entry_of(name).checkpoint_folder
            if folder is None:
                return str(registry.load(name).event)
            decision = read_checkpoint(folder).config["decision"]
            return ", ".join(str(one["event"]) for one in decision.get("events", [decision]))
        except (ModelUnavailableError, CheckpointError, KeyError, TypeError, AttributeError):
            return name

    def analyze(
        self, video: VideoInfo, request: TriggerRequest, meter: Meter | None = None
    ) -> "Iterator[TriggerStep]":
        """Events as they are found, then what is seen in each, the complete result last.

        Closing it cancels the work, in whichever stage it is. What was looked at closer before is
        not looked at again, so that a threshold can be moved. Where a detector or a describer
        cannot be had, events are found all the same, and a remark says why they stand without.

        Raises:
            RequestError: there is no model of such a name, or words that cannot be read.
            ModelUnavailableError, CheckpointError: a trained event cannot be looked for.
        """
        from app.pipelines.analyze_triggers import TriggerStep, analyze
        from app.pipelines.closer_look import KeptLooks

        meter = meter or Meter()
        helpers = self._helpers(request)
        self._check_events(request)
        self._looks = self._looks or KeptLooks()
        conditions: list[Condition] = []
        with closing(run_reporting(lambda *_: self._conditions(request))) as loading:
            for step in loading:
                if isinstance(step, Done):
                    conditions = step.value
                else:
                    words = Progress("Loading the models")
                    yield TriggerStep(words, meter.reading(), video.start_s)
        encoder = registry.load(DEFAULT_ENCODER)
        steps = analyze(
            video, request, conditions, encoder, helpers, self._indexes, meter,
            self._searchables, self._looks,
        )  # fmt: skip
        yield from self._library.remembered(steps, video, encoder.name, request.fps)

    def speak(
        self, result: TriggerResult, voice: str | None = None, words_a_minute: int | None = None
    ) -> Iterator[Progress | Done[Spoken]]:
        """The report as a WAV file for download; where that fails the result says so."""

        def work(report: Report, stop: Stop) -> Spoken:
            report(Progress("Speaking the report"))
            started, remarks = time.perf_counter(), result.remarks
            path: Path | None = None
            try:
                path = self._files.write_speech(result.video, result.report, voice, words_a_minute)
            except SpeechError as error:
                remarks = tuple(dict.fromkeys((*remarks, str(error))))
            spent_s = time.perf_counter() - started
            stages = replace(result.stages, speak_s=result.stages.speak_s + spent_s)
            return Spoken(replace(result, stages=stages, remarks=remarks), path)

        return run_reporting(work)

    def _check_events(self, request: TriggerRequest) -> None:
        for trigger in request.triggers:
            if trigger.event is not None and trigger.event not in self.events:
                known = ", ".join(self.events) or "none"
                raise RequestError(
                    f"{trigger.event!r} was not trained on an event; choose one of: {known}."
                )

    def _conditions(self, request: TriggerRequest) -> "list[Condition]":
        found: list[Condition] = []
        for trigger in request.triggers:
            threshold = request.threshold_of(trigger)
            if trigger.event is not None:
                found += self._event_conditions(trigger.event, threshold)
            else:
                found.append(self._condition(trigger, threshold))
        told = Counter((condition.kind, condition.name) for condition in found)
        for condition in found:  # of two models that find the same each says which it is
            if told[condition.kind, condition.name] > 1 and condition.model is not None:
                condition.name = f"{condition.name} ({condition.model.name})"
        return found

    def _event_conditions(self, name: str, threshold: float | None) -> "list[EventCondition]":
        """One for every event that the model was trained to find."""
        from app.pipelines.trigger_conditions import EventCondition
        from models.trigger_detector import each_event

        model = registry.load(name)
        other = model.index_encoder != DEFAULT_ENCODER
        encoder = fit_encoder(model)
        return [
            EventCondition(scorer, threshold, self._measured(name), encoder if other else None)
            for scorer in each_event(model)
        ]

    def _condition(self, asked: TriggerAsked, threshold: float | None) -> "Condition":
        from app.pipelines.trigger_conditions import (
            ChangeCondition,
            ExampleCondition,
            WordsCondition,
        )

        encoder = registry.load(DEFAULT_ENCODER)
        if asked.change is not None:
            used = ModelUsed(encoder.name, encoder.weights_hash, self._measured(encoder.name))
            return ChangeCondition(asked.change, threshold, used)
        reader = registry.load(DEFAULT_READER)
        used = ModelUsed(reader.name, reader.weights_hash, self._measured(reader.name))
        if asked.words.strip():
            return WordsCondition(asked.name, threshold, reader, used)
        return ExampleCondition(asked, threshold, reader, encoder, used)

    def _measured(self, name: str) -> str | None:
        return self._quality(name) or None

    def _helpers(self, request: TriggerRequest) -> "Helpers":
        """Raises RequestError for a name that is no model's; nothing is loaded yet."""
        from app.pipelines.analyze_triggers import Helpers

        remarks = []
        detector, describer = request.detector, request.describer
        if detector == DEFAULT_DETECTOR and detector not in self.detectors:
            detector = None
            remarks.append(NO_DETECTOR)
        if describer == DEFAULT_DESCRIBER and describer not in self.describers:
            describer = None
            remarks.append(NO_DESCRIBER)
        _check_name(detector, self.detectors, "finds no objects")
        _check_name(describer, self.describers, "describes nothing")
        return Helpers(
            detector=None if detector is None else _loader(detector),
            describer=None if describer is None else _loader(describer),
            actions=_actions if ACTIONS in registry.MODELS else None,
            remarks=tuple(remarks),
            measured=self._measured,
        )


def _check_name(name: str | None, known: tuple[str, ...], what: str) -> None:
    if name is not None and name not in known:
        choices = ", ".join([*known, "none"])
        raise RequestError(f"{name!r} {what}; choose one of: {choices}.")


def _loader(name: str) -> "Callable[[Hear], Any]":
    return lambda hear: registry.load(name, hear)


def _actions() -> Any:
    return fitting(registry.load(ACTIONS), registry.load(DEFAULT_ENCODER))


def fit_encoder(model: Any) -> Any:
    """The encoder whose index the model reads.

    Raises:
        ModelUnavailableError, CheckpointError: it is not here, or has other weights.
    """
    encoder = registry.load(model.index_encoder)
    fitting(model, encoder)
    return encoder


def fitting(model: Any, encoder: Any) -> Any:
    """The model, where it was trained on the weights of the encoder beside it.

    Raises:
        CheckpointError: it was not.
    """
    wanted = getattr(model, "encoder_hash", encoder.weights_hash)
    if model.index_encoder != encoder.name or wanted != encoder.weights_hash:
        raise CheckpointError(
            f"The checkpoint {model.name} was trained on a {model.index_encoder} with the hash "
            f"{str(wanted)[:12]}, but {encoder.name} has {(encoder.weights_hash or 'none')[:12]}: "
            "fetch both again."
        )
    return model
