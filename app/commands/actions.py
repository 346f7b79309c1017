"""python -m app.cli actions VIDEO: which actions a video shows, and when."""

import argparse
from pathlib import Path
from typing import Any

from app.action_results import ActionResult
from app.commands.terminal import last_result, move_to, say, video_and_meter, write_json
from app.pipelines.action_words import summed_up
from app.pipelines.recognizing import DEFAULT_CLASSIFIER, RecognizeRequest, read_labels
from app.services import Services
from app.wording import clock
from models.errors import RequestError

SHOWN_STRETCHES = 8


def add_actions(commands: Any) -> argparse.ArgumentParser:
    actions: argparse.ArgumentParser = commands.add_parser(
        "actions", help="which actions a video shows, and when"
    )
    actions.add_argument("video", metavar="VIDEO", help="a file or a link")
    actions.add_argument("--checkpoint", default=DEFAULT_CLASSIFIER, metavar="NAME")
    actions.add_argument(
        "--labels", metavar="LIST",
        help='look for your own instead: "pouring coffee, clapping, empty room"',
    )  # fmt: skip
    actions.add_argument("--fps", type=float, default=2.0, metavar="F")
    actions.add_argument(
        "--every", type=float, metavar="S",
        help="seconds from segment to segment, for models that look at segments (side by side)",
    )  # fmt: skip
    actions.add_argument("--csv", type=Path, metavar="F", help="a row for each stretch")
    actions.add_argument("--vtt", type=Path, metavar="F", help="a cue for each stretch")
    actions.set_defaults(command=actions_command)
    return actions


def actions_command(options: argparse.Namespace, services: Services) -> None:
    request = RecognizeRequest(
        checkpoint=options.checkpoint,
        labels=_labels(options.labels),
        fps=options.fps,
        every_s=options.every,
    )
    video, meter = video_and_meter(options, services)
    result = last_result(services.actions.recognize(video, request, meter))
    write_json(options.json, result.to_json())
    for kind in ("csv", "vtt"):
        target: Path | None = getattr(options, kind)
        if target is not None:
            move_to(services.files.write(kind, result), target)
    say(in_words(result))


def _labels(text: str | None) -> tuple[str, ...]:
    """Raises RequestError where a list was asked for and there is nothing in it."""
    labels = read_labels(text or "")
    if text is not None and not labels:
        raise RequestError("There is no label after --labels; write what may happen.")
    return labels


def in_words(result: ActionResult) -> str:
    known = [stretch for stretch in result.stretches if stretch.is_known][:SHOWN_STRETCHES]
    times = ", ".join(
        f"{clock(s.start_s)}-{clock(s.end_s)} {s.label} ({s.probability:.0%})" for s in known
    )
    return f"{summed_up(result)} {times}".rstrip()
