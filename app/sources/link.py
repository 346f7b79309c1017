"""A pasted link -> a file on this machine. The download itself runs in a child process."""

import json
import logging
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from app.progress import Progress, Report, Stop, check_stop
from app.scratch import Scratch
from app.settings import Settings
from app.sources.addresses import WEB_PORTS, is_public, literal_address
from app.sources.checks import spoken_length
from app.sources.names import display_name
from models.errors import LinkError

YOUTUBE_HOSTS = {
    *("youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"),
    *("youtu.be", "www.youtube-nocookie.com"),
}
STALL_S = 60.0
TIMEOUT_S = 1800.0
POLL_S = 0.1
_log = logging.getLogger(__name__)

_LONGEST_URL = 2048
_LONGEST_LINE = 65536
_ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")

_UPLOAD = "download the video yourself and upload the file instead"
REASONS = {
    "invalid": "This is not a link to a video; paste a full address that starts with https://.",
    "not_youtube": f"Only YouTube links can be opened here; {_UPLOAD}.",
    "blocked": "This link leads to an address that may not be opened from here; "
    "paste a public link or upload the file instead.",
    "unsupported": f"No video could be found at this link; {_UPLOAD}.",
    "list": "This link is a list; paste the link of one video in it.",
    "bot_check": f"The site asks this server to sign in before it gives the video; {_UPLOAD}.",
    "unavailable": "This video is private, removed or not available here; "
    "check the link or upload the file instead.",
    "live": "This is a live stream or a premiere; try again once it has ended.",
    "age": f"This video is age-restricted and cannot be fetched; {_UPLOAD}.",
    "no_format": f"The site offers this video in no form that can be fetched; {_UPLOAD}.",
    "too_long": "This video is longer than {length}, the most that is fetched by link; "
    "cut it and upload the file instead.",
    "too_large": "This video has more than {megabytes:,} MB, the most that is fetched by link; "
    "upload a smaller copy instead.",
    "busy": "The site is refusing requests from this server for now; "
    "try again later or upload the file instead.",
    "network": "The site could not be reached from here; "
    "check the connection or upload the file instead.",
    "slow": f"The download stopped making progress; try again later, or {_UPLOAD}.",
    "disk": "There is no room left here to keep this video; try again later or a smaller one.",
    "nothing": f"The site gave no video for this link; {_UPLOAD}.",
    "other": f"The video could not be fetched from this link; check it, or {_UPLOAD}.",
}


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A fetched video in a private folder that goes when this is closed: adopt the file first."""

    path: Path
    title: str
    url: str
    megabytes: float
    seconds: float
    _scratch: Scratch = field(repr=False, compare=False)

    def __enter__(self) -> "DownloadedFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scratch.remove()


def fetch_link(url: str, settings: Settings, report: Report, stop: Stop) -> DownloadedFile:
    """Fetches the video behind a link.

    Raises:
        LinkError: in the words to show.
        CancelledError: `stop` turned true; the child is gone by then.
    """
    link = check_link(url, settings)
    check_stop(stop)
    report(Progress("Asking the site for the video"))
    scratch = Scratch(settings.data_dir / "downloads")
    try:
        answer = _run_worker(link, settings, scratch.path, report, stop)
        path = scratch.path / Path(answer["picture"]).name
        if answer.get("sound"):
            path = _with_sound(path, scratch.path / Path(answer["sound"]).name, report, stop)
        path.chmod(0o600)
        return DownloadedFile(
            path=path,
            title=display_name(str(answer.get("title") or "")),
            url=_shown_url(answer.get("url"), link),
            megabytes=path.stat().st_size / 1e6,
            seconds=float(answer.get("seconds") or 0.0),
            _scratch=scratch,
        )
    except BaseException:
        scratch.remove()
        raise


def check_link(url: str, settings: Settings) -> str:
    """The link, if its form alone allows it; where it leads is checked at every connection."""
    text = url.strip()
    if "://" not in text and re.match(r"[\w-]+(\.[\w-]+)+(/|$)", text):
        text = f"https://{text}"
    if len(text) > _LONGEST_URL or re.search(r"[\s\\\x00-\x1f\x7f]", text):
        raise _reason("invalid", settings)
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise _reason("invalid", settings) from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise _reason("invalid", settings)
    if not settings.any_site and (host not in YOUTUBE_HOSTS or port not in (None, *WEB_PORTS)):
        raise _reason("not_youtube", settings)
    if not settings.allow_private_addresses:
        literal = literal_address(host)
        if (
            port not in (None, *WEB_PORTS)
            or (literal is not None and not is_public(literal))
            or host.rstrip(".").endswith(("localhost", ".local", ".internal"))
        ):
            raise _reason("blocked", settings)
    return text


def _reason(kind: str, settings: Settings) -> LinkError:
    text = REASONS.get(kind, REASONS["other"])
    length = spoken_length(min(settings.max_download_s, settings.max_duration_s))
    return LinkError(text.format(length=length, megabytes=settings.max_download_mb))


def _shown_url(found: object, link: str) -> str:
    """The site's own address of the video, if it is one."""
    if isinstance(found, str) and len(found) <= _LONGEST_URL and found.isprintable():
        parts = urlsplit(found)
        if parts.scheme in ("http", "https") and parts.netloc and "@" not in parts.netloc:
            return found
    return link


