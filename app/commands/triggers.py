"""python -m app.cli triggers VIDEO: which events a video shows, what is seen then, and a report."""

import argparse
from pathlib import Path
from typing import Any

from app.commands.terminal import last_result, move_to, run_shown, say, video_and_meter, write_json
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
from app.sources.picture import read_picture
from app.trigger_results import Trigger, TriggerResult
from app.wording import clock

SHOWN_EVENTS = 8


def add_triggers(commands: Any) -> argparse.ArgumentParser:
    triggers: argparse.ArgumentParser = commands.add_parser(
        "triggers", help="which events a video shows, what is seen then, and a report"
    )
    triggers.add_argument("video", metavar="VIDEO", help="a file or a link")
    triggers.add_argument(
        "--trigger", action="append", default=[], metavar="NAME_OR_WORDS",
        help=f'{DEFAULT_EVENT} or another trained model, "change of scene", "change of motion", or '
        'words such as "a person enters"; "a car @ 0.7" has a threshold of its own; may be given '
        "several times",
    )  # fmt: skip
    triggers.add_argument(
        "--example", action="append", default=[], type=Path, metavar="FILE",
        help="what looks like this picture; several pictures are of one thing",
    )  # fmt: skip
    triggers.add_argument(
        "--like", action="append", default=[], type=float, metavar="SECONDS",
        help="what looks like this moment of the video; likewise",
    )  # fmt: skip
    triggers.add_argument("--threshold", type=float, metavar="T", help="from 0 to 1")
    triggers.add_argument("--max-events", type=int, default=DEFAULT_EVENTS, metavar="N")
    triggers.add_argument(
        "--describe", default=DEFAULT_DESCRIBER, metavar="NAME", help="who says what is seen; none"
    )
    triggers.add_argument(
        "--detector", default=DEFAULT_DETECTOR, metavar="NAME", help="who draws boxes; none"
    )
    triggers.add_argument("--speech", type=Path, metavar="OUT.wav", help="the report, spoken")
    triggers.add_argument("--voice", metavar="NAME")
    triggers.add_argument("--rate", type=int, metavar="N", help="words a minute")
    triggers.add_argument("--fps", type=float, default=2.0, metavar="F")
    triggers.add_argument(
        "--published", type=Path, metavar="F",
        help="JSON in the layout of the published trigger system, and nothing else",
    )  # fmt: skip
    triggers.add_argument("--csv", type=Path, metavar="F", help="a row for each event")
    triggers.add_argument("--vtt", type=Path, metavar="F", help="a cue for each event")
    triggers.set_defaults(command=triggers_command)
    return triggers


def triggers_command(options: argparse.Namespace, services: Services) -> None:
    request = TriggerRequest(
        triggers=_asked(options, services),
        threshold=options.threshold,
        max_events=options.max_events,
        describer=read_name(options.describe),
        detector=read_name(options.detector),
        fps=options.fps,
    )
    video, meter = video_and_meter(options, services)
    result = last_result(services.triggers.analyze(video, request, meter))
    sound: Path | None = None
    if options.speech is not None:
        spoken = run_shown(services.triggers.speak(result, options.voice, options.rate))
        result, sound = spoken.result, spoken.path
    write_json(options.json, result.to_json())
    for kind in ("published", "csv", "vtt"):
        target: Path | None = getattr(options, kind)
        if target is not None:
            move_to(services.files.write(kind, result), target)
    if sound is not None:  # after the rest, which stays if there is no room for this
        move_to(sound, options.speech)
    for remark in result.remarks:
        say(remark)
    say(in_words(result))


def _asked(options: argparse.Namespace, services: Services) -> tuple[TriggerAsked, ...]:
    events = services.triggers.events
    asked = [read_trigger(text, events or (DEFAULT_EVENT,)) for text in options.trigger]
    if options.example:
        asked.append(TriggerAsked(pictures=tuple(map(read_picture, options.example))))
    if options.like:
        asked.append(TriggerAsked(at_s=tuple(options.like)))
    return tuple(asked) or TriggerRequest().triggers


def in_words(result: TriggerResult) -> str:
    shown = (result.triggers or result.below)[:SHOWN_EVENTS]
    times = ", ".join(_in_words(trigger) for trigger in shown)
    if not result.triggers:
        closest = f" The closest: {times}" if shown else ""
        return f"Nothing of what was looked for is found with confidence.{closest}"
    count = len(result.triggers)
    dismissed = f", {result.dismissed} dismissed" if result.dismissed else ""
    return f"{count} event{'' if count == 1 else 's'}{dismissed}: {times}"


def _in_words(trigger: Trigger) -> str:
    return f"{clock(trigger.time_s)} {trigger.trigger} ({trigger.confidence:.0%})"
