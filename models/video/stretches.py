"""Divides a video into stretches that can be decoded apart and give the same frames together.

One decoder keeps two cores at most three quarters busy: its frames wait for each other. Decoders
of different stretches wait for nobody. A stretch begins at a key frame from which decoding can
start cleanly and ends before the next one's; where a file's index does not say enough, there is
only one stretch.
"""

from contextlib import suppress
from dataclasses import dataclass

from models.video.opening import DAMAGE, OpenVideo
from models.video.packets import PacketReader, Start
from models.video.sampling import Moments

LENGTH_S = 8.0  # at least; shorter ones leave cores less time idle at the end, longer ones none
# Their demuxers find a key frame exactly where the index has it.
FORMATS = ("mov", "matroska")
# Nothing after a fresh start leans on anything before it; in MPEG-4 part 2 it may.
CODECS = ("h264", "hevc", "vp8", "vp9", "av1")


@dataclass(frozen=True, slots=True)
class Stretch:
    """From a key frame's presentation time until another's, in ticks of the stream."""

    seek_ticks: int | None  # where the index has the key frame; None: the start of the file
    from_ticks: int | None
    until_ticks: int | None  # None: to the end


class StretchMoments:
    """Those of other moments that lie in a stretch."""

    def __init__(self, moments: Moments, stretch: Stretch) -> None:
        self._moments = moments
        self._from_ticks = stretch.from_ticks
        self._until_ticks = stretch.until_ticks

    def next_at(self, ticks: int) -> int | None:
        if self._from_ticks is not None:
            ticks = max(ticks, self._from_ticks)
        moment = self._moments.next_at(ticks)
        if moment is None or (self._until_ticks is not None and moment >= self._until_ticks):
            return None
        return moment


def divide(video: OpenVideo, length_s: float) -> list[Stretch]:
    """Stretches in order of time, the first from the start of the file, the last to its end."""
    formats = video.container.format.name.split(",")
    codec = video.stream.codec_context.codec.canonical_name
    if codec not in CODECS or not any(name in FORMATS for name in formats):
        return [Stretch(None, None, None)]
    starts = _starts(video, length_s)
    begins = [(None, None), *starts]
    ends = [*(shown for _, shown in starts), None]
    return [Stretch(at, shown, until) for (at, shown), until in zip(begins, ends, strict=True)]


def begin(video: OpenVideo, stretch: Stretch) -> None:
    """Brings the container to where the stretch begins, and the decoder to forget all before."""
    if stretch.seek_ticks is not None:
        video.container.seek(stretch.seek_ticks, stream=video.stream, backward=True)


def _starts(video: OpenVideo, length_s: float) -> list[tuple[int, int]]:
    """(where to seek, presentation time) of key frames at least `length_s` apart, both rising."""
    least = max(1, round(length_s / video.time_base))
    reader = PacketReader(video.stream)
    starts: list[tuple[int, int]] = []
    delay = _delay(video)
    key_times = [entry.timestamp for entry in video.stream.index_entries if entry.is_keyframe]
    last = key_times[0] if key_times else 0
    for time in key_times:
        if time - last < least:
            continue
        last = time
        # An index is kept by decoding time; some demuxers seek by it and some by what is shown.
        for ticks in (last + delay, last):
            shown = _shown_at(video, reader, ticks, last)
            if shown is not None and (not starts or shown > starts[-1][1]):
                starts.append((ticks, shown))
                break
    return starts


def _delay(video: OpenVideo) -> int:
    """How much later than it is decoded the first picture is shown.

    Matroska's index is read by the first seeking, not before.
    """
    first = next(video.packets(), None)
    if first is None or first.pts is None or first.dts is None:
        return 0
    with suppress(*DAMAGE):
        video.container.seek((video.container.duration or 0) // 2)
    return first.pts - first.dts


def _shown_at(video: OpenVideo, reader: PacketReader, ticks: int, indexed: int) -> int | None:
    """When the key frame that the index has at `indexed` is shown, if seeking leads to it.

    None too where a picture after it may lean on one before it.
    """
    try:
        video.container.seek(ticks, stream=video.stream, backward=True)
        packet = next(video.packets(), None)
    except DAMAGE:
        return None
    if packet is None or packet.pts is None or indexed not in (packet.dts, packet.pts):
        return None
    return packet.pts if reader.start(packet) is Start.FRESH else None
