"""Which events a video shows, and what is seen in each.

The index is read as every tab reads it; events are there as soon as the frames are that show them.
Once all is read, each event is looked at closer, the surest first.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TypeVar

from app.index import FrameIndex, IndexStore
from app.performance import Meter
from app.pipelines.closer_look import CloserLook, KeptLooks, StageClock
from app.pipelines.event_actions import with_actions
from app.pipelines.found_events import Findings, FoundEvent, find
from app.pipelines.indexing import IndexStep, index_video
from app.pipelines.other_indexes import further_encoders, index_again
from app.pipelines.report import report
from app.pipelines.searchable import Searchables
from app.pipelines.trigger_conditions import Condition, Seen
from app.pipelines.triggering import TriggerRequest
from app.progress import Done, Progress, Report, Stop, check_stop, run_reporting
from app.results import ModelUsed, Performance, Sampling
from app.trigger_results import Trigger, TriggerResult
from models.errors import UserFacingError
from models.protocols import ActionClassifier, FrameEncoder, ObjectDetector, SceneDescriber
from models.types import VideoInfo

# A growing index is looked at again and again; after each time so many times as long goes to
# reading on, so that it never takes more than a small share.
PAUSE_BY_COST = 12.0

Value = TypeVar("Value")
# What is being fetched, in words, and the share of it that is there; raises to stop that.
Hear = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class TriggerStep:
    """One report of the work: how far, how fast, and a result whenever there is a better one."""

    progress: Progress
    performance: Performance
    known_until_s: float
    result: TriggerResult | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Helpers:
    """Who looks closer at events: loaded when there is one, and None where none is wanted.

    What a loader raises as a UserFacingError becomes a remark, and the events stand without it.
    """

    detector: Callable[[Hear], ObjectDetector] | None = None
    describer: Callable[[Hear], SceneDescriber] | None = None
    actions: Callable[[], ActionClassifier] | None = None
    remarks: tuple[str, ...] = ()  # why one of them is missing
    measured: Callable[[str], str | None] = lambda _: None  # of a model, in a few words


@dataclass(slots=True)
class _State:
    """What is known so far of one analysis."""

    triggers: tuple[Trigger, ...] = ()
    findings: Findings | None = None
    index: FrameIndex | None = None
    others: dict[str, FrameIndex] = field(default_factory=dict)  # by their encoders' names
    depth: str = "full"
    known_until_s: float = 0.0
    remarks: list[str] = field(default_factory=list)
    look: CloserLook | None = None
    detector: ModelUsed | None = None
    describer: ModelUsed | None = None


def analyze(
    video: VideoInfo,
    request: TriggerRequest,
    conditions: Sequence[Condition],
    encoder: FrameEncoder,
    helpers: Helpers,
    store: IndexStore,
    meter: Meter | None = None,
    searchables: Searchables | None = None,
    looks: KeptLooks | None = None,
) -> Iterator[TriggerStep]:
    """The last step is complete; those before carry what is known so far.

    Closing it stops the work between any two steps; a model that is just looking at one event
    finishes that in a thread of its own, and nobody waits for it.
    """
    analysis = _Analysis(
        video, request, conditions, encoder, helpers,
        meter or Meter(), searchables, looks or KeptLooks(),
    )  # fmt: skip
    yield from analysis.read(store)
    yield from analysis.look_closer()
    yield analysis.step(Progress("Done", 1.0), analysis.result(reported=True), complete=True)


class _Analysis:
    def __init__(
        self,
        video: VideoInfo,
        request: TriggerRequest,
        conditions: Sequence[Condition],
        encoder: FrameEncoder,
        helpers: Helpers,
        meter: Meter,
        searchables: Searchables | None,
        looks: KeptLooks,
    ) -> None:
        self._video, self._request, self._conditions = video, request, conditions
        self._encoder, self._helpers, self._meter = encoder, helpers, meter
        self._searchables, self._looks = searchables, looks
        self._clock = StageClock()
        self._state = _State(known_until_s=video.start_s, remarks=list(helpers.remarks))

    def read(self, store: IndexStore) -> Iterator[TriggerStep]:
        """Until every sampled frame is known; whenever something new is, events are looked for."""
        further = further_encoders(self._conditions)
        next_at = 0.0
        for step in index_video(self._video, self._encoder, self._request.fps, store, self._meter):
            self._state.known_until_s = step.known_until_s
            due = step.complete or time.perf_counter() >= next_at
            if step.index is None or not len(step.index) or not due:
                yield self.step(step.progress)
                continue
            started = time.perf_counter()
            yield from self._found(step, step.index)
            ended = time.perf_counter()
            next_at = ended + PAUSE_BY_COST * (ended - started)
            whole = step.complete and not further
            yield self.step(step.progress, self.result(reported=whole))
            if step.complete:
                yield from self._read_further(step, step.index, further, store)

    def _read_further(
        self, last: IndexStep, index: FrameIndex, further: Sequence[FrameEncoder], store: IndexStore
    ) -> Iterator[TriggerStep]:
        """The video again as each of the others sees it."""
        for encoder in further:
            for step in index_again(self._video, encoder, self._request.fps, store, self._meter):
                if step.complete and step.index is not None:
                    self._state.others[encoder.name] = step.index
                yield self.step(step.progress)
            yield from self._found(last, index)
            yield self.step(last.progress, self.result(reported=encoder is further[-1]))

    def _found(self, step: IndexStep, index: FrameIndex) -> Generator[TriggerStep, None, None]:
        """Looks for events in what is known."""
        state = self._state
        findings = yield from self._worked(self._finding(step, index), step.progress)
        state.findings, state.index, state.depth = findings, index, step.depth
        state.triggers = tuple(found.trigger for found in findings.events)

    def _finding(self, step: IndexStep, index: FrameIndex) -> Callable[[Report, Stop], Findings]:
        def work(_: Report, __: Stop) -> Findings:
            seen = Seen(
                index, self._request.fps, complete=step.complete, kept=self._searchables,
                others=self._state.others,
            )  # fmt: skip
            with self._meter.selecting(), self._clock.counting("score_s"):
                return find(self._video, self._conditions, seen, self._request.max_events)

        return work

    def look_closer(self) -> Iterator[TriggerStep]:
        """At each event, the surest first; a result after each."""
        state = self._state
        if state.findings is None or state.index is None or not state.findings.events:
            return
        yield from self._name_actions(state.index)
        yield from self._load_helpers()
        by_score = sorted(state.findings.events, key=lambda found: -found.trigger.confidence)
        for number, found in enumerate(by_score):
            words = f"Looking closer at event {number + 1} of {len(by_score)}"
            progress = Progress(words, number / len(by_score))
            try:
                seen = yield from self._worked(self._looking(found), progress)
            except UserFacingError as error:  # the video is gone, or damaged just there
                self._remark(str(error))
                continue
            self._put(found.trigger, seen)
            yield self.step(progress, self.result(reported=True))

    def _looking(self, found: FoundEvent) -> Callable[[Report, Stop], Trigger]:
        look, index = self._state.look, self._state.index

        def work(_: Report, stop: Stop) -> Trigger:
            if look is None or index is None:
                raise ValueError("helpers are loaded before events are looked at, received none")
            return look.at(found, index.times_s, stop)

        return work

    def _put(self, before: Trigger, seen: Trigger) -> None:
        """The action was named before, on the event as it was found."""
        key = (before.kind, before.trigger, before.time_s)
        self._state.triggers = tuple(
            replace(seen, action=known.action)
            if (known.kind, known.trigger, known.time_s) == key
            else known
            for known in self._state.triggers
        )

    def _name_actions(self, index: FrameIndex) -> Iterator[TriggerStep]:
        load, triggers = self._helpers.actions, self._state.triggers
        if load is None:
            return

        def work(_: Report, __: Stop) -> tuple[Trigger, ...]:
            with self._clock.counting("score_s"):
                model = load()
                return with_actions(triggers, model.classify_windows(index, index.times_s), model)

        try:
            self._state.triggers = yield from self._worked(work, Progress("Naming the actions"))
        except UserFacingError as error:
            self._remark(str(error))

    def _load_helpers(self) -> Iterator[TriggerStep]:
        state = self._state
        detector = yield from self._loaded(self._helpers.detector, "Loading the object detector")
        describer = yield from self._loaded(self._helpers.describer, "Loading the describer")
        state.detector, state.describer = self._used(detector), self._used(describer)
        state.look = CloserLook(self._video, detector, describer, self._looks, self._clock)

    def _loaded(
        self, load: Callable[[Hear], Value] | None, words: str
    ) -> Generator[TriggerStep, None, Value | None]:
        if load is None:
            return None

        def work(report: Report, stop: Stop) -> Value:
            def hear(words: str, share: float | None) -> None:
                check_stop(stop)
                report(Progress(words, share))

            return load(hear)

        try:
            return (yield from self._worked(work, Progress(words)))
        except UserFacingError as error:
            self._remark(str(error))
            return None

    def _worked(
        self, work: Callable[[Report, Stop], Value], progress: Progress
    ) -> Generator[TriggerStep, None, Value]:
        """What `work` gives, from a thread: steps meanwhile are where Cancel is heard."""

        def begun(report: Report, stop: Stop) -> Value:
            report(progress)
            return work(report, stop)

        with closing(run_reporting(begun)) as steps:
            for step in steps:
                if isinstance(step, Done):
                    return step.value
                yield self.step(step)
        raise RuntimeError("work ends with its value")

    def _used(self, model: ObjectDetector | SceneDescriber | None) -> ModelUsed | None:
        if model is None:
            return None
        return ModelUsed(model.name, model.weights_hash, self._helpers.measured(model.name))

    def _remark(self, text: str) -> None:
        if text not in self._state.remarks:
            self._state.remarks.append(text)

    def step(
        self, progress: Progress, result: TriggerResult | None = None, *, complete: bool = False
    ) -> TriggerStep:
        known = self._state.known_until_s
        return TriggerStep(progress, self._meter.reading(), known, result, complete)

    def result(self, *, reported: bool) -> TriggerResult | None:
        state = self._state
        if state.findings is None or state.index is None:
            return None
        look = state.look
        for problem in look.problems if look is not None else ():
            self._remark(problem)
        made = TriggerResult(
            video=self._video,
            sampling=Sampling(self._request.fps, len(state.index), state.depth),
            looked_for=state.findings.looked_for,
            triggers=state.triggers,
            below=state.findings.below,
            left_out=state.findings.left_out,
            described_frames=0 if look is None else look.described_frames,
            timing=self._meter.reading(),
            stages=self._clock.reading(),
            encoder=ModelUsed(self._encoder.name, self._encoder.weights_hash),
            detector=state.detector,
            describer=state.describer,
            remarks=tuple(state.remarks),
        )
        return replace(made, report=report(made)) if reported else made
