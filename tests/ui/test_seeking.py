"""Everything that stands for a moment moves the one player there."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator

from tests.ui.conftest import NewPerson
from tests.ui.person import Person, eventually

PLAYING_S = 0.3


def moment(thing: Locator) -> float:
    time_s = thing.get_attribute("data-t")
    assert time_s is not None
    return float(time_s)


@pytest.fixture
def viewer(person: Person, video: Path) -> Person:
    person.open(video)
    person.summarize()
    return person


def test_card_pin_row_and_timeline_seek(viewer: Person) -> None:
    page = viewer.page
    cards, pins = page.locator("#summarize-cards [data-t]"), page.locator("#timeline [data-t]")
    rows = page.locator("#summarize-shots [data-t]")
    assert cards.count() == pins.count() >= 1
    assert rows.count() >= 2
    for thing in (cards.last, rows.nth(1), pins.first, cards.first, rows.first):
        thing.click()
        viewer.is_at(moment(thing))
        assert not viewer.paused
        assert viewer.sees_player()
    lanes = page.locator(".fs-scrub").bounding_box()
    length_s = page.evaluate("document.querySelector('#player video').duration")
    assert lanes is not None
    page.mouse.click(lanes["x"] + 0.75 * lanes["width"], lanes["y"] + lanes["height"] / 2)
    viewer.is_at(0.75 * length_s)


def test_dragging_over_the_timeline(viewer: Person) -> None:
    page = viewer.page
    page.keyboard.press(" ")
    page.keyboard.press(" ")
    lanes = page.locator(".fs-scrub").bounding_box()
    length_s = page.evaluate("document.querySelector('#player video').duration")
    assert lanes is not None
    middle = lanes["y"] + lanes["height"] / 2
    page.mouse.move(lanes["x"] + 0.1 * lanes["width"], middle)
    assert page.locator(".fs-bubble").is_visible()
    page.mouse.down()
    for share in (0.2, 0.35, 0.5):
        page.mouse.move(lanes["x"] + share * lanes["width"], middle)
    page.mouse.up()
    viewer.is_at(0.5 * length_s)


def test_keys(viewer: Person) -> None:
    page = viewer.page
    card = page.locator("#summarize-cards [data-t]").last
    card.focus()
    page.keyboard.press("Enter")
    viewer.is_at(moment(card))
    eventually(lambda: not viewer.paused)
    page.keyboard.press(" ")
    eventually(lambda: viewer.paused)
    page.locator(".fs-scrub").focus()
    page.keyboard.press("Home")
    eventually(lambda: viewer.now_s < 0.05, lambda: viewer.now_s)
    frame_s = page.evaluate("1 / window.framescry.fps")
    for frames in (1, 2):
        page.keyboard.press("ArrowRight")
        eventually(
            lambda now=(frames + 0.5) * frame_s: abs(viewer.now_s - now) < frame_s / 2,
            lambda: viewer.now_s,
        )
    page.keyboard.press("ArrowLeft")
    eventually(lambda: abs(viewer.now_s - 1.5 * frame_s) < frame_s / 2, lambda: viewer.now_s)
    page.keyboard.press("l")
    end_s = page.evaluate("document.querySelector('#player video').duration")
    eventually(lambda: viewer.now_s > min(9.9, end_s - 0.5), lambda: viewer.now_s)
    page.keyboard.press("j")
    eventually(lambda: viewer.now_s < 0.5, lambda: viewer.now_s)
    page.click("#link")
    page.keyboard.type("l l j")
    assert page.input_value("#link input") == "l l j", "keys typed into a field stay there"
    assert viewer.now_s < 0.5


def test_pins_say_what_they_are(viewer: Person) -> None:
    pin = viewer.page.locator("#timeline [data-t]").first
    assert (pin.get_attribute("aria-label") or "").startswith("Play from 0:")
    pin.focus()
    picture = viewer.page.locator(".fs-bubble img")
    assert picture.is_visible()
    assert picture.evaluate("image => image.naturalWidth") > 50
    assert viewer.page.locator(".fs-bubble span").inner_text().startswith("0:")


def test_playing_moves_the_playhead(viewer: Person) -> None:
    page = viewer.page
    left = "parseFloat(document.querySelector('.fs-head').style.left)"
    page.locator(".fs-scrub").focus()
    page.keyboard.press("Home")
    eventually(lambda: page.evaluate(left) < 0.1)
    page.keyboard.press(" ")
    eventually(lambda: page.evaluate(left) > 3)
    assert page.locator("#summarize-cards .is-now, #summarize-shots .is-now").count() >= 1


def test_phone_keeps_the_player_in_sight(new_person: NewPerson, video: Path) -> None:
    viewer = new_person(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    viewer.open(video)
    viewer.summarize()
    row = viewer.page.locator("#summarize-shots [data-t]").nth(1)
    row.scroll_into_view_if_needed()
    assert viewer.page.evaluate("scrollY") > 200
    assert viewer.sees_player()
    row.tap()
    viewer.is_at(moment(row))
    assert viewer.page.evaluate("document.documentElement.scrollWidth") <= 390
