"""What it looked at: the pictures of a keyframe's segment, coloured by the model's attention."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.progress import Done
from app.results import SummaryResult
from app.services import Services
from app.tabs.events import ONCE, UPDATE_EVERY_S, after_saying
from app.tabs.failures import Updates, problem, said_plainly
from app.timeline.component import component
from app.timeline.results import clock, picture
from app.timeline.stage import Stage, failed, finished, working

if TYPE_CHECKING:
    from app.pipelines.segment_features import LookedAt

NOTE = (
    "Attention rollout: the model's attentions over space and time, followed back to the pictures. "
    "It says where the model looked, not why. Darkened parts are not seen by it."
)


class SummaryAttention:
    """The strip below the cards; a card's button fills it."""

    def __init__(
        self, services: Services, stage: Stage, result: gr.State, cards: gr.HTML, note: gr.HTML
    ) -> None:
        self._services = services
        self._stage = stage
        self._result = result
        self._cards = cards
        self._note = note
        self._strip = component("attention", elem_id="summarize-attention")

    @property
    def cleared(self) -> dict[Any, Any]:
        return {self._strip: None}

    def connect(self, limits: dict[str, Any]) -> Any:
        """Returns the event that Cancel ends."""
        return self._cards.look(
            said_plainly(self._look, self._on_failure),
            [self._result],
            [self._strip, self._stage.status, self._note],
            **after_saying("Looking again…"),
            **ONCE,
            **limits,
        )

    def _look(self, result: SummaryResult | None, event: gr.EventData) -> Iterator[Updates]:
        time_s = event.t
        if result is None or not isinstance(time_s, int | float):
            return
        yield {self._note: None}
        shown_at = 0.0
        with closing(self._services.segments.looked_at(result, float(time_s))) as steps:
            for step in steps:
                if isinstance(step, Done):
                    yield {
                        self._strip: strip(step.value),
                        self._stage.status: finished("The colours say where it looked."),
                    }
                elif time.monotonic() - shown_at >= UPDATE_EVERY_S:
                    shown_at = time.monotonic()
                    yield {self._stage.status: working(step)}

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}


def strip(seen: "LookedAt") -> dict[str, Any]:
    """The value of the strip; each picture plays from its moment."""
    from app.attention_picture import attention_pictures

    times = [float(time_s) for time_s in seen.times_s]
    end_s = times[-1] + (times[-1] - times[0]) / max(len(times) - 1, 1)
    return {
        "title": f"What it looked at, {clock(times[0])} – {clock(end_s)}",
        "note": NOTE,
        "frames": [
            {"t": time_s, "picture": picture(drawn), "label": "with what was looked at in colour"}
            for time_s, drawn in zip(
                times, attention_pictures(seen.pixels, seen.attention), strict=True
            )
        ],
    }
