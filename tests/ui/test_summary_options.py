"""Two methods over each other, words that steer, and what is known of the models."""

from pathlib import Path

from playwright.sync_api import Page

from models.catalogue import all_model_facts
from models.summary_methods import METHODS
from tests.ui.conftest import NewPerson
from tests.ui.person import Person

REMARKS = "#summarize-remarks p"
TRACKS = "#timeline .fs-track-name"


def choose(page: Page, name: str) -> None:
    page.click("#summarize-compare input")
    page.locator("[role=option]", has_text=name).last.click()


def test_a_second_method_gets_its_own_track(person: Person, video: Path) -> None:
    page = person.page
    person.open(video)
    person.summarize()
    assert page.locator(TRACKS).all_inner_texts() == ["Importance"]
    assert page.locator(REMARKS).count() == 0
    page.click("button:has-text('Options')")
    label = METHODS["key_shots"].label
    choose(page, label)
    person.summarize()
    assert page.locator(TRACKS).all_inner_texts() == ["Importance", f"Compared: {label}"]
    said = page.locator(REMARKS).inner_text()
    assert label in said and "agree" in said and "tau" in said
    assert "looked at before" in person.status, "a second curve needs no second look"
    assert "--compare key_shots" in page.inner_text("#summarize-command")
    choose(page, "Nothing")
    person.summarize()
    assert page.locator(TRACKS).all_inner_texts() == ["Importance"]
    assert page.locator(REMARKS).count() == 0


def test_words_that_steer_are_named_and_kept_as_text(person: Person, video: Path) -> None:
    page = person.page
    person.open(video)
    page.click("button:has-text('Options')")
    field = page.locator("#summarize-query textarea, #summarize-query input")
    hostile = "<img src=x onerror=alert(1)> ${alert(1)}"
    field.fill(hostile)
    person.summarize()
    assert hostile in page.locator(REMARKS).inner_text(), "steered or not, it is said"
    field.fill("-cat")
    page.click("#run-summarize")
    person.wait_for_state("failed")
    assert "Say what to find" in page.inner_text("#summarize-note")


def test_the_model_and_its_quality_are_on_the_page(person: Person, video: Path) -> None:
    person.open(video)
    person.summarize()
    facts = {facts.name: facts for facts in all_model_facts()}["keyframe_scorer"]
    assert facts.weights_hash is not None
    for known in (facts.name, facts.weights_hash[:12], facts.quality.short):
        assert known in person.status


def test_the_table_of_models(new_person: NewPerson) -> None:
    page = new_person("?tab=models", viewport={"width": 390, "height": 844}).page
    page.wait_for_selector("#models .fs-model")
    listed = {facts.name: facts for facts in all_model_facts()}
    names = page.locator("#models .fs-model > summary").all_inner_texts()
    assert sorted(names) == sorted(listed)
    for name, row in zip(names, page.locator("#models tr:has(details)").all(), strict=True):
        facts = listed[name]
        assert facts.licence in row.inner_text()
        row.locator("summary").click()
        shown = row.inner_text()
        assert facts.purpose in shown
        if facts.weights_hash is not None:
            assert facts.weights_hash[:12] in shown and facts.quality.full in shown
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
