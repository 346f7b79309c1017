"""Finding events: cards that play, boxes, the report that is spoken, files, and what is refused."""

import json
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from models.registry import names
from tests.ui.conftest import SCREENSHOTS, NewPerson
from tests.ui.person import Person, eventually
from tests.ui.test_looks import CONTRAST_JS, SIZES

HOSTILE = '"><img src=x onerror=window.__pwned=1> ${window.__pwned=1}{{this}} lion'
WORDS = "a lion in the grass"
POSTER = Path(__file__).resolve().parents[2] / "assets" / "examples" / "tour.jpg"
SOUGHT_JS = """() => {
  const video = document.querySelector('#player video');
  video.pause();
  window.sought = {time: null, plays: false};
  video.addEventListener('seeking', () => (window.sought.time = video.currentTime), {once: true});
  video.addEventListener('playing', () => (window.sought.plays = true), {once: true});
}"""
SEED_KEYS = {"video_path", "num_frames_analyzed", "num_triggers_detected", "triggers"}
SEED_TRIGGER_KEYS = {"timestamp", "frame_index", "trigger_confidence", "analysis"}


def find(person: Person, words: str = "", *, ticked: str | None = None) -> None:
    """Looks for the words, and of what can be ticked for that alone; None leaves it as it is."""
    page = person.page
    if ticked is not None:
        for label in page.locator("#trigger-kinds label").all():
            wanted = bool(ticked) and ticked in label.inner_text()
            label.locator("input").set_checked(wanted)
    page.fill("#trigger-words input", words)
    # What was done before does not count; the work itself may be over before anybody looks.
    page.evaluate("document.querySelector('.fs-status').dataset.state = 'asked'")
    page.click("#run-triggers")
    person.wait_for_state("done")


def cards(person: Person) -> Locator:
    return person.page.locator("#triggers-events .fs-event")


def number(thing: Locator, name: str) -> float:
    value = thing.get_attribute(f"data-{name}")
    assert value is not None
    return float(value)


def goes_to(person: Person, thing: Locator, time_s: float) -> None:
    """A press moves the player there and plays; noted as it happens, as it may play on for long."""
    person.page.evaluate(SOUGHT_JS)
    thing.click()
    person.page.wait_for_function("() => window.sought.plays && window.sought.time !== null")
    assert person.page.evaluate("window.sought.time") == pytest.approx(time_s, abs=0.05)


def choose(person: Person, place: str, option: str) -> None:
    if not person.page.is_visible(f"{place} input"):
        person.page.locator(".fs-fold button:has-text('Options')").locator("visible=true").click()
    person.page.click(f"{place} input")
    person.page.click(f"[role=option]:has-text('{option}')")


@pytest.fixture
def visitor(person: Person) -> Person:
    """Somebody who has opened the tour on the Triggers tab, which looks for events by itself."""
    person.open_tab("triggers")
    assert person.page.locator(".fs-empty:visible").count() == 1
    person.open_example("Tour")
    person.wait_for_state("done")
    return person


def test_events_play_are_told_and_are_taken_along(visitor: Person) -> None:
    page = visitor.page
    find(visitor, WORDS, ticked="Change of scene")
    assert page.locator(".fs-empty:visible").count() == 0
    assert cards(visitor).count() >= 2
    assert "change of scene" in page.inner_text(".fs-said >> visible=true")
    assert page.locator("#timeline .fs-pin").count() >= 2
    assert page.locator("#timeline .fs-track").count() == 2
    card = cards(visitor).last
    start_s, end_s = number(card, "t"), number(card, "to")
    assert end_s >= start_s > 0
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    goes_to(visitor, card.locator("button"), start_s)
    assert visitor.sees_player()
    row = page.locator("#triggers-rows tbody tr").first
    goes_to(visitor, row.locator("button"), number(row, "t"))
    pin = page.locator("#timeline .fs-pin").last
    goes_to(visitor, pin, number(pin, "t"))
    hears_the_report(visitor)
    takes_files(visitor)


def test_what_is_answered_at_once_is_shown_whole(visitor: Person) -> None:
    """From the index and with what was described before, everything comes in one burst."""
    for _ in range(5):
        find(visitor, ticked="Change of scene")
        visitor.page.wait_for_timeout(300)
        assert "so far" not in visitor.page.inner_text("#triggers-events")


def hears_the_report(visitor: Person) -> None:
    page = visitor.page
    assert "seconds" in page.inner_text(".fs-report-text")
    page.click("#triggers-report button:has-text('Listen')")
    page.wait_for_function(
        "() => document.querySelector('#triggers-report audio').currentTime > 0.1"
    )
    heard_s = page.evaluate("document.querySelector('#triggers-report audio').duration")
    assert heard_s > 1
    with page.expect_download() as saving:
        page.click("#triggers-report a:has-text('WAV')")
    assert saving.value.suggested_filename.endswith(".wav")
    assert Path(saving.value.path()).read_bytes()[:4] == b"RIFF"


