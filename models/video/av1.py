"""Which AV1 packets hold a picture that nothing refers to.

The decoder drops such pictures of other codecs when asked to; AV1's does not, but the header of
every frame says which reference slots the frame will fill. Where it fills none, no later frame can
use it, and it need not be decoded unless it is wanted. Names are those of the AV1 specification.
"""

from dataclasses import dataclass

SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6
SELECT = 2  # "said frame by frame"
HEADER_BYTES = 64  # what is read of a frame's header lies well within


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError(f"a header is complete, received one {-self._left} bits short")
        return self._value >> self._left & (1 << count) - 1


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What of a sequence header is needed to read a frame header."""

    screen_content_tools: int
    integer_mv: int
    frame_id_bits: int
    order_hint_bits: int


class UnreferencedFrames:
    """Follows one stream's sequence headers, starting with that in `extradata` (an av1C box)."""

    def __init__(self, extradata: bytes) -> None:
        self._sequence: _Sequence | None = None
        if len(extradata) > 4:
            self.holds(memoryview(extradata)[4:])

    def holds(self, packet: memoryview) -> bool:
        """Whether the packet is one shown frame that fills no reference slot."""
        frames = 0
        unreferenced = False
        try:
            for kind, body in _units(packet):
                if kind == SEQUENCE_HEADER:
                    self._sequence = _read_sequence(_Bits(bytes(body)))
                elif kind in (FRAME_HEADER, FRAME):
                    frames += 1
                    unreferenced = self._sequence is not None and _fills_no_slot(
                        _Bits(bytes(body[:HEADER_BYTES])), self._sequence
                    )
        except (ValueError, IndexError):
            return False  # damaged, or a kind of header that is not read here: keep it
        return frames == 1 and unreferenced


def _units(data: memoryview) -> list[tuple[int, memoryview]]:
    """The open bitstream units of a packet: their kinds and bodies."""
    units = []
    at = 0
    while at < len(data):
        header = data[at]
        at += 2 if header & 4 else 1
        length = len(data) - at
        if header & 2:
            length = shift = 0
            while True:
                byte = data[at]
                at += 1
                length |= (byte & 127) << shift
                shift += 7
                if not byte & 128:
                    break
        units.append((header >> 3 & 15, data[at : at + length]))
        at += length
    return units


def _read_sequence(bits: _Bits) -> _Sequence | None:
    bits.read(3 + 1)  # seq_profile, still_picture
    if bits.read(1):  # reduced_still_picture_header: a photograph
        return None
    if bits.read(1):  # timing_info_present_flag
        bits.read(32 + 32)
        if bits.read(1):  # equal_picture_interval: a variable length number follows
            zeros = 0
            while not bits.read(1):
                zeros += 1
            bits.read(zeros)
        if bits.read(1):  # decoder_model_info_present_flag: broadcast; its headers are longer
            return None
    delays = bits.read(1)  # initial_display_delay_present_flag
    for _ in range(bits.read(5) + 1):  # operating points
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delays and bits.read(1):
            bits.read(4)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits)
    bits.read(height_bits)
    frame_id_bits = 0
    if bits.read(1):  # frame_id_numbers_present_flag
        delta = bits.read(4) + 2
        frame_id_bits = bits.read(3) + 1 + delta
    bits.read(3 + 4)  # superblocks and filters; interintra, masked, warped, dual filter
    ordered = bits.read(1)
    if ordered:
        bits.read(2)
    screen_content_tools = SELECT if bits.read(1) else bits.read(1)
    integer_mv = SELECT
    if screen_content_tools:
        integer_mv = SELECT if bits.read(1) else bits.read(1)
    return _Sequence(
        screen_content_tools, integer_mv, frame_id_bits, bits.read(3) + 1 if ordered else 0
    )


def _fills_no_slot(bits: _Bits, sequence: _Sequence) -> bool:
    if bits.read(1):  # show_existing_frame: it may be a key frame, and it costs nothing
        return False
    frame_type = bits.read(2)
    shown = bits.read(1)
    if frame_type != 1 or not shown:  # only frames predicted from others
        return False
    error_resilient = bits.read(1)
    bits.read(1)  # disable_cdf_update
    tools = sequence.screen_content_tools
    if tools == SELECT:
        tools = bits.read(1)
    if tools and sequence.integer_mv == SELECT:
        bits.read(1)
    bits.read(sequence.frame_id_bits)
    bits.read(1)  # frame_size_override_flag
    bits.read(sequence.order_hint_bits)
    if not error_resilient:
        bits.read(3)  # primary_ref_frame
    return bits.read(8) == 0  # refresh_frame_flags
