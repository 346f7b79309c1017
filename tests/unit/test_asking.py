"""What is asked in the Search tab, and what is said of it."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.cli import _build_parser
from app.pipelines.requests import SearchRequest
from app.results import SearchResult
from app.services import OpenedVideo
from app.tabs.asking import (
    BY_MOMENT,
    MOST_KEPT,
    Ask,
    Found,
    colour_for,
    command_line,
    found_by,
    keep,
    read_ask,
    request_of,
)
from app.tabs.search_view import chips, live_layer, sentence
from models.errors import RequestError
from tests.sample_results import sample_search

PICTURE = np.zeros((8, 8, 3), np.uint8)


def found(query: str, kept: tuple[Found, ...] = ()) -> Found:
    return found_by(SearchRequest(query), sample_search(), kept)


def unsure(result: SearchResult) -> SearchResult:
    return replace(result, moments=(), below=result.moments, confident=False)


def opened(name: str = "a film.mp4") -> OpenedVideo:
    video = replace(sample_search().video, name=name)
    return OpenedVideo(video, Path("player.mp4"))


@pytest.mark.parametrize(
    "sent",
    [None, "dog", [1], {}, {"kind": ["x"], "number": "7", "t": "soon", "text": None, "typed": 0}],
)
def test_whatever_is_sent_is_an_ask(sent: object) -> None:
    assert read_ask(sent) == Ask(0, "words")


def test_times_that_are_none_are_left_out() -> None:
    for t in (float("nan"), float("inf"), "1", None):
        assert read_ask({"kind": "like", "t": t}).time_s is None
    assert read_ask({"kind": "like", "t": 2}).time_s == 2.0


def test_a_moment_is_looked_for_inside_the_video() -> None:
    video = opened()
    for asked_s, searched_s in ((-5.0, video.info.start_s), (1e9, video.info.end_s)):
        request = request_of(Ask(1, BY_MOMENT, time_s=asked_s), video, 12, 2.0, None)
        assert request.at_s == searched_s
    with pytest.raises(RequestError):
        request_of(Ask(1, "picture"), video, 12, 2.0, None)


def test_kept_queries_never_share_a_colour() -> None:
    kept: tuple[Found, ...] = ()
    for number in range(MOST_KEPT):
        kept = keep(found(f"thing {number}", kept), kept)
    live = found("another", kept)
    assert len({query.colour for query in (*kept, live)}) == MOST_KEPT + 1
    with pytest.raises(RequestError, match="remove one first"):
        keep(live, kept)


def test_a_query_asked_again_keeps_its_colour_and_its_place() -> None:
    kept = keep(found("dog"), ())
    kept = keep(found("cat", kept), kept)
    again = found("cat", kept)
    assert again.colour == kept[1].colour == colour_for("“cat”", kept)
    assert [query.name for query in keep(again, kept)] == ["“dog”", "“cat”"]
    assert live_layer(again, kept)["tracks"] == [], "its track is among the kept ones"
    assert live_layer(again, kept)["pins"][0]["colour"] == again.colour
    assert len(live_layer(found("bird", kept), kept)["tracks"]) == 1
    assert [chip["kept"] for chip in chips(again, kept)["items"]] == [True, True]
    assert [chip["kept"] for chip in chips(found("bird", kept), kept)["items"]][-1] is False


def test_sentences() -> None:
    result = sample_search()
    one = replace(result, moments=result.moments[:1])
    said = {
        "2 moments match 'dog'.": (SearchRequest("dog"), result),
        "1 moment matches 'dog'.": (SearchRequest("dog"), one),
        "1 moment looks like 0:42.": (SearchRequest(at_s=42.5), one),
        "2 moments look like your picture.": (SearchRequest(picture=PICTURE), result),
        "Nothing here matches 'dog' with confidence. The closest are below.": (
            SearchRequest("dog"),
            unsure(result),
        ),
    }
    for text, (request, answer) in said.items():
        answer = replace(answer, moments=answer.moments[:2])
        assert sentence(found_by(request, answer, ())) == text
    assert sentence(found("dog"), complete=False).endswith("so far.")


@pytest.mark.parametrize("name", ["a film.mp4", "-my film's.mp4"])
@pytest.mark.parametrize("query", ["dog -cat", "-cat dog", "--top", "a 'quoted' \"red car\"", "ö"])
def test_command_line_asks_the_same(query: str, name: str) -> None:
    line = shlex.split(command_line(opened(name), SearchRequest(f"{query} x", top=3, fps=0.5)))
    assert line[:4] == ["python", "-m", "app.cli", "search"]
    options = _build_parser().parse_args(line[3:])
    assert (options.video, options.query) == (name, f"{query} x")
    assert (options.top, options.fps) == (3, 0.5)


def test_command_line_of_a_moment_and_a_picture() -> None:
    line = shlex.split(command_line(opened(), SearchRequest(at_s=1.25)))
    assert _build_parser().parse_args(line[3:]).like == 1.25
    line = shlex.split(command_line(opened(), SearchRequest(picture=PICTURE)))
    assert _build_parser().parse_args(line[3:]).image == Path("picture.jpg")
