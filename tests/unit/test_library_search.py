"""What the library keeps of a video, and what a query over all of them gives."""

import dataclasses
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.index import IndexKey, IndexStore
from app.library import Library
from app.moment_table import Moments
from app.pipelines.library import moments_of, search_library, space_of
from app.pipelines.requests import LibraryRequest, read_day
from app.pipelines.searchable import make_searchable
from app.results import LibraryResult
from models.errors import RequestError
from models.types import FrameBatch
from tests.unit.library_toys import ToyModel, direction, entry, video

MODEL = ToyModel()
FILMS = {
    "beach.mp4": (("sea", 10), ("dog", 6), ("sea", 4)),
    "street.mp4": (("car", 12), ("tree", 8)),
    "winter.mp4": (("snow", 6), ("dog", 3), ("snow", 2), ("tree", 4), ("dog", 4)),
}


def key_of(name: str) -> IndexKey:
    return IndexKey(f"{sorted(FILMS).index(name):x}" * 64, "colour", None, 2.0)


def write_index(store: IndexStore, name: str) -> None:
    """Two frames a second; each shot is around the direction of a word."""
    chance = np.random.default_rng(5)
    rows = [direction(word) for word, frames in FILMS[name] for _ in range(frames)]
    embeddings = np.stack(rows) + chance.normal(0, 0.02, (len(rows), 16)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    shades = np.arange(len(rows), dtype=np.uint8)[:, None, None, None] * 5
    pixels = np.broadcast_to(shades, (len(rows), 8, 8, 3)).copy()
    with store.writer(key_of(name)) as writer:
        writer.add(FrameBatch(pixels, np.arange(len(rows)) / 2.0), embeddings)
        writer.commit()


@pytest.fixture
def store(tmp_path: Path) -> IndexStore:
    store = IndexStore(tmp_path / "index", 10**9)
    for name in FILMS:
        write_index(store, name)
    return store


@pytest.fixture
def library(tmp_path: Path, store: IndexStore) -> Library:
    library = Library(tmp_path)
    for number, name in enumerate(FILMS):
        index = store.load(key_of(name))
        assert index is not None
        frames = make_searchable(index, MODEL)
        film = video(name, key_of(name).content_hash, len(index) / 2)
        kept = entry(
            "0", name, scenes=frames.distinct, path=Path(f"/secret/{name}"),
            added_s=datetime(2026, 1, 1 + number, 12).timestamp(),
        )  # fmt: skip
        kept = dataclasses.replace(kept, content_hash=film.content_hash)
        library.add(space_of(MODEL), kept, moments_of(film, frames))
    return library


def ask(library: Library, store: IndexStore, query: str, **options: object) -> LibraryResult:
    request = LibraryRequest(query=query, **options)  # type: ignore[arg-type]
    return search_library(request, MODEL, library, store)


def spans(result: LibraryResult) -> dict[str, list[tuple[float, float]]]:
    return {
        found.name: [(moment.start_s, moment.end_s) for moment in found.moments]
        for found in result.videos
    }


def test_what_does_not_change_is_kept_once(store: IndexStore) -> None:
    index = store.load(key_of("winter.mp4"))
    assert index is not None
    film = video("winter.mp4", "a" * 64, len(index) / 2)
    kept = moments_of(film, make_searchable(index, MODEL))
    assert kept.starts_s.tolist() == [0.0, 3.0, 4.5, 5.5, 7.5]
    assert kept.ends_s.tolist() == [3.0, 4.5, 5.5, 7.5, 9.5]
    assert ((kept.starts_s <= kept.times_s) & (kept.times_s < kept.ends_s)).all()
    assert np.allclose(np.linalg.norm(kept.vectors, axis=1), 1.0, atol=1e-3)


def test_a_query_finds_the_moments_of_every_video(library: Library, store: IndexStore) -> None:
    result = ask(library, store, "dog")
    assert result.confident
    assert sorted(spans(result)) == ["beach.mp4", "winter.mp4"]
    assert spans(result)["beach.mp4"] == [(5.0, 8.0)]
    assert sorted(spans(result)["winter.mp4"]) == [(3.0, 4.5), (7.5, 9.5)]
    assert (result.searched_videos, result.searched_moments) == (3, 10)
    assert result.searched_s == 180.0
    best = [found.moments[0].probability for found in result.videos]
    assert best == sorted(best, reverse=True)


def test_what_is_near_and_alike_is_one_moment(library: Library, store: IndexStore) -> None:
    """Two seconds of snow after a dog belong to the snow before it."""
    assert spans(ask(library, store, "snow")) == {"winter.mp4": [(0.0, 5.5)]}


def test_more_scenes_make_a_match_less_sure(library: Library, store: IndexStore) -> None:
    everywhere = ask(library, store, "car")
    in_one = ask(library, store, "car", name="street")
    assert in_one.searched_videos == 1
    first, alone = (result.videos[0].moments[0] for result in (everywhere, in_one))
    assert first.score == alone.score
    assert first.probability < alone.probability < alone.score


def test_nothing_matches_with_confidence(library: Library, store: IndexStore) -> None:
    result = ask(library, store, "cat")
    assert not result.confident and result.videos == ()
    assert 0 < sum(len(found.moments) for found in result.below) <= 12


def test_words_can_be_left_out(library: Library, store: IndexStore) -> None:
    both = spans(ask(library, store, "dog sea"))["beach.mp4"]
    assert sorted(both) == [(0.0, 5.0), (5.0, 8.0), (8.0, 10.0)]
    assert spans(ask(library, store, "dog sea -sea"))["beach.mp4"] == [(5.0, 8.0)]


def test_filters(library: Library, store: IndexStore) -> None:
    assert set(spans(ask(library, store, "dog", name="BEACH"))) == {"beach.mp4"}
    assert set(spans(ask(library, store, "dog", since=date(2026, 1, 2)))) == {"winter.mp4"}
    assert set(spans(ask(library, store, "dog", until=date(2026, 1, 1)))) == {"beach.mp4"}
    nothing = ask(library, store, "dog", name="%")
    assert nothing.searched_videos == 0 and not nothing.videos and not nothing.below


def test_no_more_than_asked_for(library: Library, store: IndexStore) -> None:
    result = ask(library, store, "dog", top=2)
    assert sum(len(found.moments) for found in result.videos) == 2
    assert sum(len(found.moments) for found in result.below) > 0


def test_pictures_come_from_the_index_as_long_as_it_is_kept(
    library: Library, store: IndexStore, tmp_path: Path
) -> None:
    index = store.load(key_of("beach.mp4"))
    assert index is not None
    moment = ask(library, store, "dog", name="beach").videos[0].moments[0]
    assert moment.thumbnail == index.thumbnails[int(2 * moment.time_s)]
    (tmp_path / "index").rename(tmp_path / "elsewhere")
    again = ask(library, store, "dog", name="beach").videos[0].moments[0]
    assert again.thumbnail == b""
    assert (again.time_s, again.score) == (moment.time_s, moment.score)


def test_the_json_says_all_but_where_files_lie(library: Library, store: IndexStore) -> None:
    value = ask(library, store, "dog").to_json()
    assert set(value) == {
        "schema_version", "model", "query", "searched", "confident", "videos", "below", "timing",
    }  # fmt: skip
    assert set(value["videos"][0]) == {"content_hash", "name", "duration_s", "added", "moments"}
    assert set(value["videos"][0]["moments"][0]) == {
        "time_s", "start_s", "end_s", "score", "probability",
    }  # fmt: skip
    added = datetime.fromisoformat(value["videos"][0]["added"])
    assert added.utcoffset() == timedelta(0)
    assert "secret" not in json.dumps(value)


@pytest.mark.parametrize(
    "options",
    [
        {"query": ""}, {"query": "-cat"}, {"query": "dog", "top": 0}, {"query": "dog", "top": 101},
        {"query": "dog", "since": date(2026, 2, 1), "until": date(2026, 1, 1)},
    ],
)  # fmt: skip
def test_requests_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        LibraryRequest(**options)  # type: ignore[arg-type]


def test_words_that_mean_nothing_are_refused(library: Library, store: IndexStore) -> None:
    with pytest.raises(RequestError):
        ask(library, store, "qwerty")


def test_days() -> None:
    assert read_day(" 2026-01-31 ") == date(2026, 1, 31)
    assert read_day("") is None
    for wrong in ("yesterday", "31.1.2026", "2026-02-30", "0001-01-01", "9999-12-31", "'; --"):
        with pytest.raises(RequestError, match="is no date"):
            read_day(wrong)


def test_moments_that_a_killed_process_left_are_not_found(
    library: Library, store: IndexStore
) -> None:
    before = ask(library, store, "dog")
    orphan = library.table(space_of(MODEL))
    one = np.array([1.0])
    orphan.add(999, Moments(one, one - 1, one + 1, direction("dog")[None]))
    after = ask(library, store, "dog")
    assert (after.videos, after.below) == (before.videos, before.below)
