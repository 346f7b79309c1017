"""H.264 + AAC into an MP4 that browsers play: exact times, upright pictures, all or nothing."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from models.errors import UserFacingError
from models.types import Floats
from models.video.picture import clockwise_turn

AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
FALLBACK_RATE_HZ = 48000
# The index first, so that a player can begin before it has read everything. A track's start is kept
# in the movie's own clock, which would count whole milliseconds.
MUXER_OPTIONS = {"movflags": "+faststart", "movie_timescale": "90000"}
KEY_FRAME_EVERY_S = 2.0  # players decode from a key frame on every seek
_UNSPECIFIED = 2
_BT709 = 1


def even(size_px: int) -> int:
    """4:2:0 has one colour sample for two pixels, so sizes are rounded up to even ones."""
    return max(2, size_px + size_px % 2)


class UprightPictures:
    """Turns decoded frames into upright yuv420p of one size, whatever arrives."""

    def __init__(self, width: int, height: int) -> None:
        self.width = even(width)
        self.height = even(height)
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame) -> VideoFrame:
        turns = -clockwise_turn(frame) // 90 % 4
        width, height = (self.height, self.width) if turns % 2 else (self.width, self.height)
        # RGB has no matrix of its own: say which one is used, or players guess by size
        from_rgb = frame.format.is_rgb
        plain = self._reformatter.reformat(
            frame,
            width,
            height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU709 if from_rgb else None,
            dst_color_range=ColorRange.MPEG,
        )
        picture = _turned(plain, turns) if turns else plain
        picture.color_range = ColorRange.MPEG
        picture.colorspace = _BT709 if from_rgb else frame.colorspace
        picture.color_primaries = frame.color_primaries
        picture.color_trc = frame.color_trc
        return picture


def _turned(frame: VideoFrame, quarter_turns: int) -> VideoFrame:
    """Rotates anticlockwise, plane by plane."""
    width, height = frame.width, frame.height
    flat = frame.to_ndarray().reshape(-1)
    luma, chroma = width * height, width * height // 4
    planes = (
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(height // 2, width // 2),
        flat[luma + chroma :].reshape(height // 2, width // 2),
    )
    turned = np.concatenate([np.rot90(plane, quarter_turns).reshape(-1) for plane in planes])
    across = height if quarter_turns % 2 else width
    return VideoFrame.from_ndarray(turned.reshape(-1, across), format="yuv420p")


class PictureTrack:
    """The video track. Presentation times are integers in `time_base`, kept as they are."""

    def __init__(
        self,
        writer: "Mp4Writer",
        width: int,
        height: int,
        time_base: Fraction,
        rate: Fraction,
        crf: int,
    ) -> None:
        self._writer = writer
        self._upright = UprightPictures(width, height)
        # Without B frames the order of decoding is that of showing, and MP4, which stores only
        # lengths between decoding times, keeps every time and the last picture's length exactly.
        options = {"preset": "veryfast", "crf": str(crf), "bf": "0"}
        stream = writer.container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = self._upright.width, self._upright.height
        stream.pix_fmt = "yuv420p"
        stream.time_base = time_base
        context = stream.codec_context
        context.time_base = time_base
        context.gop_size = int(min(max(KEY_FRAME_EVERY_S * float(rate), 12), 120))
        self._stream = stream
        self._time_base = time_base
        self.last_pts: int | None = None
        self._durations: dict[int | None, int] = {}

    def write(self, frame: VideoFrame, pts: int, duration: int = 0) -> None:
        """Adds one picture; one that does not come after the last is left out."""
        if self.last_pts is not None and pts <= self.last_pts:
            return
        picture = self._upright.convert(frame)
        if self.last_pts is None:
            self._describe_colour(picture)
        picture.pts = pts
        picture.time_base = self._time_base
        picture.duration = duration
        self.last_pts = pts
        self._durations[pts] = duration
        self._mux(self._stream.encode(picture))

    def flush(self) -> None:
        self._mux(self._stream.codec_context.encode_lazy(None))

    def _mux(self, packets: "Iterable[Packet[Any]]") -> None:
        for packet in packets:
            # the encoder guesses, which shows where the last picture stays for long
            duration = self._durations.pop(packet.pts, 0)
            if duration:
                packet.duration = duration
            packet.stream = self._stream
            self._writer.mux([packet])

    def _describe_colour(self, picture: VideoFrame) -> None:
        context = self._stream.codec_context
        context.color_range = picture.color_range
        context.colorspace = picture.colorspace
        context.color_primaries = picture.color_primaries
        context.color_trc = picture.color_trc


class SoundTrack:
    """The AAC track: one unbroken run of samples, so that nothing can drift."""

    def __init__(self, writer: "Mp4Writer", rate_hz: int, channels: int) -> None:
        self._writer = writer
        self.rate_hz = rate_hz
        self.layout = layout_of(channels)
        self._channels = 1 if self.layout == "mono" else 2
        self._stream = writer.container.add_stream("aac", rate=rate_hz, layout=self.layout)
        self._stream.codec_context.bit_rate = 96_000 * self._channels
        self.position: int | None = None  # the sample that comes next

    def start_at(self, position: int) -> None:
        self.position = position

    def write(self, samples: Floats) -> None:
        """float32 [channels, N], from `position` on."""
        if self.position is None:
            raise ValueError("a sound track is started before it is written")
        if not samples.shape[1]:
            return
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, dtype=np.float32), format="fltp", layout=self.layout
        )
        frame.sample_rate = self.rate_hz
        frame.time_base = Fraction(1, self.rate_hz)
        frame.pts = self.position
        self.position += samples.shape[1]
        self._writer.mux(self._stream.encode(frame))

    def write_silence_until(self, position: int) -> None:
        while self.position is not None and self.position < position:
            self._writer.check()
            count = min(position - self.position, self.rate_hz)
            self.write(np.zeros((self._channels, count), np.float32))

    def flush(self) -> None:
        if self.position is not None:
            self._writer.mux(self._stream.encode(None))


class Mp4Writer:
    """A file that appears under its name only when it is whole.

    `check` is called between pieces of work and raises to stop; leaving the block by an exception
    removes what was written.
    """

    def __init__(self, dst: Path, check: Callable[[], None]) -> None:
        self.check = check
        self._dst = dst
        handle, name = tempfile.mkstemp(dir=dst.parent, prefix=".writing-", suffix=".part")
        os.close(handle)
        self._partial = Path(name)
        try:
            self.container = av.open(f"file:{name}", "w", format="mp4", options=MUXER_OPTIONS)
        except BaseException:
            self._partial.unlink(missing_ok=True)
            raise

    def picture_track(
        self, width: int, height: int, time_base: Fraction, rate: Fraction, crf: int = 20
    ) -> PictureTrack:
        return PictureTrack(self, width, height, time_base, rate, crf)

    def sound_track(self, rate_hz: int, channels: int) -> SoundTrack:
        return SoundTrack(self, rate_hz, channels)

    def copied_track(self, template: Stream) -> Stream:
        """A track for packets as they are, without decoding them."""
        return self.container.add_stream_from_template(template, opaque=True)

    def mux(self, packets: "Iterable[Packet[Any]]") -> None:
        for packet in packets:
            self.check()
            self.container.mux(packet)

    def __enter__(self) -> "Mp4Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.container.close()
                self._partial.chmod(0o644)
                self._partial.replace(self._dst)
            else:
                self._abandon()
        except OSError as failure:
            raise as_user_error(failure) from failure
        finally:
            self._partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise as_user_error(error) from error

    def _abandon(self) -> None:
        # Gone before it is closed: closing would first move all of it to make room for the index.
        self._partial.unlink(missing_ok=True)
        try:
            self.container.close()
        except av.FFmpegError:
            return  # the file is thrown away: that its end could not be written is no news


def as_user_error(failure: OSError) -> UserFacingError:
    if failure.errno == errno.ENOSPC:
        return UserFacingError("The disk is full; free some space and try again.")
    return UserFacingError("The video file could not be written; check the folder and try again.")


def aac_rate(rate_hz: int) -> int:
    return rate_hz if rate_hz in AAC_RATES_HZ else FALLBACK_RATE_HZ


def layout_of(channels: int) -> str:
    return "mono" if channels == 1 else "stereo"
