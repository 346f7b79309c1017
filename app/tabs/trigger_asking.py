"""What is asked in the Triggers tab, read from its widgets."""

import re
import shlex
from collections.abc import Sequence
from typing import Any

from app.pipelines.triggering import (
    DEFAULT_EVENT,
    MOTION,
    NONE,
    SCENE,
    TriggerAsked,
    TriggerRequest,
    read_name,
    read_trigger,
)
from app.services import OpenedVideo, Services
from app.tabs.trigger_sample import Sample
from app.tabs.triggers_view import capital
from models.errors import RequestError

_CHANGE = "change:"
_EVENT = "event:"
# Commas, semicolons and lines, but not those between quotation marks.
_BETWEEN = re.compile(r'[,;\n]+(?=(?:[^"]*"[^"]*")*[^"]*$)')
NOTHING_ASKED = "Choose what to look for: tick something, type words, or give a picture."


def kinds(services: Services) -> list[tuple[str, str]]:
    """What can be ticked: trained events first, then changes."""
    events = {name: services.triggers.event_of(name) for name in services.triggers.events}
    said = list(events.values())
    trained = [
        (capital(event if said.count(event) == 1 else f"{event} ({name})"), f"{_EVENT}{name}")
        for name, event in events.items()
    ]
    return [*trained, *((capital(change), f"{_CHANGE}{change}") for change in (SCENE, MOTION))]


def ticked_first(services: Services) -> list[str]:
    """One press answers: with the trained event, or without one with the changes of scene.

    A model that cannot be loaded can still be ticked, which says what is the matter with it.
    """
    triggers = services.triggers
    known = DEFAULT_EVENT in triggers.events
    can_be_had = known and triggers.event_of(DEFAULT_EVENT) != DEFAULT_EVENT
    return [f"{_EVENT}{DEFAULT_EVENT}" if can_be_had else f"{_CHANGE}{SCENE}"]


def missing(names: Sequence[str], default: str) -> list[tuple[str, str]]:
    """Where the default model did not come along it is asked for all the same: the run says that it
    is missing, in a line, and goes on without."""
    return [] if default in names else [("None is here", default)]


def read_request(
    ticked: Sequence[str],
    words: str,
    sample: Sample | None,
    threshold: float | None,
    most: float,
    describer: str | None,
    detector: str | None,
    fps: float,
) -> TriggerRequest:
    """Raises RequestError where nothing was asked for, or something that cannot be."""
    asked = [_ticked(name) for name in ticked]
    asked += [read_trigger(part, ()) for part in _BETWEEN.split(words) if part.strip()]
    if sample is not None:
        pictures = () if sample.pixels is None else (sample.pixels,)
        at_s = () if sample.at_s is None else (sample.at_s,)
        asked.append(TriggerAsked(pictures=pictures, at_s=at_s))
    if not asked:
        raise RequestError(NOTHING_ASKED)
    return TriggerRequest(
        triggers=tuple(asked),
        threshold=threshold,
        max_events=int(most),
        describer=read_name(describer),
        detector=read_name(detector),
        fps=fps,
    )


def _ticked(name: str) -> TriggerAsked:
    if name.startswith(_CHANGE):
        return TriggerAsked(change=name.removeprefix(_CHANGE))
    return TriggerAsked(event=name.removeprefix(_EVENT))


def command_line(video: OpenedVideo, request: TriggerRequest) -> str:
    """The same without the page."""
    options: list[Any] = []
    for asked in request.triggers:
        options += ["--example=picture.jpg" for _ in asked.pictures]
        options += [f"--like={at_s:g}" for at_s in asked.at_s]
        if asked.kind != "example":
            limit = "" if asked.threshold is None else f" @ {asked.threshold:g}"
            options.append(f"--trigger={asked.name}{limit}")
    if request.threshold is not None:
        options += ["--threshold", f"{request.threshold:g}"]
    options += ["--max-events", request.max_events, "--describe", request.describer or NONE]
    options += ["--detector", request.detector or NONE, "--fps", f"{request.fps:g}"]
    words = ["python", "-m", "app.cli", "triggers", *map(str, options), "--json", "triggers.json"]
    # A name that begins with a minus would be read as an option.
    return shlex.join([*words, "--", video.source_url or video.info.name])
