"""The files of the events, and their report as something to listen to."""

import secrets
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.progress import Done
from app.services import Services
from app.tabs.downloads import to_be_written, with_file
from app.tabs.events import QUIET
from app.tabs.failures import Updates, problem, said_plainly
from app.timeline.component import component
from app.trigger_results import TriggerResult

KINDS = (
    ("json", "JSON", "Everything, for programs"),
    ("published", "Analysis", "JSON in the published layout: timestamps, confidences, analyses"),
    ("csv", "CSV", "The events as a table"),
    ("vtt", "Chapters", "The events as WebVTT for a player"),
)
NOT_SPOKEN = "The report could not be spoken; it is still there to read."


class TriggerFiles:
    """The report with its sound, and the row of downloads."""

    def __init__(self, services: Services, result: gr.State, note: gr.HTML) -> None:
        self._services = services
        self._result = result
        self._note = note
        self._report = component("report", elem_id="triggers-report")
        self._links = component("links", elem_id="triggers-downloads")

    @property
    def cleared(self) -> dict[Any, Any]:
        return {self._report: None, self._links: None}

    def offered(self, result: TriggerResult) -> Updates:
        """The report and the links of a new result; nothing is spoken or written yet."""
        return {
            self._report: {"text": result.report},
            self._links: {"items": to_be_written(KINDS)},
        }

    def connect(self, voice: gr.Dropdown, words_a_minute: gr.Slider) -> None:
        self._links.build(
            said_plainly(self._write, lambda text: {self._note: problem(text)}),
            [self._result, self._links],
            [self._links, self._note],
            **QUIET,
        )
        # Speaking is quick and never waits behind the reading of a video.
        self._report.listen(
            said_plainly(self._listen, lambda text: {self._note: problem(text)}),
            [self._result, voice, words_a_minute],
            [self._report, self._result, self._note],
            concurrency_limit=2,
            concurrency_id="speech",
            **QUIET,
        )

    def _write(
        self, result: TriggerResult | None, links: dict[str, Any], event: gr.EventData
    ) -> Iterator[Updates]:
        kind = str(event.kind)
        if result is None or kind not in {name for name, *_ in KINDS}:
            return
        path = self._services.files.write(kind, result)
        yield {self._links: {"items": list(with_file(links["items"], kind, path))}}

    def _listen(
        self, result: TriggerResult | None, voice: str | None, words_a_minute: float
    ) -> Iterator[Updates]:
        if result is not None:
            yield from self.spoken(result, voice, words_a_minute)

    def spoken(
        self, result: TriggerResult, voice: str | None, words_a_minute: float
    ) -> Iterator[Updates]:
        """The report with its sound, or with a sentence that says why there is none."""
        for step in self._services.triggers.speak(result, voice, int(words_a_minute)):
            if not isinstance(step, Done):
                continue
            path, said = step.value.path, step.value.result
            # The same words twice are news to the page, which waits for them.
            shown: dict[str, Any] = {"text": result.report, "said": secrets.token_hex(4)}
            if path is None:
                new = [remark for remark in said.remarks if remark not in result.remarks]
                shown["problem"] = " ".join(new) or NOT_SPOKEN
                # The result stays as it was: what went wrong belongs to this press.
                yield {self._report: shown}
            else:
                shown |= {"path": str(path), "name": path.name}
                yield {self._report: shown, self._result: said}
