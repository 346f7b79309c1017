"""Hides the tracks of a long MP4 that are not pictures from the demuxer.

The demuxer keeps an entry in memory for every sample of every track: two hours of sound are more
of them than the video has, and none is read when only pictures are wanted. A track whose box is
called "free" instead of "trak" is not seen at all, so that is what this file says when it is read.
"""

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

HIDDEN = b"free"
LONG_TABLES_BYTES = 1 << 20  # below that there is nothing to save


class HidingFile(io.RawIOBase):
    """A file in which the four bytes at each of some places read "free"."""

    def __init__(self, path: Path, places: list[int]) -> None:
        self._file = path.open("rb", buffering=0)
        self._places = places

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        begin = self._file.tell()
        data = self._file.read(size) or b""
        for place in self._places:
            at = place - begin
            if -len(HIDDEN) < at < len(data):
                changed = bytearray(data)
                for index, byte in enumerate(HIDDEN, start=at):
                    if 0 <= index < len(changed):
                        changed[index] = byte
                data = bytes(changed)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def without_sound(path: Path) -> HidingFile | None:
    """`path` to be read without its tracks that hold no pictures; None where that saves nothing."""
    try:
        with path.open("rb") as file:
            places = _tracks_without_pictures(file, path.stat().st_size)
    except (OSError, struct.error, ValueError):
        return None  # not an MP4, or a damaged one: the demuxer will say
    return HidingFile(path, places) if places else None


def _tracks_without_pictures(file: io.BufferedReader, size: int) -> list[int]:
    """Where the names of their boxes stand."""
    for kind, begin, end in _boxes(file, 0, size):
        if kind == b"moov":
            if end - begin < LONG_TABLES_BYTES:
                return []
            return [
                body - len(HIDDEN)
                for name, body, stop in _boxes(file, begin, end)
                if name == b"trak" and _handler(file, body, stop) not in (b"vide", None)
            ]
        if begin == 8 and kind not in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
            return []
    return []


def _handler(file: io.BufferedReader, begin: int, end: int) -> bytes | None:
    """What a track holds: "vide", "soun", "text", ..."""
    for kind, body, stop in _boxes(file, begin, end):
        if kind == b"mdia":
            return _handler(file, body, stop)
        if kind == b"hdlr" and stop - body >= 12:
            file.seek(body + 8)
            return file.read(4)
    return None


def _boxes(file: io.BufferedReader, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, body and end of each box between two places."""
    at = begin
    while at + 8 <= end:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        body = at + 8
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
            body += 8
        elif length == 0:
            length = end - at
        if length < body - at or at + length > end:
            return
        yield kind, body, at + length
        at += length
