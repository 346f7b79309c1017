"""Pictures of any shape to one square, so that nothing at the sides is lost. Shared by training."""

import numpy as np

from models.types import Pixels


def squash_to_square(picture: Pixels, side_px: int) -> Pixels:
    """u8 [H, W, 3] -> [side, side, 3], the two directions scaled on their own."""
    import cv2

    height, width = picture.shape[:2]
    if (height, width) == (side_px, side_px):
        return picture
    # Averaging over areas avoids aliasing, but where a direction grows it repeats pixels.
    only_shrinks = height >= side_px and width >= side_px
    how = cv2.INTER_AREA if only_shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=how), np.uint8)


def squash_all(pictures: Pixels, side_px: int) -> Pixels:
    """u8 [T, H, W, 3] -> [T, side, side, 3]."""
    squashed = np.empty((len(pictures), side_px, side_px, 3), np.uint8)
    for index, picture in enumerate(pictures):
        squashed[index] = squash_to_square(picture, side_px)
    return squashed


def middle_squares(pictures: Pixels, share: float, side_px: int) -> Pixels:
    """u8 [T, H, W, 3] -> [T, side, side, 3]: the middle, `share` of the shorter side wide."""
    height, width = pictures.shape[1:3]
    side = max(1, round(share * min(height, width)))
    top, left = (height - side) // 2, (width - side) // 2
    return squash_all(pictures[:, top : top + side, left : left + side], side_px)
