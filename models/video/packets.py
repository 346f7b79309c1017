"""What an encoded picture says of itself, read from its first bytes without decoding it.

The container's key flag says where decoding may start; how cleanly it may start there differs:
an H.264 key frame may be a picture that is refreshed bit by bit over the next seconds, and the
pictures that follow an open group's key frame may lean on the group before it.
"""

from collections.abc import Iterator
from enum import Enum

from av.video.stream import VideoStream

from models.video.av1 import UnreferencedFrames
from models.video.opening import VideoPacket

# No picture header starts later than this; the slices behind it may be large.
LOOKED_AT = 1 << 14


class Start(Enum):
    """How decoding can begin at a packet."""

    NOWHERE = 0  # it cannot
    OPEN = 1  # it can; pictures shown before this one but sent after it may need earlier ones
    FRESH = 2  # it can, and the decoder forgets everything before by itself


class PacketReader:
    """Reads packets of one stream."""

    def __init__(self, stream: VideoStream) -> None:
        context = stream.codec_context
        self._codec = context.codec.canonical_name
        extra = context.extradata or b""
        self._length_size = 0  # 0: start codes
        if self._codec == "h264" and len(extra) > 4 and extra[0] == 1:
            self._length_size = (extra[4] & 3) + 1
        elif self._codec == "hevc" and len(extra) > 21 and (extra[0] == 1 or extra[2] > 1):
            self._length_size = (extra[21] & 3) + 1
        self._highest_layer = 0
        self._av1 = UnreferencedFrames(extra) if self._codec == "av1" else None

    def start(self, packet: VideoPacket) -> Start:
        """How decoding can begin at this packet."""
        if not packet.is_keyframe:
            return Start.NOWHERE
        if self._codec == "h264":
            return self._h264_start(packet)
        if self._codec == "hevc":
            return self._hevc_start(packet)
        if self._codec in ("mpeg1video", "mpeg2video"):
            return Start.OPEN
        return Start.FRESH

    def is_hidden(self, packet: VideoPacket) -> bool:
        """Whether decoding the packet gives no picture to show (VP8 sends such ones apart)."""
        return self._codec == "vp8" and packet.size > 0 and not memoryview(packet)[0] & 0x10

    def is_unreferenced(self, packet: VideoPacket) -> bool:
        """Whether no other picture needs this one, for decoders that do not see to that."""
        return self._av1 is not None and self._av1.holds(memoryview(packet))

    def may_drop(self, packet: VideoPacket) -> bool:
        """Whether "nothing refers to this" can be believed where the packet says so.

        In HEVC it only holds among the pictures of one temporal layer: a picture of a lower layer
        that no picture of its layer needs may well be needed by the layers above.
        """
        if self._codec != "hevc":
            return True
        unit = next(self._units(packet), None)
        layer = unit[1] & 7 if unit is not None and len(unit) > 1 else 0
        self._highest_layer = max(self._highest_layer, layer)
        return layer >= self._highest_layer

    def _units(self, packet: VideoPacket) -> Iterator[memoryview]:
        """The network abstraction units of an H.264 or HEVC packet, without their framing."""
        data = memoryview(packet)
        if self._length_size:
            at = 0
            while at + self._length_size < len(data):
                length = int.from_bytes(data[at : at + self._length_size], "big")
                at += self._length_size
                if length:
                    yield data[at : at + length]
                at += length
            return
        head = bytes(data[:LOOKED_AT])
        at = head.find(b"\0\0\1")
        while at >= 0:
            yield data[at + 3 :]
            at = head.find(b"\0\0\1", at + 3)

    def _h264_start(self, packet: VideoPacket) -> Start:
        for unit in self._units(packet):
            kind = unit[0] & 31 if len(unit) else 0
            if kind == 5:
                return Start.FRESH
            if kind == 1:
                return Start.OPEN if _slice_type(bytes(unit[1:17])) in (2, 4) else Start.NOWHERE
        return Start.NOWHERE

    def _hevc_start(self, packet: VideoPacket) -> Start:
        for unit in self._units(packet):
            kind = unit[0] >> 1 & 63 if len(unit) else 63
            if kind in (19, 20):
                return Start.FRESH
            if 16 <= kind <= 21:
                return Start.OPEN
            if kind < 16:
                return Start.NOWHERE
        return Start.NOWHERE


def _slice_type(header: bytes) -> int:
    """The kind of an H.264 slice (2 intra, 4 switching intra) from the bytes after its type."""
    bits = int.from_bytes(header, "big")
    left = len(header) * 8
    value = -1
    for _ in range(2):  # first_mb_in_slice, slice_type: Exp-Golomb codes
        zeros = left - bits.bit_length()
        if 2 * zeros + 1 > left:
            return -1
        left -= 2 * zeros + 1
        value = (bits >> left) - 1
        bits &= (1 << left) - 1
    return value % 5
