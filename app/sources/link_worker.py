"""Child process of link.py: fetches one video with yt-dlp. JSON lines in and out.

stdin: one request, then nothing; its end means that the parent is gone. stdout: `progress` lines,
then one `done` or `error` line. Files are written into the current folder.
"""

import json
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from app.sources.addresses import AddressRefusedError, ConnectionGuard

YOUTUBE_EXTRACTORS = ["youtube$", "youtube:clip$", "youtube:consent$"]
HEIGHT_PX = 720
ADULT_AGE = 18
SLACK_BYTES = 1_000_000
OPEN_FILES = 256
CPU_S = 1200
DETAIL_CHARS = 500
_NOT_YET_A_VIDEO = ("is_live", "is_upcoming", "post_live")
_DIRECT = ("http", "https")


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    max_bytes: int
    max_duration_s: float
    any_site: bool
    allow_private_addresses: bool


class RejectedError(Exception):
    """A reason not to download, by its kind."""


class Fetch:
    """One download: what yt-dlp calls back, and what is said about it."""

    def __init__(self, request: Request, out: TextIO) -> None:
        self._request = request
        self._out = out
        self._finished_bytes = 0
        self._seconds = 0.0

    def say(self, **message: Any) -> None:
        print(json.dumps(message), file=self._out, flush=True)

    def run(self) -> None:
        import yt_dlp

        make_loader: Any = yt_dlp.YoutubeDL  # it has no types
        with make_loader(self._options()) as loader:
            info = loader.extract_info(self._request.url, download=True)
        if info and info.get("_type") == "playlist":
            info = next(iter(info.get("entries") or []), None)
        files = {
            Path(part["filepath"]).stem: Path(part["filepath"]).name
            for part in (info or {}).get("requested_downloads") or []
            if part.get("filepath")
        }
        if info is None or not Path(files.get("picture", "picture")).is_file():
            raise RejectedError("nothing")
        self.say(
            event="done",
            picture=files["picture"],
            sound=files.get("sound"),
            title=info.get("title"),
            url=info.get("webpage_url"),
            seconds=self._seconds,
        )

    def _options(self) -> dict[str, Any]:
        return {
            "quiet": True,
            "no_warnings": True,
            "noprogress": True,
            "color": "never",
            "noplaylist": True,
            "playlist_items": "1",
            "allowed_extractors": ["default"] if self._request.any_site else YOUTUBE_EXTRACTORS,
            "format": choose_formats,
            "outtmpl": {"default": "%(framescry_part)s.%(ext)s"},
            "cachedir": False,
            "proxy": "",
            "socket_timeout": 15,
            "retries": 2,
            "extractor_retries": 1,
            "file_access_retries": 1,
            "match_filter": self._accept,
            "progress_hooks": [self._progress],
            # Anything but the loader written in Python would connect past the guard.
            "external_downloader": {"default": "native"},
            "ffmpeg_location": "no-ffmpeg",
            "fixup": "never",
        }

    def _accept(self, info: dict[str, Any], *, incomplete: bool) -> None:
        """Raises instead of returning a reason: yt-dlp skips silently on those."""
        if info.get("_type") == "playlist":
            return
        if info.get("is_live") or info.get("live_status") in _NOT_YET_A_VIDEO:
            raise RejectedError("live")
        if (info.get("duration") or 0) > self._request.max_duration_s:
            raise RejectedError("too_long")
        if (info.get("age_limit") or 0) >= ADULT_AGE:
            raise RejectedError("age")

    def _progress(self, status: dict[str, Any]) -> None:
        before = self._finished_bytes
        done = before + (status.get("downloaded_bytes") or 0)
        announced = before + (status.get("total_bytes") or 0)
        if max(done, announced) > self._request.max_bytes:
            raise RejectedError("too_large")
        if status["status"] == "finished":
            self._finished_bytes = done
            self._seconds += status.get("elapsed") or 0.0
        else:
            total = status.get("total_bytes") or status.get("total_bytes_estimate")
            self.say(
                event="progress",
                done=done,
                total=before + total if total else None,
                bytes_per_s=status.get("speed"),
            )


