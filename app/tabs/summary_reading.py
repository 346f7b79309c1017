"""What a summary reads: the index of single pictures, or segments by a video transformer."""

from typing import Any

import gradio as gr

from app.pipelines.requests import DEFAULT_ENCODER
from app.services import Services
from app.tabs.events import QUIET
from models.segment_parts import SEGMENT_S
from models.summary_methods import OF_SEGMENTS, PUBLISHED, method_named

FROM_THE_VIDEO = 0.0
HELP = (
    "Pictures are seen one by one. A TimeSformer sees eight pictures of two seconds together, so "
    "also how things move; it is large, and is fetched when first chosen."
)
THRESHOLD_HELP = "Squared distance of the features from which it is another shot."


class SummaryReading:
    """Two menus of the options; the second is there where it means something."""

    def __init__(self, services: Services) -> None:
        pictures = ("Single pictures", DEFAULT_ENCODER)
        segments = [
            (f"Segments of {SEGMENT_S:g} seconds, by {name}", name)
            for name in services.segments.encoders
        ]
        published = [(f"{value:g}: {name} changes", value) for name, value in PUBLISHED.items()]
        with gr.Row():
            self.encoder = gr.Dropdown(
                [pictures, *segments], value=DEFAULT_ENCODER, label="What it reads", info=HELP,
                elem_id="summarize-reads",
            )  # fmt: skip
            self.threshold = gr.Dropdown(
                [("As this video has it", FROM_THE_VIDEO), *published], value=FROM_THE_VIDEO,
                label="What counts as a change", info=THRESHOLD_HELP, visible=False,
                elem_id="summarize-threshold",
            )  # fmt: skip

    def connect(self, method: gr.Dropdown) -> None:
        menus = [self.encoder, method]
        self.encoder.change(
            _method_that_reads, menus, [method, self.threshold], queue=False, **QUIET
        )
        method.change(_threshold_of, menus, self.threshold, queue=False, **QUIET)


def _method_that_reads(encoder: str, method: str) -> tuple[Any, Any]:
    """Of segments only some methods tell anything; the first of them takes another's place."""
    if encoder != DEFAULT_ENCODER and method not in OF_SEGMENTS:
        method = next(iter(OF_SEGMENTS))
    chosen = gr.update(value=method, info=method_named(method).help)
    return chosen, _threshold_of(encoder, method)


def _threshold_of(encoder: str, method: str) -> Any:
    return gr.update(visible=encoder != DEFAULT_ENCODER and method.startswith("ssd"))
