"""What packets say of themselves."""

import av

from models.video.opening import open_video
from models.video.packets import PacketReader, Start
from tests.media import cached_kind


def starts(name: str) -> list[Start]:
    with open_video(cached_kind(name)) as video:
        reader = PacketReader(video.stream)
        return [reader.start(packet) for packet in video.packets()]


def test_closed_groups_start_afresh() -> None:
    assert starts("plain.mp4").count(Start.FRESH) == 4
    assert starts("hevc.mp4").count(Start.FRESH) == 3


def test_open_groups_are_told_from_closed_ones() -> None:
    for name in ("open_gop.mp4", "open_gop.ts", "hevc_open.mkv"):
        found = [start for start in starts(name) if start is not Start.NOWHERE]
        assert found[0] in (Start.FRESH, Start.OPEN), name
        assert set(found[1:]) == {Start.OPEN}, name


def test_gradual_refresh_is_no_place_to_start() -> None:
    found = starts("refresh.mkv")
    assert found[0] is Start.FRESH
    assert set(found[1:]) == {Start.NOWHERE}


def test_av1_pictures_without_a_reference_slot_are_found_and_not_needed() -> None:
    """Decoding without them gives every other picture unchanged."""
    with open_video(cached_kind("av1.mp4")) as video:
        reader = PacketReader(video.stream)
        packets = list(video.packets())
        spare = {p.pts for p in packets if reader.is_unreferenced(p)}
        assert len(packets) // 10 < len(spare) < len(packets)
        kept = [f for p in packets if p.pts not in spare for f in video.decode(p)]
        kept += video.decode(None)
    with av.open(str(cached_kind("av1.mp4"))) as container:
        whole = {f.pts: f.to_ndarray() for f in container.decode(video=0)}
    assert {f.pts for f in kept} == set(whole) - spare
    assert all((f.to_ndarray() == whole[f.pts]).all() for f in kept)


def test_vp8_hidden_pictures_are_told() -> None:
    """A bit of the first byte says whether the picture is shown; hidden ones are packets too."""
    with open_video(cached_kind("vp8.webm")) as video:
        reader = PacketReader(video.stream)
        assert not any(reader.is_hidden(packet) for packet in video.packets())
        assert reader.is_hidden(av.Packet(b"\x01\0\0"))
        assert not reader.is_hidden(av.Packet(b"\x11\0\0"))
