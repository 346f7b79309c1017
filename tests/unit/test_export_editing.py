"""Edit lists that editing programs open, on the right frames."""

import re
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from app.export.editing import as_edl, as_fcpxml, write_edl, write_fcpxml
from app.export.timecode import EditRate
from app.results import SummaryResult
from models.errors import ExportError
from tests.sample_results import HOSTILE_NAMES, sample_result

NTSC = Fraction(30000, 1001)
EVENT = re.compile(
    r"^(\d{3})  (\w{1,8}) +(V|AA/V) +(C)        "
    r"(\d\d:\d\d:\d\d[:;]\d\d) (\d\d:\d\d:\d\d[:;]\d\d) "
    r"(\d\d:\d\d:\d\d[:;]\d\d) (\d\d:\d\d:\d\d[:;]\d\d)$"
)


def read_edl(text: str) -> list[tuple[str, list[str]]]:
    """Channel and timecodes of every event; fails on any line that CMX3600 does not know."""
    lines = text.split("\r\n")
    assert "\n" not in "".join(lines) and lines[-1] == ""
    assert lines[0].startswith("TITLE: ") and len(lines[0]) <= 77
    assert lines[1] in ("FCM: DROP FRAME", "FCM: NON-DROP FRAME") and lines[2] == ""
    events = []
    for line in lines[3:-1]:
        if line.startswith("* "):
            assert re.match(r"\* (FROM CLIP NAME|COMMENT): \S", line)
            continue
        match = EVENT.match(line)
        assert match, line
        assert int(match[1]) == len(events) + 1
        events.append((match[3], list(match.groups()[4:])))
    return events


def frame_of(timecode: str, rate: Fraction) -> int:
    """The slow way: counts labels one minute after the other."""
    hours, minutes, seconds, frames = (int(part) for part in re.split("[:;]", timecode))
    base = round(rate)
    label = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if ";" not in timecode:
        return label
    minutes += 60 * hours
    return label - base // 15 * sum(1 for minute in range(1, minutes + 1) if minute % 10)


def rational(text: str) -> Fraction:
    assert text.endswith("s")
    return Fraction(text[:-1])


@pytest.mark.parametrize("fps", [NTSC, Fraction(25), Fraction(24000, 1001), Fraction(60)])
def test_edl_events_are_the_chosen_shots_one_after_the_other(fps: Fraction) -> None:
    result = sample_result(fps=fps)
    events = read_edl(as_edl(result))
    assert len(events) == 2
    record = 0
    for (channel, codes), shot in zip(events, (result.shots[1], result.shots[3]), strict=True):
        source_in, source_out, record_in, record_out = (frame_of(code, fps) for code in codes)
        assert channel == "AA/V"
        assert source_in == pytest.approx(float(shot.start_s * fps), abs=1)
        assert source_in <= float(shot.start_s * fps) + 0.1, "the shot's first frame is left out"
        assert source_out == pytest.approx(float(shot.end_s * fps), abs=1)
        assert record_in == record and record_out - record_in == source_out - source_in
        record = record_out


def test_edl_of_a_silent_video_asks_for_pictures_only() -> None:
    assert {channel for channel, _ in read_edl(as_edl(sample_result(has_audio=False)))} == {"V"}


def test_source_times_count_from_the_first_frame() -> None:
    late, plain = sample_result(start_s=1.4), sample_result()
    assert read_edl(as_edl(late)) == read_edl(as_edl(plain))


@pytest.mark.parametrize(
    ("frame", "rate", "timecode"),
    [
        (0, NTSC, "00:00:00;00"),
        (1799, NTSC, "00:00:59;29"),
        (1800, NTSC, "00:01:00;02"),
        (17982, NTSC, "00:10:00;00"),
        (107892, NTSC, "01:00:00;00"),
        (3600, Fraction(60000, 1001), "00:01:00;04"),
        (1440, Fraction(24000, 1001), "00:01:00:00"),
        (1500, Fraction(25), "00:01:00:00"),
    ],
)
def test_timecodes(frame: int, rate: Fraction, timecode: str) -> None:
    assert EditRate(rate).timecode(frame) == timecode


@pytest.mark.parametrize("rate", [NTSC, Fraction(60000, 1001)])
def test_drop_frame_labels_come_back_to_their_frame(rate: Fraction) -> None:
    edit = EditRate(rate)
    for frame in [*range(1700, 1900), *range(17900, 18100), *range(0, 200_000, 997)]:
        assert frame_of(edit.timecode(frame), rate) == frame
        assert abs(frame / rate - frame_of(edit.timecode(frame).replace(";", ":"), rate)
                   / Fraction(round(rate))) < Fraction(1, 10)  # fmt: skip


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (Fraction(2997, 100), NTSC),
        (Fraction(10), Fraction(30)),
        (Fraction(25, 2), Fraction(25)),
        (Fraction(15000, 1001), NTSC),
        (Fraction(120), Fraction(60)),
        (Fraction(120000, 1001), Fraction(60000, 1001)),
        (Fraction(19, 1), Fraction(24000, 1001)),
        (Fraction(1000), Fraction(50)),
        (Fraction(337), Fraction(60)),
    ],
)
def test_odd_rates_become_ones_that_editors_know(fps: Fraction, rate: Fraction) -> None:
    assert EditRate.for_fps(fps).rate == rate


