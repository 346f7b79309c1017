"""Joining picture and sound loses nothing of either."""

from pathlib import Path

import av
import pytest

from models.errors import CancelledError, VideoOpenError
from models.video.merge import merge
from tests.unit.clips import write_clip, write_sound


def decoded(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as file:
        stream = getattr(file.streams, kind)[0]
        return [(float(f.time), f.to_ndarray().tobytes()) for f in file.decode(stream)]


def test_frames_sound_and_times_stay_as_they_are(tmp_path: Path) -> None:
    picture = write_clip(tmp_path / "picture.mp4", seconds=2.0)
    sound = write_sound(tmp_path / "sound.m4a", seconds=2.0)
    joined = tmp_path / "joined.mp4"
    merge(picture, sound, joined, stop=lambda: False)
    assert decoded(joined, "video") == decoded(picture, "video")
    assert decoded(joined, "audio") == decoded(sound, "audio")
    assert len(decoded(joined, "audio")) > 80


def test_what_cannot_be_joined_is_a_sentence(tmp_path: Path) -> None:
    picture = write_clip(tmp_path / "picture.mp4")
    joined = tmp_path / "joined.mp4"
    for sound in (picture, tmp_path / "missing.m4a"):
        with pytest.raises(VideoOpenError, match="could not be joined"):
            merge(picture, sound, joined, stop=lambda: False)
    assert not joined.exists()


def test_it_stops_when_asked(tmp_path: Path) -> None:
    picture = write_clip(tmp_path / "picture.mp4")
    joined = tmp_path / "joined.mp4"
    with pytest.raises(CancelledError):
        merge(picture, write_sound(tmp_path / "sound.m4a"), joined, stop=lambda: True)
    assert not joined.exists()
