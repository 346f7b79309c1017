"""The search for programs, as `search` beside `summarize`."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.pipelines.requests import DEFAULT_SEARCHER, SearchRequest
from app.services import Services
from app.tabs.api import answered, on_failure, opening
from app.tabs.failures import said_plainly


def offer_search(services: Services, limits: dict[str, Any]) -> None:
    """Publishes `search`. Its widgets are never shown: they only describe its parameters."""

    def search(
        video: str | None = None,
        query: str | None = None,
        at_s: float | None = None,
        top: float = 12,
        fps: float = 2.0,
        link: str = "",
        encoder: str = DEFAULT_SEARCHER,
    ) -> Iterator[dict[str, Any]]:
        """Finds the moments of a video that match words, or that look like one of its moments.

        At the end it returns: video, model, query, confident (whether anything matches), moments
        [{time_s, start_s, end_s, score, probability}], the best first, curve [{time_s, score}] and
        timing; times are seconds. While it runs it yields {"progress": words, "fraction": share or
        null}.

        Args:
            video: The video file; leave it out when a link is given.
            query: What to find, in English, such as "a dog on a beach", or "dog -cat".
            at_s: Instead of words: the time of a moment, in seconds, to find more like it.
            top: How many moments to return at most, 1 to 500.
            fps: How many frames of each second are looked at.
            link: The address of a video to fetch instead of a file, for instance on YouTube.
            encoder: The model that searches; the default one is quick and ships with the program.
        """
        request = SearchRequest(
            query=query or "", at_s=at_s, top=int(top), fps=fps, encoder=encoder
        )
        yield from answered(
            opening(services, video, link),
            lambda opened: services.search(opened.info, request, opened.meter()),
        )

    file = gr.File(label="video", visible=False)
    query = gr.Textbox("", label="query", visible=False)
    at_s = gr.Number(None, label="at_s", visible=False)
    top = gr.Number(12, label="top", precision=0, visible=False)
    fps = gr.Number(services.settings.sample_fps, label="fps", visible=False)
    link = gr.Textbox("", label="link", visible=False)
    encoder = gr.Textbox(DEFAULT_SEARCHER, label="encoder", visible=False)
    found = gr.JSON(label="found", visible=False)
    gr.Button(visible=False).click(
        said_plainly(search, on_failure),
        [file, query, at_s, top, fps, link, encoder],
        found,
        api_name="search",
        **limits,
    )
