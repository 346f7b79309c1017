"""Links: what their form allows, which addresses they may lead to, which format is fetched."""

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.sources import link_worker
from app.sources.addresses import ConnectionGuard, is_public, literal_address
from app.sources.link import REASONS, check_link
from app.sources.link_worker import RejectedError, choose_formats, failure_kind
from models.errors import LinkError

YOUTUBE = Settings()
ANY_SITE = Settings(any_site=True)
INSIDE = Settings(any_site=True, allow_private_addresses=True)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (" https://www.youtube.com/watch?v=abc \n", "https://www.youtube.com/watch?v=abc"),
        ("https://youtu.be/abc?t=3", "https://youtu.be/abc?t=3"),
        ("https://M.YouTube.com:443/watch?v=abc", "https://M.YouTube.com:443/watch?v=abc"),
        ("youtube.com/watch?v=abc", "https://youtube.com/watch?v=abc"),
        ("http://music.youtube.com/watch?v=abc", "http://music.youtube.com/watch?v=abc"),
    ],
)
def test_a_youtube_link_is_taken(text: str, link: str) -> None:
    assert check_link(text, YOUTUBE) == link


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a film about lions",
        "file:///etc/passwd",
        "ftp://youtube.com/x",
        "javascript:alert(1)",
        "data:video/mp4;base64,AAAA",
        "https://",
        "https:///watch",
        "https://user@youtube.com/watch?v=a",
        "https://user:password@youtube.com/watch?v=a",
        "https://youtube.com\\@127.0.0.1/",
        "https://youtube.com/a b",
        "https://youtube.com/\nHost:x",
        "https://youtube.com/\x00",
        "https://[::1",
        "https://youtube.com:99999/",
        "https://youtube.com:port/",
        "https://youtube.com/" + "a" * 3000,
    ],
)
@pytest.mark.parametrize("settings", [YOUTUBE, ANY_SITE, INSIDE])
def test_what_is_no_web_link_is_invalid(text: str, settings: Settings) -> None:
    with pytest.raises(LinkError, match="This is not a link"):
        check_link(text, settings)


@pytest.mark.parametrize(
    "text",
    [
        "https://vimeo.com/1",
        "https://youtube.com.example.org/watch?v=a",
        "https://example.org/youtube.com",
        "https://notyoutube.com/watch?v=a",
        "https://www.youtube.com./watch?v=a",
        "https://youtube.com:8080/watch?v=a",
        "https://yоutube.com/watch?v=a",  # the second letter is Cyrillic
        "http://127.0.0.1/",
    ],
)
def test_other_sites_are_named_as_such(text: str) -> None:
    with pytest.raises(LinkError, match="Only YouTube links"):
        check_link(text, YOUTUBE)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0.0.0.0"),
        *("10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[fd00::1]"),
        *("[2002:7f00:1::]", "[2001:0:7f00:1::]", "[64:ff9b::7f00:1]", "[::127.0.0.1]"),
        *("224.0.0.1", "255.255.255.255", "[ff02::1]", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("localhost", "LOCALHOST", "a.localhost", "localhost.", "printer.local"),
        *("metadata.google.internal", "example.org:22", "example.org:6379", "8.8.8.8:8080"),
    ],
)
def test_private_hosts_and_odd_ports_are_blocked(host: str) -> None:
    with pytest.raises(LinkError, match="may not be opened"):
        check_link(f"http://{host}/video.mp4", ANY_SITE)


@pytest.mark.parametrize("host", ["example.org", "8.8.8.8", "[2606:4700::1111]", "example.org:80"])
def test_public_hosts_are_taken_where_any_site_is(host: str) -> None:
    assert check_link(f"http://{host}/v.mp4", ANY_SITE) == f"http://{host}/v.mp4"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::808:808", False),
        ("::ffff:10.0.0.1", False),
        ("2002:808:808::1", False),
        ("2001:0:808:808::1", False),
        ("::8.8.8.8", False),
        ("192.88.99.1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("3fff::1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_short_forms_stand_for_their_address() -> None:
    assert literal_address("0x7f.1") == "127.0.0.1"
    assert literal_address("017700000001") == "127.0.0.1"
    assert literal_address("example.org") is None


def test_every_reason_is_one_sentence() -> None:
    for kind, text in REASONS.items():
        assert text.endswith(".") and ". " not in text and "\n" not in text, kind


def test_every_kind_the_child_can_name_has_a_reason() -> None:
    kinds = {kind for kind, _ in link_worker._SIGNS}
    kinds |= {"live", "too_long", "age", "too_large", "no_format", "nothing", "other", "blocked"}
    assert kinds <= REASONS.keys()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ERROR: [youtube] a: Sign in to confirm you’re not a bot. Use --cookies", "bot_check"),
        ("ERROR: [youtube] a: Private video. Sign in if you've been granted access", "unavailable"),
        ("ERROR: [youtube] a: Video unavailable. This video has been removed", "unavailable"),
        ("ERROR: [youtube] a: This live event will begin in 3 hours.", "live"),
        ("ERROR: [youtube] a: Premieres in 2 days", "live"),
        ("ERROR: No suitable extractor found for URL https://private.example/", "unsupported"),
        ("ERROR: Unsupported URL: https://example.org/page", "unsupported"),
        ("ERROR: Unable to download webpage: HTTP Error 404: Not Found", "unavailable"),
        ("ERROR: HTTP Error 429: Too Many Requests", "busy"),
        ("ERROR: [youtube] a: Unable to download API page: Failed to resolve 'x'", "network"),
        ("ERROR: The read operation timed out", "network"),
        ("ERROR: [x] Requested format is not available", "no_format"),
        ("OSError: [Errno 27] File too large", "too_large"),
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("KeyError: 'x'", "other"),
    ],
)
def test_what_the_loader_says_becomes_a_kind(text: str, kind: str) -> None:
    assert failure_kind(RuntimeError(text), ConnectionGuard()) == kind


