"""Framescry from the command line: python -m app.cli summarize VIDEO --json out.json"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.pipelines.requests import DEFAULT_METHOD, DEFAULT_RATIO, SummaryRequest
from app.progress import Done, Progress
from app.results import SummaryResult, video_to_json
from app.services import Services
from app.settings import Settings
from models.errors import UserFacingError
from models.summary_methods import METHODS
from models.types import VideoInfo


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done. 2: something the person can fix, said in one line on stderr. 130: interrupted."""
    parser = _build_parser()
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace, Services], None] = options.command
    try:
        command(options, Services(Settings.from_environment()))
    except UserFacingError as error:
        _say(f"framescry: {error}")
        return 2
    except OSError as error:
        _say(f"framescry: {_file_trouble(error)}")
        return 2
    except KeyboardInterrupt:
        _say("framescry: stopped.")
        return 130
    return 0


def probe_command(options: argparse.Namespace, services: Services) -> None:
    _write_json(options.json, video_to_json(_video(options, services)))


def frames_command(options: argparse.Namespace, services: Services) -> None:
    request = SummaryRequest(fps=options.fps)
    times = services.sampled_times(_video(options, services), request.fps)
    _write_json(options.json, {"times_s": [round(time_s, 6) for time_s in times]})


def summarize_command(options: argparse.Namespace, services: Services) -> None:
    request = SummaryRequest(
        method=options.method,
        keyframes=options.keyframes,
        ratio=options.ratio,
        spacing_s=options.spacing,
        fps=options.fps,
    )
    video, meter = _video_and_meter(options, services)
    result = None
    for step in services.summarize(video, request, meter):
        _show(step.progress)
        result = step.result or result
    if result is None:
        raise UserFacingError("No picture in this video can be decoded; convert it and try again.")
    _write_json(options.json, result.to_json())
    _write_exports(options, services, result)
    times = ", ".join(f"{keyframe.time_s:.2f} s" for keyframe in result.keyframes)
    _say(f"{len(result.keyframes)} key moments: {times}")


def _write_exports(options: argparse.Namespace, services: Services, result: SummaryResult) -> None:
    for kind in ("csv", "vtt", "edl", "fcpxml", "plot"):
        target: Path | None = getattr(options, kind)
        if target is not None:
            _move(services.export(kind, result), target)
    if options.frames_dir is not None:
        _run(services.write_frames(result, options.frames_dir))
    if options.cut is not None:
        _move(_run(services.export_slow("cut", result)), options.cut)


def _video(options: argparse.Namespace, services: Services) -> VideoInfo:
    return _video_and_meter(options, services)[0]


def _video_and_meter(options: argparse.Namespace, services: Services) -> tuple[VideoInfo, Any]:
    """A file is read where it is; a link is fetched into the store first."""
    name: str = options.video
    if "://" in name and not Path(name).exists():
        opened = _run(services.open_link(name))
        return opened.info, opened.meter()
    return _run(services.inspect_file(Path(name))), None


def _run(work: Any) -> Any:
    """Shows the progress of a piece of work and returns what it came to."""
    for step in work:
        if isinstance(step, Done):
            return step.value
        _show(step)
    raise UserFacingError("The work ended without a result; try again.")


_width = 0


def _show(progress: Progress) -> None:
    """One line that is written over, on a terminal only."""
    global _width
    if not sys.stderr.isatty():
        return
    share = "" if progress.fraction is None else f" {progress.fraction:4.0%}"
    line = f"{progress.stage}{share} {progress.note}".rstrip()
    sys.stderr.write("\r" + line.ljust(_width))
    _width = len(line)


def _say(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    global _width
    if _width:
        sys.stderr.write("\r" + " " * _width + "\r")
        _width = 0
    print(" ".join(text.split()), file=sys.stderr)


def _write_json(target: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if str(target) == "-":
        print(text)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")


def _move(made: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, target)
    shutil.rmtree(made.parent, ignore_errors=True)


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
    summarize.add_argument("--method", default=DEFAULT_METHOD, metavar="M", help=", ".join(METHODS))
    summarize.add_argument("--keyframes", type=int, metavar="N", help="so many key moments")
    summarize.add_argument(
        "--ratio", type=float, metavar="R", help=f"share of the time to keep ({DEFAULT_RATIO})"
    )
    summarize.add_argument("--spacing", type=float, default=1.0, metavar="S", help="seconds apart")
    summarize.add_argument("--fps", type=float, default=2.0, metavar="F")
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
        command.add_argument("--json", type=Path, required=True, metavar="OUT", help="- for stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
