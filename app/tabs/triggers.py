"""Triggers: when something happens, what is seen then, and a report to read or to hear."""

import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import gradio as gr

from app.pipelines.triggering import (
    DEFAULT_DESCRIBER,
    DEFAULT_DETECTOR,
    DEFAULT_EVENTS,
    EVEN,
    NONE,
    TriggerRequest,
)
from app.services import OpenedVideo, Services
from app.tabs.events import ONCE, QUIET, UPDATE_EVERY_S, after_saying
from app.tabs.failures import Updates, problem, said_plainly
from app.tabs.model_choice import ModelChoice, refresh_button
from app.tabs.summarize import NO_VIDEO
from app.tabs.trigger_asking import (
    command_line,
    kinds,
    missing,
    read_request,
    ticked_first,
)
from app.tabs.trigger_files import TriggerFiles
from app.tabs.trigger_sample import Sample, SamplePicture
from app.tabs.triggers_view import (
    EMPTY,
    all_facts,
    cards_below,
    event_cards,
    event_rows,
    object_counts,
    summed_up,
    tracks,
)
from app.timeline.component import component
from app.timeline.results import rows
from app.timeline.stage import Stage, failed, finished, working
from app.trigger_results import TriggerResult
from app.trigger_service import DESCRIBER_KIND, DETECTOR_KIND
from models.errors import RequestError
from models.speech import DEFAULT_VOICE, FASTEST, SLOWEST, WORDS_A_MINUTE, voices

PLACEHOLDER = "or in words: a person enters, a red car"
HELP = (
    '<p class="fs-help">Between commas, each is looked for by itself; '
    "<b>a car @ 70 %</b> has a threshold of its own.</p>"
)
BY_EACH, BY_ONE = "What suits each", "One for all"


