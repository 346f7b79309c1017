"""What a video is, learnt from its headers and its first frame."""

import math
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from models.errors import VideoOpenError
from models.types import VideoInfo
from models.video.opening import OpenVideo, open_video, shown_name
from models.video.picture import PictureMaker, clockwise_turn, shown_size

LIKELY_FPS = Fraction(25)
FIRST_FRAME_WITHIN_S = 4.0  # of trying; a damaged file may hold no good picture at all
MICROSECONDS = 1_000_000


def probe(path: Path, *, name: str | None = None, content_hash: str = "") -> VideoInfo:
    """Opens the file and decodes its first frame.

    `rotation` is how far the stored picture is turned clockwise to stand upright.

    Raises:
        VideoOpenError: the file has no video that can be decoded.
    """
    return probe_first(path, name=name, content_hash=content_hash)[0]


def probe_first(
    path: Path, *, name: str | None = None, content_hash: str = ""
) -> tuple[VideoInfo, VideoFrame]:
    """The same, with the frame, so that nobody has to decode it again."""
    # One thread: a second one would only wait for more pictures before giving the first.
    with open_video(path, name=name, threads=1) as video:
        frame = _first_frame(video)
        if frame is None or not _can_be_drawn(frame):
            raise VideoOpenError(
                f"No picture in “{shown_name(path, name)}” can be decoded: it is damaged or "
                "incomplete; try another copy."
            )
        stream = video.stream
        turn = clockwise_turn(frame)
        pixel_shape = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        width, height = shown_size(frame.width, frame.height, pixel_shape, turn)
        start_s = float((frame.pts or 0) * video.time_base)
        fps = _fps(video)
        info = VideoInfo(
            path=path,
            name=name or path.name,
            content_hash=content_hash,
            duration_s=_duration_s(video, start_s, fps),
            fps=fps,
            width=width,
            height=height,
            rotation=turn,
            has_audio=video.has_audio,
            codec=stream.codec_context.codec.canonical_name,
            start_s=start_s,
            coded_width=frame.width,
            coded_height=frame.height,
        )
        return info, frame


def _first_frame(video: OpenVideo) -> VideoFrame | None:
    give_up = time.monotonic() + FIRST_FRAME_WITHIN_S
    for packet in video.packets():
        if frames := video.decode(packet):
            return frames[0]
        if time.monotonic() > give_up:
            return None
    return next(iter(video.decode(None)), None)


def _can_be_drawn(frame: VideoFrame) -> bool:
    return PictureMaker.of_size(16, 16).draw(frame, np.empty((16, 16, 3), np.uint8))


def _fps(video: OpenVideo) -> Fraction:
    stream = video.stream
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= 1000:
            return Fraction(rate)
    return LIKELY_FPS


def _duration_s(video: OpenVideo, start_s: float, fps: Fraction) -> float:
    """From the stream's header, else the container's, else by reading every packet's time."""
    stream, container = video.stream, video.container
    if stream.duration and stream.duration > 0:
        begin = stream.start_time * video.time_base if stream.start_time is not None else start_s
        end_s = float(begin + stream.duration * video.time_base)
    elif (tagged := _tagged_duration_s(stream.metadata.get("DURATION", ""))) > 0:
        end_s = tagged
    elif container.duration and container.duration > 0:
        end_s = ((container.start_time or 0) + container.duration) / MICROSECONDS
    else:
        end_s = _last_packet_end_s(video, fps)
    return max(end_s - start_s, 0.0) or float(1 / fps)


def _tagged_duration_s(text: str) -> float:
    """Matroska's own note, "00:00:10.333000000": the container's length counts the sound too."""
    try:
        hours, minutes, seconds = text.split(":")
        value = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _last_packet_end_s(video: OpenVideo, fps: Fraction) -> float:
    frame_ticks = round(1 / (fps * video.time_base))
    last, packets = 0, 1  # the first frame's packets are read already
    for packet in video.packets():
        packets += 1
        moment = packet.pts if packet.pts is not None else packet.dts
        if moment is not None:
            last = max(last, moment + (packet.duration or frame_ticks))
    return float(last * video.time_base) if last else float(packets / fps)
