"""Downloads in real child processes, from a server on this machine only."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from app.progress import Progress, ignore_progress, never_stop
from app.settings import Settings
from app.sources import link
from app.sources.link import fetch_link
from app.sources.store import MediaStore
from models.errors import CancelledError, LinkError
from models.video.probe import probe
from tests.unit.clips import write_clip, write_sound

OUTSIDE = Path(__file__).with_name("link_worker_outside.py")
PAGE = (
    b"<html><head><title>A <b>page</b></title></head><body><video src='/film.mp4'></video></body>"
)


class Site(ThreadingHTTPServer):
    """Remembers which paths were asked for."""

    daemon_threads = True

    def __init__(self, film: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.film = film
        self.asked: list[str] = []
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path.startswith("/film"):
            self._send("video/mp4", self.server.film)
        elif self.path == "/page":
            self._send("text/html", PAGE)
        elif self.path == "/text":
            self._send("text/html", b"<html><body>nothing to see</body></html>")
        elif self.path == "/large":
            self._send("video/mp4", self.server.film, length=5_000_000)
        elif self.path == "/slow.mp4":
            self._drip(0.05, 1000)
        elif self.path == "/stuck.mp4":
            self._drip(60.0, 1000)
        elif self.path == "/endless.mp4":
            self._drip(0.0, 200_000)
        else:
            self.send_error(404)

    def _send(self, kind: str, body: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _drip(self, pause_s: float, piece: int) -> None:
        """Bytes without an announced end."""
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        try:
            self.wfile.write(self.server.film)
            while self.command == "GET" and not self.server.closing.wait(pause_s):
                self.wfile.write(bytes(piece))
        except OSError:
            self.close_connection = True  # the reader has left


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = Site(write_clip(tmp_path / "film.mp4").read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def inside(tmp_path: Path) -> Settings:
    """As it must not run in public: any site, addresses of this machine included."""
    return Settings(
        data_dir=tmp_path / "data",
        any_site=True,
        allow_private_addresses=True,
        max_download_mb=1,
    )


@pytest.fixture
def outside(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], link.DownloadedFile]:
    """Fetches with the guard on, from an internet whose every address is the local server."""
    command = [sys.executable, "-P", str(OUTSIDE), str(site.server_port)]
    monkeypatch.setattr(link, "worker_command", lambda: command)
    settings = Settings(data_dir=tmp_path / "data", any_site=True)
    return lambda url: fetch_link(url, settings, ignore_progress, never_stop)


def leftovers(settings: Settings) -> list[Path]:
    return list((settings.data_dir / "downloads").glob(".work-*"))


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.mark.parametrize("path", ["/film.mp4", "/page", "/to//film.mp4"])
def test_a_video_is_fetched_and_kept(site: Site, inside: Settings, path: str) -> None:
    seen: list[Progress] = []
    with fetch_link(site.address + path, inside, seen.append, never_stop) as file:
        assert file.path.read_bytes() == site.film
        assert file.path.stat().st_mode & 0o777 == 0o600
        assert file.path.parent.stat().st_mode & 0o777 == 0o700
        assert file.megabytes == pytest.approx(len(site.film) / 1e6)
        assert file.url.startswith(site.address)
        assert file.seconds >= 0.0
        stored = MediaStore(inside).adopt(
            file.path,
            name=file.title,
            report=ignore_progress,
            stop=never_stop,
            source_url=file.url,
        )
    assert stored.info.path.read_bytes() == site.film
    assert stored.info.path.suffix == ".mp4"
    assert seen[0].stage == "Asking the site for the video"
    assert "Downloading" in {progress.stage for progress in seen}
    assert leftovers(inside) == [] and children() == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/missing.mp4", "private, removed or not available"),
        ("/text", "No video could be found"),
        ("/large", "more than 1 MB"),
        ("/endless.mp4", "more than 1 MB"),
        ("/to/ftp://example.org/film.mp4", "."),
        ("/to/file:///etc/passwd", "."),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(
    site: Site, inside: Settings, path: str, words: str
) -> None:
    with pytest.raises(LinkError, match=words) as caught:
        fetch_link(site.address + path, inside, ignore_progress, never_stop)
    assert str(caught.value).count(".") == 1
    assert leftovers(inside) == [] and children() == []


def test_a_server_that_is_not_there_cannot_be_reached(site: Site, inside: Settings) -> None:
    closed = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    closed.server_close()
    with pytest.raises(LinkError, match="could not be reached"):
        fetch_link(
            f"http://127.0.0.1:{closed.server_port}/a.mp4", inside, ignore_progress, never_stop
        )


def test_a_video_outside_is_fetched_also_after_a_redirect(
    site: Site, outside: Callable[[str], link.DownloadedFile]
) -> None:
    with outside("http://www.outside.test/to/http://cdn.outside.test/film.mp4") as file:
        assert file.path.read_bytes() == site.film


@pytest.mark.parametrize(
    "url",
    [
        "http://inside.test/film.mp4",
        "http://metadata.test/film.mp4",
        "http://www.outside.test/to/http://127.0.0.1/film.mp4",
        "http://www.outside.test/to/http://2130706433/film.mp4",
        "http://www.outside.test/to/http://localhost/film.mp4",
        "http://www.outside.test/to/http://inside.test/film.mp4",
        "http://www.outside.test/to/http://metadata.test/film.mp4",
        "http://www.outside.test/to/http://cdn.outside.test:6379/film.mp4",
    ],
)
def test_no_way_leads_inside(
    site: Site, outside: Callable[[str], link.DownloadedFile], url: str
) -> None:
    with pytest.raises(LinkError, match="may not be opened"):
        outside(url)
    assert "/film.mp4" not in site.asked


def test_an_address_that_is_only_written_another_way_is_not_reached(
    site: Site, outside: Callable[[str], link.DownloadedFile]
) -> None:
    with pytest.raises(LinkError):
        outside("http://www.outside.test/to/http://[::ffff:127.0.0.1]/film.mp4")
    assert "/film.mp4" not in site.asked


def test_other_sites_need_the_setting(site: Site, inside: Settings) -> None:
    with pytest.raises(LinkError, match="Only YouTube"):
        fetch_link(
            site.address + "/film.mp4",
            replace(inside, any_site=False),
            ignore_progress,
            never_stop,
        )
    assert site.asked == []


def test_the_child_opens_nothing_but_youtube_by_itself(site: Site, inside: Settings) -> None:
    """Should a link slip through the check of its form."""
    with pytest.raises(LinkError, match="No video could be found"):
        link._run_worker(
            site.address + "/film.mp4",
            replace(inside, any_site=False),
            inside.data_dir.parent,
            ignore_progress,
            never_stop,
        )
    assert site.asked == []


@pytest.mark.parametrize("path", ["/slow.mp4", "/stuck.mp4"])
def test_cancel_takes_less_than_half_a_second(site: Site, inside: Settings, path: str) -> None:
    asked_s: list[float] = []

    def stop() -> bool:
        if path in site.asked and not asked_s:
            asked_s.append(time.monotonic())
        return bool(asked_s)

    with pytest.raises(CancelledError):
        fetch_link(site.address + path, inside, ignore_progress, stop)
    assert time.monotonic() - asked_s[0] < 0.5
    assert leftovers(inside) == [] and children() == []


def test_a_download_that_stands_still_is_given_up(
    site: Site, inside: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "STALL_S", 3.0)
    with pytest.raises(LinkError, match="stopped making progress"):
        fetch_link(site.address + "/stuck.mp4", inside, ignore_progress, never_stop)
    assert leftovers(inside) == [] and children() == []


def test_what_the_child_has_started_goes_with_it(
    inside: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the JavaScript engine that yt-dlp runs for some sites."""
    code = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    monkeypatch.setattr(link, "worker_command", lambda: [sys.executable, "-c", code])
    monkeypatch.setattr(link, "_environment", lambda _: {"PATH": "/usr/bin:/bin"})
    seen: list[psutil.Process] = []

    def stop() -> bool:
        seen[:] = children()
        return len(seen) >= 2

    with pytest.raises(CancelledError):
        fetch_link("https://example.org/a", inside, ignore_progress, stop)
    assert len(seen) >= 2
    psutil.wait_procs(seen, timeout=2.0)
    assert not [process for process in seen if process.is_running()]