def choose_formats(context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The best picture up to HEIGHT_PX that needs no other program, with its sound.

    Where picture and sound only come apart, both are fetched and joined later. H.264 with AAC is
    preferred because it is decoded fastest and browsers play it as it is.
    """
    direct = [form for form in context["formats"] if form.get("protocol") in _DIRECT]
    pictures = [form for form in direct if form.get("vcodec") != "none"]
    if not pictures:
        raise RejectedError("no_format")
    picture = max(enumerate(pictures), key=lambda pair: (_fitness(pair[1]), pair[0]))[1]
    yield {**picture, "framescry_part": "picture"}
    if picture.get("acodec") != "none":
        return
    container = "m4a" if picture.get("ext") == "mp4" else picture.get("ext")
    sounds = [
        form for form in direct if form.get("vcodec") == "none" and form.get("acodec") != "none"
    ]
    if sounds:
        sound = max(enumerate(sounds), key=lambda pair: (pair[1].get("ext") == container, pair[0]))
        yield {**sound[1], "framescry_part": "sound"}


def _fitness(form: dict[str, Any]) -> tuple[int, int, bool]:
    height = form.get("height") or 0
    wanted = height if height <= HEIGHT_PX else -height
    plays = 2 * str(form.get("vcodec")).startswith(("avc", "h264")) + (form.get("ext") == "mp4")
    return wanted, plays, form.get("acodec") != "none"


def failure_kind(error: BaseException, guard: ConnectionGuard) -> str:
    """One word for what went wrong, from the error and all that lies behind it."""
    chain = list(_causes(error))
    for link in chain:
        if isinstance(link, RejectedError):
            return str(link)
    if guard.refused or any(isinstance(link, AddressRefusedError) for link in chain):
        return "blocked"
    text = re.sub(r"https?://\S+", "", " ".join(str(link) for link in chain).lower())
    for kind, signs in _SIGNS:
        if any(sign in text for sign in signs):
            return kind
    return "other"


_SIGNS = (
    ("too_large", ("file too large",)),
    ("disk", ("no space left", "disk quota")),
    ("bot_check", ("confirm you’re not a bot", "confirm you're not a bot", "sign in to confirm")),
    ("blocked", ("file:// url", "unsupported url scheme", "unsafe redirect")),
    ("invalid", ("failed to parse",)),
    ("list", ("youtube:tab", "youtube:playlist")),
    ("unsupported", ("no suitable extractor", "unsupported url", "is not a valid url")),
    ("live", ("live event", "premieres in", "is offline")),
    ("no_format", ("requested format is not available", "no video formats found", "drm protected")),
    ("unavailable", ("private", "unavailable", "not available", "removed", "members-only")),
    ("busy", ("http error 429", "http error 503", "too many requests")),
    ("unavailable", ("http error 401", "http error 403", "http error 404", "http error 410")),
    ("network", ("failed to resolve", "timed out", "new connection", "connection refused")),
    ("network", ("name resolution", "unreachable", "connection aborted", "connection reset")),
    ("network", ("incompleteread", "more expected", "remote end closed", "certificate", "ssl")),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    waiting = [error]
    seen: set[int] = set()
    while waiting and len(seen) < 20:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        wrapped = getattr(current, "exc_info", None)
        linked = (
            wrapped[1] if wrapped else None,
            getattr(current, "cause", None),
            current.__cause__,
            current.__context__,
            getattr(current, "reason", None),
        )
        waiting.extend(link for link in linked if isinstance(link, BaseException))


def _limit_resources(max_bytes: int) -> None:
    largest = max_bytes + SLACK_BYTES
    for what, limit in (
        (resource.RLIMIT_FSIZE, largest),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CPU, CPU_S),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (allowed, allowed))


def _die_with_parent() -> None:
    """Nothing more comes on stdin; when it ends, the parent has."""
    os.read(0, 1)
    if os.getpgrp() == os.getpid():  # else the group is somebody's shell
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(3)


def main() -> int:
    # What libraries print must not mix with the protocol.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return 2
        line += piece
    request = Request(**json.loads(line))
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _limit_resources(request.max_bytes)
    guard = ConnectionGuard()
    if not request.allow_private_addresses:
        guard.install()
    sys.modules["curl_cffi"] = None  # type: ignore[assignment]  # libcurl would pass by the guard
    fetch = Fetch(request, out)
    try:
        fetch.run()
    except Exception as error:  # noqa: BLE001  whatever it is becomes one word for the parent
        detail = f"{type(error).__name__}: {error}"[:DETAIL_CHARS]
        fetch.say(event="error", kind=failure_kind(error, guard), detail=detail)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
