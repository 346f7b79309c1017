"""The files of a search: its table for programs, and each moment as a video of its own."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.results import Moment
from app.services import Services
from app.tabs.asking import Found
from app.tabs.downloads import followed, to_be_written, with_file
from app.tabs.events import ONCE, QUIET, after_saying
from app.tabs.failures import Updates, problem, said_plainly
from app.timeline.component import component
from app.timeline.results import span_key
from app.timeline.stage import Stage, failed

# Written when they are asked for: queries are typed faster than anybody wants their files.
KINDS = (
    ("json", "JSON", "Everything, for programs"),
    ("csv", "CSV", "The moments as a table"),
    ("vtt", "Chapters", "The moments as WebVTT chapters for a player"),
)
SAME_TIME_S = 1e-3
GONE = "That moment is not among the results any more; search for it again."


class SearchFiles:
    """The row of downloads and the clips that cards ask for."""

    def __init__(self, services: Services, stage: Stage, found: gr.State, note: gr.HTML) -> None:
        self._services = services
        self._stage = stage
        self._found = found
        self._note = note
        self._links = component("links", elem_id="search-downloads")
        self._clips = component("clips", elem_classes="fs-layer")

    @property
    def withdrawn(self) -> dict[Any, Any]:
        """Where nothing is asked any more; the clips that were made stay."""
        return {self._links: None}

    @property
    def cleared(self) -> dict[Any, Any]:
        return {self._links: None, self._clips: None}

    def offered(self) -> Updates:
        """The links of a new answer; clips stay, whatever is asked of the video."""
        return {self._links: {"items": to_be_written(KINDS)}}

    def connect(self, cards: list[gr.HTML], limits: dict[str, Any]) -> list[Any]:
        self._links.build(
            said_plainly(self._write, lambda text: {self._note: problem(text)}),
            [self._found, self._links],
            [self._links, self._note],
            **QUIET,
        )
        return [
            shown.save(
                said_plainly(self._save, self._on_failure),
                [self._found, self._clips],
                [self._clips, self._stage.status, self._note],
                **after_saying("Cutting the clip…"),
                **ONCE,
                **limits,
            )
            for shown in cards
        ]

    def _write(
        self, found: Found | None, links: dict[str, Any], event: gr.EventData
    ) -> Iterator[Updates]:
        kind = str(event.kind)
        if found is None or kind not in {name for name, *_ in KINDS}:
            return
        path = self._services.files.write(kind, found.result)
        yield {self._links: {"items": list(with_file(links["items"], kind, path))}}

    def _save(
        self, found: Found | None, clips: dict[str, Any] | None, event: gr.EventData
    ) -> Iterator[Updates]:
        moment = _moment_at(found, event.t)
        if found is None or moment is None:
            yield self._on_failure(GONE)
            return
        yield {self._note: None}
        steps = self._services.files.write_moment(found.result.video, moment.span)
        path = yield from followed(steps, self._stage.status)
        if path is not None:
            made = {"span": span_key(moment.span), "path": str(path), "name": path.name}
            yield {self._clips: {"items": [*(clips or {"items": []})["items"], made]}}

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}


def _moment_at(found: Found | None, time_s: object) -> Moment | None:
    if found is None or not isinstance(time_s, int | float):
        return None
    moments = (*found.result.moments, *found.result.below)
    return next((m for m in moments if abs(m.time_s - time_s) < SAME_TIME_S), None)
