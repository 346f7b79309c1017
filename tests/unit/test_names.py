"""Whatever a file is called, what is shown and stored is harmless."""

import unicodedata

import pytest

from app.sources.names import SHOWN_CHARS, display_name, file_stem, stored_suffix

HOSTILE = [
    "a \"quoted\" 'name'.mp4",
    "two\nlines\r\n.mp4",
    "evil\u202e4pm.exe",
    "isolate\u2066x\u2069\u200e\u200f.mp4",
    "nul\x00byte\x1b[31m.mp4",
    "x" * 300 + ".mp4",
    "👨‍👩‍👧 family 🎬.mp4",
    "../../etc/passwd",
    "/home/someone/secret/film.mov",
    "C:\\Users\\someone\\film.mov",
    "a/b\\c",
    "z" + "\u0336\u0337\u0338" * 50 + ".mp4",
    "lone\udc80surrogate.avi",
    "line\u2028separator.mkv",
    "<img src=x onerror=alert(1)>.mp4",
    "",
    "   ",
    "\u202e\u2066\x00",
    "/",
    "..",
]


@pytest.mark.parametrize("raw", HOSTILE)
def test_a_shown_name_is_one_short_line_that_reads_as_written(raw: str) -> None:
    shown = display_name(raw)
    assert 0 < len(shown) <= SHOWN_CHARS
    assert shown.splitlines() == [shown]
    assert "/" not in shown and "\\" not in shown
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(c) for c in shown} & {
        *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),
    }
    assert display_name(shown) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ('a "quoted" name.mp4', 'a "quoted" name.mp4'),
        ("two\nlines.mp4", "two lines.mp4"),
        ("/home/someone/secret/film.mov", "film.mov"),
        ("C:\\Users\\someone\\film.mov", "film.mov"),
        ("AC/DC - live", "AC-DC - live"),
        ("../../etc/passwd", "passwd"),
        ("👨‍👩‍👧 日本語.mp4", "👨‍👩‍👧 日本語.mp4"),
        ("فیلم.mp4", "فیلم.mp4"),
        ("", "video"),
    ],
)
def test_an_honest_name_stays_readable(raw: str, shown: str) -> None:
    assert display_name(raw) == shown


def test_a_long_name_keeps_its_ending() -> None:
    shown = display_name("x" * 300 + ".mp4")
    assert len(shown) == SHOWN_CHARS and shown.endswith("….mp4")


@pytest.mark.parametrize(
    ("names", "suffix"),
    [
        (("A.MP4",), ".mp4"),
        (("a.tar.webm",), ".webm"),
        (("a.html",), ".video"),
        (("a.mp4\x00",), ".video"),
        (("a.php.",), ".video"),
        (("upload", "A film.mov"), ".mov"),
        (("",), ".video"),
    ],
)
def test_only_known_endings_reach_the_disk(names: tuple[str, ...], suffix: str) -> None:
    assert stored_suffix(*names) == suffix


@pytest.mark.parametrize("raw", HOSTILE)
def test_a_download_is_named_in_plain_ascii(raw: str) -> None:
    stem = file_stem(raw)
    assert stem.isascii() and stem.replace("-", "").isalnum() and len(stem) <= 60


def test_a_download_keeps_the_words_of_the_name() -> None:
    assert file_stem("Ünder the sea (1).mp4") == "Under-the-sea-1"
