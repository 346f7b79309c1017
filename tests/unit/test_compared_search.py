"""What a search says with models whose scores nobody measured: which is closer, and no more."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.commands.search import in_words
from app.export.documents import as_csv, as_json, as_vtt
from app.pipelines.requests import SearchRequest
from app.pipelines.search import Asked
from app.pipelines.searchable import usual_likeness
from app.results import Moment, SearchResult
from app.tabs.asking import Found, command_line, name_of
from app.tabs.search_view import sentence
from app.timeline.results import moment_cards
from app.timeline.tracks import pins
from models.certainty import COMPARED, OWN
from models.types import Floats
from tests.sample_results import sample_search


def refuse(_scores: Floats, _searched: int = 1) -> Floats:
    raise ValueError("gives no probability")


def unit(rows: Any) -> Floats:
    rows = np.asarray(rows, np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def asked(wanted: Any, *unwanted: Any) -> Asked:
    others = unit(unwanted) if unwanted else np.empty((0, 3), np.float32)
    return Asked(unit([wanted])[0], others, refuse, refuse, COMPARED)


def test_the_closest_is_one_and_what_is_as_usual_nothing() -> None:
    frames = unit([[1, 3, 0], [1, 3, 0.1], [3, 1, 0], [2, 2, 0], [1, 3, 0]])
    scores = asked([1, 0, 0]).match(frames)
    assert scores.argmax() == 2 and scores[2] == 1
    assert 0 < scores[3] < 1 and scores[[0, 1, 4]].max() < 0.01
    # A model whose cosines are all far lower says the same.
    lower = asked([1, 0, -5]).match(frames)
    assert lower.argmax() == 2 and lower[2] == 1


def test_where_all_frames_are_alike_none_is_closer() -> None:
    assert asked([1, 0, 0]).match(unit([[1, 1, 0]] * 4)).tolist() == [1, 1, 1, 1]
    assert asked([1, 0, 0]).match(unit([[1, 1, 0]])).tolist() == [1]


def test_what_is_left_out_takes_what_is_closer_to_it() -> None:
    frames = unit([[3, 1, 0], [3, 0, 4], [0, 1, 0], [0, 1, 0]])
    assert asked([1, 0, 0], [0, 0, 1]).match(frames).tolist()[:2] == [1, 0]
    # Frames that show nothing of it lose nothing by its being named.
    plain, without = asked([1, 0, 0]).match(frames), asked([1, 0, 0], [0, 0, 1]).match(frames)
    assert plain[0] == without[0] == 1 and plain[1] > 0


def test_likeness_lies_between_neighbours_and_strangers() -> None:
    random = np.random.default_rng(0)
    scenes = random.standard_normal((6, 32)).repeat(20, axis=0)
    vectors = unit(scenes + 0.2 * random.standard_normal(scenes.shape))
    found = usual_likeness(vectors)
    same = (vectors[1:20] * vectors[:19]).sum(axis=1).min()
    other = (vectors[:20] @ vectors[20:40].T).max()
    assert other < found < same
    assert usual_likeness(vectors[:2]) == 1.0


@pytest.fixture
def compared() -> SearchResult:
    """As sample_results has it, of a model that only compares."""
    result = sample_search()
    moments = tuple(replace(moment, probability=None) for moment in result.best[:3])
    model = replace(result.model, name="clip-vit-b32")
    return replace(
        result, model=model, moments=moments, below=(), confident=None, certainty=COMPARED
    )


def found(result: SearchResult, **request: Any) -> Found:
    asked_for = SearchRequest(**({"query": result.query} | request))
    return Found("“dog”", result.query, "#123456", asked_for, result)


def test_the_page_names_places_and_no_likelihood(compared: SearchResult) -> None:
    said = sentence(found(compared))
    assert said.startswith("The 3 closest to '") and "best first" in said
    assert "how likely a match is, it cannot say" in said
    assert "confidence" not in said and "match " not in said.split(".")[0]
    picture = sentence(found(compared, query="", at_s=3.0))
    assert picture.startswith("The 3 closest to 0:03")
    cards = moment_cards(compared.moments, "#123456")["items"]
    assert [card["note"] for card in cards] == ["no. 1", "no. 2", "no. 3"]
    assert not any("%" in card["label"] for card in cards)
    marks = pins(compared.moments, "#123456")
    assert [mark["label"] for mark in marks] == ["no. 1", "no. 2", "no. 3"]
    assert all("%" in mark["label"] for mark in pins(sample_search().moments, "#123456"))
    assert "closer" in sentence(found(replace(compared, moments=())))


def test_siglips_word_is_called_its_own() -> None:
    result = replace(sample_search(), certainty=OWN)
    said = sentence(found(result))
    assert f"by {result.model.name}'s own account, which was not measured here" in said
    nothing = sentence(found(replace(sample_search(confident=0), certainty=OWN)))
    assert nothing.startswith("Nothing here matches") and "own account" in nothing
    assert "own account" not in sentence(found(sample_search()))


def test_files_and_the_command_line_say_the_same(compared: SearchResult) -> None:
    rows = as_csv(compared).splitlines()
    assert len(rows) == 4 and ",not known," in rows[1] and ",," in rows[1]
    assert "no. 1" in as_vtt(compared) and "%" not in as_vtt(compared)
    assert '"probability": null' in as_json(compared) and '"confident": null' in as_json(compared)
    said = in_words(compared)
    assert said.startswith("The closest to") and "%" not in said and "does not say" in said


def test_a_moment_is_rated_by_what_there_is() -> None:
    moment = Moment(1.0, 0.5, 2.0, score=0.8, probability=None)
    assert moment.rating == 0.8 and replace(moment, probability=0.3).rating == 0.3


def test_another_encoder_has_a_track_and_a_command_of_its_own() -> None:
    request = SearchRequest(query="dog", encoder="clip-vit-b32")
    assert name_of(request) != name_of(SearchRequest(query="dog"))
    assert "clip-vit-b32" in name_of(request)

    class Video:
        source_url = None
        info = sample_search().video

    assert "--encoder clip-vit-b32" in command_line(Video(), request)  # type: ignore[arg-type]
    plain = SearchRequest(query="dog")
    assert "--encoder" not in command_line(Video(), plain)  # type: ignore[arg-type]
