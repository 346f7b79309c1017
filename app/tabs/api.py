"""The summary for programs: gradio_client and MCP call it and what stands beside it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from app.pipelines.requests import DEFAULT_ENCODER, DEFAULT_METHOD, SummaryRequest
from app.progress import Done, Progress
from app.services import OpenedVideo, Services
from app.tabs.failures import said_plainly
from models.errors import RequestError
from models.summary_methods import methods


class Step(Protocol):
    """One report of whatever was asked of a video; the result is complete with the last."""

    @property
    def progress(self) -> Progress: ...
    @property
    def complete(self) -> bool: ...
    @property
    def result(self) -> Any: ...


def offer_summary(services: Services, limits: dict[str, Any]) -> None:
    """Publishes `summarize`. Its widgets are never shown: they only describe its parameters."""

    def summarize(
        video: str | None = None,
        method: str = DEFAULT_METHOD,
        keyframes: float | None = None,
        ratio: float | None = None,
        fps: float = 2.0,
        link: str = "",
        compare: str | None = None,
        query: str | None = None,
        reads: str = DEFAULT_ENCODER,
        threshold: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Finds the moments of a video that matter: keyframes and shots, with times and scores.

        At the end it returns the summary: video, model, method, sampling, frames [{time_s, score}],
        keyframes [{time_s, score, shot}], shots [{start_s, end_s, score, chosen}], compared and
        timing; times are seconds. While it runs it yields {"progress": words, "fraction": share
        or null}.

        Args:
            video: The video file; leave it out when a link is given.
            method: keyframe_scorer (learned from people), key_shots, kmeans (similar moments),
                ssd_anchor (drift), ssd_previous (change).
            keyframes: How many keyframes to return, 1 to 500; leave it out to use ratio.
            ratio: The share of the video's time the chosen shots may take, such as 0.15.
            fps: How many frames of each second are looked at.
            link: The address of a video to fetch instead of a file, for instance on YouTube.
            compare: A second method whose scores are returned as `compared`.
            query: Words that steer the summary, such as "a dog -cat"; what matches counts more.
            reads: backbone for single pictures, timesformer-k400 for segments of two seconds, which
                go with kmeans, ssd_anchor and ssd_previous.
            threshold: Of segments, the squared distance that is a change; leave it out to follow
                the video.
        """
        request = SummaryRequest(
            method=method,
            keyframes=None if keyframes is None else int(keyframes),
            ratio=ratio,
            fps=fps,
            compare=compare or None,
            query=(query or "").strip() or None,
            encoder=reads,
            threshold=threshold,
        )
        yield from answered(
            opening(services, video, link),
            lambda opened: services.summarize(opened.info, request, opened.meter()),
        )

    file = gr.File(label="video", visible=False)
    method = gr.Dropdown(list(methods()), value=DEFAULT_METHOD, label="method", visible=False)
    keyframes = gr.Number(None, label="keyframes", precision=0, visible=False)
    ratio = gr.Number(None, label="ratio", visible=False)
    fps = gr.Number(services.settings.sample_fps, label="fps", visible=False)
    link = gr.Textbox("", label="link", visible=False)
    compare = gr.Dropdown(list(methods()), value=None, label="compare", visible=False)
    query = gr.Textbox(None, label="query", visible=False)
    encoders = [DEFAULT_ENCODER, *services.segments.encoders]
    reads = gr.Dropdown(encoders, value=DEFAULT_ENCODER, label="reads", visible=False)
    threshold = gr.Number(None, label="threshold", visible=False)
    summary = gr.JSON(label="summary", visible=False)
    gr.Button(visible=False).click(
        said_plainly(summarize, on_failure),
        [file, method, keyframes, ratio, fps, link, compare, query, reads, threshold],
        summary,
        api_name="summarize",
        **limits,
    )


def answered(
    arrivals: Iterator[Progress | Done[OpenedVideo]],
    ask: Callable[[OpenedVideo], Iterator[Step]],
) -> Iterator[dict[str, Any]]:
    """How far it is, and at the end the result."""
    opened: OpenedVideo | None = None
    for arrival in arrivals:
        if isinstance(arrival, Done):
            opened = arrival.value
        else:
            yield _said(arrival)
    if opened is None:
        return
    for step in ask(opened):
        if step.complete and step.result is not None:
            yield step.result.to_json()
        else:
            yield _said(step.progress)


def on_failure(text: str) -> dict[str, Any]:
    return {"progress": text, "fraction": None}


def opening(
    services: Services, video: str | None, link: str
) -> Iterator[Progress | Done[OpenedVideo]]:
    """The video that a program sent or named."""
    if video is not None:
        file = Path(video)
        try:
            yield from services.open_file(file, file.name)
        finally:
            file.unlink(missing_ok=True)  # the store has its own; a refused one is not kept
    elif link.strip():
        yield from services.open_link(link.strip())
    else:
        raise RequestError("Give a video file or a link.")


def _said(progress: Progress) -> dict[str, Any]:
    return {"progress": progress.stage, "fraction": progress.fraction}
