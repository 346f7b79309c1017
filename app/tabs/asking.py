"""What is asked in the Search tab, and what is kept of what came of it."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.pipelines.query import LONGEST_QUERY, tidy
from app.pipelines.requests import DEFAULT_SEARCHER, SearchRequest
from app.results import SearchResult
from app.services import OpenedVideo
from app.timeline.results import clock
from app.timeline.tracks import Track, free_colour
from models.errors import RequestError
from models.types import Pixels

BY_WORDS, BY_PICTURE, BY_MOMENT, KEPT = "words", "picture", "like", "kept"
MOST_KEPT = 6


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to look for as the page sends it; `number` says which answer belongs to it."""

    number: int
    kind: str
    text: str = ""  # the words, or the name of a kept query
    time_s: float | None = None
    typed: bool = False  # while typing: never starts long work, and is never an error


@dataclass(frozen=True, slots=True)
class Found:
    """A query with its answer, and the one colour it has everywhere."""

    name: str
    words: str  # what is in the field for it
    colour: str
    request: SearchRequest
    result: SearchResult

    @property
    def track(self) -> Track:
        curve = self.result.curve
        return Track(
            self.name,
            [frame.time_s for frame in curve],
            [frame.score for frame in curve],
            self.colour,
            [moment.span for moment in self.result.moments],
        )


def read_ask(sent: object) -> Ask:
    """Anybody can send anything; what is not understood is a query without words."""
    ask = sent if isinstance(sent, dict) else {}
    number, time_s = ask.get("number"), ask.get("t")
    known_time = isinstance(time_s, int | float) and math.isfinite(time_s)
    kind = ask.get("kind")
    return Ask(
        number=number if isinstance(number, int) else 0,
        kind=kind if kind in (BY_PICTURE, BY_MOMENT, KEPT) else BY_WORDS,
        text=str(ask.get("text") or "")[: 4 * LONGEST_QUERY],
        time_s=float(time_s) if known_time and time_s is not None else None,
        typed=bool(ask.get("typed")),
    )


def name_of(request: SearchRequest) -> str:
    """What the query is called on its track, its chip and in sentences about pictures."""
    by = "" if request.encoder == DEFAULT_SEARCHER else f" · {request.encoder}"
    if request.picture is not None:
        return f"your picture{by}"
    if request.at_s is not None:
        return f"like {clock(request.at_s)}{by}"
    return f"“{tidy(request.query)}”{by}"


def colour_for(name: str, kept: Sequence[Found]) -> str:
    """A query that is kept has its colour already; a new one takes one that none of them has."""
    for found in kept:
        if found.name == name:
            return found.colour
    return free_colour({found.colour for found in kept})


def request_of(
    ask: Ask,
    video: OpenedVideo,
    top: float,
    fps: float,
    pixels: Pixels | None,
    encoder: str = DEFAULT_SEARCHER,
) -> SearchRequest:
    common: dict[str, Any] = {"top": int(top), "fps": fps, "encoder": encoder}
    if ask.kind == BY_MOMENT:
        info = video.info
        at_s = info.start_s if ask.time_s is None else ask.time_s
        return SearchRequest(at_s=min(max(at_s, info.start_s), info.end_s), **common)
    if ask.kind == BY_PICTURE:
        if pixels is None:
            raise RequestError("Drop or paste a picture first.")
        return SearchRequest(picture=pixels, **common)
    return SearchRequest(query=ask.text, **common)


def found_by(request: SearchRequest, result: SearchResult, kept: tuple[Found, ...]) -> Found:
    name = name_of(request)
    return Found(name, request.query.strip(), colour_for(name, kept), request, result)


def keep(found: Found | None, kept: Sequence[Found]) -> tuple[Found, ...]:
    """With `found` among them; asked again it takes the place of its older answer.

    Raises:
        RequestError: there are as many as fit on the timeline.
    """
    if found is None:
        return tuple(kept)
    if any(other.name == found.name for other in kept):
        return tuple(found if other.name == found.name else other for other in kept)
    if len(kept) >= MOST_KEPT:
        raise RequestError(f"The timeline holds {MOST_KEPT} kept queries; remove one first.")
    return (*kept, found)


def command_line(video: OpenedVideo, request: SearchRequest) -> str:
    """The same search without the page."""
    name, query = video.source_url or video.info.name, tidy(request.query)
    words = ["python", "-m", "app.cli", "search"]
    options = ["--top", str(request.top), "--fps", f"{request.fps:g}", "--json", "search.json"]
    if request.encoder != DEFAULT_SEARCHER:
        options += ["--encoder", request.encoder]
    if request.picture is not None:
        words += [name, "--image", "picture.jpg", *options]
    elif request.at_s is not None:
        words += [name, "--like", f"{request.at_s:g}", *options]
    elif name.startswith("-") or query.startswith("-"):  # else they would be read as options
        words += [*options, "--", name, query]
    else:
        words += [name, query, *options]
    return shlex.join(words)
