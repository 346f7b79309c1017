"""Brings a container to a key frame from which the picture at a given time can be decoded."""

from models.video.opening import DAMAGE, OpenVideo
from models.video.packets import PacketReader, Start

FIRST_STEP_BACK_S = 1.0
ATTEMPTS = 6  # each steps back four times as far: over twenty minutes in all


def begin_before(video: OpenVideo, ticks: int) -> bool:
    """Moves to a clean key frame shown at or before `ticks`.

    An index is kept by decoding time, which lies before the presentation time, so the key frame it
    leads to may be shown after `ticks`, or may not be a clean one: then a step back is taken.
    Returns False when none is found that way; the container's position is then not defined.
    """
    reader = PacketReader(video.stream)
    step_back = max(1, round(FIRST_STEP_BACK_S / video.time_base))
    target = ticks
    for _ in range(ATTEMPTS):
        try:
            video.container.seek(target, stream=video.stream, backward=True)
            first = next(video.packets(), None)
            if first is None:
                return False
            clean = reader.start(first) is not Start.NOWHERE
            if first.pts is not None and first.pts <= ticks and clean:
                video.container.seek(target, stream=video.stream, backward=True)
                return True
        except DAMAGE:
            return False
        moment = first.pts if first.pts is not None else target
        target = min(target, moment) - step_back
        step_back *= 4
    return False
