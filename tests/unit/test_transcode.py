"""What a browser cannot play becomes something it can, with every picture at its old time."""

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.errors import CancelledError, UserFacingError, VideoOpenError
from models.video import transcode
from models.video.probe import probe
from models.video.transcode import browser_plays, to_playable
from tests.media import KINDS, Recipe, damaged, even_times, make_video, numbered_frames

SMALL = (160, 120)
FAST = {"preset": "veryfast"}
SHORT = tuple(number / 30 for number in range(60))
EXTRA = {
    "plain.ts": Recipe(options=FAST, beeps_every_s=1.0),
    "ten_bit.mkv": Recipe(options=FAST, pixel_format="yuv420p10le", beeps_every_s=1.0),
    "late.mp4": Recipe(options=FAST, times_s=even_times(60, start_s=2.5)),
    "late.ts": Recipe(options=FAST, pixel_format="yuv422p", times_s=even_times(60, start_s=2.5)),
    "turned_90.mkv": Recipe(options=FAST, rotation=90),
    "turned_hevc.mp4": Recipe(
        codec="libx265", options={"x265-params": "log-level=none"}, rotation=270
    ),
    "wide_pixels.avi": Recipe(codec="mpeg4", pixel_shape=Fraction(4, 3)),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Small and short files of KINDS and EXTRA by name, each made once."""
    folder = tmp_path_factory.mktemp("videos")

    def made(name: str) -> Path:
        path = folder / name
        if not path.exists():
            recipe = {**KINDS, **EXTRA}[name]
            size = recipe.size if recipe.size[0] % 2 else SMALL
            make_video(path, replace(recipe, size=size, times_s=recipe.times_s[:60]))
        return path

    return made


def convert(source: Path, target: Path) -> Path:
    to_playable(source, target, report=lambda _: None, stop=lambda: False)
    return target


def beep_starts(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        wave = np.zeros(rate * 30)
        for frame in container.decode(stream):
            samples = np.abs(frame.to_ndarray().astype(float))
            samples = samples.max(axis=0) if frame.format.is_planar else samples.reshape(-1)
            at = round(float(frame.pts * frame.time_base) * rate)
            wave[at : at + len(samples)] = samples[: len(wave) - at]
    loud = np.flatnonzero(wave > 0.4 * wave.max()) / rate
    return [float(loud[0]), *loud[1:][np.diff(loud) > 0.3].tolist()]


@pytest.mark.parametrize(
    ("name", "plays"),
    [
        ("plain.mp4", True),
        ("uneven.mkv", True),
        ("turned_90.mp4", True),
        ("turned_270.mov", True),
        ("full_range.mp4", True),
        ("vp8.webm", True),
        ("vp9.webm", True),
        ("av1.mp4", True),
        ("turned_90.mkv", False),  # Chromium shows it lying on its side
        ("late.mp4", False),  # Chromium cuts its end off
        ("ten_bit.mp4", False),
        ("four_two_two.mp4", False),
        ("hevc.mp4", False),
        ("mpeg4.mp4", False),
        ("mpeg4.avi", False),
        ("mjpeg.mov", False),
        ("plain.ts", False),
        ("flash.flv", False),
        ("lossless.mkv", False),
    ],
)
def test_browser_plays(video: Callable[[str], Path], name: str, plays: bool) -> None:
    assert browser_plays(video(name)) is plays


def test_browser_does_not_play_what_is_no_video(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    assert not browser_plays(text) and not browser_plays(tmp_path / "gone.mp4")


@pytest.mark.parametrize(
    "name",
    [
        "hevc.mp4",
        "av1.mkv",
        "mpeg4_b.avi",
        "mpeg2.ts",
        "plain.ts",
        "flash.flv",
        "ten_bit.mkv",
        "odd_size.mkv",
        "wide_pixels.avi",
        "turned_90.mkv",
        "turned_hevc.mp4",
        "uneven.mp4",
        "one_frame.mp4",
        "mjpeg.mov",
    ],
)
def test_every_picture_keeps_its_time_and_shape(
    video: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    source = video(name)
    target = convert(source, tmp_path / "out.mp4")
    assert browser_plays(target)
    before, after = numbered_frames(source), numbered_frames(target)
    assert [number for _, number in after] == [number for _, number in before]
    assert [t for t, _ in after] == pytest.approx([t for t, _ in before], abs=0.0005)
    old, new = probe(source), probe(target)
    assert (new.width, new.height) == (old.width + old.width % 2, old.height + old.height % 2)
    assert new.rotation == 0 and new.duration_s == pytest.approx(old.duration_s, abs=0.06)
    with av.open(str(target)) as container:
        assert container.streams.video[0].sample_aspect_ratio in (None, 0, 1)


@pytest.mark.parametrize("name", ["late.mp4", "late.ts"])
def test_a_late_start_is_kept_and_the_first_picture_held_before_it(
    video: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    source = video(name)
    target = convert(source, tmp_path / "out.mp4")
    before, after = numbered_frames(source), numbered_frames(target)
    assert after[0] == (0.0, before[0][1])
    assert [n for _, n in after[1:]] == [n for _, n in before]
    assert [t for t, _ in after[1:]] == pytest.approx([t for t, _ in before], abs=0.0005)
    assert browser_plays(target)


@pytest.mark.parametrize("name", ["ten_bit.mkv", "mpeg4.avi", "mpeg2.ts", "plain.ts", "flash.flv"])
def test_sound_stays_where_it_was(video: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    source = video(name)
    target = convert(source, tmp_path / "out.mp4")
    assert beep_starts(target) == pytest.approx(beep_starts(source), abs=0.003)


@pytest.mark.parametrize("shift_s", [1.5, 0.0])
@pytest.mark.parametrize("channels", ["mono", "5.1"])
def test_sound_that_starts_late_and_odd_sound(
    tmp_path: Path, shift_s: float, channels: str
) -> None:
    """37.8 kHz PCM, which AAC cannot hold, beginning where the pictures already run."""
    rate = 37_800
    source = tmp_path / "late.mkv"
    with av.open(str(source), "w") as out:
        pictures_out = out.add_stream("mpeg4", rate=25)
        pictures_out.width, pictures_out.height, pictures_out.pix_fmt = 64, 64, "yuv420p"
        sound = out.add_stream("pcm_s16le", rate=rate, layout=channels)
        count = sound.codec_context.channels
        for _ in range(75):
            out.mux(pictures_out.encode(av.VideoFrame(64, 64, "yuv420p")))
        t = np.arange(rate) / rate
        wave = np.where((t >= 0.5) & (t < 0.6), 0.5 * np.sin(2000 * np.pi * t), 0)
        samples = np.repeat((wave * 32767).astype(np.int16), count)[None, :]
        frame = av.AudioFrame.from_ndarray(samples, "s16", channels)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(shift_s * rate)
        out.mux([*pictures_out.encode(None), *sound.encode(frame), *sound.encode(None)])
    target = convert(source, tmp_path / "out.mp4")
    assert browser_plays(target)
    assert beep_starts(target) == pytest.approx([shift_s + 0.5], abs=0.003)


@pytest.mark.parametrize("name", ["flash.flv", "plain.ts", "uneven.mkv"])
def test_what_only_has_the_wrong_container_is_not_encoded_again(
    video: Callable[[str], Path], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("pictures were encoded again")

    monkeypatch.setattr(transcode, "_Pictures", refuse)
    target = convert(video(name), tmp_path / "out.mp4")
    before, after = numbered_frames(video(name)), numbered_frames(target)
    assert [number for _, number in after] == [number for _, number in before]
    assert [t for t, _ in after] == pytest.approx([t for t, _ in before], abs=0.0005)


def test_the_index_comes_first(video: Callable[[str], Path], tmp_path: Path) -> None:
    data = convert(video("mpeg4.avi"), tmp_path / "out.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_progress_runs_from_start_to_end(video: Callable[[str], Path], tmp_path: Path) -> None:
    reports: list[float] = []
    to_playable(video("hevc.mp4"), tmp_path / "o.mp4", report=reports.append, stop=lambda: False)
    assert len(reports) > 10 and reports == sorted(reports) and reports[-1] == 1.0


@pytest.mark.parametrize("name", ["mpeg4.avi", "plain.ts"])
@pytest.mark.parametrize("checks", [0, 3, 40])
def test_stop_is_quick_and_leaves_nothing(
    video: Callable[[str], Path], name: str, checks: int, tmp_path: Path
) -> None:
    asked: list[float] = []

    def stop() -> bool:
        asked.append(time.monotonic())
        return len(asked) > checks

    with pytest.raises(CancelledError):
        to_playable(video(name), tmp_path / "o.mp4", report=lambda _: None, stop=stop)
    assert time.monotonic() - asked[checks] < 0.3
    assert not list(tmp_path.iterdir())


def test_stop_keeps_an_older_file(video: Callable[[str], Path], tmp_path: Path) -> None:
    target = tmp_path / "o.mp4"
    target.write_bytes(b"older")
    with pytest.raises(CancelledError):
        to_playable(video("mpeg4.avi"), target, report=lambda _: None, stop=lambda: True)
    assert target.read_bytes() == b"older"


def test_what_is_no_video_is_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(VideoOpenError) as caught:
        convert(text, tmp_path / "o.mp4")
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and str(tmp_path) not in message
    assert list(tmp_path.iterdir()) == [text]


@pytest.mark.parametrize("name", ["mpeg4.avi", "plain.ts", "hevc.mp4"])
def test_damaged_copies_are_converted_or_refused(
    video: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    target = tmp_path / "o.mp4"
    for seed in range(20):
        broken = damaged(video(name), tmp_path / f"broken{Path(name).suffix}", seed)
        try:
            convert(broken, target)
        except UserFacingError as error:
            assert "\n" not in str(error)
            assert not target.exists()
        else:
            assert browser_plays(target)
        target.unlink(missing_ok=True)
        assert list(tmp_path.iterdir()) == [broken]
