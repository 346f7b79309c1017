"""The files of the actions: written when they are asked for."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.action_results import ActionResult
from app.services import Services
from app.tabs.downloads import to_be_written, with_file
from app.tabs.events import QUIET
from app.tabs.failures import Updates, problem, said_plainly
from app.timeline.component import component

KINDS = (
    ("json", "JSON", "Everything, for programs"),
    ("csv", "CSV", "The stretches as a table"),
    ("vtt", "Captions", "The actions as WebVTT captions for a player"),
)


class ActionFiles:
    """The row of downloads."""

    def __init__(self, services: Services, result: gr.State, note: gr.HTML) -> None:
        self._services = services
        self._result = result
        self._note = note
        self._links = component("links", elem_id="actions-downloads")

    @property
    def cleared(self) -> dict[Any, Any]:
        return {self._links: None}

    def offered(self) -> Updates:
        """The links of a new result; none of its files is there yet."""
        return {self._links: {"items": to_be_written(KINDS)}}

    def connect(self) -> None:
        self._links.build(
            said_plainly(self._write, lambda text: {self._note: problem(text)}),
            [self._result, self._links],
            [self._links, self._note],
            **QUIET,
        )

    def _write(
        self, result: ActionResult | None, links: dict[str, Any], event: gr.EventData
    ) -> Iterator[Updates]:
        kind = str(event.kind)
        if result is None or kind not in {name for name, *_ in KINDS}:
            return
        path = self._services.files.write(kind, result)
        yield {self._links: {"items": list(with_file(links["items"], kind, path))}}
