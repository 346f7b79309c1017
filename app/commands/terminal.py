"""What commands share: work shown on one line, and results written where they are asked for."""

import json
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from app.performance import Meter
from app.progress import Done, Progress
from app.services import Services
from models.errors import UserFacingError, VideoOpenError
from models.types import VideoInfo

Value = TypeVar("Value")
Found = TypeVar("Found", covariant=True)


class Step(Protocol[Found]):
    """One report of a summary or a search."""

    @property
    def progress(self) -> Progress: ...
    @property
    def result(self) -> Found | None: ...


_width = 0


def video_and_meter(options: Namespace, services: Services) -> tuple[VideoInfo, Meter | None]:
    """A file is read where it is; a link is fetched into the store first."""
    name: str = options.video
    if "://" in name and not Path(name).exists():
        opened = run_shown(services.open_link(name))
        return opened.info, opened.meter()
    return run_shown(services.inspect_file(Path(name))), None


def run_shown(work: Iterator[Progress | Done[Value]]) -> Value:
    """Shows the progress of a piece of work and returns what it came to."""
    for step in work:
        if isinstance(step, Done):
            return step.value
        show(step)
    raise UserFacingError("The work ended without a result; try again.")


def last_result(steps: Iterator[Step[Value]]) -> Value:
    """Shows the progress of an answer and returns the last one.

    Raises:
        VideoOpenError: there was none.
    """
    result = None
    for step in steps:
        show(step.progress)
        result = step.result or result
    if result is None:
        raise VideoOpenError(
            "No picture in this video can be decoded; convert it to MP4 and try again."
        )
    return result


def show(progress: Progress) -> None:
    """One line that is written over, on a terminal only."""
    global _width
    if not sys.stderr.isatty():
        return
    share = "" if progress.fraction is None else f" {progress.fraction:4.0%}"
    line = f"{progress.stage}{share} {progress.note}".rstrip()
    sys.stderr.write("\r" + line.ljust(_width))
    _width = len(line)


def say(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    global _width
    if _width:
        sys.stderr.write("\r" + " " * _width + "\r")
        _width = 0
    print(" ".join(text.split()), file=sys.stderr)


def write_json(target: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if str(target) == "-":
        print(text)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")


def move_to(made: Path, target: Path) -> None:
    """A file that was made for download, to where it is wanted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, target)
    shutil.rmtree(made.parent, ignore_errors=True)
