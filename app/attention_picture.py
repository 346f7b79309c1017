"""Where a model looked, drawn over the pictures that it looked at."""

import numpy as np

from models.types import Floats, Pixels

SIDE_PX = 180  # the shorter side of a drawn picture
JPEG_QUALITY = 82
# How much of a place's colour covers the picture: little where it looked least, most where it
# looked most, so that both stay readable.
LEAST_COVER, MOST_COVER = 0.15, 0.75
OUTSIDE = 0.35  # how bright the parts are that the model does not see


def attention_pictures(pixels: Pixels, attention: Floats) -> list[bytes]:
    """u8 RGB [T, H, W, 3] and [T, h, w] over the middle square of each -> one JPEG a picture.

    The pictures are grey, so that every colour says how much a place counted, and the colours run
    from dark blue to yellow, which people tell apart whatever colours they see. They span what is
    in these pictures: the most is yellow, the least is blue.
    """
    least, most = float(attention.min()), float(attention.max())
    shares = (attention - least) / max(most - least, 1e-6)
    return [_drawn(frame, share) for frame, share in zip(pixels, shares, strict=True)]


def _drawn(frame: Pixels, share: Floats) -> bytes:
    import cv2

    height, width = frame.shape[:2]
    scale = SIDE_PX / min(height, width)
    size = (round(width * scale), round(height * scale))
    grey = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    drawn = np.repeat((OUTSIDE * grey)[..., None], 3, axis=2)
    top, left = (size[1] - SIDE_PX) // 2, (size[0] - SIDE_PX) // 2
    square = (slice(top, top + SIDE_PX), slice(left, left + SIDE_PX))
    large = cv2.resize(share, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
    levels = np.asarray(255 * large.clip(0, 1), np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS).astype(np.float32)
    cover = (LEAST_COVER + (MOST_COVER - LEAST_COVER) * large.clip(0, 1))[..., None]
    drawn[square] = (1 - cover) * grey[square][..., None] + cover * colours
    jpeg = cv2.imencode(".jpg", drawn.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg[1])
