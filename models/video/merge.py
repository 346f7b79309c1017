"""Joins a file of pictures and a file of sound into one MP4, packet by packet."""

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from models.errors import CancelledError, VideoOpenError

_PACKETS_BETWEEN_LOOKS = 64


def merge(pictures: Path, sound: Path, dst: Path, *, stop: Callable[[], bool]) -> None:
    """Nothing is decoded, so nothing is lost and an hour takes a second.

    Raises:
        VideoOpenError: the two cannot be joined as they are.
        CancelledError: `stop` turned true; `dst` is then gone.
    """
    try:
        with av.open(str(pictures)) as picture_in, av.open(str(sound)) as sound_in:
            _copy_packets(picture_in, sound_in, dst, stop)
    except (av.FFmpegError, IndexError, ValueError) as error:
        dst.unlink(missing_ok=True)
        raise VideoOpenError(
            "Picture and sound of this video could not be joined; upload the file instead."
        ) from error
    except CancelledError:
        dst.unlink(missing_ok=True)
        raise


def _copy_packets(
    picture_in: InputContainer, sound_in: InputContainer, dst: Path, stop: Callable[[], bool]
) -> None:
    with av.open(str(dst), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        sources = [(picture_in, picture_in.streams.video[0]), (sound_in, sound_in.streams.audio[0])]
        targets = [out.add_stream_from_template(stream) for _, stream in sources]
        queues = [
            _timed(source.demux(stream), index) for index, (source, stream) in enumerate(sources)
        ]
        for count, (_, index, packet) in enumerate(heapq.merge(*queues, key=lambda item: item[:2])):
            if count % _PACKETS_BETWEEN_LOOKS == 0 and stop():
                raise CancelledError("stopped on request")
            packet.stream = targets[index]
            out.mux(packet)


def _timed(
    packets: "Iterator[Packet[Stream]]", index: int
) -> "Iterator[tuple[float, int, Packet[Stream]]]":
    for packet in packets:
        if packet.dts is not None:
            yield float(packet.dts * packet.time_base), index, packet
