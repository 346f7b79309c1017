"""Frames of odd videos: the right ones, the same pixels as a plain decode, upright, in proportion.

Every frame carries its number, so a wrong frame cannot pass for the right one.
"""

from bisect import bisect_right
from pathlib import Path

import av
import numpy as np
import pytest

from models.errors import CancelledError
from models.types import FrameBatch, Pixels
from models.video import planned
from models.video.picture import PictureMaker
from models.video.source import VideoSource
from tests.media import (
    KINDS,
    SIZE,
    Recipe,
    cached_kind,
    even_times,
    make_video,
    numbered_picture,
    read_number,
    repeated,
    uneven_times,
)

# Streams without times of their own: the demuxer assumes 25 frames a second.
UNTIMED = {"raw.h264": 25, "raw.hevc": 25}
EVERYTHING = sorted(KINDS)


def flat(batches: list[FrameBatch]) -> list[tuple[float, Pixels]]:
    return [
        (float(t), p) for batch in batches for t, p in zip(batch.times_s, batch.pixels, strict=True)
    ]


def stored_times(name: str) -> list[float]:
    """The presentation times by which a plain decode knows the frames of the file."""
    if name in UNTIMED:
        return list(even_times(len(KINDS[name].times_s), UNTIMED[name]))
    with av.open(str(cached_kind(name))) as container:
        stream = container.streams.video[0]
        return [float(frame.pts * stream.time_base) for frame in container.decode(stream)]


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_frame_shown_at_each_moment_is_sampled(name: str) -> None:
    times = stored_times(name)
    for fps in (2.0, 7.3):
        with VideoSource(cached_kind(name)) as source:
            found = flat(list(source.sample(fps)))
        moments = times[0] + np.arange(int((times[-1] - times[0]) * fps + 1e-6) + 1) / fps
        shown = sorted({bisect_right(times, moment + 1e-7) - 1 for moment in moments})
        # A moment may also fall between the last frame's time and its end.
        assert len(shown) <= len(found) <= len(shown) + 1
        assert [t for t, _ in found[: len(shown)]] == pytest.approx([times[i] for i in shown])
        if name != "mpeg4.avi":  # its muxer repeats a frame, so that numbers and places differ
            assert [read_number(p) for _, p in found[: len(shown)]] == shown


@pytest.mark.parametrize("name", EVERYTHING)
def test_pixels_are_those_of_a_plain_decode(name: str) -> None:
    with VideoSource(cached_kind(name)) as source:
        found = flat(list(source.sample(3.1))) + flat(list(source.first_look()))
    height, width, _ = found[0][1].shape
    maker, plain = PictureMaker.of_size(width, height), np.empty((height, width, 3), np.uint8)
    with av.open(str(cached_kind(name))) as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = list(container.decode(video=0))
    times = np.array(stored_times(name))
    for time_s, pixels in found:
        nearest = int(np.abs(times - time_s).argmin())
        if name in UNTIMED:
            nearest = read_number(pixels)
        maker.draw(frames[nearest], plain)
        assert (pixels == plain).all(), time_s


@pytest.mark.parametrize("name", [n for n in EVERYTHING if n not in UNTIMED])
def test_frames_at_given_times_in_any_order(name: str) -> None:
    times = stored_times(name)
    rng = np.random.default_rng(3)
    wanted = [*rng.uniform(times[0] - 1, times[-1] + 1, 6), times[-1], *times[:2], times[0]]
    with VideoSource(cached_kind(name)) as source:
        batches = list(source.frames_at(wanted, short_side_px=120))
    shown = [times[max(0, bisect_right(times, t + 1e-7) - 1)] for t in wanted]
    assert [len(batch) for batch in batches] == [1] * len(wanted)
    assert [float(batch.times_s[0]) for batch in batches] == pytest.approx(shown)


@pytest.mark.parametrize("name", ["turned_90.mp4", "turned_180.mp4", "turned_270.mov"])
def test_turned_videos_come_out_upright(name: str) -> None:
    with VideoSource(cached_kind(name)) as source:
        _, pixels = flat(list(source.sample(1, short_side_px=None)))[0]
        width, height = (source.info.width, source.info.height)
    upright = numbered_picture(0, width, height)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 12


@pytest.mark.parametrize(
    ("name", "short_side_px", "shape"),
    [
        ("wide_pixels.mp4", 120, (120, 214)),
        ("tall_pixels.mkv", 160, (180, 160)),
        ("plain.mp4", 1000, (240, 320)),
        ("plain.mp4", None, (240, 320)),
        ("turned_90.mp4", 120, (160, 120)),
    ],
)
def test_pictures_are_in_proportion_and_never_enlarged(
    name: str, short_side_px: int | None, shape: tuple[int, int]
) -> None:
    with VideoSource(cached_kind(name)) as source:
        batch = next(source.sample(2, short_side_px=short_side_px))
    assert batch.pixels.shape[1:3] == shape


