"""Decodes only what wanted moments need, and gives the same pictures as decoding everything.

Packet times are free to read, so the frames to keep are known before anything is decoded:
- a group of pictures is decoded up to its last wanted frame, and not at all without one;
- the decoder drops unwanted frames that nothing refers to;
- which of the decoded frames are wanted is decided once more on the decoder's own times, so that
  a plan made from wrong packet times costs speed or, at worst, a neighbouring frame.
Where packets carry no usable times, everything is decoded.
"""

import sys
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from av.video.frame import VideoFrame

from models.video.opening import OpenVideo, VideoPacket
from models.video.packets import PacketReader, Start
from models.video.sampling import Moments, is_shown

# No codec sends more than 16 pictures ahead of one that is shown before them, so once 17 later
# times are known nothing earlier can follow.
LOOKAHEAD = 17
MAX_PENDING = 256  # more than that waiting means that the packet times are nonsense
MAX_HELD = 2048  # packets of one group kept back in the hope that none of them is needed
MAX_HELD_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A frame that is on screen at a wanted moment."""

    frame: VideoFrame
    ticks: int
    until_ticks: int  # where the next known frame, or the video, begins or ends


class FrameClock:
    """The presentation time of each decoded frame, also where the stream gives none.

    FFmpeg's own rule: presentation times, unless they go backwards more often than decoding times.
    """

    def __init__(self, frame_ticks: int) -> None:
        self._frame_ticks = frame_ticks
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._faulty_pts = 0
        self._faulty_dts = 0
        self._last: int | None = None

    @property
    def distrusts_pts(self) -> bool:
        return self._faulty_pts > self._faulty_dts

    def ticks(self, frame: VideoFrame) -> int:
        pts, dts = frame.pts, frame.dts
        if dts is not None:
            self._faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        time = dts if pts is None or (self.distrusts_pts and dts is not None) else pts
        if time is None:
            time = 0 if self._last is None else self._last + self._frame_ticks
        self._last = time
        return time


class PlannedDecoder:
    """One pass over a stream, from where its container stands, for moments in ascending order."""

    def __init__(
        self,
        video: OpenVideo,
        moments: Callable[[int], Moments],
        *,
        frame_ticks: int,
        stop: Callable[[], bool],
        last_stays: bool = False,
        until_ticks: int | None = None,
    ) -> None:
        """`moments` is called once, with the time of the first frame that comes out.

        With `last_stays` the last frame is shown at every later moment too. With `until_ticks`
        the stream is over where a key frame shown then or later starts everything afresh.
        """
        self._video = video
        self._context = video.stream.codec_context
        self._make_moments = moments
        self._moments: Moments | None = None
        self._frame_ticks = max(1, frame_ticks)
        self._clock = FrameClock(self._frame_ticks)
        self._reader = PacketReader(video.stream)
        self._stop = stop
        self._last_stays = last_stays
        self._until_ticks = until_ticks
        self._planned = True
        self._times: list[int] = []  # of the packets seen lately, in order
        self._pending: deque[tuple[VideoPacket, int]] = deque()  # not yet known whether wanted
        self._held: list[VideoPacket] = []  # unwanted, but a later wanted frame may need them
        self._held_bytes = 0
        self._leading_before: int | None = None  # drop pictures shown before this: refs are gone

    def shown(self) -> Iterator[ShownFrame]:
        """The frames shown at the wanted moments, in order."""
        last: VideoFrame | None = None
        last_ticks = 0
        for frame in self._decoded():
            ticks = self._clock.ticks(frame)
            if self._clock.distrusts_pts:
                self._planned = False
            if self._moments is None:
                self._moments = self._make_moments(ticks)
            if last is not None:
                if ticks <= last_ticks:
                    continue
                if is_shown(last_ticks, ticks, self._moments):
                    yield ShownFrame(last, last_ticks, ticks)
                    if self._moments.next_at(ticks) is None:
                        return
            last, last_ticks = frame, ticks
        if last is not None and self._moments is not None:
            end = last_ticks + max(1, last.duration or self._frame_ticks)
            if self._last_stays:
                end = sys.maxsize
            elif self._until_ticks is not None:
                end = self._until_ticks
            if is_shown(last_ticks, end, self._moments):
                yield ShownFrame(last, last_ticks, end)

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._video.packets(self._stop):
            pts = packet.pts
            if self._is_over(packet, pts):
                break
            if self._moments is None or not self._planned or pts is None:
                yield from self._release_all()
                self._planned = self._planned and pts is not None
                if self._planned and pts is not None:
                    self._note_time(packet, pts)
                yield from self._decode(packet, wanted=True)
            else:
                self._note_time(packet, pts)
                self._pending.append((packet, pts))
                yield from self._advance()
        while self._pending:
            yield from self._settle(*self._pending.popleft(), surely=True)
        yield from self._video.decode(None)

    def _is_over(self, packet: VideoPacket, pts: int | None) -> bool:
        if self._until_ticks is None or pts is None or pts < self._until_ticks:
            return False
        return self._reader.start(packet) is Start.FRESH

    def _note_time(self, packet: VideoPacket, pts: int) -> None:
        if not packet.is_discard and not self._reader.is_hidden(packet):
            insort(self._times, pts)

    def _advance(self) -> Iterator[VideoFrame]:
        """Decides on every pending packet about which all is known."""
        while self._pending:
            packet, pts = self._pending[0]
            known = len(self._times) >= LOOKAHEAD and pts < self._times[-LOOKAHEAD]
            if not known and len(self._pending) <= MAX_PENDING:
                break
            self._pending.popleft()
            yield from self._settle(packet, pts, surely=known)
        if len(self._times) > 4 * MAX_PENDING:
            del self._times[: -2 * MAX_PENDING]

    def _settle(self, packet: VideoPacket, pts: int, *, surely: bool) -> Iterator[VideoFrame]:
        """Sends a packet to the decoder, keeps it back or drops it."""
        start = self._reader.start(packet)
        if start is not Start.NOWHERE:
            yield from self._begin_group(pts, start)
        elif self._leading_before is not None:
            if pts < self._leading_before:
                return
            self._leading_before = None
        if not surely or self._is_wanted(packet, pts):
            yield from self._release()
            yield from self._decode(packet, wanted=True)
            return
        self._held.append(packet)
        self._held_bytes += packet.size
        if len(self._held) > MAX_HELD or self._held_bytes > MAX_HELD_BYTES:
            yield from self._release()

    def _begin_group(self, key_pts: int, start: Start) -> Iterator[VideoFrame]:
        """Before a key frame: forgets what is held back, unless pictures after it need that."""
        self._leading_before = None
        if not self._held:
            return
        if any(pts < key_pts and self._is_wanted(packet, pts) for packet, pts in self._pending):
            yield from self._release()
            return
        self._held.clear()
        self._held_bytes = 0
        self._leading_before = key_pts
        if start is Start.OPEN:
            # Picture numbers go on counting across such a key frame, and some are missing now.
            yield from self._video.decode(None)
            self._context.flush_buffers()

    def _is_wanted(self, packet: VideoPacket, pts: int) -> bool:
        if packet.is_discard or self._moments is None:
            return False
        index = bisect_right(self._times, pts)
        if index == len(self._times):
            return True  # the last frame of all: how long it stays is for the decoder to say
        return is_shown(pts, self._times[index], self._moments)

    def _release(self) -> Iterator[VideoFrame]:
        held, self._held, self._held_bytes = self._held, [], 0
        for packet in held:
            yield from self._decode(packet, wanted=False)

    def _release_all(self) -> Iterator[VideoFrame]:
        """Gives up planning: all that waits is decoded."""
        yield from self._release()
        while self._pending:
            yield from self._decode(self._pending.popleft()[0], wanted=True)

    def _decode(self, packet: VideoPacket, *, wanted: bool) -> list[VideoFrame]:
        if not wanted and self._reader.is_unreferenced(packet):
            return []
        may_drop = self._reader.may_drop(packet)
        self._context.skip_frame = "NONREF" if may_drop and not wanted else "DEFAULT"
        return self._video.decode(packet)
