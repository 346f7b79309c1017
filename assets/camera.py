"""Camera moves over still pictures, without ever stretching one."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]  # RGB [H, W, 3]
Draw = Callable[[float], Picture]  # how far into the shot, 0 to 1 -> one frame

WIDTH_PX, HEIGHT_PX = 640, 360
_FINE = 2  # drawn twice as large and shrunk: slow moves stay smooth


@dataclass(frozen=True, slots=True)
class View:
    """A window on a picture: its centre and its width, in the picture's pixels."""

    x: float
    y: float
    width: float

    def towards(self, other: "View", share: float) -> "View":
        # Widths by ratio, so that a zoom keeps its speed.
        width = self.width * (other.width / self.width) ** share
        gone = (
            share
            if other.width == self.width
            else (width - self.width) / (other.width - self.width)
        )
        return View(self.x + (other.x - self.x) * gone, self.y + (other.y - self.y) * gone, width)


def eased(share: float) -> float:
    """Starts and ends softly, and is even in between."""
    return share + (0.5 - 0.5 * math.cos(math.pi * share) - share) * 0.6


def window(picture: Picture, view: View, width_px: int, height_px: int) -> Picture:
    """What the view shows, at a size of the same proportion in both directions."""
    scale = width_px / view.width
    move = np.array(
        [
            [scale, 0.0, width_px / 2 - scale * view.x],
            [0.0, scale, height_px / 2 - scale * view.y],
        ]
    )
    source = picture
    while scale < 0.5:  # halve first, or fine detail flickers
        source = cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        scale *= 2
        move[:, :2] *= 2
    return np.asarray(
        cv2.warpAffine(
            source,
            move,
            (width_px, height_px),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def _shrunk(fine: Picture) -> Picture:
    return np.asarray(
        cv2.resize(fine, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8
    )


def fly(picture: Picture, start: View, end: View, *, shake_px: float = 0.0) -> Draw:
    """The picture fills the frame while the view goes from start to end."""

    def draw(share: float) -> Picture:
        view = start.towards(end, eased(share))
        if shake_px:
            view = View(
                view.x + shake_px * math.sin(share * 31.0),
                view.y + shake_px * math.sin(share * 47.0 + 1.0),
                view.width,
            )
        return _shrunk(window(picture, view, WIDTH_PX * _FINE, HEIGHT_PX * _FINE))

    return draw


@dataclass(frozen=True, slots=True)
class Print:
    """A picture shown as a print: where in the frame it lies, and how the view on it moves."""

    picture: Picture
    left_px: int
    top_px: int
    width_px: int
    height_px: int
    start: View
    end: View


def hang(backdrop: Picture, *prints: Print) -> Draw:
    """Prints with soft shadows before a blurred, darkened backdrop that drifts behind them."""
    behind = _blurred(backdrop)
    high, wide = behind.shape[:2]

    def draw(share: float) -> Picture:
        drift = View(wide * (0.47 + 0.06 * share), high / 2, wide * 0.86)
        frame = window(behind, drift, WIDTH_PX * _FINE, HEIGHT_PX * _FINE)
        for item in prints:
            frame = _laid_on(frame, item, eased(share))
        return _shrunk(frame)

    return draw


def _blurred(picture: Picture) -> Picture:
    high, wide = picture.shape[:2]
    scale = max(WIDTH_PX / wide, HEIGHT_PX / high)
    view = View(wide / 2, high / 2, WIDTH_PX / scale)
    cover = window(picture, view, WIDTH_PX, HEIGHT_PX)
    soft = cv2.GaussianBlur(cover, (0, 0), 22).astype(np.float32)
    grey = soft.mean(axis=2, keepdims=True)
    return np.asarray((0.7 * soft + 0.3 * grey) * 0.42 + 10, np.uint8)


def _laid_on(frame: Picture, item: Print, share: float) -> Picture:
    left, top, wide, high = (
        value * _FINE for value in (item.left_px, item.top_px, item.width_px, item.height_px)
    )
    shadow = np.zeros(frame.shape[:2], np.float32)
    shadow[top + 8 : top + high + 8, left : left + wide] = 0.55
    shadow = cv2.GaussianBlur(shadow, (0, 0), 14)[:, :, None]
    mask = np.zeros(frame.shape[:2], np.float32)
    mask[top : top + high, left : left + wide] = _rounded(wide, high)
    shown = np.zeros_like(frame)
    view = item.start.towards(item.end, share)
    shown[top : top + high, left : left + wide] = window(item.picture, view, wide, high)
    cover = mask[:, :, None]
    return np.asarray(frame * (1 - shadow) * (1 - cover) + shown * cover, np.uint8)


def _rounded(wide: int, high: int, radius: int = 20) -> npt.NDArray[np.float32]:
    large = np.zeros((high * 2, wide * 2), np.uint8)
    r = radius * 2
    cv2.rectangle(large, (r, 0), (wide * 2 - r - 1, high * 2 - 1), 255, -1)
    cv2.rectangle(large, (0, r), (wide * 2 - 1, high * 2 - r - 1), 255, -1)
    for x in (r, wide * 2 - r - 1):
        for y in (r, high * 2 - r - 1):
            cv2.circle(large, (x, y), r, 255, -1)
    return cv2.resize(large, (wide, high), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
