"""A decoded frame to the picture people see: RGB, upright, square pixels, the size asked for."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from models.types import Pixels
from models.video.opening import DAMAGE

# What a damaged header may claim and no camera made.
NARROWEST_PIXEL, WIDEST_PIXEL = Fraction(1, 8), Fraction(8)


def clockwise_turn(frame: VideoFrame) -> int:
    """Degrees (0, 90, 180 or 270) the stored picture is turned clockwise to stand upright."""
    return round(-frame.rotation / 90) % 4 * 90


def shown_size(width: int, height: int, pixel_shape: Fraction | None, turn: int) -> tuple[int, int]:
    """Width and height as a player shows them: nothing shrinks, the narrower side is stretched."""
    shape = Fraction(pixel_shape or 1)
    if NARROWEST_PIXEL <= shape <= WIDEST_PIXEL:
        if shape > 1:
            width = round(width * shape)
        else:
            height = round(height / shape)
    return (height, width) if turn % 180 else (width, height)


def scaled_size(size: tuple[int, int], short_side_px: int | None) -> tuple[int, int]:
    """`size` in proportion with its short side at `short_side_px`, never larger than it is."""
    short = min(size)
    if short_side_px is None or short_side_px >= short:
        return size
    return (
        max(1, round(size[0] * short_side_px / short)),
        max(1, round(size[1] * short_side_px / short)),
    )


@dataclass(slots=True)
class PictureMaker:
    """Converts frames to one size, whatever size and turn each of them has."""

    width: int
    height: int
    _reformatter: VideoReformatter

    @classmethod
    def of_size(cls, width: int, height: int) -> "PictureMaker":
        return cls(width, height, VideoReformatter())

    def draw(self, frame: VideoFrame, out: Pixels) -> bool:
        """Writes the picture into `out` [height, width, 3]; False if the frame cannot be read.

        The colour matrix and range are those the frame carries, as with the ffmpeg command line.
        """
        turn = clockwise_turn(frame)
        width, height = (self.height, self.width) if turn % 180 else (self.width, self.height)
        shrinks = 2 * width <= frame.width and 2 * height <= frame.height
        filter_ = Interpolation.AREA if shrinks else Interpolation.BICUBIC
        try:
            rgb = self._reformatter.reformat(
                frame, width, height, "rgb24", interpolation=filter_, threads=1
            )
        except DAMAGE:
            return False
        out[...] = np.rot90(rgb.to_ndarray(), k=-turn // 90)
        return True
