"""The actions for programs, as `recognize` beside `summarize` and `search`."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.pipelines.recognizing import DEFAULT_CLASSIFIER, RecognizeRequest, read_labels
from app.services import Services
from app.tabs.api import answered, on_failure, opening
from app.tabs.failures import said_plainly


def offer_actions(services: Services, limits: dict[str, Any]) -> None:
    """Publishes `recognize`. Its widgets are never shown: they only describe its parameters."""

    def recognize(
        video: str | None = None,
        labels: str | None = None,
        checkpoint: str = DEFAULT_CLASSIFIER,
        fps: float = 2.0,
        link: str = "",
        every_s: float = 0.0,
    ) -> Iterator[dict[str, Any]]:
        """Names the actions in a video, over time: those a model was trained on, or your own.

        At the end it returns: video, model, labels, zero_shot (whether labels were yours), top
        [{label, probability}] of the whole, unknown (whether nothing is any of the labels), windows
        and stretches [{start_s, end_s, label, probability, top}] and timing; times are seconds.
        While it runs it yields {"progress": words, "fraction": share or null}.

        Args:
            video: The video file; leave it out when a link is given.
            labels: Your own labels, in English, such as "pouring coffee, clapping, empty room";
                leave it out for those the checkpoint was trained on.
            checkpoint: Which trained model names the actions.
            fps: How many frames of each second are looked at.
            link: The address of a video to fetch instead of a file, for instance on YouTube.
            every_s: For checkpoints that look at segments: seconds from the start of one to that of
                the next; 0 puts them side by side.
        """
        request = RecognizeRequest(
            checkpoint=checkpoint or DEFAULT_CLASSIFIER,
            labels=read_labels(labels or ""),
            fps=fps,
            every_s=every_s or None,
        )
        yield from answered(
            opening(services, video, link),
            lambda opened: services.actions.recognize(opened.info, request, opened.meter()),
        )

    file = gr.File(label="video", visible=False)
    labels = gr.Textbox("", label="labels", visible=False)
    checkpoint = gr.Textbox(DEFAULT_CLASSIFIER, label="checkpoint", visible=False)
    fps = gr.Number(services.settings.sample_fps, label="fps", visible=False)
    link = gr.Textbox("", label="link", visible=False)
    every_s = gr.Number(0.0, label="every_s", visible=False)
    found = gr.JSON(label="found", visible=False)
    gr.Button(visible=False).click(
        said_plainly(recognize, on_failure),
        [file, labels, checkpoint, fps, link, every_s],
        found,
        api_name="recognize",
        **limits,
    )