class TriggersTab:
    """Widgets of the tab and the handlers between them; what is computed is in the pipeline."""

    name = "triggers"
    label = "Triggers"

    def __init__(self, services: Services, stage: Stage, video: gr.State) -> None:
        self._services = services
        self._stage = stage
        self._video = video
        self._layer = stage.add_layer(self.name)
        # A row of tabs may hold nothing but tabs, so the state is inside.
        with gr.Tab(self.label, id=self.name, render_children=True) as self.tab:
            self._result = gr.State(None)
            self._build()
        self._no_result: dict[Any, Any] = {
            self._result: None,
            self._layer: tracks(None),
            self._empty: gr.update(visible=True),
            self._events: None,
            self._below: None,
            self._remarks: None,
            self._rows: None,
            self._counts: None,
            self._command: None,
            self._facts: None,
            self._note: None,
            **self._files.cleared,
        }
        self.cleared: dict[Any, Any] = {**self._no_result, **self._sample.cleared}

    def _build(self) -> None:
        self._kinds = gr.CheckboxGroup(
            kinds(self._services),
            value=ticked_first(self._services),
            show_label=False,
            label="What to look for",
            elem_id="trigger-kinds",
        )
        with gr.Row(elem_classes="fs-ask"):
            self._words = gr.Textbox(
                elem_id="trigger-words",
                interactive=True,
                show_label=False,
                label="What else to look for, in words",
                placeholder=PLACEHOLDER,
                max_lines=1,
                scale=1,
                min_width=180,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            )
            self._run = gr.Button(
                "Find events", variant="primary", elem_id="run-triggers", elem_classes="fs-run",
                scale=0, min_width=120,
            )  # fmt: skip
        gr.HTML(HELP, apply_default_css=False)
        folds = gr.Column(elem_classes="fs-folds")
        self._note = component("note", elem_id="triggers-note")
        with folds:
            self._sample = SamplePicture(self._video, self._note)
            self._build_options()
        self._empty = gr.HTML(EMPTY, apply_default_css=False)
        self._remarks = component("remarks", elem_id="triggers-remarks")
        self._events = component("events", elem_id="triggers-events")
        self._below = component("events", elem_id="triggers-below")
        self._counts = component("counts", elem_id="triggers-counts")
        self._files = TriggerFiles(self._services, self._result, self._note)
        self._rows = rows(elem_id="triggers-rows")
        self._command = component("command", elem_id="triggers-command")
        self._facts = component("facts", elem_id="triggers-performance")

    def _build_options(self) -> None:
        triggers = self._services.triggers
        with gr.Accordion("Options", open=False, elem_classes="fs-fold"):
            with gr.Row():
                self._by = gr.Radio(
                    [BY_EACH, BY_ONE], value=BY_EACH, label="Threshold", elem_id="threshold-by"
                )
                self._threshold = gr.Slider(
                    0.05, 1, value=EVEN, step=0.01, label="How sure, at least", visible=False,
                    elem_id="threshold",
                )  # fmt: skip
            with gr.Row():
                self._most = gr.Slider(
                    1, 100, value=DEFAULT_EVENTS, step=1, label="Events, at most"
                )
                self._fps = gr.Slider(
                    0.5, 10, value=self._services.settings.sample_fps, step=0.5,
                    label="Frames a second",
                )  # fmt: skip
            with gr.Row():
                none = [("None", NONE)]
                self._describers = ModelChoice(
                    self._services, (DESCRIBER_KIND,), value=DEFAULT_DESCRIBER, others=none,
                    first=missing(triggers.describers, DEFAULT_DESCRIBER),
                    label="What is seen, described by", elem_id="describer",
                )  # fmt: skip
                self._detectors = ModelChoice(
                    self._services, (DETECTOR_KIND,), value=DEFAULT_DETECTOR, others=none,
                    first=missing(triggers.detectors, DEFAULT_DETECTOR),
                    label="People and things, found by", elem_id="detector",
                )  # fmt: skip
                self._describer = self._describers.dropdown
                self._detector = self._detectors.dropdown
            refresh_button("triggers", self._describers, self._detectors)
            with gr.Row():
                self._voice = gr.Dropdown(
                    [voice.name for voice in voices()], value=DEFAULT_VOICE, label="Voice",
                    elem_id="voice",
                )  # fmt: skip
                self._rate = gr.Slider(
                    SLOWEST, FASTEST, value=WORDS_A_MINUTE, step=10, label="Words a minute"
                )
            self._aloud = gr.Checkbox(
                label="Speak the report as soon as it is written",
                value=False,
                elem_id="speak-after",
            )

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        """Listens to the tab; returns the events that Cancel ends."""
        self._by.change(
            lambda by: gr.update(visible=by == BY_ONE), self._by, self._threshold,
            queue=False, **QUIET,
        )  # fmt: skip
        self._words.submit(
            fn=None, js="() => document.querySelector('#run-triggers').click()",
            api_visibility="private",
        )  # fmt: skip
        asked = [
            self._video, self._kinds, self._words, self._sample.chosen, self._by, self._threshold,
            self._most, self._describer, self._detector, self._fps, self._voice, self._rate,
            self._aloud,
        ]  # fmt: skip
        running = self._run.click(
            said_plainly(self._find, self._on_failure),
            asked,
            [self._stage.status, *self._no_result],
            **after_saying("Starting…"),
            **ONCE,
            **limits,
        )
        loading = [
            event
            for choice in (self._describers, self._detectors)
            for event in choice.connect(self._stage, self._note)
        ]
        # Without triggers: when the page is loaded, for there may be newly trained ones.
        gr.on(
            fn=lambda: gr.update(choices=kinds(self._services)), outputs=self._kinds, queue=False,
            **QUIET,
        )  # fmt: skip
        self._sample.connect()
        self._files.connect(self._voice, self._rate)
        return [running, *loading]

    # -- handlers ---------------------------------------------------------------------------------

    def _find(
        self,
        video: OpenedVideo | None,
        ticked: Sequence[str],
        words: str | None,
        sample: Sample | None,
        by: str,
        threshold: float,
        most: float,
        describer: str | None,
        detector: str | None,
        fps: float,
        voice: str | None,
        words_a_minute: float,
        aloud: bool,
    ) -> Iterator[Updates]:
        if video is None:
            raise RequestError(NO_VIDEO)
        limit = threshold if by == BY_ONE else None
        request = read_request(
            ticked or (), words or "", sample, limit, most, describer, detector, fps
        )
        yield {self._note: None}
        result = yield from self._followed(video, request)
        if result is not None:
            # All of it: of what comes at once the page may draw the last alone.
            shown = self._shown(result, complete=True)
            if aloud:
                for spoken in self._files.spoken(result, voice, words_a_minute):
                    shown |= spoken
            yield {
                **shown,
                self._stage.status: finished(summed_up(result)),
                self._command: command_line(video, request),
            }

    def _followed(
        self, video: OpenedVideo, request: TriggerRequest
    ) -> Generator[Updates, None, TriggerResult | None]:
        """Shows events as they are found; gives back the complete result."""
        shown_at = 0.0
        result: TriggerResult | None = None
        for step in self._services.triggers.analyze(video.info, request, video.meter()):
            updates: Updates = {}
            if step.result is not None:
                result = step.result
                updates |= self._shown(result, complete=step.complete)
            if updates or time.monotonic() - shown_at >= UPDATE_EVERY_S:
                shown_at = time.monotonic()
                yield {
                    self._stage.status: working(step.progress, step.known_until_s),
                    self._facts: all_facts(step.performance, result),
                    **updates,
                }
        return result

    def _shown(self, result: TriggerResult, *, complete: bool) -> Updates:
        return {
            self._result: result,
            self._layer: tracks(result),
            self._empty: gr.update(visible=False),
            self._events: event_cards(result, complete=complete),
            self._remarks: list(result.remarks),
            self._below: cards_below(result),
            self._counts: object_counts(result),
            self._rows: event_rows(result),
            **self._files.offered(result),
        }

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}
