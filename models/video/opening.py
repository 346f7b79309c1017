"""Opens a file as a video: which of its streams is the video, and a sentence when none is."""

import ctypes
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.errors import CancelledError, VideoOpenError
from models.video.mp4_tracks import HidingFile, without_sound

# Only formats that hold their own pictures and sound: a playlist (HLS, DASH, concat) renamed to
# .mp4 would make the demuxer open other files, or addresses, that its text names.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpegtsraw,mpeg,mpegvideo,"
    "h264,hevc,av1,obu,ivf,m4v,mjpeg,ogg,asf,asf_o,mxf,gif,apng,nut,dv,rm,swf,vob,wtv,gxf,y4m,"
    "yuv4mpegpipe,evc,vvc,vc1,rawvideo,mp3,wav,aac,flac,aiff,ac3,eac3,amr,caf,w64,au,ape,"
    "dirac,dnxhd,h261,h263,cavsvideo,avs2,avs3,bink,smk,4xm,nsv,nuv,roq,wv,tta,mpc,mpc8"
)
QUICK = {"skip_frame": "all", "analyzeduration": "0"}
STILL_STREAMS = Disposition.attached_pic | Disposition.timed_thumbnails
MAX_PIXELS = 8192 * 8192  # a damaged header that asks for more is refused, not allocated
LONG_INDEX = 20_000  # entries; they take some megabytes
MAX_THREADS = 8  # every frame thread holds frames of its own: memory grows with them
LONGEST_NAME = 80


if TYPE_CHECKING:
    VideoPacket: TypeAlias = Packet[VideoStream]
else:  # generic in the stubs only
    VideoPacket = Packet

# What PyAV raises on damaged files: FFmpeg's errors, and its own for values out of range.
DAMAGE = (av.error.FFmpegError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class OpenVideo:
    container: InputContainer
    stream: VideoStream
    time_base: Fraction
    has_audio: bool

    def packets(self, stop: Callable[[], bool] = bool) -> Iterator[VideoPacket]:
        """The stream's packets from where the container stands to where it can be read.

        Raises:
            CancelledError: `stop` turned true.
        """
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except (*DAMAGE, IndexError):
                # The rest cannot be read: what came before it stands. IndexError is PyAV's when
                # a damaged header announced one more stream on the way.
                return
            if packet is None:
                return
            if stop():
                raise CancelledError("stopped on request")
            if packet.size:
                yield packet

    def decode(self, packet: VideoPacket | None) -> list[VideoFrame]:
        """The frames a packet completes, none if it is damaged; None empties the decoder."""
        try:
            return self.stream.codec_context.decode(packet)
        except DAMAGE:
            return []


def shown_name(path: Path, name: str | None) -> str:
    """A file name that is safe inside a sentence: one line, no direction marks, not too long."""
    text = name or path.name or "this file"
    text = "".join(c for c in text if not unicodedata.category(c).startswith("C"))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def decoder_threads(codec: str) -> int:
    """How many frames are decoded at once.

    Where each frame waits for rows of the one before, as in H.264 and HEVC, it takes several a core
    to keep the cores busy (measured: 12 % faster with three a core). Decoders that divide frames
    by themselves, as for AV1, only lose by it.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores * 3 if codec in ("h264", "hevc") else cores, MAX_THREADS)


@contextmanager
def open_video(
    path: Path,
    *,
    name: str | None = None,
    threads: int | None = None,
    pictures_only: bool = False,
    key_frames_only: bool = False,
) -> Iterator[OpenVideo]:
    """Opens `path` and picks its video stream, with the decoder set up but not yet opened.

    With `pictures_only` the sound of a long file may not be seen at all, which saves memory. With
    `key_frames_only` the demuxer decodes nothing to learn the order of frames, which saves time.

    Raises:
        VideoOpenError: there is no video in it that can be decoded.
    """
    label = shown_name(path, name)
    _refuse_what_is_no_file(path, label)
    with ExitStack() as opened:
        silent = without_sound(path) if pictures_only else None
        if silent is not None:
            opened.enter_context(silent)
        options = QUICK if key_frames_only and _says_all_at_once(path) else {}
        container = opened.enter_context(_container(path, silent, options, label))
        stream, time_base = _video_stream(container, label)
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all
        context = stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = threads or decoder_threads(context.name)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        long = len(stream.index_entries) > LONG_INDEX
        if long:
            _return_freed_memory()  # that of building the index
        yield OpenVideo(container, stream, time_base, _has_audio(container))
    if long:
        _return_freed_memory()  # the index


def _return_freed_memory() -> None:
    """Hands free pieces of the heap back to the system; the C library keeps them otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _says_all_at_once(path: Path) -> bool:
    """Whether this is MP4 or Matroska, whose headers describe their streams completely."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3"


def _container(
    path: Path, silent: HidingFile | None, options: dict[str, str], label: str
) -> InputContainer:
    try:
        container: InputContainer = av.open(
            # "file:" keeps a name like "a:b.mp4" from being read as a protocol.
            f"file:{path}" if silent is None else silent,
            options={"format_whitelist": FORMATS, "protocol_whitelist": "file", **options},
            metadata_errors="replace",
            mode="r",
        )
        return container
    except DAMAGE as error:
        raise VideoOpenError(
            f"“{label}” cannot be read as a video: it may be damaged, incomplete or another kind "
            "of file; try another copy."
        ) from error


def _refuse_what_is_no_file(path: Path, label: str) -> None:
    try:
        if not path.exists():
            raise VideoOpenError(f"“{label}” is not there any more; open the video again.")
        if not path.is_file():
            raise VideoOpenError(f"“{label}” is not a file; choose a video file.")
        if path.stat().st_size == 0:
            raise VideoOpenError(f"“{label}” is empty; choose another copy of the video.")
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise VideoOpenError(
            f"“{label}” cannot be opened; check that it may be read, or choose another file."
        ) from error


def _video_stream(container: InputContainer, label: str) -> tuple[VideoStream, Fraction]:
    """The first video stream that is one: a cover picture is a stream too, but not a video."""
    streams = [s for s in container.streams.video if not Disposition(s.disposition) & STILL_STREAMS]
    for stream in streams:
        if stream.codec_context is not None and stream.time_base:
            return stream, stream.time_base
    if streams:
        raise VideoOpenError(
            f"The pictures in “{label}” are in a format that cannot be decoded here; convert it to "
            "H.264 MP4 and open that."
        )
    if container.streams.audio:
        raise VideoOpenError(f"“{label}” has sound but no pictures; choose a video.")
    raise VideoOpenError(f"“{label}” has no pictures in it; choose a video.")


def _has_audio(container: InputContainer) -> bool:
    return any(stream.codec_context is not None for stream in container.streams.audio)
