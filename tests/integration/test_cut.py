"""The cut video, decoded again: every picture where it belongs and the sound in step with it."""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from app.export import cut as cut_module
from app.export.cut import cut, joined_spans
from app.progress import Progress, ignore_progress, never_stop
from models.errors import CancelledError, ExportError, UserFacingError
from models.types import Shot, VideoInfo
from models.video.opening import OpenVideo
from models.video.probe import probe
from tests import chromium
from tests.media import KINDS, Recipe, damaged, even_times, make_video, numbered_frames, repeated
from tests.real_media import gradio_media, shared_media

FAST = {"preset": "veryfast"}
OWN = {
    "beeps.mp4": Recipe(options=FAST, beeps_every_s=1.0, times_s=even_times(360), gop=48),
    "beeps.ts": Recipe(options=FAST, beeps_every_s=1.0, times_s=even_times(360), gop=48),
    "beeps.avi": Recipe(codec="mpeg4", beeps_every_s=1.0, times_s=even_times(360), gop=48),
    "beeps.mkv": Recipe(options=FAST, beeps_every_s=1.0, times_s=even_times(360), gop=48),
    "steady.mp4": Recipe(options={**FAST, "bf": "0"}, times_s=even_times(360), gop=48),
}
SPANS = (
    *((0.53, 1.81), (2.4, 2.45), (3.25, 5.75), (5.9, 6.6)),
    *((8.5, 9.5), (10.3, 99.0)),
)
LEAST_PIECE_S = 0.04  # of a beep that a span cuts into, to be looked for


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], VideoInfo]:
    folder = tmp_path_factory.mktemp("videos")

    def made(name: str) -> VideoInfo:
        path = folder / name
        if not path.exists():
            make_video(path, replace({**KINDS, **OWN}[name], size=(160, 120)))
        return probe(path)

    return made


def make_cut(info: VideoInfo, spans: Sequence[tuple[float, float]], folder: Path) -> Path:
    target = folder / "cut.mp4"
    shots = [Shot(*span) for span in spans]
    assert cut(info, shots, target, report=ignore_progress, stop=never_stop) == target
    return target


