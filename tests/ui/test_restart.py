"""A Space that starts again has an empty disk, and pages that were open before still ask it."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.space_process import running_space
from benchmarks.start import free_port
from tests.real_media import gradio_media
from tests.ui.conftest import ROOT
from tests.ui.person import Person, eventually

SETTINGS = {"FRAMESCRY_PRELOAD": "0"}


def test_what_was_open_before_is_missed_in_one_sentence(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    page = browser.new_context().new_page()
    person = Person(page, f"http://127.0.0.1:{port}/")
    page.set_default_timeout(60_000)  # each start reads the decoder from the disk
    with running_space(ROOT, tmp_path, sys.executable, SETTINGS, port=port) as space:
        person.visit()
        person.open(gradio_media("b.mp4"))
        person.summarize()
        (kept,) = (path.name for path in (space.data_dir / "media").glob("?" * 64))
    shutil.rmtree(space.data_dir)
    with running_space(ROOT, tmp_path, sys.executable, SETTINGS, port=port):
        # The page from before, which comes back by itself, and then has no video.
        note = page.locator("#summarize-note .fs-note")
        eventually(lambda: _pressed_and_said(page), within_s=30)
        assert note.inner_text().startswith("Choose a video")
        # Somebody follows a link to what was there.
        person.visit(f"?video={kept}")
        note = page.locator("#source-note .fs-note")
        note.wait_for()
        assert note.inner_text().strip() == (
            "That video is no longer kept here; open it again from its file or link."
        )
        eventually(
            lambda: page.locator("#recents .fs-book").count() == 0
        )  # what is gone goes there
        person.open(gradio_media("b.mp4"))
        person.summarize()
        assert page.locator("#summarize-cards [data-t]").count() > 0
    page.context.close()


def _pressed_and_said(page: Page) -> bool:
    """A press while the page finds its way back is lost, as it would be for anybody."""
    page.click("#run-summarize")
    page.wait_for_timeout(1500)
    return page.is_visible("#summarize-note .fs-note")
