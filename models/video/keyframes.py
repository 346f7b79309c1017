"""The stream's own key frames, thinned: what can be shown of a video within a second or two."""

from collections.abc import Callable, Iterator

from av.video.frame import VideoFrame

from models.errors import CancelledError
from models.video.opening import DAMAGE, OpenVideo, VideoPacket
from models.video.packets import PacketReader, Start

# Key frames decoded together keep all threads busy; few at first, so that there is soon something
# to see.
GROUP_SIZES = (2, 4)
GROUP_SIZE = 8
READ_THROUGH_BYTES = 64 << 20  # a smaller file without an index is read from end to end
REORDERED_FRAMES = 4  # how far a key frame's place in the index may lie before its own time


class KeyFrameReader:
    """Key frames at least `step_s` apart, found by the index where there is one."""

    def __init__(
        self,
        video: OpenVideo,
        *,
        step_s: float,
        frame_ticks: int,
        stop: Callable[[], bool],
        after: int | None = None,
    ) -> None:
        """With `after`, the key frame at that time is known already; those that follow are read."""
        self._video = video
        self._stream = video.stream
        self._context = video.stream.codec_context
        self._reader = PacketReader(video.stream)
        self._stop = stop
        self._after = after
        self._step = max(1, round(step_s / video.time_base))
        self._frame_ticks = max(1, frame_ticks)
        self._may_seek = (
            len(self._stream.index_entries) > 0 or self._video.container.size > READ_THROUGH_BYTES
        )

    def frames(self) -> Iterator[tuple[VideoFrame, int]]:
        """Decoded key frames with their times in ticks, in ascending order."""
        last = self._after
        for group in self._groups():
            for frame, ticks in self._decode(group):
                if last is None or ticks > last:
                    last = ticks
                    yield frame, ticks

    def _groups(self) -> Iterator[list[tuple[VideoPacket, int]]]:
        sizes = iter(GROUP_SIZES)
        size = next(sizes)
        group: list[tuple[VideoPacket, int]] = []
        for key in self._keys():
            group.append(key)
            if len(group) == size:
                yield group
                group = []
                size = next(sizes, GROUP_SIZE)
        if group:
            yield group

    def _keys(self) -> Iterator[tuple[VideoPacket, int]]:
        """Key packets and their times."""
        last = self._after
        sought = last is not None and self._may_seek and self._seek_after(last)
        for count, packet in enumerate(self._video.packets(self._stop)):
            ticks = self._ticks(packet, count)
            if sought:
                sought = False
                # Some files' indexes lead back to where we were: read on from there instead.
                self._may_seek = last is None or ticks > last
            if last is not None and ticks < last + self._step:
                continue
            if packet.is_discard or self._reader.start(packet) is Start.NOWHERE:
                continue
            yield packet, ticks
            last = ticks
            sought = self._may_seek and self._seek_after(ticks)

    def _ticks(self, packet: VideoPacket, count: int) -> int:
        if packet.pts is not None:
            return packet.pts
        return packet.dts if packet.dts is not None else count * self._frame_ticks

    def _seek_after(self, ticks: int) -> bool:
        """Moves on to the first key frame a step after `ticks`, or a little before that."""
        target = max(ticks + 1, ticks + self._step - REORDERED_FRAMES * self._frame_ticks)
        try:
            self._video.container.seek(target, stream=self._stream, backward=False)
        except DAMAGE:
            self._may_seek = False
            return False
        return True

    def _decode(self, group: list[tuple[VideoPacket, int]]) -> list[tuple[VideoFrame, int]]:
        """Each packet is a picture of its own; the decoder is emptied and starts anew after."""
        frames: list[VideoFrame] = []
        for packet in [*(packet for packet, _ in group), None]:
            if self._stop():
                raise CancelledError("stopped on request")
            frames += self._video.decode(packet)
        self._context.flush_buffers()
        if len(frames) == len(group) and any(frame.pts is None for frame in frames):
            return [(frame, ticks) for frame, (_, ticks) in zip(frames, group, strict=True)]
        timed = [(frame, frame.pts) for frame in frames if frame.pts is not None]
        return sorted(timed, key=lambda entry: entry[1])
