"""What a file says of itself, and the sentences for files that are no video."""

from fractions import Fraction
from pathlib import Path

import pytest

from models.errors import VideoOpenError
from models.video.probe import probe
from tests.media import KINDS, add_cover, audio_only, cached_kind, cover_only, truncated

UPRIGHT = {
    "turned_90.mp4": (240, 320, 90),
    "turned_180.mp4": (320, 240, 180),
    "turned_270.mov": (240, 320, 270),
    "wide_pixels.mp4": (427, 240, 0),
    "tall_pixels.mkv": (320, 360, 0),
    "odd_size.mkv": (323, 241, 0),
}
LENGTH = {"one_frame.mp4": 1 / 30, "no_length.mkv": 4.0, "raw.h264": 4.8, "uneven.mkv": 12.07}


@pytest.mark.parametrize("name", sorted(UPRIGHT))
def test_size_is_as_people_see_it(name: str) -> None:
    info = probe(cached_kind(name))
    assert (info.width, info.height, info.rotation) == UPRIGHT[name]
    assert (info.coded_width, info.coded_height) == KINDS[name].size


@pytest.mark.parametrize("name", sorted(LENGTH))
def test_length_is_known_even_where_the_header_does_not_say(name: str) -> None:
    assert probe(cached_kind(name)).duration_s == pytest.approx(LENGTH[name], abs=0.1)


def test_start_and_sound_and_codec() -> None:
    late = probe(cached_kind("late_start.mkv"), name="Ein Film", content_hash="abc")
    assert (late.start_s, late.end_s) == (pytest.approx(1.5), pytest.approx(4.5))
    assert (late.name, late.content_hash, late.fps) == ("Ein Film", "abc", Fraction(30))
    assert not late.has_audio
    assert probe(cached_kind("plain.mp4")).has_audio
    assert probe(cached_kind("av1.mp4")).codec == "av1"


def test_a_cover_picture_is_not_the_video(tmp_path: Path) -> None:
    path = add_cover(cached_kind("plain.mp4"), tmp_path / "cover.mp4")
    info = probe(path)
    assert (info.codec, info.width, info.has_audio) == ("h264", 320, True)


def refusal(path: Path, name: str | None = None) -> str:
    with pytest.raises(VideoOpenError) as caught:
        probe(path, name=name)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and str(path.parent) not in text
    return text


def test_sound_alone_is_said_to_be_sound(tmp_path: Path) -> None:
    assert "sound but no pictures" in refusal(audio_only(tmp_path / "a.m4a"))
    assert "sound but no pictures" in refusal(cover_only(tmp_path / "song.mp4"))


def test_what_is_no_video_is_refused_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert "empty" in refusal(empty)
    text = tmp_path / "text.mp4"
    text.write_text("not a video\n" * 100)
    assert "cannot be read as a video" in refusal(text)
    assert "not a file" in refusal(tmp_path)
    assert "not there" in refusal(tmp_path / "gone.mp4")
    sparse = tmp_path / "sparse.mp4"
    with sparse.open("wb") as file:
        file.truncate(3 << 30)
    assert "cannot be read as a video" in refusal(sparse)
    headless = truncated(cached_kind("plain.mp4"), tmp_path / "cut.mp4", 0.5)
    assert "cannot be read as a video" in refusal(headless)


def test_a_hostile_name_stays_one_line(tmp_path: Path) -> None:
    text = refusal(tmp_path / "gone.mp4", name="a\n\u202eb\"'<b>.mp4" + "x" * 500)
    assert "\u202e" not in text and len(text) < 200


def test_a_playlist_in_disguise_opens_nothing_else(tmp_path: Path) -> None:
    """The text formats would make the demuxer read the files, or addresses, that they name."""
    (tmp_path / "inner.mp4").write_bytes(cached_kind("plain.mp4").read_bytes())
    for name, text in {
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ninner.mp4\n#EXT-X-ENDLIST\n",
        "concat.mp4": "ffconcat version 1.0\nfile inner.mp4\n",
    }.items():
        path = tmp_path / name
        path.write_text(text)
        assert "cannot be read as a video" in refusal(path)