def loud_spans(path: Path) -> list[tuple[float, float]]:
    """From when to when the tone sounds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        wave = np.zeros(rate * 30)
        at = 0
        for frame in container.decode(stream):
            samples = np.abs(frame.to_ndarray().astype(float)).max(axis=0)
            told = round(float(frame.pts * frame.time_base) * rate)
            at = told if abs(told - at) > rate / 50 else at
            wave[at : at + len(samples)] = samples
            at += len(samples)
    loud = np.flatnonzero(wave > 0.4 * wave.max()) / rate
    breaks = np.flatnonzero(np.diff(loud) > 0.005)
    starts = [loud[0], *loud[breaks + 1]]
    return list(zip(starts, [*loud[breaks], loud[-1]], strict=True))


def track_lengths(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(s.duration * s.time_base) for s in container.streams]


def expected_pictures(info: VideoInfo, spans: Sequence[Shot]) -> list[tuple[float, int]]:
    """What a person would see who plays only the spans."""
    source = numbered_frames(info.path)
    begin, expected = 0.0, []
    for span in spans:
        inside = [(t, n) for t, n in source if span.start_s - 1e-4 <= t < span.end_s - 1e-4]
        before = [n for t, n in source if t < span.start_s - 1e-4]
        if before and (not inside or inside[0][0] > span.start_s + 0.001):
            inside.insert(0, (span.start_s, before[-1]))
        expected += [(begin + t - span.start_s, n) for t, n in inside]
        begin += span.length_s
    return expected


def assert_same(got: list[tuple[float, int]], expected: list[tuple[float, int]]) -> None:
    assert [number for _, number in got] == [number for _, number in expected]
    assert [t for t, _ in got] == pytest.approx([t for t, _ in expected], abs=0.0011)


@pytest.mark.parametrize(
    "name",
    [
        *("beeps.mp4", "beeps.ts", "beeps.avi", "beeps.mkv", "uneven.mkv", "uneven.mp4"),
        *("turned_90.mp4", "hevc_open.mkv", "open_gop.ts", "refresh.mkv", "late_start.mkv"),
        *("mpeg4_b.avi", "flash.flv", "lossless.mkv", "palette.gif"),
    ],
)
def test_the_cut_shows_exactly_the_spans(
    video: Callable[[str], VideoInfo], name: str, tmp_path: Path
) -> None:
    info = video(name)
    spans = [
        (info.start_s + info.duration_s * a, info.start_s + info.duration_s * b)
        for a, b in ((0.11, 0.24), (0.5, 0.53), (0.55, 0.63), (0.7, 1.0))
    ]
    target = make_cut(info, spans, tmp_path)
    assert_same(numbered_frames(target), expected_pictures(info, [Shot(*span) for span in spans]))
    lengths = track_lengths(target)
    assert lengths == pytest.approx([sum(b - a for a, b in spans)] * len(lengths), abs=0.002)
    made = probe(target)
    assert (made.width, made.height, made.rotation) == (info.width, info.height, 0)
    assert made.has_audio == info.has_audio


@pytest.mark.parametrize("name", ["beeps.mp4", "beeps.ts", "beeps.avi", "beeps.mkv"])
@pytest.mark.parametrize(
    "spans", [SPANS, [(0.11 + 0.4 * n, 0.41 + 0.4 * n) for n in range(29)]], ids=["few", "many"]
)
def test_sound_is_in_step_at_every_join(
    video: Callable[[str], VideoInfo],
    name: str,
    spans: Sequence[tuple[float, float]],
    tmp_path: Path,
) -> None:
    info = video(name)
    target = make_cut(info, spans, tmp_path)
    heard = loud_spans(target)
    begin, looked_for, pieces = 0.0, 0, 0
    for span in joined_spans(info, [Shot(*span) for span in spans]):
        for start, end in loud_spans(info.path):
            first, last = max(start, span.start_s), min(end, span.end_s)
            pieces += last > first
            if last - first >= LEAST_PIECE_S:
                expected = (begin + first - span.start_s, begin + last - span.start_s)
                assert min(abs(h[0] - expected[0]) for h in heard) < 0.025
                assert min(abs(h[1] - expected[1]) for h in heard) < 0.025
                looked_for += 1
        begin += span.length_s
    assert looked_for >= 5 and len(heard) <= pieces, "something else is heard"


def test_joins_do_not_add_up(video: Callable[[str], VideoInfo], tmp_path: Path) -> None:
    """Spans of an uneven length, 110 of them: half a sample each would be heard at the end."""
    info = video("beeps.mp4")
    spans = [(n / 9.7, n / 9.7 + 0.0501) for n in range(110)]
    lengths = track_lengths(make_cut(info, spans, tmp_path))
    assert lengths == pytest.approx([110 * 0.0501] * 2, abs=0.0005)


def test_one_span_of_whole_length_is_the_video(
    video: Callable[[str], VideoInfo], tmp_path: Path
) -> None:
    info = video("beeps.mp4")
    target = make_cut(info, [(0.0, 12.0)], tmp_path)
    assert_same(numbered_frames(target), numbered_frames(info.path))
    starts = [start for start, _ in loud_spans(target)]
    assert starts == pytest.approx([start for start, _ in loud_spans(info.path)], abs=0.002)


def test_times_that_were_printed_show_no_picture_of_the_shot_before(
    video: Callable[[str], VideoInfo], tmp_path: Path
) -> None:
    info = video("beeps.mp4")
    for off_s in (-4e-7, 4e-7):
        target = make_cut(info, [(1 / 3 + off_s, 2 / 3 + off_s)], tmp_path)
        assert [number for _, number in numbered_frames(target)] == list(range(10, 20))


def test_a_bare_stream_is_counted_from_its_start(
    video: Callable[[str], VideoInfo], tmp_path: Path
) -> None:
    info = video("raw.h264")
    at = [number / float(info.fps) for number in (10, 25, 60, 75)]
    target = make_cut(info, [(at[0], at[1]), (at[2], at[3])], tmp_path)
    assert [number for _, number in numbered_frames(target)] == [*range(10, 25), *range(60, 75)]


def test_only_what_is_needed_is_decoded(
    video: Callable[[str], VideoInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = repeated(video("steady.mp4").path, tmp_path / "long.mp4", 10)
    decoded: list[object] = []
    decode = OpenVideo.decode

    def counted(self: OpenVideo, packet: object) -> object:
        decoded.append(packet)
        return decode(self, packet)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenVideo, "decode", counted)
    make_cut(probe(long), [(60.0, 61.0), (61.5, 62.0), (110.0, 111.0)], tmp_path)
    assert 75 <= len(decoded) < 75 + 3 * 60, f"{len(decoded)} of 3600 pictures"


def test_spans_are_sorted_joined_and_kept_inside() -> None:
    info = VideoInfo(Path("v"), "v", "", 10.0, KINDS["plain.mp4"].fps, 2, 2, 0, False, "h264", 1.0)
    spans = [Shot(5, 6), Shot(0, 2), Shot(2, 3), Shot(5.5, 7), Shot(10.5, 99), Shot(8, 8)]
    assert joined_spans(info, spans) == [Shot(1.0, 3), Shot(5, 7), Shot(10.5, 11.0)]


def test_nothing_chosen_is_a_sentence(video: Callable[[str], VideoInfo], tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^There is nothing to cut; .*\.$"):
        make_cut(video("uneven.mp4"), [(50.0, 60.0)], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("after", [0, 1, 30, 120])
def test_stop_is_quick_and_leaves_nothing(
    video: Callable[[str], VideoInfo], after: int, tmp_path: Path
) -> None:
    asked: list[float] = []

    def stop() -> bool:
        asked.append(time.monotonic())
        return len(asked) > after

    with pytest.raises(CancelledError):
        cut(
            video("beeps.mp4"),
            [Shot(1, 3), Shot(6, 9)],
            tmp_path / "cut.mp4",
            report=ignore_progress,
            stop=stop,
        )
    assert time.monotonic() - asked[after] < 0.3
    assert not list(tmp_path.iterdir())


def test_progress_grows(video: Callable[[str], VideoInfo], tmp_path: Path) -> None:
    reports: list[Progress] = []
    cut(
        video("beeps.mp4"),
        [Shot(1, 3), Shot(6, 9)],
        tmp_path / "cut.mp4",
        report=reports.append,
        stop=never_stop,
    )
    done = [report.fraction or 0.0 for report in reports]
    assert len(done) > 50 and done == sorted(done) and done[-1] == 1.0


@pytest.mark.parametrize("name", ["beeps.avi", "beeps.ts", "hevc_open.mkv"])
def test_damaged_videos_are_cut_or_refused(
    video: Callable[[str], VideoInfo], name: str, tmp_path: Path
) -> None:
    info = video(name)
    for seed in range(15):
        broken = damaged(info.path, tmp_path / f"broken{info.path.suffix}", seed)
        try:
            there = probe(broken)
            spans = [(there.start_s + 0.5, there.start_s + 1.2), (there.end_s - 1, there.end_s)]
            make_cut(there, spans, tmp_path).unlink()
        except UserFacingError as error:
            assert "\n" not in str(error) and str(tmp_path) not in str(error)
        assert list(tmp_path.iterdir()) == [broken]


def test_real_videos(tmp_path: Path) -> None:
    paths = [gradio_media("world.mp4"), gradio_media("b.avi"), *shared_media()]
    for path in paths:
        info = probe(path)
        length_s = min(0.5, info.duration_s / 10)
        starts = [info.start_s + info.duration_s * share for share in (0.2, 0.6)]
        spans = [(start, start + length_s) for start in starts]
        began = time.monotonic()
        target = make_cut(info, spans, tmp_path)
        assert time.monotonic() - began < 10, path.name
        lengths = track_lengths(target)
        assert lengths == pytest.approx([2 * length_s] * len(lengths), abs=0.002), path.name
        assert len(lengths) == 1 + info.has_audio, path.name


def test_chromium_plays_the_cut(video: Callable[[str], VideoInfo], tmp_path: Path) -> None:
    browser_path = chromium.find()
    if browser_path is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    target = make_cut(video("beeps.mp4"), [(1.0, 2.5), (6.0, 8.0)], tmp_path)
    data = base64.b64encode(target.read_bytes()).decode()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=chromium.FLAGS)
        page = browser.new_page()
        found = page.evaluate(
            """async (source) => {
                const video = document.createElement('video');
                video.muted = true;
                video.src = source;
                await video.play();
                await new Promise(resolve => setTimeout(resolve, 700));
                return [video.videoWidth, video.videoHeight, video.duration, video.currentTime,
                        video.webkitAudioDecodedByteCount];
            }""",
            f"data:video/mp4;base64,{data}",
        )
        browser.close()
    width, height, duration_s, played_s, sound_bytes = found
    assert (width, height) == (160, 120) and duration_s == pytest.approx(3.5, abs=0.01)
    assert played_s > 0.2 and sound_bytes > 0


def test_a_seek_that_lands_late_is_taken_back(
    video: Callable[[str], VideoInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in MPEG-TS, where a seek goes by byte: sound and pictures must still start on time."""
    info = video("beeps.ts")
    asked: list[float] = []
    seek = cut_module._SpanSound._seek

    def late(self: cut_module._SpanSound, time_s: float) -> None:
        asked.append(time_s)
        seek(self, time_s + 1.5)

    monkeypatch.setattr(cut_module._SpanSound, "_seek", late)
    target = make_cut(info, [(info.start_s + 4.5, info.start_s + 6.5)], tmp_path)
    assert len(asked) > 1
    expected = [s - info.start_s - 4.5 for s, _ in loud_spans(info.path)]
    starts = [start for start, _ in loud_spans(target)]
    assert starts == pytest.approx([t for t in expected if 0 < t < 2], abs=0.025)
