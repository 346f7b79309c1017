"""Search: the moments that show what is asked for in words, by a picture or by a moment."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.pipelines.requests import DEFAULT_SEARCHER
from app.services import SEARCHER_KIND, OpenedVideo, Services
from app.sources.picture import read_picture
from app.tabs.asking import KEPT, Ask, Found, command_line, found_by, keep, read_ask, request_of
from app.tabs.events import ONCE, QUIET, UPDATE_EVERY_S, after_saying, in_browser
from app.tabs.failures import Updates, problem, said_plainly
from app.tabs.model_choice import ModelChoice, refresh_button
from app.tabs.search_files import SearchFiles
from app.tabs.search_view import (
    EMPTY,
    KEPT_ASIDE,
    LIVE,
    answered,
    cards_below,
    chips,
    kept_layer,
    live_layer,
    read_through,
    said,
    to_be_read,
)
from app.tabs.summarize import NO_VIDEO, facts
from app.timeline.component import component
from app.timeline.results import cards, moment_cards
from app.timeline.stage import Stage, failed, finished, working
from models.errors import RequestError, UserFacingError
from models.types import Pixels

PLACEHOLDER = "What to look for, such as: a lion in the grass"
HELP = (
    '<p class="fs-help"><b>dog -cat</b> finds dogs without cats; <b>"red car"</b> keeps words '
    "together.</p>"
)


class SearchTab:
    """Widgets of the tab and the handlers between them; what is computed is in the pipeline."""

    name = "search"
    label = "Search"

    def __init__(self, services: Services, stage: Stage, video: gr.State) -> None:
        self._services = services
        self._stage = stage
        self._video = video
        self._layer = stage.add_layer(LIVE)
        self._kept_layer = stage.add_layer(KEPT_ASIDE)
        # A row of tabs may hold nothing but tabs, so the state is inside.
        with gr.Tab(self.label, id=self.name, render_children=True) as self.tab:
            self._found = gr.State(None)
            self._kept = gr.State(())
            self._picture = gr.State(None)
            self._build()
        self._no_answer: dict[Any, Any] = {
            self._found: None,
            self._layer: live_layer(None, ()),
            self._cards: None,
            self._below: None,
            self._command: None,
            **self._files.withdrawn,
        }
        self.cleared: dict[Any, Any] = {
            **self._no_answer,
            **self._files.cleared,
            self._kept: (),
            self._kept_layer: kept_layer(()),
            self._queries: None,
            self._answer: None,
            self._empty: gr.update(visible=True),
            self._facts: None,
            self._note: None,
        }

    def _build(self) -> None:
        with gr.Row(elem_classes="fs-ask"):
            self._query = gr.Textbox(
                elem_id="query",
                interactive=True,
                show_label=False,
                label="What to look for",
                placeholder=PLACEHOLDER,
                max_lines=1,
                scale=1,
                min_width=180,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", enterkeyhint="search"),
            )
            gr.Button(
                "Search", variant="primary", elem_id="run-search", elem_classes="fs-run",
                scale=0, min_width=110,
            )  # fmt: skip
        gr.HTML(HELP, apply_default_css=False)
        self._asker = component("asker", elem_classes="fs-layer")
        with gr.Column(elem_classes="fs-folds"):
            self._build_folds()
        self._note = component("note", elem_id="search-note")
        self._empty = gr.HTML(EMPTY, apply_default_css=False)
        self._queries = component("queries", elem_id="search-queries")
        self._answer = component("answer", elem_id="search-answer")
        self._cards = cards(elem_id="search-cards")
        self._below = cards(elem_id="search-below")
        self._files = SearchFiles(self._services, self._stage, self._found, self._note)
        self._command = component("command", elem_id="search-command")
        self._facts = component("facts", elem_id="search-performance")

    def _build_folds(self) -> None:
        with (
            gr.Accordion(
                "Search by a picture", open=False, elem_id="picture-fold", elem_classes="fs-fold"
            ),
            gr.Row(elem_id="picture-row", equal_height=True),
        ):
            self._file = gr.File(
                elem_id="picture", show_label=False, file_types=["image"], height=72, scale=3,
                min_width=200,
            )  # fmt: skip
            gr.Button("More like the frame shown", elem_id="like-shown", scale=2, min_width=180)
        with gr.Accordion("Options", open=False, elem_classes="fs-fold"):
            with gr.Row():
                self._choice = ModelChoice(
                    self._services, (SEARCHER_KIND,), value=DEFAULT_SEARCHER, label="Model",
                    elem_id="search-encoder", min_width=320,
                    info="Larger ones are fetched when chosen, and read the video once more.",
                )  # fmt: skip
                self._encoder = self._choice.dropdown
                self._top = gr.Slider(1, 50, value=12, step=1, label="Moments, at most")
                self._fps = gr.Slider(
                    0.5, 10, value=self._services.settings.sample_fps, step=0.5,
                    label="Frames a second",
                )  # fmt: skip
            refresh_button("search", self._choice)

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        """Listens to the tab; returns the events that Cancel ends."""
        asked = [
            self._video, self._asker, self._top, self._fps, self._kept, self._picture,
            self._encoder,
        ]  # fmt: skip
        # Never behind long work; what was asked meanwhile is asked when the answer is there.
        quick = {**QUIET, "concurrency_limit": 8, "concurrency_id": "quick"}
        shown = [*self.cleared, self._query]
        asking = self._asker.ask(
            said_plainly(self._ask, self._on_failure), asked, shown,
            trigger_mode="always_last", **quick,
        )  # fmt: skip
        working = self._asker.work(
            said_plainly(self._work, self._on_work_failure), asked,
            [self._stage.status, *shown], **after_saying("Starting…"), **ONCE, **limits,
        )  # fmt: skip
        on_failure = self._on_failure
        kept = [self._kept, self._kept_layer, self._queries, self._note, self._layer]
        for event, handler in (
            (self._queries.keep, self._keep),
            (self._queries.remove, self._remove),
        ):
            event(said_plainly(handler, on_failure), [self._found, self._kept], kept, **quick)
        given = self._file.upload(
            said_plainly(self._take_picture, on_failure), self._file,
            [self._picture, self._file, self._note], **quick,
        )  # fmt: skip
        given.success(**in_browser("emit('picture')"))
        gr.on(
            fn=None, outputs=self._query, js="() => window.framescry.asked('q')",
            api_visibility="private",
        )  # fmt: skip
        for option in (self._top, self._fps, self._choice.chosen):
            option.change(**in_browser("emit('options')"))
        saving = self._files.connect([self._cards, self._below], limits)
        loading = self._choice.connect(self._stage, self._note)
        return [asking, working, *loading, *saving]

    # -- asking -----------------------------------------------------------------------------------

    def _ask(
        self,
        video: OpenedVideo | None,
        sent: Any,
        top: float,
        fps: float,
        kept: tuple[Found, ...],
        pixels: Pixels | None,
        encoder: str,
    ) -> Iterator[Updates]:
        """Answers from the index; where there is none, says that the video has to be read."""
        ask = read_ask(sent)
        try:
            if ask.typed and not ask.text.strip():
                yield {
                    **self._no_answer,
                    self._answer: said(ask, words=""),
                    self._queries: chips(None, kept),
                }
            elif ask.kind == KEPT:
                yield from self._again(ask, video, kept)
            elif video is None:
                raise RequestError(NO_VIDEO)
            else:
                request = request_of(ask, video, top, fps, pixels, encoder)
                if not self._services.is_indexed(video.info, request):
                    yield {self._answer: to_be_read(ask), self._note: None}
                    return
                for step in self._services.search(video.info, request, video.meter()):
                    if step.result is not None and step.complete:
                        answer = found_by(request, step.result, kept)
                        yield {
                            **self._shown(ask, answer, kept),
                            self._facts: facts(step.performance),
                            self._command: command_line(video, request),
                        }
        except UserFacingError as error:
            if not ask.typed:
                raise
            yield {self._answer: said(ask, str(error))}

    def _work(
        self,
        video: OpenedVideo | None,
        sent: Any,
        top: float,
        fps: float,
        kept: tuple[Found, ...],
        pixels: Pixels | None,
        encoder: str,
    ) -> Iterator[Updates]:
        """Reads the video, and shows what matches as it comes."""
        if video is None:
            raise RequestError(NO_VIDEO)
        ask = read_ask(sent)
        request = request_of(ask, video, top, fps, pixels, encoder)
        yield {self._note: None}
        shown_at = 0.0
        answer: Found | None = None
        for step in self._services.search(video.info, request, video.meter()):
            updates: Updates = {}
            if step.result is not None:
                answer = found_by(request, step.result, kept)
                updates |= self._shown(ask, answer, kept, complete=step.complete)
            if updates or time.monotonic() - shown_at >= UPDATE_EVERY_S:
                shown_at = time.monotonic()
                yield {
                    self._stage.status: working(step.progress, step.known_until_s),
                    self._facts: facts(step.performance),
                    **updates,
                }
        if answer is not None:
            yield {  # all of it: of what comes at once the page may draw the last alone
                **self._shown(ask, answer, kept),
                self._stage.status: finished(read_through(answer)),
                self._command: command_line(video, request),
            }

    def _again(
        self, ask: Ask, video: OpenedVideo | None, kept: tuple[Found, ...]
    ) -> Iterator[Updates]:
        for found in kept:
            if found.name == ask.text and video is not None:
                yield {
                    **self._shown(ask, found, kept),
                    self._query: found.words,
                    self._command: command_line(video, found.request),
                }

    def _shown(
        self, ask: Ask, found: Found, kept: tuple[Found, ...], *, complete: bool = True
    ) -> Updates:
        return {
            self._found: found,
            self._empty: gr.update(visible=False),
            self._note: None,
            self._answer: answered(ask, found, complete=complete),
            self._layer: live_layer(found, kept),
            self._cards: moment_cards(found.result.moments, found.colour),
            self._below: cards_below(found),
            self._queries: chips(found, kept),
            **self._files.offered(),
        }

    # -- keeping ----------------------------------------------------------------------------------

    def _keep(self, found: Found | None, kept: tuple[Found, ...]) -> Iterator[Updates]:
        yield self._kept_now(found, keep(found, kept))

    def _remove(
        self, found: Found | None, kept: tuple[Found, ...], event: gr.EventData
    ) -> Iterator[Updates]:
        yield self._kept_now(found, tuple(other for other in kept if other.name != event.name))

    def _kept_now(self, found: Found | None, kept: tuple[Found, ...]) -> Updates:
        return {
            self._kept: kept,
            self._kept_layer: kept_layer(kept),
            self._layer: live_layer(found, kept),
            self._note: None,
            self._queries: chips(found, kept),
        }

    # -- a picture --------------------------------------------------------------------------------

    def _take_picture(self, path: str | None) -> Iterator[Updates]:
        if path is None:
            return
        file = Path(path)
        try:
            yield {self._picture: read_picture(file), self._file: None, self._note: None}
        finally:
            file.unlink(missing_ok=True)

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text)}

    def _on_work_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}
