"""Looking through proposed events in a browser: what is changed there is in the file at once."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator

from models.annotations import (
    Annotations,
    MarkedEvent,
    MarkedVideo,
    read_annotations,
    write_annotations,
)
from tests.ui.conftest import ROOT, SCREENSHOTS, _wait_for
from tests.ui.person import Person, eventually
from tests.unit.trigger_video_toys import write_video

PROPOSED = [
    MarkedEvent("a fight", start, start + 1.0, start + 0.5, "query", "proposed", 0.8)
    for start in (1.0, 3.0)
]


@dataclass(frozen=True)
class Desk:
    """Somebody in front of the page, and the file that it saves to."""

    person: Person
    file: Path

    def saved(self, video: str = "one.mp4") -> tuple[MarkedEvent, ...]:
        return read_annotations(self.file).video(video).events

    def marks(self) -> Locator:
        return self.person.page.locator(".fs-mark")

    def soon(self, holds: Callable[[], bool]) -> None:
        eventually(holds, lambda: self.file.read_text(), within_s=8)


@pytest.fixture
def desk(tmp_path: Path, browser: Browser) -> Iterator[Desk]:
    for number, name in enumerate(("one.mp4", "two.mp4")):
        write_video(tmp_path / "videos" / name, (), number)
    file = write_annotations(
        tmp_path / "annotations.json", Annotations((MarkedVideo("one.mp4", tuple(PROPOSED)),))
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "FRAMESCRY_DATA_DIR": str(tmp_path / "data")}
    environment.pop("GRADIO_TEMP_DIR", None)
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "app.annotate", str(file), "--videos",
               str(tmp_path / "videos"), "--port", str(port)]  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait_for(url, process, log)
        page = browser.new_page(viewport={"width": 1360, "height": 860})
        person = Person(page, url)
        page.goto(url)
        person.wait_for_video("one.mp4")
        page.wait_for_selector(".fs-mark")
        yield Desk(person, file)
        page.close()
        assert not person.complaints
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_events_are_accepted_moved_added_and_taken_back(desk: Desk) -> None:
    page = desk.person.page
    assert desk.marks().count() == 2
    assert "2 in all videos to look through" in page.inner_text(".fs-marks-said")
    # By pressing: the first one is accepted.
    desk.marks().first.locator("button:has-text('Accept')").click()
    desk.soon(lambda: desk.saved()[0].review == "accepted")
    assert desk.saved()[1].review == "proposed"
    # By keys: the second one is chosen, starts where the player stands, and is so accepted.
    page.locator(".fs-marks-said").click()
    page.keyboard.press("n")
    page.wait_for_selector(".fs-mark.is-chosen >> nth=0")
    desk.person.is_at(3.0)
    page.evaluate("window.framescry.seek(2.5, false)")
    desk.person.is_at(2.5)
    page.keyboard.press("[")
    desk.soon(lambda: desk.saved()[1].start_s == pytest.approx(2.5, abs=0.02))
    moved = desk.saved()[1]
    assert (moved.review, moved.source, moved.end_s) == ("accepted", "hand", 4.0)
    assert moved.probability == 0.8
    # By typing an end, and another label.
    end = desk.marks().nth(1).locator(".fs-mark-end")
    end.fill("4.5")
    end.press("Enter")
    desk.soon(lambda: desk.saved()[1].end_s == 4.5)
    page.locator(".fs-marks-said").click()
    page.keyboard.press("x")
    desk.soon(lambda: desk.saved()[1].review == "rejected")
    page.keyboard.press("u")
    desk.soon(lambda: desk.saved()[1].review == "accepted")
    # One is added at the player's time.
    page.evaluate("window.framescry.seek(5, false)")
    desk.person.is_at(5.0)
    page.fill(".fs-marks-add input", "a fall")
    page.click(".fs-marks-add button:has-text('Add')")
    desk.soon(lambda: len(desk.saved()) == 3)
    added = desk.saved()[2]
    assert (added.label, added.review) == ("a fall", "accepted")
    assert added.start_s == pytest.approx(5.0, abs=0.02)
    page.wait_for_function("() => document.querySelectorAll('#timeline .fs-track').length === 2")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "annotating.png")
    assert "0 in all videos to look through" in page.inner_text(".fs-marks-said")


def test_an_event_that_would_end_before_it_starts_costs_a_sentence(desk: Desk) -> None:
    before = desk.file.read_text()
    start = desk.marks().first.locator(".fs-mark-start")
    start.fill("5")
    start.press("Enter")
    desk.person.page.wait_for_selector("#annotating-note:has-text('ends after it starts')")
    assert desk.file.read_text() == before
    desk.person.page.click("#annotated-video input")
    desk.person.page.click("[role=option]:has-text('two.mp4')")
    desk.person.wait_for_video("two.mp4")
    assert desk.marks().count() == 0