@pytest.mark.parametrize("fps", [NTSC, Fraction(25), Fraction(24000, 1001), Fraction(10)])
def test_fcpxml_structure_and_exact_times(fps: Fraction, tmp_path: Path) -> None:
    result = sample_result(fps=fps)
    text = write_fcpxml(result, tmp_path / "a.fcpxml").read_text("utf-8")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n<fcpxml')
    root = ET.fromstring(text)
    assert root.tag == "fcpxml" and root.get("version") == "1.10"
    assert [child.tag for child in root] == ["resources", "library"]
    video_format, asset = root.find("resources/format"), root.find("resources/asset")
    sequence = root.find("library/event/project/sequence")
    assert video_format is not None and asset is not None and sequence is not None
    length = rational(str(video_format.get("frameDuration")))
    assert 1 / length == EditRate.for_fps(fps).rate
    assert (video_format.get("width"), video_format.get("height")) == ("640", "360")
    assert asset.get("format") == video_format.get("id") == sequence.get("format")
    assert (asset.get("hasVideo"), asset.get("hasAudio")) == ("1", "1")
    source = asset.find("media-rep")
    assert source is not None and source.get("src") == "./tour.mp4"
    clips = sequence.findall("spine/asset-clip")
    assert len(clips) == 2
    at = Fraction(0)
    for clip, shot in zip(clips, (result.shots[1], result.shots[3]), strict=True):
        assert clip.get("ref") == asset.get("id")
        start, offset, duration = (
            rational(str(clip.get(name))) for name in ("start", "offset", "duration")
        )
        assert all((time / length).denominator == 1 for time in (start, offset, duration))
        assert offset == at and float(start) == pytest.approx(shot.start_s, abs=float(length))
        assert start + duration <= rational(str(asset.get("duration")))
        marker = clip.find("marker")
        assert marker is not None and start <= rational(str(marker.get("start"))) < start + duration
        at += duration
    assert rational(str(sequence.get("duration"))) == at


def test_fcpxml_and_edl_describe_the_same_timeline() -> None:
    result = sample_result()
    clips = ET.fromstring(as_fcpxml(result)).iter("asset-clip")
    for clip, (_, codes) in zip(clips, read_edl(as_edl(result)), strict=True):
        assert rational(str(clip.get("start"))) * NTSC == frame_of(codes[0], NTSC)
        assert rational(str(clip.get("offset"))) * NTSC == frame_of(codes[2], NTSC)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_stay_names(name: str, tmp_path: Path) -> None:
    result = sample_result(name=name)
    edl = write_edl(result, tmp_path / "a.edl").read_bytes().decode("utf-8")
    assert len(read_edl(edl)) == 2
    assert all(ord(c) >= 32 for line in edl.split("\r\n") for c in line)
    root = ET.fromstring(write_fcpxml(result, tmp_path / "a.fcpxml").read_bytes())
    assert len(list(root.iter("asset-clip"))) == 2
    source = root.find("resources/asset/media-rep")
    assert source is not None
    link = str(source.get("src"))
    assert re.fullmatch(r"\./[A-Za-z0-9._~%-]+", link)
    assert urllib.parse.unquote(link[2:]) == name.encode("utf-8", "replace").decode()


def test_fcpxml_keeps_a_strange_name_readable() -> None:
    root = ET.fromstring(as_fcpxml(sample_result(name='a "q" & <b> ]]>.mp4')))
    asset = root.find("resources/asset")
    assert asset is not None and asset.get("name") == 'a "q" & <b> ]]>.mp4'


@pytest.mark.parametrize("write", [as_edl, as_fcpxml])
def test_nothing_chosen_is_a_sentence(write: Callable[[SummaryResult], str]) -> None:
    with pytest.raises(ExportError, match=r"^No shot is chosen;.*\.$"):
        write(sample_result(chosen=()))


def test_the_shortest_shot_has_a_frame() -> None:
    events = read_edl(as_edl(sample_result(edges_s=(0.0, 1.0, 1.001, 5.0), chosen=(1,))))
    source_in, source_out = (frame_of(code, NTSC) for code in events[0][1][:2])
    assert source_out - source_in == 1
