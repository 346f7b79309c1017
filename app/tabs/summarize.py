"""Summarize: which moments matter, on the timeline, as cards, as shots, and as files."""

import shlex
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.pipelines.remarks import remarks
from app.pipelines.requests import DEFAULT_ENCODER, DEFAULT_METHOD, DEFAULT_RATIO, SummaryRequest
from app.results import ModelUsed, Performance, SummaryResult
from app.services import OpenedVideo, Services
from app.tabs.events import ONCE, QUIET, UPDATE_EVERY_S, after_saying
from app.tabs.failures import Updates, problem, said_plainly
from app.tabs.summary_attention import SummaryAttention
from app.tabs.summary_files import SummaryFiles
from app.tabs.summary_reading import SummaryReading
from app.timeline.component import component
from app.timeline.results import cards, clock, keyframe_cards, rows, shot_rows
from app.timeline.stage import Stage, failed, finished, layer, working
from app.timeline.tracks import Track, stretched
from models.errors import RequestError
from models.summary_methods import METHODS, method_named, methods

TRACK = "Importance"
COMPARED_COLOUR = "var(--track-3)"
NO_COMPARISON = ""
NOTHING = ("Nothing", NO_COMPARISON)
BY_SHARE, BY_NUMBER = "A share of the time", "A number of keyframes"
NO_VIDEO = "Choose a video first: drop one above, paste a link, or take an example."
EMPTY = """
<div class="fs-empty">
<svg viewBox="0 0 240 84" aria-hidden="true">
<path class="fs-empty-fill" d="M8,74 C26,70 30,38 48,36 S74,66 92,64 S112,12 130,12 S158,62 174,60
 S198,34 210,34 S226,58 232,62 V76 H8Z"/>
<path class="fs-empty-curve" d="M8,74 C26,70 30,38 48,36 S74,66 92,64 S112,12 130,12 S158,62 174,60
 S198,34 210,34 S226,58 232,62"/>
<g class="fs-empty-pins"><circle cx="48" cy="36" r="5"/><circle cx="130" cy="12" r="5"/>
<circle cx="210" cy="34" r="5"/></g></svg>
<p>The moments that matter most, as pictures you can press to play from there.</p>
</div>"""


