"""Hiding the sound of a long MP4 changes nothing about its pictures."""

from pathlib import Path

import av
import pytest

from models.video import mp4_tracks
from models.video.mp4_tracks import without_sound
from tests.media import Recipe, cached_kind, make_video


def packets(file: object) -> tuple[list[str], list[tuple[int | None, int | None, bytes]]]:
    with av.open(file) as container:
        kinds = [stream.type for stream in container.streams]
        found = [(p.pts, p.dts, bytes(p)) for p in container.demux(video=0) if p.size]
    return kinds, found


@pytest.mark.parametrize("movflags", ["", "faststart"])
def test_pictures_stay_and_sound_goes(
    movflags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mp4_tracks, "LONG_TABLES_BYTES", 0)
    muxer = {"movflags": movflags} if movflags else {}
    path = make_video(tmp_path / "a.mp4", Recipe(beeps_every_s=1.0, muxer=muxer))
    silent = without_sound(path)
    assert silent is not None
    with silent:
        kinds, found = packets(silent)
    assert kinds == ["video"]
    assert packets(str(path)) == (["video", "audio"], found)


def test_short_and_other_files_are_left_as_they_are(tmp_path: Path) -> None:
    for name in ("plain.mp4", "uneven.mkv", "mpeg2.ts", "fragments.mp4"):
        assert without_sound(cached_kind(name)) is None
    assert without_sound(tmp_path / "gone.mp4") is None


def test_a_name_split_between_two_reads_is_still_hidden(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"0123trak4567")
    with mp4_tracks.HidingFile(path, [4]) as file:
        assert file.read(6) + file.read(1) + file.read() == b"0123free4567"
        assert file.read() == b""
