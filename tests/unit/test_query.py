"""What is to be found and what is to be left out, as people type it."""

import pytest

from app.pipelines.query import LONGEST_QUERY, Query, parse_query, tidy
from app.pipelines.requests import SearchRequest
from models.errors import RequestError
from models.types import Pixels


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("a dog on the beach", "a dog on the beach", ()),
        ("  dog \n -cat ", "dog", ("cat",)),
        ('dog -"red car" beach', "dog beach", ("red car",)),
        ('"red car" street', "red car street", ()),
        ("dog -“two cats” -cat -cat", "dog", ("two cats", "cat")),
        ("a close-up of well-known people", "a close-up of well-known people", ()),
        ("dog –cat −bird --fish", "dog", ("cat", "bird", "fish")),
        ("dog - cat", "dog cat", ()),
        ('dog -"', "dog", ()),
        ('dog -"never closed', "dog", ("never closed",)),
        ("dog\x00\u202e -cat\u2028fish", "dog fish", ("cat",)),
    ],
)
def test_a_minus_leaves_out(text: str, wanted: str, unwanted: tuple[str, ...]) -> None:
    assert parse_query(text) == Query(wanted, unwanted)


@pytest.mark.parametrize("text", ["", " \n\t", '""', "-", "\u200e\x07", '- "" “”'])
def test_nothing_to_find_is_one_sentence(text: str) -> None:
    with pytest.raises(RequestError, match="^Describe what to find"):
        parse_query(text)


@pytest.mark.parametrize("text", ["-cat", '-cat -"red car"'])
def test_only_leaving_out_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="not only what to leave out"):
        parse_query(text)


def test_a_very_long_query_is_cut_off() -> None:
    assert len(tidy("dog " * 10**6)) <= LONGEST_QUERY
    assert parse_query("dog " * 10**6).wanted.startswith("dog dog")


@pytest.mark.parametrize(
    "options",
    [
        {}, {"query": "dog", "at_s": 3.0}, {"at_s": float("nan")}, {"query": "dog", "top": 0},
        {"query": "dog", "fps": 0.0}, {"query": "dog", "top": 10**6},
    ],
)  # fmt: skip
def test_requests_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        SearchRequest(**options)  # type: ignore[arg-type]


def test_a_request_says_what_was_asked(grey: Pixels) -> None:
    assert SearchRequest(" a  dog\n-cat").title == "a dog -cat"
    assert SearchRequest(at_s=75.2).title == "more like 1:15"
    assert SearchRequest(picture=grey).title == "a picture"
    with pytest.raises(RequestError, match="one at a time"):
        SearchRequest("dog", picture=grey)
    with pytest.raises(ValueError, match="u8"):
        SearchRequest(picture=grey[..., 0])


@pytest.fixture
def grey() -> Pixels:
    import numpy as np

    return np.full((8, 8, 3), 128, np.uint8)
