"""While work runs: first results early, progress, and a Cancel that means it."""

import os
import time
from pathlib import Path

import pytest

from tests.real_media import gradio_media
from tests.ui.conftest import NewPerson
from tests.ui.person import Person, eventually

# On a machine that does nothing else; where programs wait for the processor, so does the page.
STOPPED_WITHIN_S = 0.5
FIRST_CARDS_WITHIN_S = 2.0


def patience() -> float:
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture
def busy(new_person: NewPerson, long_video: Path) -> Person:
    """Somebody whose long video is being read. Each run looks at other frames than the last."""
    person = new_person()
    person.open(long_video)
    person.page.click("button:has-text('Options')")
    busy_fps.append(busy_fps[-1] + 0.5)
    slider = person.page.locator("input[aria-label*='Frames a second']").first
    slider.fill(str(busy_fps[-1]))
    slider.press("Enter")
    return person


busy_fps = [3.0]


def test_first_results_come_early_and_are_refined(busy: Person) -> None:
    page = busy.page
    page.click("#run-summarize")
    started = time.monotonic()
    assert page.is_visible("#cancel"), "at once, before the server has answered"
    page.wait_for_selector("#summarize-cards [data-t]")
    assert time.monotonic() - started < FIRST_CARDS_WITHIN_S * patience()
    filled = "new DOMMatrix(document.querySelector('.fs-line i').style.transform).a"
    early = page.evaluate(filled)
    assert 0 <= early < 1
    eventually(lambda: page.evaluate(filled) > early, within_s=10)
    page.click("#cancel")
    busy.wait_for_state("stopped")


def test_cancel_stops_keeps_and_frees(busy: Person, new_person: NewPerson, video: Path) -> None:
    page = busy.page
    took_s = []
    for _ in range(3):  # other programs may hold the processor for a moment
        page.click("#run-summarize")
        page.wait_for_selector("#summarize-cards [data-t]")
        page.wait_for_timeout(300)
        page.click("#cancel")
        pressed = time.monotonic()
        busy.wait_for_state("stopped")
        took_s.append(time.monotonic() - pressed)
        assert not page.is_visible("#cancel")
        page.wait_for_timeout(1000)
    assert min(took_s) < STOPPED_WITHIN_S * patience()
    kept = page.locator("#summarize-cards [data-t]").count()
    assert kept >= 1
    other = new_person()
    other.open(video)  # there is one slot: it must be free
    other.summarize()
    assert "Stopped" in busy.status
    assert page.locator("#summarize-cards [data-t]").count() == kept
    page.wait_for_selector("#summarize-downloads [data-kind=json]")


def test_another_video_takes_over(busy: Person) -> None:
    page = busy.page
    page.click("#run-summarize")
    page.wait_for_selector("#summarize-cards [data-t]")
    page.locator("#examples button").last.click()
    page.wait_for_function("document.querySelector('#player video').duration < 60")
    busy.wait_until_done()
    page.wait_for_timeout(500)
    length_s = page.evaluate("document.querySelector('#player video').duration")
    times = page.locator("[data-t]").evaluate_all("all => all.map(one => +one.dataset.t)")
    assert times
    assert max(times) < length_s


def test_opening_can_be_cancelled(person: Person, long_video: Path) -> None:
    page = person.page
    # Opening takes a tenth of a second, so the press waits for the button in the page itself. One
    # that comes before the server has begun is lost; then the video is opened, and asked for again.
    for _ in range(5):
        page.evaluate(
            """() => { const press = setInterval(() => {
                const cancel = document.querySelector('#cancel');
                if (!cancel.offsetParent) return;
                clearInterval(press); cancel.click() }, 5) }"""
        )
        person.upload(long_video)
        page.wait_for_timeout(2500)
        if page.get_attribute(".fs-status", "data-state") == "stopped":
            break
    person.wait_for_state("stopped")
    page.wait_for_selector("#source input[type=file]", state="attached")
    # Gradio drops what is asked in the moment in which it ends the last request; people are slower.
    page.wait_for_timeout(1500)
    person.open(gradio_media("b.mp4"))


def test_closing_the_page_frees_the_slot(busy: Person, new_person: NewPerson, video: Path) -> None:
    busy.page.click("#run-summarize")
    busy.page.wait_for_selector("#summarize-cards [data-t]")
    busy.page.close()
    other = new_person()
    other.open(video)
    other.summarize()


def test_waiting_for_a_place_is_said(busy: Person, new_person: NewPerson, video: Path) -> None:
    other = new_person()
    other.open(video)
    busy.page.click("#run-summarize")
    busy.page.wait_for_selector("#summarize-cards [data-t]")
    other.page.click("#run-summarize")
    other.page.wait_for_function(
        "document.querySelector('.fs-status').textContent.includes('Waiting for a free place')"
    )
    other.page.click("#cancel")
    other.wait_for_state("stopped")
    busy.page.click("#cancel")
    busy.wait_for_state("stopped")
