"""What somebody does on the page, in the words of the page."""

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Download, Locator, Page, Request

PATIENCE_MS = 20_000
# A seek plays on, so the clock has moved a little by the time it is read.
AFTER_SEEK_S = 1.6


class Person:
    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.went_out: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._read_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._watch)

    def _read_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _watch(self, request: Request) -> None:
        over_network = urlsplit(request.url).scheme in ("http", "https", "ws", "wss")
        if over_network and not request.url.startswith(self.url):
            self.went_out.append(request.url)

    # -- doing -------------------------------------------------------------------------------------

    def visit(self, query: str = "") -> None:
        self.page.goto(self.url + query)
        self.page.wait_for_selector("#player video", state="attached")
        self.page.wait_for_selector("#source input[type=file]", state="attached")

    def upload(self, path: Path) -> None:
        self.page.set_input_files("#source input[type=file]", path)

    def open(self, path: Path) -> None:
        self.upload(path)
        self.wait_for_video(path.name)

    def summarize(self) -> None:
        self.page.click("#run-summarize")
        self.wait_until_done()

    def open_example(self, name: str) -> None:
        self.page.click(f"#examples button:has-text('{name}')")
        self.wait_for_video(f"{name.lower()}.mp4")

    def open_tab(self, name: str) -> None:
        self.page.click(f"[role=tab][data-tab-id={name}]")
        self.page.wait_for_selector(f"[role=tab][data-tab-id={name}][aria-selected=true]")

    def type_query(self, words: str) -> None:
        self.page.fill("#query input", words)

    def search(self, words: str) -> None:
        self.type_query(words)
        self.page.press("#query input", "Enter")
        self.wait_for_answer(f"'{words}'")

    def download(self, kind: str, tab: str = "summarize") -> Download:
        with self.page.expect_download() as waiting:
            self.page.click(f"#{tab}-downloads [data-kind={kind}]")
        return waiting.value

    # -- seeing ------------------------------------------------------------------------------------

    def wait_for_video(self, name: str) -> None:
        self.page.wait_for_function(
            """name => { const video = document.querySelector('#player video');
                return video?.readyState >= 1 && video.getAttribute('aria-label') === name }""",
            arg=name,
        )

    def wait_for_state(self, state: str) -> None:
        self.page.wait_for_function(
            "state => document.querySelector('.fs-status').dataset.state === state", arg=state
        )

    def wait_until_done(self) -> None:
        """Until the summary is complete and its files are there."""
        self.wait_for_state("done")
        self.page.wait_for_selector("#summarize-downloads [data-kind=plot]")

    def wait_for_answer(self, part: str) -> None:
        """Until the whole video has been searched and the answer has these words in it."""
        self.page.wait_for_function(
            """part => { const said = document.querySelector('#search-answer p')?.textContent;
                return said?.includes(part) && !said.includes('so far') }""",
            arg=part,
        )

    @property
    def answer(self) -> str:
        return self.page.inner_text("#search-answer p")

    @property
    def found(self) -> Locator:
        """The cards of the search that can be seen, the best first."""
        return self.page.locator("#search-cards .fs-card:visible, #search-below .fs-card:visible")

    @property
    def now_s(self) -> float:
        return float(self.page.evaluate("document.querySelector('#player video').currentTime"))

    @property
    def paused(self) -> bool:
        return bool(self.page.evaluate("document.querySelector('#player video').paused"))

    @property
    def status(self) -> str:
        return self.page.inner_text(".fs-status-text")

    def sees_player(self) -> bool:
        """The player and the timeline are inside the window, wherever the page is scrolled to."""
        return bool(
            self.page.evaluate(
                """() => ['#player video', '.fs-timeline'].every(name => {
                    const box = document.querySelector(name).getBoundingClientRect();
                    return box.height > 0 && box.top >= -1 && box.bottom <= innerHeight + 1 })"""
            )
        )

    def is_at(self, time_s: float) -> None:
        """The player has moved there, and maybe played on for a moment."""
        eventually(lambda: -0.05 <= self.now_s - time_s <= AFTER_SEEK_S, lambda: self.now_s)


def eventually(
    holds: Callable[[], bool], received: Callable[[], object] = lambda: "", within_s: float = 3.0
) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, received()
        time.sleep(0.02)
