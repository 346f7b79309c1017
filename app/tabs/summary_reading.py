"""What a summary reads: the index of single pictures, or segments by a video transformer."""

from typing import Any

import gradio as gr

from app.pipelines.requests import DEFAULT_ENCODER
from app.services import Services
from app.tabs.events import QUIET
from app.tabs.model_choice import ModelChoice
from app.timeline.stage import Stage, finished
from models.summary_methods import OF_SEGMENTS, PUBLISHED, method_named

FROM_THE_VIDEO = 0.0
HELP = (
    "Pictures are seen one by one. A TimeSformer sees eight pictures of two seconds together, so "
    "also how things move; it is large, and is fetched when first chosen."
)
PICTURES_AGAIN = "Reads single pictures again, as this method does"
THRESHOLD_HELP = "Squared distance of the features from which it is another shot."


class SummaryReading:
    """Two menus of the options; the second is there where it means something."""

    def __init__(self, services: Services) -> None:
        published = [(f"{value:g}: {name} changes", value) for name, value in PUBLISHED.items()]
        with gr.Row():
            self._choice = ModelChoice(
                services, ("segment_encoder",), first=[("Single pictures", DEFAULT_ENCODER)],
                value=DEFAULT_ENCODER, label="What it reads", info=HELP, elem_id="summarize-reads",
            )  # fmt: skip
            self.encoder = self._choice.dropdown
            self.threshold = gr.Dropdown(
                [("As this video has it", FROM_THE_VIDEO), *published], value=FROM_THE_VIDEO,
                label="What counts as a change", info=THRESHOLD_HELP, visible=False,
                elem_id="summarize-threshold",
            )  # fmt: skip

    def connect(self, method: gr.Dropdown, stage: Stage, note: gr.HTML) -> list[Any]:
        """Returns the event that Cancel ends. Other menus follow once the model is there."""
        menus = [self._choice.chosen, method]
        self._choice.chosen.change(
            _method_that_reads, menus, [method, self.threshold], queue=False, **QUIET
        )
        method.change(_threshold_of, menus, self.threshold, queue=False, **QUIET)
        method.input(
            _what_method_reads, menus, [self.encoder, self._choice.chosen, stage.status, note],
            queue=False, **QUIET,
        )  # fmt: skip
        return self._choice.connect(stage, note)


def _method_that_reads(encoder: str, method: str) -> tuple[Any, Any]:
    """Of segments only some methods tell anything; the first of them takes another's place."""
    if encoder != DEFAULT_ENCODER and method not in OF_SEGMENTS:
        method = next(iter(OF_SEGMENTS))
    chosen = gr.update(value=method, info=method_named(method).help)
    return chosen, _threshold_of(encoder, method)


def _what_method_reads(encoder: str, method: str) -> tuple[Any, ...]:
    """Whoever chooses a method wants it: pictures take the place of segments it does not read."""
    if encoder == DEFAULT_ENCODER or method in OF_SEGMENTS:
        return (gr.skip(),) * 4
    return DEFAULT_ENCODER, DEFAULT_ENCODER, finished(PICTURES_AGAIN), None


def _threshold_of(encoder: str, method: str) -> Any:
    return gr.update(visible=encoder != DEFAULT_ENCODER and method.startswith("ssd"))
