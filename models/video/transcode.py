"""Does a browser play this file, and if not, the same video as one that it does."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.errors import CancelledError, VideoOpenError
from models.types import VideoInfo
from models.video.mp4_writer import (
    Mp4Writer,
    PictureTrack,
    SoundTrack,
    aac_rate,
    layout_of,
)
from models.video.opening import DAMAGE, OpenVideo, open_video
from models.video.picture import clockwise_turn
from models.video.planned import FrameClock
from models.video.probe import probe
from models.video.sound import SoundReader, first_sound

PLAYED_CONTAINERS = {"mov", "mp4", "matroska", "webm"}
PLAYED_SOUND = {"aac", "mp3", "opus", "vorbis", "flac"}
PLAYED_PIXELS = {
    "h264": {"yuv420p", "yuvj420p"},
    "vp8": {"yuv420p"},
    "vp9": {"yuv420p", "yuv420p10le"},
    "av1": {"yuv420p", "yuvj420p", "yuv420p10le"},
}
COPIED_PICTURES = {"h264", "vp9", "av1"}  # what MP4 may hold of them
COPIED_SOUND = {"aac", "mp3"}
LATE_START_S = (
    0.25  # Chromium cuts this much from the end of an MP4 in which everything starts late
)
PADDED_START_S = 60.0  # silence up to here costs nothing; a broadcast's clock may start at hours

Report = Callable[[float], None]
Stop = Callable[[], bool]


class _CannotCopyError(Exception):
    """The packets do not carry what an MP4 needs."""


def browser_plays(path: Path) -> bool:
    """Whether Chromium shows this file's pictures and sound, upright and at the decoder's times."""
    try:
        with open_video(path) as opened:
            return _played(opened)
    except (av.FFmpegError, VideoOpenError):
        return False


def _played(opened: OpenVideo) -> bool:
    names = set(opened.container.format.name.split(","))
    if not names & PLAYED_CONTAINERS or not _pictures_played(opened.stream):
        return False
    if "mp4" in names and _start_s(opened.container) > LATE_START_S:
        return False
    sounds = opened.container.streams.audio
    # a browser takes the first sound track and is silent when it cannot decode that one
    if sounds and (
        sounds[0] is not first_sound(opened.container)
        or sounds[0].codec.canonical_name not in PLAYED_SOUND
    ):
        return False
    # Chromium turns pictures as MP4 says, and not as Matroska says
    return "mp4" in names or not _is_turned(opened)


def to_playable(src: Path, dst: Path, *, report: Report, stop: Stop) -> None:
    """Writes `src` as an MP4 with H.264 and AAC that shows the same picture at the same time.

    Streams that a browser plays already are copied as they are, which takes a second or so; the
    others are converted at source size, upright, with square pixels.

    Raises:
        CancelledError: `stop` turned true; nothing is left behind.
        UserFacingError: the video cannot be read or the file not be written.
    """
    info = probe(src)

    def check() -> None:
        if stop():
            raise CancelledError("stopped on request")

    try:
        with open_video(src, name=info.name) as opened:
            plan = _plan(opened, info)
        if plan.copy_video:
            try:
                _Conversion(info, plan, report, check).run(src, dst)
                return
            except (_CannotCopyError, av.FFmpegError):
                plan = _Plan(copy_video=False, copy_sound=False)
        _Conversion(info, plan, report, check).run(src, dst)
    except av.FFmpegError as error:
        raise VideoOpenError(
            "This video is damaged and cannot be converted for the browser; try another copy of it."
        ) from error


@dataclass(frozen=True, slots=True)
class _Plan:
    copy_video: bool
    copy_sound: bool


def _plan(opened: OpenVideo, info: VideoInfo) -> _Plan:
    video, sound = opened.stream, first_sound(opened.container)
    start_s = _start_s(opened.container)
    copy_video = (
        video.codec.canonical_name in COPIED_PICTURES
        and opened.container.format.name != "avi"  # holds no presentation times
        and _pictures_played(video)
        and not info.rotation
    )
    copy_sound = sound is not None and sound.codec.canonical_name in COPIED_SOUND
    if start_s > LATE_START_S:
        # something has to be there from time zero: silence, or else a held first picture
        copy_sound = False
        copy_video = copy_video and sound is not None and start_s <= PADDED_START_S
    return _Plan(copy_video, copy_sound)


class _Conversion:
    """One pass over the packets, each stream copied or converted as planned."""

    def __init__(
        self, info: VideoInfo, plan: _Plan, report: Report, check: Callable[[], None]
    ) -> None:
        self._info = info
        self._plan = plan
        self._report = report
        self._check = check
        self._reported = -1.0

    def run(self, src: Path, dst: Path) -> None:
        with ExitStack() as stack:
            opened = stack.enter_context(open_video(src, name=self._info.name))
            container, video = opened.container, opened.stream
            sound = first_sound(container)
            writer = stack.enter_context(Mp4Writer(dst, self._check))
            tracks: dict[int, _Copied | _Pictures | _Sound] = {
                video.index: self._pictures(writer, opened)
            }
            if sound is not None:
                sound.discard = Discard.default
                tracks[sound.index] = (
                    _Copied(writer, sound)
                    if self._plan.copy_sound
                    else _Sound(writer, sound, self._info)
                )
            self._feed(container, video, tracks)
            for track in tracks.values():
                track.finish()
            if not tracks[video.index].written:
                raise VideoOpenError(
                    "No picture of this video can be decoded; try another copy of it."
                )
        self._report(1.0)

    def _pictures(self, writer: Mp4Writer, opened: OpenVideo) -> "_Copied | _Pictures":
        if self._plan.copy_video:
            return _Copied(writer, opened.stream)
        return _Pictures(writer, opened, self._info)

    def _feed(
        self,
        container: InputContainer,
        video: VideoStream,
        tracks: "dict[int, _Copied | _Pictures | _Sound]",
    ) -> None:
        wanted = [container.streams[index] for index in sorted(tracks)]
        packets = container.demux(wanted)
        while True:
            self._check()
            try:
                packet = next(packets, None)
            except (*DAMAGE, IndexError):
                return  # the file is cut short: what was read of it is kept
            if packet is None:
                return
            if packet.size:
                tracks[packet.stream_index].take(packet)
                if packet.stream_index == video.index:
                    self._progress(packet)

    def _progress(self, packet: "Packet[Any]") -> None:
        if packet.pts is None or not self._info.duration_s:
            return
        seconds = float(packet.pts * packet.time_base) - self._info.start_s
        fraction = min(max(seconds / self._info.duration_s, 0.0), 0.99)
        if fraction >= self._reported + 0.005:
            self._reported = fraction
            self._report(fraction)


class _Copied:
    """Packets as they are."""

    def __init__(self, writer: Mp4Writer, stream: VideoStream | AudioStream) -> None:
        self._writer = writer
        self._track = writer.copied_track(stream)
        self._untimed: list[Packet[Any]] = []
        self.written = False

    def take(self, packet: "Packet[Any]") -> None:
        if packet.pts is None or (packet.dts is None and self.written):
            raise _CannotCopyError
        self._untimed.append(packet)
        if packet.dts is None:
            return  # Matroska stores no decoding times: the first few are known from the next
        step = max(1, packet.duration or 1)
        for before, held in enumerate(reversed(self._untimed)):
            held.dts = packet.dts - before * step
            if held.pts is None or held.dts > held.pts:
                raise _CannotCopyError
        for held in self._untimed:
            held.stream = self._track
            self._writer.mux([held])
        self._untimed.clear()
        self.written = True

    def finish(self) -> None:
        if self._untimed:
            raise _CannotCopyError


class _Pictures:
    """Decoded and encoded again, at the same times."""

    def __init__(self, writer: Mp4Writer, opened: OpenVideo, info: VideoInfo) -> None:
        self._opened = opened
        self._time_base = opened.time_base
        rate = info.fps if info.fps > 0 else Fraction(25)
        self._step = max(1, round(1 / (rate * self._time_base)))
        self._track: PictureTrack = writer.picture_track(
            info.width, info.height, self._time_base, rate
        )
        self._clock = FrameClock(self._step)
        self._early: VideoFrame | None = None
        self.written = False

    def take(self, packet: "Packet[Any] | None") -> None:
        for frame in self._opened.decode(packet):
            self._write(frame)

    def _write(self, frame: VideoFrame) -> None:
        pts = self._clock.ticks(frame)
        if pts < 0:
            self._early = frame  # players know no time before zero
            return
        if not self.written:
            late = pts * self._time_base > LATE_START_S
            if self._early is not None and pts > 0:
                self._track.write(self._early, 0)
            elif late:
                self._track.write(frame, 0)
        self._track.write(frame, pts, frame.duration or self._step)
        self.written = True

    def finish(self) -> None:
        self.take(None)
        if not self.written and self._early is not None:
            self._track.write(self._early, 0, self._step)
            self.written = True
        if self.written:
            self._track.flush()


class _Sound:
    """Decoded and encoded again as one unbroken run from time zero."""

    def __init__(self, writer: Mp4Writer, stream: AudioStream, info: VideoInfo) -> None:
        context = stream.codec_context
        rate_hz = aac_rate(context.sample_rate)
        self._track: SoundTrack = writer.sound_track(rate_hz, context.channels)
        self._reader = SoundReader(stream, rate_hz, layout_of(context.channels))
        # a broken time far past the end would be filled with silence up to there
        self._last_position = round((info.end_s + 10.0) * rate_hz)
        self.written = False

    def take(self, packet: "Packet[Any] | None") -> None:
        track = self._track
        for position, samples in self._reader.decode(packet):
            if track.position is None:
                padded = position <= PADDED_START_S * track.rate_hz
                track.start_at(0 if padded else position)
            if track.position is None or position >= self._last_position:
                continue
            track.write_silence_until(position)
            track.write(samples[:, max(0, track.position - position) :])
            self.written = True

    def finish(self) -> None:
        self.take(None)
        self._track.flush()


def _pictures_played(video: VideoStream) -> bool:
    context = video.codec_context
    return context.pix_fmt in PLAYED_PIXELS.get(video.codec.canonical_name, ())


def _start_s(container: InputContainer) -> float:
    return (container.start_time or 0) / av.time_base


def _is_turned(opened: OpenVideo) -> bool:
    """Known only from a decoded frame."""
    frame = next(opened.container.decode(opened.stream), None)
    return frame is not None and clockwise_turn(frame) != 0