def test_a_reason_deep_inside_is_found() -> None:
    try:
        try:
            raise RejectedError("live")
        except RejectedError as reason:
            raise RuntimeError("wrapped: private video") from reason
    except RuntimeError as error:
        assert failure_kind(error, ConnectionGuard()) == "live"


def details(**more: Any) -> dict[str, Any]:
    return {"title": "a", **more}


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        (details(is_live=True), "live"),
        (details(live_status="is_upcoming"), "live"),
        (details(live_status="post_live"), "live"),
        (details(duration=601), "too_long"),
        (details(age_limit=18), "age"),
        (details(duration=599, live_status="was_live", age_limit=13), None),
        (details(_type="playlist"), None),
    ],
)
def test_what_will_not_do_is_refused_before_the_download(
    info: dict[str, Any], kind: str | None
) -> None:
    request = link_worker.Request("https://example.org", 1_000_000, 600.0, True, False)
    fetch = link_worker.Fetch(request, io.StringIO())
    if kind is None:
        fetch._accept(info, incomplete=False)
    else:
        with pytest.raises(RejectedError, match=kind):
            fetch._accept(info, incomplete=False)


def test_the_size_of_both_parts_counts() -> None:
    out = io.StringIO()
    fetch = link_worker.Fetch(link_worker.Request("", 1000, 600.0, True, False), out)
    fetch._progress({"status": "downloading", "downloaded_bytes": 300, "total_bytes": 600})
    fetch._progress({"status": "finished", "downloaded_bytes": 600, "elapsed": 2.0})
    fetch._progress({"status": "downloading", "downloaded_bytes": 100, "total_bytes": 400})
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["done"], line["total"]) for line in said] == [(300, 600), (700, 1000)]
    with pytest.raises(RejectedError, match="too_large"):
        fetch._progress({"status": "downloading", "downloaded_bytes": 100, "total_bytes": 401})


def form(name: str, **more: Any) -> dict[str, Any]:
    return {"format_id": name, "protocol": "https", "ext": "mp4", **more}


def picture(name: str, height: int, vcodec: str = "avc1.4d401f", **more: Any) -> dict[str, Any]:
    return form(name, height=height, vcodec=vcodec, **{"acodec": "none", **more})


SOUND = form("140", ext="m4a", vcodec="none", acodec="mp4a.40.2")
SOUND_WEBM = form("251", ext="webm", vcodec="none", acodec="opus")


def chosen(*formats: dict[str, Any]) -> list[tuple[str, str]]:
    picked = choose_formats({"formats": list(formats)})
    return [(form["format_id"], form["framescry_part"]) for form in picked]


def test_picture_and_sound_that_come_apart_are_both_fetched() -> None:
    together = picture("18", 360, acodec="mp4a.40.2")
    vp9 = picture("247", 720, "vp9", ext="webm")
    large = picture("137", 1080)
    assert chosen(SOUND, SOUND_WEBM, together, vp9, picture("136", 720), large) == [
        ("136", "picture"),
        ("140", "sound"),
    ]
    assert chosen(SOUND_WEBM, vp9) == [("247", "picture"), ("251", "sound")]


def test_one_file_is_preferred_at_the_same_size() -> None:
    together = picture("22", 720, acodec="mp4a.40.2")
    assert chosen(SOUND, together, picture("136", 720)) == [("22", "picture")]


def test_only_files_that_need_no_other_program_are_chosen() -> None:
    stream = picture("hls", 720, protocol="m3u8_native")
    assert chosen(stream, picture("18", 360, acodec="mp4a")) == [("18", "picture")]
    with pytest.raises(RejectedError, match="no_format"):
        chosen(stream, SOUND)


def test_a_plain_file_of_unknown_kind_is_chosen() -> None:
    assert chosen(form("0")) == [("0", "picture")]


def test_a_silent_video_stays_silent_and_the_smallest_of_too_large_is_taken() -> None:
    assert chosen(picture("137", 1080), picture("313", 2160)) == [("137", "picture")]


def test_the_guard_checks_names_addresses_and_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"inside.test": "10.0.0.1", "outside.test": "8.8.8.8"}
    reached: list[Any] = []

    def resolve(host: str, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[host], 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", lambda _, where: reached.append(where))
    for name in ("connect_ex", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, name, getattr(socket.socket, name))
    guard = ConnectionGuard()
    guard.install()
    assert socket.getaddrinfo("outside.test", 80)
    with pytest.raises(OSError, match="10.0.0.1"):
        socket.getaddrinfo("inside.test", 80)
    with socket.socket() as sock:
        sock.connect(("8.8.8.8", 443))
        for where in (("127.0.0.1", 80), ("8.8.8.8", 22), ("outside.test", 80)):
            with pytest.raises(OSError, match="only public"):
                sock.connect(where)
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(OSError, match="only public"):
        sock.connect("/run/some.sock")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        pytest.raises(OSError, match="datagram"),
    ):
        sock.sendto(b"x", ("8.8.8.8", 53))
    assert reached == [("8.8.8.8", 443)]
    assert failure_kind(RuntimeError("anything"), guard) == "blocked"


def test_the_child_gets_none_of_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.sources import link

    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    environment = link._environment(tmp_path)
    assert "secret" not in environment.values()
    assert not [name for name in environment if name.lower().endswith("_proxy")]
    assert environment["HOME"] == str(tmp_path)
