"""Naming the actions of a video: the ribbon, the stretches, own labels, and what is refused."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from app.action_results import NONE_OF_THESE
from tests.ui.conftest import SCREENSHOTS, NewPerson
from tests.ui.person import Person, eventually
from tests.ui.test_looks import CONTRAST_JS, SIZES

LABELS = "a lion in the grass, the earth from space, a tall tower"
HOSTILE = '"><img src=x onerror=window.__pwned=1> ${window.__pwned=1}{{this}}'


def recognize(person: Person, labels: str | None = None) -> None:
    """With the labels given, else with those of the checkpoint."""
    page = person.page
    if labels is not None:
        if not page.is_visible("#actions-labels textarea"):
            page.click("#labels-fold > button")
        page.fill("#actions-labels textarea", labels)
    page.evaluate("document.querySelector('.fs-status').dataset.state = 'asked'")
    page.click("#run-actions")
    person.wait_for_state("done")


def wait_for_actions(person: Person) -> None:
    """Until those that the page names by itself, for an example, are complete."""
    person.page.wait_for_selector("#actions-command code:has-text('actions')")
    person.wait_for_state("done")


def rows(person: Person) -> Locator:
    return person.page.locator("#actions-found .fs-stretch")


def start_of(thing: Locator) -> float:
    value = thing.get_attribute("data-t")
    assert value is not None
    return float(value)


def press(person: Person, thing: Locator) -> None:
    """And see the player there."""
    time_s = start_of(thing)
    thing.click()
    person.is_at(time_s)


@pytest.fixture
def visitor(person: Person) -> Person:
    """Somebody who has opened the tour on the Actions tab; the page names its actions by itself."""
    person.open_tab("actions")
    assert person.page.locator(".fs-empty:visible").count() == 1
    person.open_example("Tour")
    wait_for_actions(person)
    return person


def test_a_ribbon_and_rows_that_play(visitor: Person) -> None:
    page = visitor.page
    recognize(visitor)
    assert page.locator("#timeline .fs-track.is-ribbon").count() == 1
    parts = page.locator("#timeline .fs-ribbon > i")
    assert parts.count() == rows(visitor).count() >= 1
    assert page.locator("#actions-found .fs-whole .fs-bars li").count() == 5
    assert page.inner_text(".fs-found-said")
    assert page.locator(".fs-empty:visible").count() == 0
    row = rows(visitor).last
    press(visitor, row.locator(".fs-play"))
    assert not visitor.paused and visitor.sees_player()
    row.locator(".fs-inside .fs-bars li").nth(4).wait_for()
    glance = row.locator(".fs-glance").last
    glance.locator("img").wait_for()
    assert glance.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    press(visitor, glance)


def test_own_labels_beside_the_trained_ones(visitor: Person) -> None:
    page = visitor.page
    recognize(visitor)
    recognize(visitor, LABELS)
    names = page.locator(".fs-track.is-ribbon .fs-track-name").all_inner_texts()
    assert names == ["Actions", "Your labels"]
    said = page.inner_text(".fs-found-said")
    assert "a tall tower" in said
    assert "not trained on" in page.inner_text(".fs-found-facts")
    press(visitor, rows(visitor).locator(".fs-play:has(b:text-is('a tall tower'))").first)
    labels = page.locator("#actions-found .fs-stretch b").all_inner_texts()
    assert set(labels) <= {*LABELS.split(", "), NONE_OF_THESE}
    page.fill("#actions-labels textarea", "")
    recognize(visitor)
    assert "not trained on" not in page.inner_text(".fs-found-facts")


def test_a_press_on_the_ribbon_unfolds_the_stretch(visitor: Person) -> None:
    recognize(visitor, LABELS)
    page = visitor.page
    part = page.locator(".fs-ribbon > i:has-text('a tall tower')").first
    box = part.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened = page.locator("#actions-found .fs-stretch.is-open")
    opened.wait_for()
    assert opened.locator("b").inner_text() == "a tall tower"
    assert visitor.paused, "a press on the timeline moves the player and starts nothing"
    eventually(lambda: visitor.now_s > 1.0, lambda: visitor.now_s)


def test_files_and_command_line(visitor: Person, tmp_path: Path) -> None:
    recognize(visitor, LABELS)
    fetched = {}
    for kind in ("json", "csv", "vtt"):
        download = visitor.download(kind, "actions")
        fetched[kind] = tmp_path / download.suggested_filename
        download.save_as(fetched[kind])
    result = json.loads(fetched["json"].read_text("utf-8"))
    assert result["labels"] == LABELS.split(", ") and result["zero_shot"] is True
    assert result["unknown"] is False and len(result["stretches"]) == rows(visitor).count()
    assert fetched["csv"].read_text("utf-8-sig").startswith("stretch,")
    assert fetched["vtt"].read_text("utf-8").startswith("WEBVTT")
    command = visitor.page.inner_text("#actions-command code")
    assert command.startswith("python -m app.cli actions") and "a tall tower" in command


def test_labels_are_text_and_nothing_else(visitor: Person) -> None:
    recognize(visitor, f"{HOSTILE}, a tall tower")
    page = visitor.page
    page.locator(".fs-ribbon > i:has-text('a tall tower')").first.wait_for()
    rows(visitor).first.locator(".fs-play").click()
    bars = page.locator("#actions-found .fs-whole .fs-bar-name").all_inner_texts()
    assert HOSTILE.lstrip('"') in bars
    assert page.evaluate("window.__pwned") is None


@pytest.mark.parametrize(
    ("labels", "said"),
    [(",,", "no label in that list"), ("собака", "собака"), ("a," * 50 + "b", None)],
)
def test_bad_labels_get_a_sentence_and_keep_what_is_there(
    labels: str, said: str | None, visitor: Person
) -> None:
    page = visitor.page
    if said is None:  # the same label again and again is one label
        recognize(visitor, labels)
        return
    before = rows(visitor).count()
    page.click("#labels-fold > button")
    page.fill("#actions-labels textarea", labels)
    page.click("#run-actions")
    page.wait_for_selector(f"#actions-note:has-text('{said}')")
    assert rows(visitor).count() == before
    assert page.input_value("#actions-labels textarea") == labels


def test_quality_opens_examples_of_this_video(visitor: Person) -> None:
    recognize(visitor)
    page = visitor.page
    page.click("#actions-quality summary")
    assert page.locator("#actions-quality .fs-bars li").count() >= 5
    pressed = page.locator("#actions-quality .fs-matrix td:not(.is-right) button").first
    pressed.click()
    text = page.inner_text("#actions-quality .fs-cell p")
    assert text.startswith("Of ") and "In this video" in text or "in this video" in text
    assert pressed.get_attribute("aria-label")


def test_the_address_keeps_tab_and_labels(new_person: NewPerson, visitor: Person) -> None:
    recognize(visitor, LABELS)
    address = visitor.page.url
    assert "tab=actions" in address
    later = new_person(address.removeprefix(visitor.url))
    later.page.wait_for_selector("[role=tab][data-tab-id=actions][aria-selected=true]")
    later.page.click("#labels-fold > button")
    assert later.page.input_value("#actions-labels textarea") == LABELS


@pytest.mark.parametrize(
    ("size", "theme"), [("desktop", "light"), ("desktop", "dark"), ("phone", "light")]
)
def test_pictures(size: str, theme: str, new_person: NewPerson) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    person = new_person(viewport=SIZES[size], color_scheme=theme)
    page = person.page
    person.open_tab("actions")
    page.wait_for_timeout(300)
    page.screenshot(path=SCREENSHOTS / f"actions-{size}-{theme}-1-empty.png")
    assert page.evaluate(CONTRAST_JS) == []
    person.open_example("Tour")
    wait_for_actions(person)
    recognize(person, LABELS)
    rows(person).first.locator(".fs-play").click()
    page.wait_for_timeout(700)
    page.screenshot(path=SCREENSHOTS / f"actions-{size}-{theme}-2-found.png")
    assert page.evaluate(CONTRAST_JS) == []
    page.evaluate("document.querySelector('#actions-quality').scrollIntoView()")
    if page.is_visible("#actions-quality summary"):
        page.click("#actions-quality summary")
    page.wait_for_timeout(300)
    page.screenshot(path=SCREENSHOTS / f"actions-{size}-{theme}-3-quality.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