class SummarizeTab:
    """Widgets of the tab and the handlers between them; what is computed is in the pipeline."""

    name = "summarize"
    label = "Summarize"

    def __init__(self, services: Services, stage: Stage, video: gr.State) -> None:
        self._services = services
        self._stage = stage
        self._video = video
        self._layer = stage.add_layer(self.name)
        # A row of tabs may hold nothing but tabs, so the state is inside.
        with gr.Tab(self.label, id=self.name, render_children=True) as self.tab:
            self._result = gr.State(None)
            self._build()
        self.cleared: dict[Any, Any] = {
            self._result: None,
            self._layer: layer(self.name),
            self._empty: gr.update(visible=True),
            self._cards: None,
            self._rows: None,
            self._facts: None,
            self._remarks: None,
            self._note: None,
            **self._attention.cleared,
            **self._files.cleared,
        }

    def _build(self) -> None:
        labels = _labels()
        with gr.Row(elem_classes="fs-ask"):
            self._run = gr.Button(
                "Summarize", variant="primary", elem_id="run-summarize", elem_classes="fs-run",
                scale=0, min_width=140,
            )  # fmt: skip
            self._method = gr.Dropdown(
                labels,
                value=DEFAULT_METHOD,
                show_label=False,
                label="How moments are chosen",
                info=METHODS[DEFAULT_METHOD].help,
                elem_id="summarize-method",
                scale=1,
            )
        with gr.Accordion("Options", open=False, elem_classes="fs-fold"):
            with gr.Row():
                self._choose_by = gr.Radio([BY_SHARE, BY_NUMBER], value=BY_SHARE, label="Keep")
                self._share = gr.Slider(
                    1, 50, value=100 * DEFAULT_RATIO, step=1, label="Share of the time, %"
                )
                self._count = gr.Slider(1, 100, value=12, step=1, label="Keyframes", visible=False)
            with gr.Row():
                self._spacing = gr.Slider(0, 30, value=1, step=0.5, label="Seconds apart, at least")
                self._fps = gr.Slider(
                    0.5, 10, value=self._services.settings.sample_fps, step=0.5,
                    label="Frames a second",
                )  # fmt: skip
            self._reading = SummaryReading(self._services)
            with gr.Row():
                self._query = gr.Textbox(
                    label="Steer by words",
                    info="Moments that show this count more. A minus leaves something out.",
                    placeholder="goals, the cake, a dog -cat",
                    max_length=200, elem_id="summarize-query",
                )  # fmt: skip
                self._compare = gr.Dropdown(
                    [NOTHING, *labels], value=NO_COMPARISON,
                    label="Compare with", info="A second curve, below the first and in the plot.",
                    elem_id="summarize-compare",
                )  # fmt: skip
        self._note = component("note", elem_id="summarize-note")
        self._empty = gr.HTML(EMPTY, apply_default_css=False)
        self._remarks = component("remarks", elem_id="summarize-remarks")
        self._cards = cards(elem_id="summarize-cards")
        self._attention = SummaryAttention(
            self._services, self._stage, self._result, self._cards, self._note
        )
        self._files = SummaryFiles(self._services, self._stage, self._result, self._note)
        self._rows = rows(elem_id="summarize-shots")
        self._files.build_command()
        self._facts = component("facts", elem_id="performance")

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        """Listens to the tab; returns the events that Cancel ends."""
        self._method.change(
            lambda name: gr.update(info=method_named(name).help), self._method, self._method,
            queue=False, **QUIET,
        )  # fmt: skip
        self._choose_by.change(
            lambda by: (gr.update(visible=by == BY_SHARE), gr.update(visible=by == BY_NUMBER)),
            self._choose_by, [self._share, self._count], queue=False, **QUIET,
        )  # fmt: skip
        asked = [
            self._video, self._method, self._choose_by, self._share, self._count, self._spacing,
            self._fps, self._compare, self._query, self._reading.encoder, self._reading.threshold,
        ]  # fmt: skip
        loading = self._reading.connect(self._method, self._stage, self._note)
        # Without triggers: when the page is loaded, for what was trained since it was built.
        gr.on(fn=_all_methods, outputs=[self._method, self._compare], queue=False, **QUIET)
        running = self._run.click(
            said_plainly(self._summarize, self._on_failure),
            asked,
            [self._stage.status, *self.cleared],
            **after_saying("Starting…"),
            **ONCE,
            **limits,
        )
        looking = self._attention.connect(limits)
        return [running, looking, *loading, *self._files.connect(running, limits)]

    # -- handlers ---------------------------------------------------------------------------------

    def _summarize(
        self,
        video: OpenedVideo | None,
        method: str,
        choose_by: str,
        share_percent: float,
        count: float,
        spacing_s: float,
        fps: float,
        compare: str | None,
        query: str | None,
        encoder: str | None,
        threshold: float | None,
    ) -> Iterator[Updates]:
        if video is None:
            raise RequestError(NO_VIDEO)
        request = SummaryRequest(
            method=method,
            keyframes=int(count) if choose_by == BY_NUMBER else None,
            ratio=None if choose_by == BY_NUMBER else share_percent / 100,
            spacing_s=spacing_s,
            fps=fps,
            compare=compare or None,
            query=(query or "").strip() or None,
            encoder=encoder or DEFAULT_ENCODER,
            threshold=threshold or None,
        )
        yield {self._note: None}
        shown_at = 0.0
        result: SummaryResult | None = None
        for step in self._services.summarize(video.info, request, video.meter()):
            updates: Updates = {}
            if step.result is not None:
                first = result is None
                result = step.result
                updates |= self._shown(result)
                if first:  # what was written belongs to the summary before
                    updates |= self._files.cleared | self._attention.cleared
            if updates or time.monotonic() - shown_at >= UPDATE_EVERY_S:
                shown_at = time.monotonic()
                yield {
                    self._stage.status: working(step.progress, step.known_until_s),
                    self._facts: facts(step.performance, None if result is None else result.model),
                    **updates,
                }
        if result is not None:
            yield {  # all of it: of what comes at once the page may draw the last alone
                **self._shown(result),
                self._stage.status: finished(_summed_up(result)),
                self._files.command: command_line(video, request),
            }

    def _shown(self, result: SummaryResult) -> Updates:
        times = [frame.time_s for frame in result.frames]
        tracks = [Track(TRACK, times, stretched([frame.score for frame in result.frames]))]
        if result.compared is not None:
            name = f"Compared: {method_named(result.compared.method).label}"
            scores = stretched([frame.score for frame in result.compared.frames])
            tracks.append(Track(name, times, scores, COMPARED_COLOUR))
        return {
            self._result: result,
            self._layer: layer(self.name, tracks, result.keyframes, result.shots),
            self._empty: gr.update(visible=False),
            self._cards: keyframe_cards(
                result.keyframes, TRACK, shows_attention=bool(result.sampling.segment_frames)
            ),
            self._rows: shot_rows(result.shots),
            self._remarks: remarks(result),
        }

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}


