"""Searching with a model that is its own index: chosen in the list, said for what it is."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from models import hub
from tests.real_media import gradio_media
from tests.ui.conftest import SCREENSHOTS, NewPerson, Server, people_of, serving
from tests.ui.person import Person
from tests.unit import image_text_toys

LOADING_MS = 90_000.0  # torch and transformers are imported first


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a CLIP of random weights where people put models that they fetched before."""
    root = tmp_path_factory.mktemp("models")
    image_text_toys.write_clip(root / "hub" / hub.CLIP.name)
    with serving(root / "data", FRAMESCRY_MODELS_DIR=str(root / "hub")) as started:
        yield started


@pytest.fixture
def new_person(server: Server, browser: Browser) -> Iterator[NewPerson]:
    with people_of(server, browser) as arrive:
        yield arrive


def test_clip_is_chosen_reads_the_video_once_and_claims_no_likelihood(person: Person) -> None:
    page = person.page
    person.open_tab("search")
    person.open(gradio_media("b.mp4"))
    page.click("button.label-wrap:visible:has-text('Options')")
    page.click("#search-encoder input")
    page.locator("[role=option]:visible", has_text=hub.CLIP.name).first.click()
    page.wait_for_selector(f".fs-status:has-text('{hub.CLIP.name} is ready')", timeout=LOADING_MS)
    person.search("the earth")
    person.wait_for_answer("how likely a match is, it cannot say")
    assert "closest to 'the earth'" in person.answer and "confidence" not in person.answer
    notes = page.locator("#search-cards .fs-card:visible").all_inner_texts()
    assert notes and "no. 1" in notes[0] and not any("%" in note for note in notes)
    assert page.locator("#search-below .fs-card:visible").count() == 0
    assert page.locator(".fs-track-name:has-text('clip-vit-b32')").count() == 1
    assert hub.CLIP.name in page.inner_text("#search-answer")
    page.screenshot(path=SCREENSHOTS / "search-clip.png")
    # From now on answers come while typing, from the index of its own.
    person.type_query("blue water")
    person.wait_for_answer("closest to 'blue water'")
    command = page.inner_text("#search-command")
    assert "--encoder clip-vit-b32" in command
