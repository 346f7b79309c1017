"""A summary of segments by a TimeSformer, and where it looked, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Page

from models import hub
from tests.ui.conftest import SCREENSHOTS, NewPerson, Server, people_of, serving
from tests.ui.person import Person, eventually
from tests.unit import video_transformer_toys as toys

READS = hub.TIMESFORMER_K400.name
LOADING_MS = 90_000
SEEN = "#summarize-attention .fs-seen"


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a tiny TimeSformer where the large one would be."""
    models = tmp_path_factory.mktemp("models")
    toys.write_red_seeker(models / hub.TIMESFORMER_K400.name)
    with serving(
        tmp_path_factory.mktemp("data"), **{hub.MODELS_DIR_VARIABLE: str(models)}
    ) as started:
        yield started


@pytest.fixture
def new_person(seeing: Server, browser: Browser) -> Iterator[NewPerson]:
    with people_of(seeing, browser) as arrive:
        yield arrive


def choose(page: Page, menu: str, part: str) -> None:
    page.click(f"{menu} input")
    page.locator("[role=option]", has_text=part).last.click()


def wait_for_kmeans(page: Page) -> None:
    """The method follows once the model is loaded; transformers alone takes a while to import."""
    page.wait_for_function(
        "() => document.querySelector('#summarize-method input').value.includes('k-means')",
        timeout=LOADING_MS,
    )


def test_what_it_looked_at(person: Person, video: Path) -> None:
    page = person.page
    person.open(video)
    page.click("button:has-text('Options')")
    choose(page, "#summarize-reads", READS)
    wait_for_kmeans(page)
    person.summarize()
    assert hub.TIMESFORMER_K400.name in person.status
    assert f"--encoder {hub.TIMESFORMER_K400.name}" in page.inner_text("#summarize-command")
    cards = page.locator("#summarize-cards .fs-card")
    card = cards.nth(1)
    time_s = float(card.locator(".fs-play").get_attribute("data-t") or "nan")
    card.locator(".fs-play").click()
    person.is_at(time_s)

    assert page.locator(SEEN).count() == 0, "only when it is asked for"
    card.locator(".fs-look").click()
    page.wait_for_selector(SEEN)
    assert page.locator(SEEN).count() == toys.FRAMES
    widths = page.evaluate(f"[...document.querySelectorAll('{SEEN} img')].map(i => i.naturalWidth)")
    assert min(widths) >= 180
    third = page.locator(SEEN).nth(2)
    seen_s = float(third.get_attribute("data-t") or "nan")
    assert abs(seen_s - time_s) <= 2.0
    third.click()
    person.is_at(seen_s)
    for look in ("light", "dark"):
        assert page.locator("#summarize-attention h3").inner_text().startswith("What it looked at")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.locator("#summarize-attention").scroll_into_view_if_needed()
        page.screenshot(path=SCREENSHOTS / f"attention-{look}.png")
        page.click("#theme")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    choose(page, "#summarize-reads", "Single pictures")
    person.summarize()
    assert page.locator(SEEN).count() == page.locator(".fs-look").count() == 0


def test_a_threshold_is_offered_where_change_cuts(person: Person, video: Path) -> None:
    page = person.page
    person.open(video)
    page.click("button:has-text('Options')")
    assert not page.is_visible("#summarize-threshold")
    choose(page, "#summarize-reads", READS)
    wait_for_kmeans(page)
    choose(page, "#summarize-method", "Change from the moment before")
    page.wait_for_selector("#summarize-threshold input")
    choose(page, "#summarize-threshold", "400: average")
    person.summarize()
    assert "--threshold 400" in page.inner_text("#summarize-command")


def test_a_method_that_reads_pictures_gets_them(person: Person, video: Path) -> None:
    page = person.page
    person.open(video)
    page.click("button:has-text('Options')")
    choose(page, "#summarize-reads", READS)
    wait_for_kmeans(page)
    choose(page, "#summarize-method", "Key shots")
    page.wait_for_selector(".fs-status:has-text('Reads single pictures again')")
    assert page.input_value("#summarize-reads input") == "Single pictures"
    person.summarize()
    assert "--encoder" not in page.inner_text("#summarize-command")
    choose(page, "#summarize-reads", READS)  # and back: the method follows as before
    wait_for_kmeans(page)


def test_without_the_hub_one_sentence_says_so_and_all_is_kept(person: Person, video: Path) -> None:
    """The other TimeSformer lies nowhere on this machine."""
    page = person.page
    person.open(video)
    person.summarize()
    cards = page.locator("#summarize-cards .fs-card").count()
    page.click("button:has-text('Options')")
    method = page.input_value("#summarize-method input")
    choose(page, "#summarize-reads", hub.TIMESFORMER_K600.name)
    person.wait_for_state("failed")
    said = page.inner_text("#summarize-note")
    assert hub.TIMESFORMER_K600.name in said and "instead." in said
    eventually(lambda: page.input_value("#summarize-reads input") == "Single pictures")
    assert page.input_value("#summarize-method input") == method, "what was entered is kept"
    assert page.locator("#summarize-cards .fs-card").count() == cards


def test_programs_can_choose_what_is_read(seeing: Server, video: Path) -> None:
    client = Client(seeing.url, verbose=False)
    summary = client.predict(
        video=handle_file(video), method="ssd_anchor", reads=hub.TIMESFORMER_K400.name,
        threshold=400, api_name="/summarize",
    )  # fmt: skip
    assert summary["model"]["name"] == hub.TIMESFORMER_K400.name
    assert summary["sampling"]["segment_frames"] == toys.FRAMES
    with pytest.raises(AppError, match="Learned from people"):
        client.predict(
            video=handle_file(video), reads=hub.TIMESFORMER_K400.name, api_name="/summarize"
        )
