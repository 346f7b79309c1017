"""A long video without encoding one: the packets of a short one, again and again."""

from pathlib import Path

import av


def repeated(source: Path, target: Path, times: int) -> Path:
    with av.open(str(source)) as short, av.open(str(target), "w") as long:
        stream = short.streams.video[0]
        copy = long.add_stream_from_template(stream)
        packets = [
            (packet.pts, packet.dts, packet.duration, bytes(packet), packet.is_keyframe)
            for packet in short.demux(stream)
            if packet.pts is not None and packet.dts is not None
        ]
        length = max(pts + duration for pts, _, duration, _, _ in packets)
        for turn in range(times):
            for pts, dts, duration, data, is_keyframe in packets:
                packet = av.Packet(data)
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.duration, packet.time_base = duration, stream.time_base
                packet.is_keyframe, packet.stream = is_keyframe, copy
                long.mux(packet)
    return target
