"""python -m app.cli search VIDEO QUERY: the moments that match."""

import argparse
from pathlib import Path
from typing import Any

from app.commands.terminal import last_result, move_to, run_shown, say, video_and_meter, write_json
from app.pipelines.requests import DEFAULT_SEARCHER, SearchRequest
from app.results import SearchResult
from app.services import Services
from app.sources.picture import read_picture
from app.wording import clock
from models.errors import RequestError

SHOWN_MOMENTS = 5


def add_search(commands: Any) -> argparse.ArgumentParser:
    search: argparse.ArgumentParser = commands.add_parser(
        "search", help="the moments that match words, a picture or another moment"
    )
    search.add_argument("video", metavar="VIDEO", help="a file or a link")
    search.add_argument(
        "query", metavar="QUERY", nargs="?", default="",
        help='such as: "dog on a beach", or "dog -cat"; left out with --image or --like',
    )  # fmt: skip
    search.add_argument("--image", type=Path, metavar="FILE", help="what looks like this picture")
    search.add_argument(
        "--like", type=float, metavar="SECONDS", help="what looks like this moment of the video"
    )
    search.add_argument("--top", type=int, default=12, metavar="N", help="at most so many moments")
    search.add_argument("--encoder", default=DEFAULT_SEARCHER, metavar="NAME")
    search.add_argument("--fps", type=float, default=2.0, metavar="F")
    search.add_argument("--csv", type=Path, metavar="F")
    search.add_argument("--vtt", type=Path, metavar="F", help="a cue for each moment")
    search.add_argument("--cut", type=Path, metavar="OUT.mp4", help="the best moment, with sound")
    search.set_defaults(command=search_command, more_words=True)
    return search


def search_command(options: argparse.Namespace, services: Services) -> None:
    request = SearchRequest(
        query=options.query,
        picture=None if options.image is None else read_picture(options.image),
        at_s=options.like,
        top=options.top,
        fps=options.fps,
        encoder=options.encoder,
    )
    video, meter = video_and_meter(options, services)
    result = last_result(services.search(video, request, meter))
    write_json(options.json, result.to_json())
    for kind in ("csv", "vtt"):
        target: Path | None = getattr(options, kind)
        if target is not None:
            move_to(services.files.write(kind, result), target)
    if options.cut is not None:
        _cut_best(result, options.cut, services)
    say(in_words(result))


def _cut_best(result: SearchResult, target: Path, services: Services) -> None:
    best = next(iter(result.best), None)
    if best is None:
        raise RequestError("Nothing was found that could be cut; search for something else.")
    move_to(run_shown(services.files.write_moment(result.video, best.span)), target)


def in_words(result: SearchResult) -> str:
    shown = (result.moments or result.below)[:SHOWN_MOMENTS]
    if result.confident is None:
        times = ", ".join(clock(m.time_s) for m in shown)
        return (
            f"The closest to “{result.query}”, best first: {times}. {result.model.name} compares "
            "moments and does not say how likely a match is"
        )
    times = ", ".join(f"{clock(m.time_s)} ({m.rating:.0%})" for m in shown)
    if not result.confident:
        return f"Nothing here matches “{result.query}” with confidence. The closest: {times}"
    count = len(result.moments)
    return f"{count} moment{'' if count == 1 else 's'} for “{result.query}”: {times}"