def _run_worker(
    link: str, settings: Settings, folder: Path, report: Report, stop: Stop
) -> dict[str, Any]:
    request = {
        "url": link,
        "max_bytes": settings.max_download_mb * 1_000_000,
        "max_duration_s": min(settings.max_download_s, settings.max_duration_s),
        "any_site": settings.any_site,
        "allow_private_addresses": settings.allow_private_addresses,
    }
    started = heard = time.monotonic()
    with _worker(request, folder) as messages:
        while True:
            check_stop(stop)
            now = time.monotonic()
            if now - heard > STALL_S or now - started > TIMEOUT_S:
                raise _reason("slow", settings)
            try:
                message = messages.get(timeout=POLL_S)
            except queue.Empty:
                continue
            heard = now
            if message is None:
                raise _reason("other", settings)
            if message["event"] == "done":
                return message
            if message["event"] == "error":
                _log.warning("link not fetched, %s: %r", message["kind"], message.get("detail"))
                raise _reason(message["kind"], settings)
            report(_progress(message))


def worker_command() -> list[str]:
    return [sys.executable, "-P", "-m", "app.sources.link_worker"]


@contextmanager
def _worker(
    request: dict[str, Any], folder: Path
) -> "Iterator[queue.SimpleQueue[dict[str, Any] | None]]":
    """The child's messages, None at their end. Leaving kills it and whatever it has started."""
    child = subprocess.Popen(
        worker_command(),
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(child, messages), daemon=True)
    reader.start()
    try:
        if child.stdin is not None:
            try:
                # Left open: its end tells the child that this process is gone.
                child.stdin.write(json.dumps(request).encode() + b"\n")
                child.stdin.flush()
            except BrokenPipeError:
                messages.put(None)  # it died at once; the reader says the same
        yield messages
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            child.poll()
        child.wait()
        reader.join(timeout=1.0)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _read(
    child: "subprocess.Popen[bytes]", messages: "queue.SimpleQueue[dict[str, Any] | None]"
) -> None:
    if child.stdout is not None:
        while line := child.stdout.readline(_LONGEST_LINE):
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and message.get("event") in ("progress", "done", "error"):
                messages.put(message)
    messages.put(None)


def _environment(folder: Path) -> dict[str, str]:
    """Only what the child needs: no secret of this process reaches code that reads the web."""
    programs = [sysconfig.get_path("scripts")]
    if deno := shutil.which("deno"):
        programs.append(str(Path(deno).parent))
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "DENO_DIR": str(folder / "deno"),
        "DENO_NO_UPDATE_CHECK": "1",
        "YTDLP_NO_PLUGINS": "1",
    }


def _progress(message: dict[str, Any]) -> Progress:
    done, total, speed = (message.get(key) or 0 for key in ("done", "total", "bytes_per_s"))
    note = f"{done / 1e6:.1f} MB" + (f" of {total / 1e6:.1f} MB" if total else "")
    if speed:
        note += f", {speed / 1e6:.1f} MB/s"
    return Progress("Downloading", min(1.0, done / total) if total else None, note)


def _with_sound(picture: Path, sound: Path, report: Report, stop: Stop) -> Path:
    from models.video.merge import merge

    report(Progress("Joining picture and sound"))
    joined = picture.with_name("joined.mp4")
    merge(picture, sound, joined, stop=stop)
    return joined
