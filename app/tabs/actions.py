"""Actions: what people do in the video and when, as a ribbon, as stretches, and as files."""

import shlex
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.action_results import ActionResult
from app.action_service import KIND, SEGMENT_KIND
from app.pipelines.recognizing import (
    DEFAULT_CLASSIFIER,
    LONGEST_LIST,
    RecognizeRequest,
    read_labels,
)
from app.services import OpenedVideo, Services
from app.tabs.action_files import ActionFiles
from app.tabs.actions_view import EMPTY, LAYER, found, glances, measured, read_through, ribbons
from app.tabs.events import ONCE, QUIET, UPDATE_EVERY_S
from app.tabs.failures import Updates, problem, said_plainly
from app.tabs.model_choice import ModelChoice, refresh_button
from app.tabs.summarize import NO_VIDEO, facts
from app.timeline.component import component
from app.timeline.stage import Stage, failed, finished, working
from models.errors import RequestError

HELP = "Names what it was trained on; if it was measured, also says where none of that is seen."
OWN_HELP = "English words, with commas or one to a line; leave it empty for the trained actions."
PLACEHOLDER = "pouring coffee, clapping, empty room"
SAME_TIME_S = 1e-3
# Shown at once, before the server has answered; labels stand in the address where they fit.
ASKING = """(...inputs) => {
    const labels = (inputs[2] ?? "").trim();
    window.framescry.starting("Starting…");
    window.framescry.address("labels", labels.length <= 400 ? labels : "");
    return inputs;
}"""