def test_picture_and_sound_that_come_apart_are_joined(
    tmp_path: Path, inside: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = write_clip(tmp_path / "film.mp4")
    sound = write_sound(tmp_path / "sound.m4a")
    answer = {"event": "done", "picture": "picture.mp4", "sound": "sound.m4a", "title": "AC/DC"}
    code = (
        "import shutil, sys; shutil.copy(sys.argv[1], 'picture.mp4');"
        "shutil.copy(sys.argv[2], 'sound.m4a'); print(sys.argv[3], flush=True)"
    )
    arguments = [str(picture), str(sound), json.dumps(answer)]
    monkeypatch.setattr(link, "worker_command", lambda: [sys.executable, "-c", code, *arguments])
    url = "https://example.org/a"
    with fetch_link(url, inside, ignore_progress, never_stop) as file:
        info = probe(file.path)
        assert info.has_audio and info.duration_s == pytest.approx(1.0)
        assert (file.title, file.url) == ("AC-DC", url)


def test_a_child_that_dies_is_a_sentence(inside: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "worker_command", lambda: [sys.executable, "-c", "raise SystemExit"])
    with pytest.raises(LinkError, match="could not be fetched"):
        fetch_link("https://example.org/a", inside, ignore_progress, never_stop)
    assert leftovers(inside) == []


def test_a_killed_parent_takes_the_download_with_it(site: Site, inside: Settings) -> None:
    code = (
        "import sys, pathlib\n"
        "from app.progress import ignore_progress, never_stop\n"
        "from app.settings import Settings\n"
        "from app.sources.link import fetch_link\n"
        "fetch_link(sys.argv[1], Settings(data_dir=pathlib.Path(sys.argv[2]), any_site=True,"
        " allow_private_addresses=True), ignore_progress, never_stop)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, site.address + "/stuck.mp4", str(inside.data_dir)]
    )
    try:
        give_up = time.monotonic() + 30.0
        while "/stuck.mp4" not in site.asked and time.monotonic() < give_up:
            time.sleep(0.05)
        workers = psutil.Process(parent.pid).children(recursive=True)
    finally:
        parent.kill()
        parent.wait()
    assert workers
    psutil.wait_procs(workers, timeout=2.0)
    assert not [worker for worker in workers if worker.is_running()]
    assert len(leftovers(inside)) == 1
    with fetch_link(site.address + "/film.mp4", inside, ignore_progress, never_stop):
        assert len(leftovers(inside)) == 1  # its own; the other one is swept
    assert leftovers(inside) == []
