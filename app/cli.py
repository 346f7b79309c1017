"""Framescry from the command line: python -m app.cli summarize VIDEO --json out.json"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in app.py, before numpy comes in

from app.commands.actions import add_actions
from app.commands.library import add_index, add_library
from app.commands.models import add_models
from app.commands.search import add_search
from app.commands.terminal import last_result, move_to, run_shown, say, video_and_meter, write_json
from app.commands.triggers import add_triggers
from app.pipelines.remarks import remarks
from app.pipelines.requests import (
    DEFAULT_ENCODER,
    DEFAULT_METHOD,
    DEFAULT_RATIO,
    SummaryRequest,
)
from app.results import SummaryResult, video_to_json
from app.services import Services
from app.settings import Settings
from models.errors import UserFacingError
from models.summary_methods import methods
from models.types import VideoInfo

# The answer is written by then; what was read is being put into the library.
KEEPING_S = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done. 2: something the person can fix, said in one line on stderr. 130: interrupted."""
    parser = _build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest:
        _take_words(parser, options, rest)
    command: Callable[[argparse.Namespace, Services], None] = options.command
    try:
        services = Services(Settings.from_environment())
        command(options, services)
        services.library.wait(at_most_s=KEEPING_S)
    except UserFacingError as error:
        say(f"framescry: {error}")
        return 2
    except OSError as error:
        say(f"framescry: {_file_trouble(error)}")
        return 2
    except KeyboardInterrupt:
        say("framescry: stopped.")
        return 130
    return 0


def _take_words(
    parser: argparse.ArgumentParser, options: argparse.Namespace, rest: list[str]
) -> None:
    """A query need not be in quotes, and may stand after the options."""
    if not hasattr(options, "more_words") or any(word.startswith("--") for word in rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.query = " ".join([options.query, *rest])


def probe_command(options: argparse.Namespace, services: Services) -> None:
    write_json(options.json, video_to_json(_video(options, services)))


def frames_command(options: argparse.Namespace, services: Services) -> None:
    request = SummaryRequest(fps=options.fps)
    times = services.sampled_times(_video(options, services), request.fps)
    write_json(options.json, {"times_s": [round(time_s, 6) for time_s in times]})


def summarize_command(options: argparse.Namespace, services: Services) -> None:
    request = SummaryRequest(
        method=options.method,
        keyframes=options.keyframes,
        ratio=options.ratio,
        spacing_s=options.spacing,
        fps=options.fps,
        encoder=options.encoder,
        compare=options.compare,
        query=options.query,
        threshold=options.threshold,
    )
    video, meter = video_and_meter(options, services)
    result = last_result(services.summarize(video, request, meter))
    write_json(options.json, result.to_json())
    _write_exports(options, services, result)
    times = ", ".join(f"{keyframe.time_s:.2f} s" for keyframe in result.keyframes)
    for remark in remarks(result):
        say(remark)
    say(f"{len(result.keyframes)} key moments: {times}")


def _write_exports(options: argparse.Namespace, services: Services, result: SummaryResult) -> None:
    for kind in ("csv", "vtt", "edl", "fcpxml", "plot"):
        target: Path | None = getattr(options, kind)
        if target is not None:
            move_to(services.files.write(kind, result), target)
    if options.frames_dir is not None:
        run_shown(services.files.write_frames(result, options.frames_dir))
    if options.cut is not None:
        move_to(run_shown(services.files.write_slowly("cut", result)), options.cut)


def _video(options: argparse.Namespace, services: Services) -> VideoInfo:
    return video_and_meter(options, services)[0]


def _file_trouble(error: OSError) -> str:
    name = Path(error.filename).name if error.filename else "a file"
    return f"{name} could not be written or read: {error.strerror or 'unknown reason'}."


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.cli", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    probe = commands.add_parser("probe", help="what a video is: size, length, rotation, sound")
    probe.set_defaults(command=probe_command)

    frames = commands.add_parser("frames", help="the presentation times that sampling takes")
    frames.add_argument("--fps", type=float, default=2.0, metavar="F")
    frames.set_defaults(command=frames_command)

    summarize = commands.add_parser("summarize", help="key moments, shots and a cut of the best")
    known = ", ".join(methods())
    summarize.add_argument("--method", default=DEFAULT_METHOD, metavar="M", help=known)
    summarize.add_argument("--keyframes", type=int, metavar="N", help="so many key moments")
    summarize.add_argument(
        "--ratio", type=float, metavar="R", help=f"share of the time to keep ({DEFAULT_RATIO})"
    )
    summarize.add_argument("--spacing", type=float, default=1.0, metavar="S", help="seconds apart")
    summarize.add_argument("--fps", type=float, default=2.0, metavar="F")
    encoders = "colour needs no weights; timesformer-k400 reads segments"
    summarize.add_argument("--query", metavar="WORDS", help="steer by words: a dog -cat")
    summarize.add_argument("--compare", metavar="M", help="a second method to lay beside")
    summarize.add_argument("--encoder", default=DEFAULT_ENCODER, metavar="NAME", help=encoders)
    summarize.add_argument(
        "--threshold", type=float, metavar="D", help="of segments, the squared distance that cuts"
    )
    summarize.add_argument("--csv", type=Path, metavar="F")
    summarize.add_argument("--vtt", type=Path, metavar="F", help="chapters")
    summarize.add_argument("--edl", type=Path, metavar="F", help="for an editor")
    summarize.add_argument("--fcpxml", type=Path, metavar="F", help="for an editor")
    summarize.add_argument("--plot", type=Path, metavar="F.png", help="importance over time")
    summarize.add_argument("--frames-dir", type=Path, metavar="DIR", help="keyframes at full size")
    summarize.add_argument("--cut", type=Path, metavar="OUT.mp4", help="the chosen shots, joined")
    summarize.set_defaults(command=summarize_command)

    for command in (probe, frames, summarize):
        place = "a file or a link" if command is summarize else "a file"
        command.add_argument("video", metavar="VIDEO", help=place)
    search = add_search(commands)
    actions = add_actions(commands)
    triggers = add_triggers(commands)
    add_index(commands)
    library = add_library(commands)
    add_models(commands)
    for command in (probe, frames, summarize, search, actions, triggers, library):
        command.add_argument("--json", type=Path, required=True, metavar="OUT", help="- for stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
