"""A picture of what to look for: a file, or the frame that the player shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.services import OpenedVideo
from app.sources.picture import read_picture, shown
from app.tabs.events import QUIET
from app.tabs.failures import Handler, Updates, problem, said_plainly
from app.tabs.summarize import NO_VIDEO
from app.timeline.component import component
from app.timeline.results import clock, picture
from models.errors import RequestError
from models.types import Pixels


@dataclass(frozen=True, slots=True)
class Sample:
    """One of both is there."""

    pixels: Pixels | None = None
    at_s: float | None = None


class SamplePicture:
    """The fold in which one picture is chosen."""

    def __init__(self, video: gr.State, note: gr.HTML) -> None:
        self._video = video
        self._note = note
        self.chosen = gr.State(None)
        with (
            gr.Accordion(
                "Something that looks like a picture",
                open=False,
                elem_id="sample-fold",
                elem_classes="fs-fold",
            ),
            gr.Row(elem_id="sample-row", equal_height=True),
        ):
            self._file = gr.File(
                elem_id="sample-file", show_label=False, file_types=["image"], height=72, scale=3,
                min_width=200,
            )  # fmt: skip
            self._sample = component("sample", elem_id="sample")

    @property
    def cleared(self) -> dict[Any, Any]:
        """A picture from a file goes for any video; a moment goes with its own."""
        return {self.chosen: None, self._sample: None}

    def connect(self) -> None:
        outputs = [self.chosen, self._sample, self._file, self._note]
        handlers: tuple[tuple[Any, Handler, list[Any]], ...] = (
            (self._file.upload, self._read, [self._file]),
            (self._sample.take, self._take, [self._video]),
            (self._sample.remove, self._remove, []),
        )
        for event, handler, inputs in handlers:
            event(said_plainly(handler, self._on_failure), inputs, outputs, **QUIET)

    def _read(self, path: str | None) -> Iterator[Updates]:
        if path is None:
            return
        file = Path(path)
        try:
            pixels = read_picture(file)
        finally:
            file.unlink(missing_ok=True)
        value = {"image": picture(shown(pixels)), "text": "Your picture"}
        yield {self._file: None, **self._shown(Sample(pixels=pixels), value)}

    def _take(self, video: OpenedVideo | None, event: gr.EventData) -> Iterator[Updates]:
        if video is None:
            raise RequestError(NO_VIDEO)
        time_s = event.t if isinstance(event.t, int | float) else video.info.start_s
        at_s = min(max(float(time_s), video.info.start_s), video.info.end_s)
        yield self._shown(Sample(at_s=at_s), {"text": f"What is shown at {clock(at_s)}"})

    def _remove(self) -> Iterator[Updates]:
        yield self._shown(None, None)

    def _shown(self, sample: Sample | None, value: dict[str, Any] | None) -> Updates:
        return {self.chosen: sample, self._sample: value, self._note: None}

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._file: None}