def _labels() -> list[tuple[str, str]]:
    return [(method.label, method.name) for method in methods().values()]


def _all_methods() -> tuple[Any, Any]:
    labels = _labels()
    return gr.update(choices=labels), gr.update(choices=[NOTHING, *labels])


def facts(seen: Performance, model: ModelUsed | None = None) -> list[tuple[str, str]]:
    """The performance panel; what was not measured is not shown."""
    told: list[tuple[str, str | None]] = [
        ("Download", _unless_none(seen.download_mb_per_s, "{:.1f} MB/s")),
        ("Reading", f"{seen.times_real_time:.1f} × as fast as it plays"),
        ("Frames a second", f"{seen.frames_per_s:.0f}"),
        ("Frames looked at", f"{seen.frames_processed:,}"),
        ("First result after", _unless_none(seen.first_result_s, "{:.2f} s")),
        ("Decoding", f"{seen.decode_s:.2f} s"),
        ("Looking", f"{seen.encode_s:.2f} s"),
        ("Choosing", f"{seen.select_s:.2f} s"),
        ("Altogether", f"{seen.total_s:.2f} s"),
        ("Processor", f"{seen.cpu_percent:.0f} % of one core"),
        ("Memory", f"{seen.memory_mb:,.0f} MB"),
        ("Model", None if model is None else model.in_words),
    ]
    if seen.from_index:
        told = [("Source", "looked at before: nothing was decoded"), *told]
    return [(name, text) for name, text in told if text is not None]


def _unless_none(value: float | None, shape: str) -> str | None:
    return None if value is None else shape.format(value)


def _summed_up(result: SummaryResult) -> str:
    kept = sum(shot.end_s - shot.start_s for shot in result.shots if shot.chosen)
    seen = result.timing
    how = (
        "looked at before"
        if seen.from_index
        else f"{seen.frames_processed:,} frames in {seen.total_s:.1f} s"
    )
    return (
        f"{len(result.keyframes)} moments, {clock(kept)} of {clock(result.video.duration_s)} · "
        f"{how} · model {result.model.in_words}"
    )


def command_line(video: OpenedVideo, request: SummaryRequest) -> str:
    """The same summary without the page."""
    words = ["python", "-m", "app.cli", "summarize", video.source_url or video.info.name]
    words += ["--method", request.method]
    if request.keyframes is not None:
        words += ["--keyframes", str(request.keyframes)]
    else:
        words += ["--ratio", f"{request.ratio or DEFAULT_RATIO:g}"]
    words += ["--fps", f"{request.fps:g}", "--spacing", f"{request.spacing_s:g}"]
    if request.encoder != DEFAULT_ENCODER:
        words += ["--encoder", request.encoder]
    if request.threshold is not None:
        words += ["--threshold", f"{request.threshold:g}"]
    if request.query is not None:
        words += ["--query", request.query]
    if request.compare is not None:
        words += ["--compare", request.compare]
    return shlex.join([*words, "--json", "summary.json"])