class ActionsTab:
    """Widgets of the tab and the handlers between them; what is computed is in the pipeline."""

    name = "actions"
    label = "Actions"

    def __init__(self, services: Services, stage: Stage, video: gr.State) -> None:
        self._services = services
        self._stage = stage
        self._video = video
        self._layer = stage.add_layer(LAYER)
        # A row of tabs may hold nothing but tabs, so the state is inside.
        with gr.Tab(self.label, id=self.name, render_children=True) as self.tab:
            self._result = gr.State(None)  # the one whose stretches are listed
            self._trained = gr.State(None)
            self._own = gr.State(None)
            self._build()
        self.cleared: dict[Any, Any] = {
            self._result: None,
            self._trained: None,
            self._own: None,
            self._layer: ribbons(None, None),
            self._found: None,
            self._looked: None,
            self._command: None,
            self._empty: gr.update(visible=True),
            self._facts: None,
            self._note: None,
            **self._files.cleared,
        }

    def _build(self) -> None:
        checkpoints = self._services.actions.checkpoints
        with gr.Row(elem_classes="fs-ask"):
            self._run = gr.Button(
                "Name the actions", variant="primary", elem_id="run-actions",
                elem_classes="fs-run", scale=0, min_width=160,
            )  # fmt: skip
            self._choice = ModelChoice(
                self._services,
                (KIND, SEGMENT_KIND),
                value=DEFAULT_CLASSIFIER if DEFAULT_CLASSIFIER in checkpoints else None,
                show_label=False,
                label="Which model names them",
                info=HELP,
                elem_id="actions-checkpoint",
                scale=1,
            )
            self._checkpoint = self._choice.dropdown
        with gr.Column(elem_classes="fs-folds"):
            with gr.Accordion(
                "Your own labels", open=False, elem_id="labels-fold", elem_classes="fs-fold"
            ):
                self._labels = gr.Textbox(
                    elem_id="actions-labels", label="Look for these instead", info=OWN_HELP,
                    placeholder=PLACEHOLDER, lines=2, max_lines=6, max_length=LONGEST_LIST,
                )  # fmt: skip
            with gr.Accordion(
                "Options", open=False, elem_id="actions-options", elem_classes="fs-fold"
            ):
                self._fps = gr.Slider(
                    0.5, 10, value=self._services.settings.sample_fps, step=0.5,
                    label="Frames a second",
                    info="More of them show quick movements; the video is read again for them.",
                    visible=not self._at_segments(self._checkpoint.value),
                )  # fmt: skip
                self._every_s = gr.Slider(
                    0, 10, value=0, step=0.5,
                    label="Seconds from segment to segment",
                    info="0 puts them side by side: nothing is left out, nothing seen twice.",
                    visible=self._at_segments(self._checkpoint.value),
                    elem_id="actions-every",
                )  # fmt: skip
                refresh_button("actions", self._choice)
        self._note = component("note", elem_id="actions-note")
        self._empty = gr.HTML(EMPTY, apply_default_css=False)
        self._found = component("stretches", elem_id="actions-found")
        self._looked = component("looked", elem_classes="fs-layer")
        self._files = ActionFiles(self._services, self._result, self._note)
        self._command = component("command", elem_id="actions-command")
        self._quality = component(
            "quality", self._measured(self._checkpoint.value), elem_id="actions-quality"
        )
        self._facts = component("facts", elem_id="actions-performance")

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        """Listens to the tab; returns the events that Cancel ends."""
        quick = {**QUIET, "concurrency_limit": 8, "concurrency_id": "quick"}
        running = self._run.click(
            said_plainly(self._recognize, self._on_failure),
            [
                self._video, self._checkpoint, self._labels, self._fps, self._every_s,
                self._trained, self._own,
            ],
            [self._stage.status, *self.cleared],
            js=ASKING,
            **ONCE,
            **limits,
        )  # fmt: skip
        gr.on(
            fn=None, outputs=self._labels, js="() => window.framescry.asked('labels')",
            api_visibility="private",
        )  # fmt: skip
        self._found.look(
            said_plainly(self._look, lambda text: {self._note: problem(text)}),
            self._result,
            [self._looked, self._note],
            **quick,
        )
        self._checkpoint.change(
            self._chosen, self._checkpoint, [self._quality, self._fps, self._every_s],
            queue=False, **QUIET,
        )  # fmt: skip
        loading = self._choice.connect(self._stage, self._note)
        self._files.connect()
        return [running, *loading]

    # -- handlers ---------------------------------------------------------------------------------

    def _recognize(
        self,
        video: OpenedVideo | None,
        checkpoint: str | None,
        labels: str | None,
        fps: float,
        every_s: float,
        trained: ActionResult | None,
        own: ActionResult | None,
    ) -> Iterator[Updates]:
        if video is None:
            raise RequestError(NO_VIDEO)
        request = RecognizeRequest(
            checkpoint=checkpoint or DEFAULT_CLASSIFIER,
            labels=read_labels(labels or ""),
            fps=fps,
            every_s=every_s or None,
        )
        yield {self._note: None}
        shown_at = 0.0
        result: ActionResult | None = None
        for step in self._services.actions.recognize(video.info, request, video.meter()):
            updates: Updates = {}
            if step.result is not None:
                result = step.result
                updates |= self._shown(result, trained, own, complete=step.complete)
            if updates or time.monotonic() - shown_at >= UPDATE_EVERY_S:
                shown_at = time.monotonic()
                yield {
                    self._stage.status: working(step.progress, step.known_until_s),
                    self._facts: facts(step.performance, None if result is None else result.model),
                    **updates,
                }
        if result is not None:
            yield {  # all of it: of what comes at once the page may draw the last alone
                **self._shown(result, trained, own, complete=True),
                self._stage.status: finished(read_through(result)),
                self._command: command_line(video, request, segments=result.every_s is not None),
            }

    def _shown(
        self,
        result: ActionResult,
        trained: ActionResult | None,
        own: ActionResult | None,
        *,
        complete: bool,
    ) -> Updates:
        """The other ribbon stays for as long as the video does."""
        trained, own = (trained, result) if result.zero_shot else (result, own)
        return {
            self._result: result,
            self._trained: trained,
            self._own: own,
            self._layer: ribbons(trained, own),
            self._found: found(result, complete=complete),
            self._empty: gr.update(visible=False),
            **self._files.offered(),
        }

    def _look(self, result: ActionResult | None, event: gr.EventData) -> Iterator[Updates]:
        """The frames that counted in the stretch that was pressed."""
        start_s, shown = event.start_s, str(event.result)
        if result is None or not isinstance(start_s, int | float):
            return
        for stretch in result.stretches:
            if abs(stretch.start_s - start_s) < SAME_TIME_S:
                times = [frame.time_s for frame in stretch.looked_at]
                pictures = self._services.actions.pictures(result, times)
                yield {self._looked: glances(shown, stretch, pictures), self._note: None}

    def _at_segments(self, checkpoint: str | None) -> bool:
        return self._services.actions.looks_at_segments(checkpoint or DEFAULT_CLASSIFIER)

    def _chosen(self, checkpoint: str | None) -> tuple[Any, Any, Any]:
        """What was measured of the checkpoint, and the options that it has."""
        segments = self._at_segments(checkpoint)
        return (
            self._measured(checkpoint), gr.update(visible=not segments),
            gr.update(visible=segments),
        )  # fmt: skip

    def _measured(self, checkpoint: str | None) -> dict[str, Any] | None:
        checkpoint = checkpoint or DEFAULT_CLASSIFIER
        return measured(checkpoint, self._services.actions.class_quality(checkpoint))

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}


def command_line(video: OpenedVideo, request: RecognizeRequest, *, segments: bool) -> str:
    """The same without the page."""
    words = ["python", "-m", "app.cli", "actions"]
    if request.labels:
        words.append(f"--labels={', '.join(request.labels)}")
    else:
        words += ["--checkpoint", request.checkpoint]
    if not segments:
        words += ["--fps", f"{request.fps:g}"]
    elif request.every_s is not None:
        words += ["--every", f"{request.every_s:g}"]
    words += ["--json", "actions.json"]
    # A name that begins with a minus would be read as an option.
    return shlex.join([*words, "--", video.source_url or video.info.name])
