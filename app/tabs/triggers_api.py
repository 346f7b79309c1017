"""The triggers for programs, as `triggers` beside `summarize`, `search` and `recognize`."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.pipelines.triggering import (
    DEFAULT_DESCRIBER,
    DEFAULT_DETECTOR,
    DEFAULT_EVENT,
    DEFAULT_EVENTS,
    TriggerAsked,
    TriggerRequest,
    read_name,
    read_trigger,
)
from app.services import Services
from app.tabs.api import answered, on_failure, opening
from app.tabs.failures import said_plainly


def offer_triggers(services: Services, limits: dict[str, Any]) -> None:
    """Publishes `triggers`. Its widgets are never shown: they only describe its parameters."""

    def triggers(
        video: str | None = None,
        triggers: str | None = None,
        like_s: float | None = None,
        threshold: float | None = None,
        max_events: float = DEFAULT_EVENTS,
        describe: str = DEFAULT_DESCRIBER,
        detector: str = DEFAULT_DETECTOR,
        fps: float = 2.0,
        link: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Finds events in a video and says what is seen in each, with a short report of all.

        At the end it returns: video, triggers [{timestamp, start_s, end_s, trigger,
        trigger_confidence, analysis, verdict, dismissed, boxes [{label, score, xyxy}], people,
        objects, action}], below (what lies just below the threshold), video_summary, remarks,
        thresholds, counts, spared, models, sampling and timing; times are seconds. While it runs
        it yields {"progress": words, "fraction": share or null}.

        Args:
            video: The video file; leave it out when a link is given.
            triggers: What to look for, one a line: trigger_detector (fights), change of scene,
                change of motion, or words such as "a person enters"; "a car @ 0.7" has a
                threshold of its own. Leave it out for the trained event.
            like_s: The time of a moment, in seconds: what looks like it is an event as well.
            threshold: From which confidence something is an event, from 0 to 1; leave it out for
                the one that suits each trigger.
            max_events: How many events to return at most, the surest, 1 to 200.
            describe: Which model says what is seen in an event; none for none.
            detector: Which model finds things with boxes; none for none.
            fps: How many frames of each second are looked at.
            link: The address of a video to fetch instead of a file, for instance on YouTube.
        """
        request = TriggerRequest(
            triggers=_asked(triggers or "", like_s, services),
            threshold=threshold,
            max_events=int(max_events),
            describer=read_name(describe),
            detector=read_name(detector),
            fps=fps,
        )
        yield from answered(
            opening(services, video, link),
            lambda opened: services.triggers.analyze(opened.info, request, opened.meter()),
        )

    file = gr.File(label="video", visible=False)
    asked = gr.Textbox(None, label="triggers", visible=False)
    like_s = gr.Number(None, label="like_s", visible=False)
    threshold = gr.Number(None, label="threshold", visible=False)
    max_events = gr.Number(DEFAULT_EVENTS, label="max_events", precision=0, visible=False)
    describe = gr.Textbox(DEFAULT_DESCRIBER, label="describe", visible=False)
    detector = gr.Textbox(DEFAULT_DETECTOR, label="detector", visible=False)
    fps = gr.Number(services.settings.sample_fps, label="fps", visible=False)
    link = gr.Textbox("", label="link", visible=False)
    found = gr.JSON(label="found", visible=False)
    gr.Button(visible=False).click(
        said_plainly(triggers, on_failure),
        [file, asked, like_s, threshold, max_events, describe, detector, fps, link],
        found,
        api_name="triggers",
        **limits,
    )


def _asked(text: str, like_s: float | None, services: Services) -> tuple[TriggerAsked, ...]:
    events = services.triggers.events or (DEFAULT_EVENT,)
    asked = [read_trigger(line, events) for line in text.splitlines() if line.strip()]
    if like_s is not None:
        asked.append(TriggerAsked(at_s=(like_s,)))
    return tuple(asked) or TriggerRequest().triggers