def test_batches_are_of_the_size_asked_for() -> None:
    with VideoSource(cached_kind("plain.mp4")) as source:
        assert [len(batch) for batch in source.sample(5, chunk=8)] == [8, 8, 4]
        assert source.decode_s > 0


def test_first_look_takes_key_frames_at_a_distance(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", Recipe(gop=10, times_s=even_times(300)))
    with VideoSource(path) as source:
        every = flat(list(source.first_look(min_step_s=0)))
        apart = flat(list(source.first_look(min_step_s=1.0)))
        few = flat(list(source.first_look(max_frames=5)))
    assert [read_number(p) for _, p in every] == list(range(0, 300, 10))
    assert [read_number(p) for _, p in apart] == list(range(0, 300, 30))
    assert len(few) == 5
    assert {t for t, _ in few} <= {t for t, _ in every}


def test_first_look_begins_with_one_picture() -> None:
    with VideoSource(cached_kind("intra_only.mp4")) as source:
        assert [len(batch) for batch in source.first_look(min_step_s=0.1)][:4] == [1, 2, 4, 8]


def test_first_look_of_a_refreshed_stream_is_its_first_picture() -> None:
    with VideoSource(cached_kind("refresh.mkv")) as source:
        assert [read_number(p) for _, p in flat(list(source.first_look()))] == [0]


def test_an_endless_group_at_a_low_rate(tmp_path: Path) -> None:
    """More packets between two wanted frames than are ever kept waiting."""
    small = make_video(tmp_path / "s.mp4", Recipe(size=(160, 96), gop=600, times_s=even_times(600)))
    path = repeated(small, tmp_path / "long.mp4", 12)
    with VideoSource(path) as source:
        found = flat(list(source.sample(0.01)))
    assert [t for t, _ in found] == pytest.approx([0.0, 100.0, 200.0])
    assert [read_number(p) for _, p in found] == [0, 0, 0]


@pytest.mark.parametrize("name", ["long_gop.mp4", "open_gop.ts", "hevc_open.mkv", "av1.mp4"])
def test_no_more_than_a_limit_is_kept_waiting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no longer fits is decoded; the frames are the same."""
    with VideoSource(cached_kind(name)) as source:
        free = flat(list(source.sample(0.7)))
        monkeypatch.setattr(planned, "MAX_HELD", 5)
        tight = flat(list(source.sample(0.7)))
    assert [t for t, _ in tight] == [t for t, _ in free]
    assert all((a == b).all() for (_, a), (_, b) in zip(tight, free, strict=True))


def test_the_size_may_change_on_the_way(tmp_path: Path) -> None:
    first = make_video(tmp_path / "a.h264", Recipe(format="h264", gop=10, times_s=even_times(30)))
    other = Recipe(format="h264", gop=10, times_s=even_times(30), size=(192, 144))
    second = make_video(tmp_path / "b.h264", other)
    path = tmp_path / "both.h264"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with VideoSource(path) as source:
        found = flat(list(source.sample(5, short_side_px=None)))
    assert {p.shape for _, p in found} == {(SIZE[1], SIZE[0], 3)}
    assert [read_number(p) for _, p in found] == [*range(0, 30, 5), *range(0, 30, 5)]


def test_stopping_raises_and_closing_ends_quietly() -> None:
    stopped = []
    with VideoSource(cached_kind("plain.mp4"), stop=lambda: bool(stopped)) as source:
        batches = source.sample(10, chunk=2)
        next(batches)
        stopped.append(True)
        with pytest.raises(CancelledError):
            list(batches)
    with VideoSource(cached_kind("plain.mp4")) as source:
        batches = source.sample(10, chunk=2)
        next(batches)
    assert list(batches) == []


def test_two_passes_at_once_do_not_disturb_each_other() -> None:
    with VideoSource(cached_kind("open_gop.mp4")) as source:
        alone = [t for t, _ in flat(list(source.sample(4)))]
        pairs = list(zip(source.sample(4, chunk=1), source.sample(4, chunk=1), strict=True))
    assert [float(a.times_s[0]) for a, _ in pairs] == alone
    assert all((a.pixels == b.pixels).all() for a, b in pairs)


def test_times_rise_strictly_when_asked_for_more_than_there_is(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", Recipe(times_s=uneven_times(40)))
    with VideoSource(path) as source:
        found = flat(list(source.sample(500)))
    assert [read_number(p) for _, p in found] == list(range(40))
