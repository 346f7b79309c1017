"""Chosen shots as edit lists: EDL (CMX3600) and FCPXML.

Both describe the same timeline: it starts at zero and holds the chosen shots one after the other.
Source times count from the video's first frame, as editors count a file without a timecode track.
"""

import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.export.timecode import EditRate
from app.results import Keyframe, ScoredShot, SummaryResult
from app.whole_file import write_text
from app.wording import one_line
from models.errors import ExportError

EDL_LINE_END = "\r\n"
EDL_TITLE_CHARS = 70  # as CMX3600 allows
FCPXML_VERSION = "1.10"


@dataclass(frozen=True, slots=True)
class _Event:
    """One chosen shot, in frames: where in the source, where on the timeline."""

    shot: int
    source_in: int
    source_out: int
    record_in: int

    @property
    def length(self) -> int:
        return self.source_out - self.source_in

    @property
    def record_out(self) -> int:
        return self.record_in + self.length


def write_edl(result: SummaryResult, dst: Path) -> Path:
    return write_text(dst, as_edl(result))


def write_fcpxml(result: SummaryResult, dst: Path) -> Path:
    return write_text(dst, as_fcpxml(result))


def as_edl(result: SummaryResult) -> str:
    """CMX3600; reel AX is a file, named in the comment below each event."""
    rate = EditRate.for_fps(result.video.fps)
    name = one_line(result.video.name)
    tracks = "AA/V" if result.video.has_audio else "V"
    lines = [
        f"TITLE: {name[:EDL_TITLE_CHARS].strip()}",
        f"FCM: {'DROP FRAME' if rate.drop_frame else 'NON-DROP FRAME'}",
        "",
    ]
    for number, event in enumerate(_events(result, rate), start=1):
        frames = (event.source_in, event.source_out, event.record_in, event.record_out)
        times = " ".join(rate.timecode(frame) for frame in frames)
        lines += [
            f"{number:03d}  AX       {tracks:<5} C        {times}",
            f"* FROM CLIP NAME: {name}",
            f"* COMMENT: SHOT {event.shot + 1}",
        ]
    return EDL_LINE_END.join([*lines, ""])


def as_fcpxml(result: SummaryResult) -> str:
    """The media file is looked for beside the FCPXML, under its own name."""
    rate = EditRate.for_fps(result.video.fps)
    video, name = result.video, one_line(result.video.name)
    events = list(_events(result, rate))
    root = ET.Element("fcpxml", version=FCPXML_VERSION)
    resources = ET.SubElement(root, "resources")
    ET.SubElement(
        resources,
        "format",
        id="r1",
        name=f"Framescry {video.width}x{video.height}",
        frameDuration=rate.seconds_text(1),
        width=str(video.width),
        height=str(video.height),
        colorSpace="1-1-1 (Rec. 709)",
    )
    last = max(event.source_out for event in events)
    whole = max(rate.span(0.0, video.duration_s)[1], last)
    asset = ET.SubElement(resources, "asset", id="r2", name=name, start="0s")
    asset.set("duration", rate.seconds_text(whole))
    asset.set("hasVideo", "1")
    asset.set("format", "r1")
    asset.set("videoSources", "1")
    if video.has_audio:
        asset.set("hasAudio", "1")
        asset.set("audioSources", "1")
        asset.set("audioChannels", "2")
    ET.SubElement(asset, "media-rep", kind="original-media", src=beside(video.name))
    library = ET.SubElement(root, "library")
    event_element = ET.SubElement(library, "event", name="Framescry")
    project = ET.SubElement(event_element, "project", name=f"Key shots of {name}")
    timecode = "DF" if rate.drop_frame else "NDF"
    sequence = ET.SubElement(project, "sequence", format="r1", tcStart="0s", tcFormat=timecode)
    sequence.set("duration", rate.seconds_text(events[-1].record_out))
    spine = ET.SubElement(sequence, "spine")
    for event in events:
        _add_clip(spine, event, result, rate, timecode)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{body}\n'


def chosen_shots(result: SummaryResult) -> Sequence[ScoredShot]:
    """The shots that a cut or an edit list is made of.

    Raises:
        ExportError: no shot was chosen.
    """
    shots = sorted((s for s in result.shots if s.chosen), key=lambda s: s.start_s)
    if not shots:
        raise ExportError("No shot is chosen; summarize with a larger share of the time.")
    return shots


def beside(name: str) -> str:
    """A relative URL of a file of that name in the same folder, whatever the name holds."""
    return "./" + urllib.parse.quote(name.encode("utf-8", "replace"), safe="")


def _events(result: SummaryResult, rate: EditRate) -> Iterator[_Event]:
    record = 0
    for shot in chosen_shots(result):
        first, after = rate.span(
            shot.start_s - result.video.start_s, shot.end_s - result.video.start_s
        )
        event = _Event(result.shots.index(shot), first, after, record)
        record = event.record_out
        yield event


def _add_clip(
    spine: ET.Element, event: _Event, result: SummaryResult, rate: EditRate, timecode: str
) -> None:
    clip = ET.SubElement(spine, "asset-clip", ref="r2", name=f"Shot {event.shot + 1}")
    clip.set("offset", rate.seconds_text(event.record_in))
    clip.set("start", rate.seconds_text(event.source_in))
    clip.set("duration", rate.seconds_text(event.length))
    clip.set("format", "r1")
    clip.set("tcFormat", timecode)
    if result.video.has_audio:
        clip.set("audioRole", "dialogue")
    for keyframe in result.keyframes:
        frame = rate.frame_at(keyframe.time_s - result.video.start_s)
        if event.source_in <= frame < event.source_out:
            _add_marker(clip, keyframe, frame, rate)


def _add_marker(clip: ET.Element, keyframe: Keyframe, frame: int, rate: EditRate) -> None:
    ET.SubElement(
        clip,
        "marker",
        start=rate.seconds_text(frame),
        duration=rate.seconds_text(1),
        value=f"Key frame ({round(100 * keyframe.score)} %)",
    )