def takes_files(visitor: Person) -> None:
    written = json.loads(Path(visitor.download("json", "triggers").path()).read_text())
    assert set(written) >= SEED_KEYS | {"video_summary"}
    assert written["num_triggers_detected"] == len(written["triggers"]) == cards(visitor).count()
    assert all(set(event) >= SEED_TRIGGER_KEYS for event in written["triggers"])
    table = Path(visitor.download("csv", "triggers").path()).read_text()
    assert len(table.splitlines()) >= 1 + len(written["triggers"])
    assert Path(visitor.download("vtt", "triggers").path()).read_text().startswith("WEBVTT")


def test_a_hub_model_that_cannot_be_had_costs_a_sentence(visitor: Person) -> None:
    detectors = [name for name in names("object_detector") if "compact" not in name]
    if not detectors:
        pytest.skip("no detector of the hub can be chosen")
    find(visitor, "", ticked="Change of scene")
    before = cards(visitor).count()
    visitor.page.locator(".fs-fold button:has-text('Options')").locator("visible=true").click()
    chosen = visitor.page.input_value("#detector input")
    pressed = time.monotonic()
    choose(visitor, "#detector", detectors[0])
    visitor.page.wait_for_selector(f"#triggers-note .fs-note:has-text('{detectors[0]}')")
    # Two seconds where the machine does nothing else; asking the hub in vain takes 23.
    assert time.monotonic() - pressed < 12
    assert visitor.page.input_value("#detector input") == chosen
    assert cards(visitor).count() == before >= 1


def test_words_are_text_and_have_thresholds_of_their_own(visitor: Person) -> None:
    page = visitor.page
    find(visitor, HOSTILE, ticked="")
    assert HOSTILE[:20] in page.inner_text(".fs-said >> visible=true")
    assert page.evaluate("window.__pwned") is None
    assert page.locator("#results img[src=x]").count() == 0
    assert HOSTILE[:20] in page.inner_text("#triggers-command code")
    find(visitor, f"{WORDS} @ 100 %", ticked="")
    assert "Nothing here reaches the threshold" in page.inner_text(".fs-said >> visible=true")
    find(visitor, f"{WORDS} @ 2 %", ticked="")
    assert cards(visitor).count() >= 1


def test_a_frame_or_a_picture_to_look_for(visitor: Person) -> None:
    page = visitor.page
    page.click("#sample-fold > button")
    page.evaluate("window.framescry.seek(20, false)")
    page.wait_for_timeout(300)
    page.click("#sample button:has-text('Use the frame shown')")
    page.wait_for_selector("#sample p:has-text('0:20')")
    find(visitor, "", ticked="")
    card = cards(visitor).first
    assert number(card, "from") <= 21 and number(card, "to") >= 19
    assert "like 0:20" in card.inner_text().lower()
    page.set_input_files("#sample-file input[type=file]", POSTER)
    page.wait_for_selector("#sample p:has-text('Your picture')")
    find(visitor, "", ticked="")
    assert "like the example" in page.inner_text(".fs-said >> visible=true").lower()
    page.click("#sample button:has-text('Remove')")
    page.wait_for_selector("#sample button:has-text('Remove')", state="hidden")
    page.click("#run-triggers")
    page.wait_for_selector("#triggers-note .fs-note:has-text('Choose what to look for')")


def test_cancel_keeps_what_was_found_and_another_video_clears(
    new_person: NewPerson, long_video: Path, video: Path
) -> None:
    person = new_person()
    page = person.page
    person.open_tab("triggers")
    page.click("#run-triggers")
    page.wait_for_selector("#triggers-note .fs-note:has-text('Choose a video first')")
    person.open(long_video)
    page.fill("#trigger-words input", "the earth from space @ 10 %")
    page.click("#run-triggers")
    page.wait_for_selector("#triggers-events .fs-event")
    page.click("#cancel")
    person.wait_for_state("stopped")
    page.wait_for_timeout(500)
    assert cards(person).count() >= 1
    assert json.loads(Path(person.download("json", "triggers").path()).read_text())["triggers"]
    person.open(video)
    eventually(lambda: cards(person).count() == 0, lambda: cards(person).count())
    assert page.locator(".fs-empty:visible").count() == 1


@pytest.mark.parametrize(("size", "theme"), [("desktop", "light"), ("phone", "dark")])
def test_pictures(theme: str, size: str, new_person: NewPerson) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    person = new_person("?tab=triggers", viewport=SIZES[size], color_scheme=theme)
    page = person.page
    page.wait_for_selector("#run-triggers")
    page.wait_for_timeout(300)
    page.screenshot(path=SCREENSHOTS / f"{size}-{theme}-triggers-1-empty.png")
    assert page.evaluate(CONTRAST_JS) == []
    person.open_example("People")
    person.wait_for_state("done")
    find(person, "a portrait of a woman, a flag")
    page.wait_for_timeout(500)
    page.screenshot(path=SCREENSHOTS / f"{size}-{theme}-triggers-2-events.png", full_page=True)
    assert page.evaluate(CONTRAST_JS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
