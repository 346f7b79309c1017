"""When a video comes into the library, how it is opened from there, and when neither is allowed."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.background import Background
from app.moment_table import LibraryError
from app.pipelines.recognizing import RecognizeRequest
from app.pipelines.requests import DEFAULT_SEARCHER, LibraryRequest, SummaryRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from models import registry
from models.errors import RequestError, VideoOpenError
from models.residency import Residents
from tests.real_media import gradio_media
from tests.unit.library_toys import ToyModel

PATIENCE_S = 30.0


class AnyWords(ToyModel):
    """In the space of `colour`; semantics do not matter here."""

    def encode_texts(self, texts: Any) -> Any:
        return registry.load("colour").encode_frames(_grey(len(texts)))

    def reads(self, text: str) -> bool:
        return True


def _grey(count: int) -> Any:
    import numpy as np

    return np.full((count, 32, 32, 3), 128, np.uint8)


@pytest.fixture(autouse=True)
def toy_model(monkeypatch: pytest.MonkeyPatch) -> None:
    residents = Residents()
    stamp = registry.entry_of(DEFAULT_SEARCHER).stamp
    residents.put(DEFAULT_SEARCHER, AnyWords(), stamp=stamp)
    monkeypatch.setattr(registry, "_residents", residents)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(Settings(data_dir=tmp_path / "data"))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "private folder" / "film.mp4"
    path.parent.mkdir()
    shutil.copy(gradio_media("b.mp4"), path)
    return path


def result_of(steps: Iterator[Any]) -> Any:
    return [step for step in steps if isinstance(step, Done)][-1].value


def summarize(services: Services, video: Any) -> None:
    request = SummaryRequest(method="key_shots", encoder="colour")
    for _ in services.summarize(video, request):
        pass
    assert services.library.wait(PATIENCE_S)


def test_what_was_looked_at_is_in_the_library(services: Services, film: Path) -> None:
    opened = result_of(services.open_file(film, "My film.mp4"))
    summarize(services, opened.info)
    summarize(services, opened.info)
    assert services.library.facts().videos == 1
    (entry,) = services.library.entries()
    assert (entry.name, entry.path) == ("My film.mp4", None)
    result = services.library.search(LibraryRequest("anything"))
    assert [found.content_hash for found in (*result.videos, *result.below)] == [
        opened.info.content_hash
    ]


def test_what_was_looked_at_for_its_actions_is_in_the_library_too(
    services: Services, film: Path
) -> None:
    opened = result_of(services.open_file(film, "My film.mp4"))
    for _ in services.actions.recognize(opened.info, RecognizeRequest(labels=("dancing",))):
        pass
    assert services.library.wait(PATIENCE_S)
    assert [entry.name for entry in services.library.entries()] == ["My film.mp4"]


def test_what_was_not_looked_at_to_the_end_is_not(services: Services, film: Path) -> None:
    video = result_of(services.inspect_file(film))
    steps = services.summarize(video, SummaryRequest(method="key_shots", encoder="colour"))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert services.library.wait(PATIENCE_S)
    assert services.library.facts().videos == 0


def test_a_file_is_indexed_where_it_lies(services: Services, film: Path) -> None:
    video = result_of(services.inspect_file(film))
    assert result_of(services.library.index(video, 2.0))
    assert not result_of(services.library.index(video, 2.0)), "it is there already"
    (entry,) = services.library.entries()
    assert entry.path == film
    assert not list(services.settings.media_dir.glob("*/source*"))
    opened = result_of(services.open_kept(video.content_hash))
    assert opened.info.content_hash == video.content_hash
    assert opened.player_path.is_relative_to(services.settings.media_dir)


def test_a_file_that_is_gone_or_another_is_one_sentence(services: Services, film: Path) -> None:
    video = result_of(services.inspect_file(film))
    result_of(services.library.index(video, 2.0))
    film.unlink()
    with pytest.raises(VideoOpenError, match="open the file again"):
        list(services.open_kept(video.content_hash))
    shutil.copy(gradio_media("a.mp4"), film)
    with pytest.raises(VideoOpenError, match="has changed") as said:
        list(services.open_kept(video.content_hash))
    assert "private folder" not in str(said.value)
    with pytest.raises(VideoOpenError, match="not in the library"):
        list(services.open_kept("f" * 64))


def test_what_was_taken_out_stays_out(services: Services, film: Path) -> None:
    opened = result_of(services.open_file(film, "film.mp4"))
    summarize(services, opened.info)
    assert services.library.remove(opened.info.content_hash)
    summarize(services, opened.info)
    assert services.library.facts().videos == 0


def test_an_index_of_another_encoder_says_nothing_to_the_model(
    services: Services, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = result_of(services.open_file(film, "film.mp4"))
    monkeypatch.setattr(ToyModel, "index_encoder", "backbone")
    summarize(services, opened.info)
    assert services.library.facts().videos == 0


def test_switched_off_nothing_is_kept_searched_or_opened(tmp_path: Path, film: Path) -> None:
    on = Services(Settings(data_dir=tmp_path / "data"))
    video = result_of(on.inspect_file(film))
    result_of(on.library.index(video, 2.0))
    off = Services(replace(on.settings, library=False))
    other = result_of(off.open_file(gradio_media("a.mp4"), "a.mp4"))
    summarize(off, other.info)
    assert on.library.facts().videos == 1
    for ask in (
        lambda: off.library.search(LibraryRequest("anything")), off.library.facts,
        off.library.entries, lambda: off.library.remove(video.content_hash),
        lambda: list(off.open_kept(video.content_hash)),
        lambda: list(off.library.index(video, 2.0)),
    ):  # fmt: skip
        with pytest.raises(LibraryError, match="switched off"):
            ask()


@pytest.mark.parametrize(
    ("environment", "is_on"),
    [
        ({}, True), ({"SPACE_ID": "someone/framescry"}, False),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, False), ({"FRAMESCRY_HOST": "0.0.0.0"}, False),
        ({"FRAMESCRY_HOST": "localhost"}, True), ({"FRAMESCRY_LIBRARY": "0"}, False),
        ({"FRAMESCRY_HOST": "0.0.0.0", "FRAMESCRY_LIBRARY": "1"}, True),
    ],
)  # fmt: skip
def test_it_is_off_where_others_see_the_page(
    environment: dict[str, str], is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("SPACE_ID", "GRADIO_SERVER_NAME", "FRAMESCRY_HOST", "FRAMESCRY_LIBRARY"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert Settings.from_environment().library is is_on


def test_work_that_fails_does_not_end_the_rest() -> None:
    background = Background("test")
    done: list[int] = []

    def fail(error: Exception) -> None:
        raise error

    background.put(lambda: fail(RequestError("A sentence.")))
    background.put(lambda: fail(ZeroDivisionError()))
    background.put(lambda: done.append(1))
    assert background.wait(5.0)
    assert done == [1]
    background.put(lambda: time.sleep(0.5))
    assert not background.wait(0.05)
