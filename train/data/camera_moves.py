"""A still picture as a camera would film it: windows of frames that pan, zoom or shake.

One crop, one flip and one change of light and colour are drawn for a window, never for a frame:
what differs between frames is the movement alone, as in a video.
"""

from dataclasses import dataclass

import numpy as np

from models.types import Floats, Pixels
from train.data.teacher_views import cut_view

MOVES = ("pan", "zoom", "shake")
SMALLEST_SIDE, LARGEST_SIDE = 0.6, 1.0  # of the picture's own sides
LONGEST_PAN = 0.35
STRONGEST_ZOOM = 1.5
STRONGEST_SHAKE = 0.03
GREY_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Look:
    """How all frames of one window look."""

    flipped: bool
    contrast: float
    light: float
    tint: tuple[float, float, float]  # a factor for each of red, green, blue
    grey: bool


def draw_look(random: np.random.Generator) -> Look:
    red, green, blue = np.exp(random.uniform(-0.12, 0.12, 3)).tolist()
    return Look(
        flipped=bool(random.random() < 0.5),
        contrast=float(random.uniform(0.75, 1.3)),
        light=float(random.uniform(-25, 25)),
        tint=(red, green, blue),
        grey=bool(random.random() < GREY_SHARE),
    )


def with_look(frames: Pixels, look: Look) -> Pixels:
    """u8 [T, H, W, 3], every frame alike."""
    seen = frames[:, :, ::-1] if look.flipped else frames
    lit = (seen.astype(np.float32) - 128) * look.contrast + 128 + look.light
    lit *= np.asarray(look.tint, np.float32)
    if look.grey:
        lit = np.repeat(lit.mean(axis=3, keepdims=True), 3, axis=3)
    return np.ascontiguousarray(np.clip(lit, 0, 255).astype(np.uint8))


def draw_boxes(random: np.random.Generator, count: int) -> Floats:
    """[count, 4] as shares of the picture: where the camera looks, frame by frame."""
    move = MOVES[int(random.integers(len(MOVES)))]
    sides = random.uniform(SMALLEST_SIDE, LARGEST_SIDE, 2)
    centre = random.uniform(sides / 2, 1 - sides / 2 + 1e-9)
    progress = np.linspace(0.0, 1.0, count)[:, None]
    centres, extents = np.tile(centre, (count, 1)), np.tile(sides, (count, 1))
    if move == "pan":
        centres = centres + progress * random.uniform(-LONGEST_PAN, LONGEST_PAN, 2)
    elif move == "zoom":
        closer = float(random.uniform(1.1, STRONGEST_ZOOM))
        inward = progress if random.random() < 0.5 else 1 - progress
        extents = extents * closer ** (-inward)
    else:
        strength = float(random.uniform(0.2, 1.0)) * STRONGEST_SHAKE
        centres = centres + random.normal(0, strength, (count, 2))
    # At an edge the camera stops: it never looks beside the picture.
    centres = np.clip(centres, extents / 2, 1 - extents / 2)
    return np.concatenate([centres - extents / 2, centres + extents / 2], axis=1).astype(np.float32)


def filmed(picture: Pixels, random: np.random.Generator, count: int, side_px: int) -> Pixels:
    """u8 [count, side, side, 3]: one window over the picture [H, W, 3]."""
    boxes = draw_boxes(random, count)
    return with_look(
        np.stack([cut_view(picture, box, side_px) for box in boxes]), draw_look(random)
    )
