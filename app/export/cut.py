"""Chosen spans of a video, joined into one MP4 with the sound in step at every join."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard
from av.video.frame import VideoFrame

from app.progress import Progress, Report, Stop, check_stop
from models.errors import ExportError
from models.types import Floats, Shot, VideoInfo
from models.video.mp4_writer import Mp4Writer, SoundTrack, aac_rate
from models.video.opening import DAMAGE, OpenVideo, open_video
from models.video.planned import FrameClock
from models.video.seeking import begin_before
from models.video.sound import SoundReader, first_sound

OUT_TIME_BASE = Fraction(1, 90_000)
SAME_MOMENT_S = 0.001  # times that were printed and read again are a little off
NEAR_S = 1.0  # without an index: decoding on for so long is cheaper than a seek
# Where a seek may land too late (MPEG-TS has no index), it is tried again from further back.
STEP_BACK_S = (0.0, 2.0, 10.0, 40.0, float("inf"))
SOUND_LEAD_S = 0.25  # decoders of sound need some of what came before
FADE_S = 0.003  # too short to hear, long enough that a join does not click


def cut(video: VideoInfo, spans: Sequence[Shot], dst: Path, *, report: Report, stop: Stop) -> Path:
    """Writes the spans, in order of time, as one MP4 at source size.

    Each span starts with the picture that is on screen at its start. Only what lies between a
    span's key frame and its end is decoded.

    Raises:
        CancelledError: `stop` turned true; nothing is left behind.
        UserFacingError: there is nothing to cut, or the video cannot be read.
    """
    wanted = joined_spans(video, spans)
    if not wanted:
        raise ExportError("There is nothing to cut; choose at least one shot.")
    total_s = sum(span.length_s for span in wanted)

    def check() -> None:
        check_stop(stop)

    try:
        with ExitStack() as stack:
            pictures = stack.enter_context(_PictureReader(video, stop))
            writer = stack.enter_context(Mp4Writer(dst, check))
            track = writer.picture_track(video.width, video.height, OUT_TIME_BASE, video.fps)
            sound = _open_sound(stack, video, writer, stop)
            begin_s = 0.0
            for span in wanted:
                if sound is not None:
                    sound.begin(span, begin_s)
                for shown_s, length_s, frame in pictures.between(span):
                    at_s = begin_s + shown_s - span.start_s
                    track.write(frame, _ticks(at_s), max(1, _ticks(length_s)))
                    if sound is not None:
                        sound.advance(at_s)
                    report(Progress("Cutting", min(at_s / total_s, 0.99)))
                begin_s += span.length_s
                if sound is not None:
                    sound.end()
            if track.last_pts is None:
                raise ExportError("No picture of the chosen shots can be decoded.")
            track.flush()
            if sound is not None:
                sound.track.flush()
    except av.FFmpegError as error:
        raise ExportError(
            "The cut could not be made because the video is damaged there; choose other shots."
        ) from error
    report(Progress("Cutting", 1.0))
    return dst


def joined_spans(video: VideoInfo, spans: Sequence[Shot]) -> list[Shot]:
    """In order of time, inside the video, with those that touch or overlap made one."""
    joined: list[Shot] = []
    for span in sorted(spans, key=lambda s: (s.start_s, s.end_s)):
        start_s, end_s = max(span.start_s, video.start_s), min(span.end_s, video.end_s)
        if end_s - start_s <= SAME_MOMENT_S:
            continue
        if joined and start_s <= joined[-1].end_s + SAME_MOMENT_S:
            joined[-1] = Shot(joined[-1].start_s, max(end_s, joined[-1].end_s))
        else:
            joined.append(Shot(start_s, end_s))
    return joined


def _ticks(seconds: float) -> int:
    return round(seconds / OUT_TIME_BASE)


class _PictureReader:
    """Decoded pictures of spans that come in order of time."""

    def __init__(self, video: VideoInfo, stop: Stop) -> None:
        self._video = video
        self._stop = stop
        self._door = ExitStack()  # what is open now
        self._opened: OpenVideo | None = None
        self._frames: Iterator[tuple[float, VideoFrame]] = iter(())
        self._ahead: tuple[float, VideoFrame] | None = None  # decoded, but after the last span

    def __enter__(self) -> "_PictureReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()

    def between(self, span: Shot) -> Iterator[tuple[float, float, VideoFrame]]:
        """(shown from, for how long, picture), covering the span from its start to its end."""
        waiting: tuple[float, VideoFrame] | None = None
        for time_s, frame in self._shown(span):
            if waiting is not None:
                yield waiting[0], time_s - waiting[0], waiting[1]
            waiting = time_s, frame
        if waiting is not None:
            yield waiting[0], span.end_s - waiting[0], waiting[1]

    def _shown(self, span: Shot) -> Iterator[tuple[float, VideoFrame]]:
        if not self._reaches(span.start_s):
            self._go_to(span.start_s)
        before: VideoFrame | None = None
        inside = False
        while (upcoming := self._next()) is not None:
            time_s, frame = upcoming
            if time_s >= span.end_s - SAME_MOMENT_S:
                self._ahead = time_s, frame
                break
            if time_s < span.start_s - SAME_MOMENT_S:
                before = frame
                continue
            if not inside and before is not None and time_s > span.start_s + SAME_MOMENT_S:
                yield span.start_s, before
            inside = True
            yield max(time_s, span.start_s), frame
        if not inside and before is not None:
            yield span.start_s, before

    def _next(self) -> tuple[float, VideoFrame] | None:
        if self._ahead is not None:
            first, self._ahead = self._ahead, None
            return first
        return next(self._frames, None)

    def _reaches(self, start_s: float) -> bool:
        """Whether decoding on from here gets there sooner than a seek."""
        if self._opened is None or self._ahead is None:
            return False
        ahead_s = self._ahead[0]
        if ahead_s > start_s + SAME_MOMENT_S:
            return False
        if start_s - ahead_s <= NEAR_S:
            return True
        entries = self._opened.stream.index_entries
        wanted = round(start_s / self._opened.time_base)
        if not len(entries) or entries[-1].timestamp < wanted:
            return False  # no index, or one that does not reach so far
        found = entries.search_timestamp(wanted)
        return found >= 0 and entries[found].timestamp * self._opened.time_base <= ahead_s

    def _go_to(self, start_s: float) -> None:
        """To a key frame before the time, else on from here, else to the very start."""
        with ExitStack() as door:
            opened = door.enter_context(self._open())
            if not begin_before(opened, round(start_s / opened.time_base)):
                if self._ahead is not None and self._ahead[0] <= start_s + SAME_MOMENT_S:
                    return
                opened = door.enter_context(self._open())
            self._door.close()
            self._door = door.pop_all()
        self._opened = opened
        self._ahead = None
        self._frames = self._decoded(opened)

    def _open(self) -> AbstractContextManager[OpenVideo]:
        return open_video(self._video.path, name=self._video.name)

    def _decoded(self, opened: OpenVideo) -> Iterator[tuple[float, VideoFrame]]:
        fps = self._video.fps
        clock = FrameClock(max(1, round(1 / (fps * opened.time_base))) if fps > 0 else 1)
        for packet in chain(opened.packets(self._stop), (None,)):
            for frame in opened.decode(packet):
                yield float(clock.ticks(frame) * opened.time_base), frame


def _open_sound(
    stack: ExitStack, video: VideoInfo, writer: Mp4Writer, stop: Stop
) -> "_SpanSound | None":
    """The sound is read through a second door, so that its seeks do not disturb the pictures."""
    if not video.has_audio:
        return None
    opened = stack.enter_context(open_video(video.path, name=video.name))
    stream = first_sound(opened.container)
    if stream is None:
        return None
    opened.stream.discard = Discard.all
    stream.discard = Discard.default
    context = stream.codec_context
    track = writer.sound_track(aac_rate(context.sample_rate), context.channels)
    track.start_at(0)
    return _SpanSound(opened.container, stream, track, stop)


class _SpanSound:
    """The sound of one span after the other, placed by its sample and never by its block.

    A span's first and last sample in the cut come from the span's times in the cut, so rounding
    does not add up from join to join.
    """

    def __init__(
        self, container: InputContainer, stream: AudioStream, track: SoundTrack, stop: Stop
    ) -> None:
        self._container = container
        self._stream = stream
        self.track = track
        self._stop = stop
        self._first = self._end = self._shift = 0
        self._blocks: Iterator[tuple[int, Floats]] = iter(())

    def begin(self, span: Shot, begin_s: float) -> None:
        rate_hz = self.track.rate_hz
        self._first = round(begin_s * rate_hz)
        self._end = round((begin_s + span.length_s) * rate_hz)
        source_first = round(span.start_s * rate_hz)
        self._shift = self._first - source_first
        block: tuple[int, Floats] | None = None
        for back_s in STEP_BACK_S:
            try:
                self._seek(span.start_s - SOUND_LEAD_S - back_s)
            except DAMAGE:
                continue
            self._blocks = self._decoded()
            block = next(self._blocks, None)
            if block is not None and block[0] <= source_first:
                break
        if block is not None:
            self._write(*block)

    def _seek(self, time_s: float) -> None:
        """To a place at or before the time; to the very start for -inf."""
        time_base = float(self._stream.time_base or 1)
        lowest_s = min((self._stream.start_time or 0) * time_base, 0.0)
        try:
            # what primes the decoder lies before the sound's own start
            self._seek_to(max(time_s, lowest_s - SOUND_LEAD_S) / time_base)
        except DAMAGE:
            self._seek_to(max(time_s, lowest_s) / time_base)

    def _seek_to(self, ticks: float) -> None:
        self._container.seek(round(ticks), stream=self._stream)

    def advance(self, time_s: float) -> None:
        """Writes what sounds up to this time of the cut."""
        limit = min(round(time_s * self.track.rate_hz), self._end)
        while (self.track.position or 0) < limit:
            block = next(self._blocks, None)
            if block is None:
                return
            self._write(*block)

    def end(self) -> None:
        self.advance(self._end / self.track.rate_hz)
        self.track.write_silence_until(self._end)

    def _write(self, position: int, samples: Floats) -> None:
        position += self._shift
        from_position = max(position, self.track.position or 0, self._first)
        until = min(position + samples.shape[1], self._end)
        if until <= from_position:
            if position >= self._end:
                self.track.write_silence_until(self._end)
            return
        self.track.write_silence_until(from_position)
        piece = samples[:, from_position - position : until - position]
        self.track.write(piece * self._fade(from_position, until))

    def _fade(self, start: int, end: int) -> Floats:
        places = np.arange(start, end)
        to_edge = np.minimum(places - self._first, self._end - 1 - places)
        return np.minimum(1.0, to_edge / (FADE_S * self.track.rate_hz)).astype(np.float32)

    def _decoded(self) -> Iterator[tuple[int, Floats]]:
        reader = SoundReader(self._stream, self.track.rate_hz, self.track.layout)
        packets = self._container.demux(self._stream)
        while True:
            check_stop(self._stop)
            try:
                packet = next(packets, None)
            except (*DAMAGE, IndexError):
                packet = None  # the rest cannot be read: what came before it stands
            if packet is None or not packet.size:
                yield from reader.decode(None)
                return
            yield from reader.decode(packet)
