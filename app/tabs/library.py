"""Library: one query over every video that was read on this machine."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from app.library_entries import LibraryEntry, LibraryFacts
from app.pipelines.query import tidy
from app.pipelines.requests import LibraryRequest, read_day
from app.results import LibraryResult, LibraryVideo, Moment
from app.services import Services
from app.tabs.events import ONCE, QUIET
from app.tabs.failures import Updates, problem, said_plainly
from app.timeline.component import component
from app.timeline.results import clock, picture
from app.timeline.tracks import percent
from models.errors import RequestError

NOTHING_HERE = (
    "The library is empty: open a video and summarize or search it, or add whole folders with "
    "python -m app.cli index FOLDER."
)
NOTHING_FITS = "No video of the library fits the filters; leave one out."
NONE_CHOSEN = "Choose the video to take out of the library first."
EMPTY = """
<div class="fs-empty">
<svg viewBox="0 0 240 84" aria-hidden="true" class="fs-empty-library">
<rect x="20" y="8" width="40" height="26" rx="4"/><rect x="66" y="8" width="40" height="26" rx="4"/>
<rect x="112" y="8" width="40" height="26" rx="4" class="fs-empty-found"/>
<rect x="158" y="8" width="40" height="26" rx="4"/>
<rect x="20" y="46" width="40" height="26" rx="4" class="fs-empty-found"/>
<rect x="66" y="46" width="40" height="26" rx="4"/></svg>
<p>Search every video you opened here, and jump to the moment in the right one.</p>
</div>"""


class LibraryTab:
    """Widgets of the tab and the handlers between them; it does not depend on the open video."""

    name = "library"
    label = "Library"

    def __init__(self, services: Services) -> None:
        self._services = services
        self.cleared: dict[Any, Any] = {}
        with gr.Tab(self.label, id=self.name, render_children=True) as self.tab:
            self._build()
        self.picks = [self._hits.pick, self._below.pick]

    def _build(self) -> None:
        with gr.Row(elem_classes="fs-ask"):
            self._query = gr.Textbox(
                elem_id="library-query",
                interactive=True,
                show_label=False,
                label="What to look for in all videos",
                placeholder="What to look for in every video",
                max_lines=1,
                scale=1,
                min_width=180,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", enterkeyhint="search"),
            )
            self._run = gr.Button(
                "Search all", variant="primary", elem_id="run-library", scale=0, min_width=110
            )
        with gr.Accordion("Filters", open=False, elem_classes="fs-fold"):
            with gr.Row():
                self._name = gr.Textbox(label="Name has", max_lines=1, elem_id="library-name")
                self._since = gr.Textbox(
                    label="Added since", max_lines=1, placeholder="2026-01-31",
                    elem_id="library-since",
                )  # fmt: skip
                self._until = gr.Textbox(
                    label="Added until", max_lines=1, placeholder="2026-12-31",
                    elem_id="library-until",
                )  # fmt: skip
            self._top = gr.Slider(1, 50, value=12, step=1, label="Moments, at most")
        self._note = component("note", elem_id="library-note")
        self._empty = gr.HTML(EMPTY, apply_default_css=False)
        self._hits = component("hits", elem_id="library-hits")
        self._below = component("hits", elem_id="library-below")
        self._command = component("command", elem_id="library-command")
        self._videos = gr.Accordion(
            "Videos in the library", open=False, elem_classes="fs-fold", elem_id="library-videos"
        )
        with self._videos:
            self._outdated = component("note", elem_id="library-outdated")
            with gr.Row(equal_height=True):
                self._chosen = gr.Dropdown(
                    [], value=None, label="A video", elem_id="library-chosen", scale=3
                )
                self._remove = gr.Button(
                    "Take out", elem_id="library-remove", scale=0, min_width=110
                )

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        """Listens to the tab; returns the events that Cancel ends."""
        # Never behind long work.
        quick = {**QUIET, "concurrency_limit": 4, "concurrency_id": "quick-library"}
        listed = [self._videos, self._outdated, self._chosen, self._note]
        self.tab.select(said_plainly(self._list, self._on_failure), None, listed, **quick)
        self._remove.click(
            said_plainly(self._take_out, self._on_failure), self._chosen, listed, **quick
        )
        asking = gr.on(
            [self._run.click, self._query.submit],
            said_plainly(self._search, self._on_failure),
            [self._query, self._name, self._since, self._until, self._top],
            [self._hits, self._below, self._command, self._empty, *listed],
            **{**ONCE, **quick},
        )
        return [asking]

    # -- handlers ---------------------------------------------------------------------------------

    def _search(
        self, query: str, name: str, since: str, until: str, top: float
    ) -> Iterator[Updates]:
        request = LibraryRequest(
            query=query or "",
            name=name or "",
            since=read_day(since or ""),
            until=read_day(until or ""),
            top=int(top),
        )
        result = self._services.library.search(request)
        if not result.searched_videos:
            is_filtered = bool(request.name.strip() or request.since or request.until)
            raise RequestError(NOTHING_FITS if is_filtered else NOTHING_HERE)
        yield {
            self._note: None,
            self._empty: gr.update(visible=False),
            self._hits: _drawn(result, result.videos, sentence(result)),
            self._below: _drawn(
                result, result.below, "Just below the cut:" if result.confident else ""
            ),
            self._command: command_line(request),
        }
        yield self._listed()

    def _list(self) -> Iterator[Updates]:
        self._services.library.warm_up()
        yield self._listed()

    def _take_out(self, content_hash: str | None) -> Iterator[Updates]:
        if not content_hash:
            raise RequestError(NONE_CHOSEN)
        self._services.library.remove(content_hash)
        yield {**self._listed(), self._note: None}

    def _listed(self) -> Updates:
        entries = self._services.library.entries()
        facts = self._services.library.facts()
        choices = [(_listed_as(entry), entry.content_hash) for entry in entries]
        return {
            self._videos: gr.update(label=facts_line(facts)),
            self._outdated: problem(outdated_line(facts)),
            self._chosen: gr.update(choices=choices, value=None),
        }

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text)}


def sentence(result: LibraryResult) -> str:
    """How many moments match, and where, or that none does."""
    where = count_of(result.searched_videos, "video")
    if not result.confident:
        return (
            f"Nothing in the library ({where}) matches '{result.query}' with confidence. "
            "The closest are below."
        )
    count = sum(len(video.moments) for video in result.videos)
    found = count_of(len(result.videos), "video")
    verb = "matches" if count == 1 else "match"
    return f"{count_of(count, 'moment')} in {found} {verb} '{result.query}'."


def facts_line(facts: LibraryFacts) -> str:
    if not facts.videos:
        return "No video in the library yet"
    return f"{count_of(facts.videos, 'video')} in the library, {clock(facts.duration_s)} altogether"


def outdated_line(facts: LibraryFacts) -> str:
    if not facts.outdated:
        return ""
    return (
        f"{count_of(facts.outdated, 'video')} read by another version of the model cannot be "
        "searched any more: open or index them again."
    )


def command_line(request: LibraryRequest) -> str:
    """The same search without the page."""
    words = ["python", "-m", "app.cli", "library", "--top", str(request.top)]
    for option, value in (
        ("--name", request.name.strip()), ("--since", request.since), ("--until", request.until)
    ):  # fmt: skip
        if value:
            words.append(f"{option}={value}")
    # Words that begin with a minus would be read as an option.
    return shlex.join([*words, "--json", "library.json", "--", tidy(request.query)])


def count_of(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _drawn(result: LibraryResult, videos: Sequence[LibraryVideo], text: str) -> dict[str, Any]:
    took = f"{1000 * result.timing.total_s:.0f} ms · {result.model.in_words}"
    return {
        "text": text if videos or videos is result.videos else "",
        "facts": took if videos is result.videos else "",
        "videos": [
            {
                "key": video.content_hash,
                "name": video.name,
                "note": clock(video.duration_s),
                "items": [_card(moment) for moment in video.moments],
            }
            for video in videos
        ],
    }


def _card(moment: Moment) -> dict[str, Any]:
    return {
        "t": moment.time_s,
        "when": f"{clock(moment.start_s)} – {clock(moment.end_s)}",
        "note": percent(moment.rating),
        "label": f"{percent(moment.rating)} sure, until {clock(moment.end_s)}",
        "picture": picture(moment.thumbnail),
    }


def _listed_as(entry: LibraryEntry) -> str:
    return f"{entry.name} · {clock(entry.duration_s)}"
