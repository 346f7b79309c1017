"""The real application in its own process, and a real browser to press its buttons."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium
from tests.real_media import SHARED, gradio_media
from tests.ui.long_video import repeated
from tests.ui.person import Person

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / ".cache" / "screenshots"
START_S = 60.0


@dataclass(frozen=True)
class Server:
    url: str
    data_dir: Path
    log: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as started:
        yield started


@contextmanager
def serving(data_dir: Path, **more: str) -> Iterator[Server]:
    """One slot for work, so that a slot that is not given back is noticed. `more`: environment."""
    log = data_dir.with_suffix(".log")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "FRAMESCRY_DATA_DIR": str(data_dir),
        "FRAMESCRY_PORT": str(port),
        "FRAMESCRY_CONCURRENCY": "1",
        **more,
    }
    environment.pop("GRADIO_TEMP_DIR", None)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait_for(url, process, log)
        yield Server(url, data_dir, log)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"no page after {START_S} s:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=chromium.FLAGS)
        yield running
        running.close()


NewPerson = Callable[..., Person]


@pytest.fixture
def new_person(server: Server, browser: Browser) -> Iterator[NewPerson]:
    with people_of(server, browser) as arrive:
        yield arrive


@contextmanager
def people_of(server: Server, browser: Browser) -> Iterator[NewPerson]:
    """Somebody with a browser of their own; what their console said is checked at the end."""
    people: list[Person] = []

    def arrive(query: str = "", **options: object) -> Person:
        context = browser.new_context(**{"viewport": {"width": 1360, "height": 860}, **options})
        person = Person(context.new_page(), server.url)
        people.append(person)
        person.visit(query)
        return person

    yield arrive
    for person in people:
        person.page.context.close()
    for person in people:
        assert not person.complaints


@pytest.fixture
def person(new_person: NewPerson) -> Person:
    return new_person()


@pytest.fixture
def page(person: Person) -> Page:
    return person.page


@pytest.fixture(scope="session")
def video() -> Path:
    """A short real video with cuts where there is one, else one that is always installed."""
    shared = SHARED / "scene_cuts.mp4"
    return shared if shared.is_file() else gradio_media("b.mp4")


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    return repeated(gradio_media("world.mp4"), folder / "twenty minutes.mp4", 40)
