"""While work runs: first results early, progress, and a Cancel that means it."""

import time
from pathlib import Path

import pytest

from tests.ui.conftest import NewPerson
from tests.ui.person import Person, eventually

STOPPED_WITHIN_S = 0.5
FIRST_CARDS_WITHIN_S = 2.0


@pytest.fixture
def busy(new_person: NewPerson, long_video: Path) -> Person:
    """Somebody whose long video is being read. Each run looks at other frames than the last."""
    person = new_person()
    person.open(long_video)
    person.page.click("button:has-text('Options')")
    busy_fps.append(busy_fps[-1] + 0.5)
    slider = person.page.locator("input[aria-label*='Frames looked at']").first
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
    assert time.monotonic() - started < FIRST_CARDS_WITHIN_S
    width = "parseFloat(document.querySelector('.fs-line i').style.width)"
    early = page.evaluate(width)
    eventually(lambda: page.evaluate(width) > early, within_s=10)
    first = page.locator("#summarize-cards [data-t]").first
    first.evaluate("card => window.kept = card")
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
    assert min(took_s) < STOPPED_WITHIN_S
    kept = page.locator("#summarize-cards [data-t]").count()
    assert kept >= 1
    other = new_person()
    other.open(video)  # there is one slot: it must be free
    other.summarize()
    assert "Stopped" in busy.status
    assert page.locator("#summarize-cards [data-t]").count() == kept
    page.wait_for_selector("#summarize-downloads [data-kind=json]")


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
