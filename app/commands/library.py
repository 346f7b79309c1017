"""python -m app.cli index PATH... and library QUERY: every video of this machine at once."""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.commands.terminal import run_shown, say, show, write_json
from app.pipelines.requests import LibraryRequest, read_day
from app.progress import Done, Progress
from app.results import LibraryResult, LibraryVideo
from app.services import Services
from app.wording import clock, printable
from models.errors import (
    RequestError,
    UserFacingError,
    VideoOpenError,
    VideoTooLargeError,
    VideoTooLongError,
)

SHOWN_MOMENTS = 5


def add_index(commands: Any) -> None:
    index = commands.add_parser("index", help="read videos, so that `library` finds them")
    index.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path,
        help="files, and folders with all that is in them; what was read before is not read again",
    )  # fmt: skip
    index.add_argument("--fps", type=float, default=2.0, metavar="F")
    index.set_defaults(command=index_command)


def add_library(commands: Any) -> argparse.ArgumentParser:
    library: argparse.ArgumentParser = commands.add_parser(
        "library", help="the moments that match in all videos that were read here"
    )
    library.add_argument("query", metavar="QUERY", help='such as: "dog on a beach"')
    library.add_argument("--name", default="", metavar="TEXT", help="only where the name has this")
    library.add_argument("--since", default="", metavar="DATE", help="added on 2026-01-31 or later")
    library.add_argument("--until", default="", metavar="DATE", help="added on that day or before")
    library.add_argument("--top", type=int, default=12, metavar="N", help="at most so many moments")
    library.set_defaults(command=library_command, more_words=True)
    return library


def index_command(options: argparse.Namespace, services: Services) -> None:
    """A file that is no video costs one line; the others go on."""
    files = list(_files(options.paths))
    added = known = 0
    for number, file in enumerate(files, start=1):
        place = f"{number} of {len(files)}: {printable(file.name)}"
        try:
            is_new = _index_one(file, place, options.fps, services)
        except (VideoOpenError, VideoTooLargeError, VideoTooLongError) as error:
            say(f"skipped: {error}")
            continue
        added, known = added + is_new, known + (not is_new)
        say(f"{'indexed' if is_new else 'already there'}: {place}")
    if not added + known:
        raise RequestError("There is no video in what was named; name files or folders with some.")
    run_shown(services.library.tend())
    facts = services.library.facts()
    say(
        f"{added} added, {known} known before, {len(files) - added - known} skipped; the library "
        f"holds {facts.videos} videos, {clock(facts.duration_s, hours=True)}."
    )


def _index_one(file: Path, place: str, fps: float, services: Services) -> bool:
    video = run_shown(_placed(services.inspect_file(file), place))
    is_new: bool = run_shown(_placed(services.library.index(video, fps), place))
    return is_new


def _placed(steps: Iterator[Any], place: str) -> Iterator[Any]:
    for step in steps:
        yield step if isinstance(step, Done) else Progress(step.stage, step.fraction, place)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """In order of name; what is hidden is left alone, and links are not followed into folders."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, below, names in os.walk(path):
            below[:] = sorted(name for name in below if not name.startswith("."))
            yield from (Path(folder, name) for name in sorted(names) if name[0] != ".")


def library_command(options: argparse.Namespace, services: Services) -> None:
    request = LibraryRequest(
        query=options.query,
        name=options.name,
        since=read_day(options.since),
        until=read_day(options.until),
        top=options.top,
    )
    show(Progress("Searching the library"))
    result = services.library.search(request)
    if not result.searched_videos:
        raise UserFacingError(
            "No video of the library fits the filters; leave one out."
            if options.name or options.since or options.until
            else "The library is empty; add videos with: python -m app.cli index PATH"
        )
    write_json(options.json, result.to_json())
    say(in_words(result))


def in_words(result: LibraryResult) -> str:
    shown = [_shown(video) for video in result.videos or result.below][:SHOWN_MOMENTS]
    listed = "; ".join(shown)
    count = result.searched_videos
    where = "1 video" if count == 1 else f"{count} videos"
    if not result.confident:
        return f"Nothing in {where} matches “{result.query}” with confidence. The closest: {listed}"
    count = sum(len(video.moments) for video in result.videos)
    moments = "1 moment" if count == 1 else f"{count} moments"
    return f"{moments} for “{result.query}” in {where}: {listed}"


def _shown(video: LibraryVideo) -> str:
    times = ", ".join(f"{clock(m.time_s)} ({m.rating:.0%})" for m in video.moments)
    return f"{video.name} at {times}"
