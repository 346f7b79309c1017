"""Layout of colour and edges in a frame, as one unit vector. Needs no weights.

Good for "is this the same shot, or nearly the same picture", not for meaning. A plain average of
colours would put every pair of frames at a cosine near one; here every part is signed around what
a grey, structureless picture would give, so that unrelated frames come out near zero.
"""

from functools import lru_cache

import numpy as np

from models.types import Floats, Pixels

CANVAS_PX = 32
CHUNK_FRAMES = 32
LUMA_CELLS = 8
CHROMA_CELLS = 4
EDGE_CELLS = 4
LUMA_BINS = 4
CHROMA_BINS = 5
# A chroma of this size (of 0.5) lies half way to the outermost bin: most pixels are nearly grey.
CHROMA_KNEE = 0.08

# Of every part: its share of the squared length, and the norm at which it counts half. Below that
# norm (a black frame, a blank wall) the part is mostly sensor noise, and its share moves to a
# component that says "nothing here" instead of being blown up to full length.
LUMA_SHARE, LUMA_FLOOR = 0.30, 0.25
CHROMA_SHARE, CHROMA_FLOOR = 0.25, 0.15
EDGE_SHARE, EDGE_FLOOR = 0.20, 0.10
PALETTE_SHARE, PALETTE_FLOOR = 0.25, 0.05


class ColourEncoder:
    """Implements models.protocols.FrameEncoder on any frame size, in numpy."""

    name: str = "colour"
    weights_hash: str | None = None
    short_side_px: int = 224
    dim: int = (
        LUMA_CELLS**2 + 2 * CHROMA_CELLS**2 + 3 * EDGE_CELLS**2 + LUMA_BINS * CHROMA_BINS**2 + 4
    )

    def encode_frames(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D], each row of length one."""
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames are u8 [T, H, W, 3], received {frames.dtype} {frames.shape}")
        if len(frames) and 0 in frames.shape[1:3]:
            raise ValueError(f"a frame has at least one pixel, received {frames.shape}")
        emb_TD = np.empty((len(frames), self.dim), np.float32)
        for start in range(0, len(frames), CHUNK_FRAMES):
            stop = min(start + CHUNK_FRAMES, len(frames))
            emb_TD[start:stop] = _encode(frames[start:stop])
        return emb_TD


def _encode(frames: Pixels) -> Floats:
    opponent = _to_opponent(_shrink(frames))
    luma, chroma = opponent[..., 0], opponent[..., 1:]
    luma_layout = _cells(luma, LUMA_CELLS)
    luma_layout -= luma_layout.mean(axis=(1, 2), keepdims=True)
    chroma_layout = _cells(chroma, CHROMA_CELLS)
    emb_TD = np.concatenate(
        [
            _part(luma_layout, LUMA_SHARE, LUMA_FLOOR),
            _part(chroma_layout, CHROMA_SHARE, CHROMA_FLOOR),
            _part(_edges(luma), EDGE_SHARE, EDGE_FLOOR),
            _part(_palette(opponent), PALETTE_SHARE, PALETTE_FLOOR),
        ],
        axis=1,
    )
    # Unit length by construction; this removes the rounding.
    emb_TD /= np.linalg.norm(emb_TD, axis=1, keepdims=True)
    return emb_TD


def _shrink(frames: Pixels) -> Floats:
    """Area average to CANVAS_PX squared, values in [0, 1]; small frames are enlarged in blocks."""
    count, height, width, _ = frames.shape
    # Whole rows are summed as integers first: that reads the picture at memory speed. What does
    # not fill a block (under a thirty-second of the height) is left out.
    block = min(max(1, height // CANVAS_PX), 256)  # 257 rows of 255 would pass 16 bits
    rows = height // block
    summed = frames[:, : rows * block].reshape(count, rows, block, width * 3)
    bands = summed.sum(axis=2, dtype=np.uint16).astype(np.float32)
    if rows != CANVAS_PX:  # not for the usual 224 rows
        bands = _average_rows(bands)
    bands *= np.float32(1 / (255 * block))
    across = _area_weights(width)
    short = bands.reshape(count * CANVAS_PX, width, 3)
    small: Floats = np.matmul(across, short).reshape(count, CANVAS_PX, CANVAS_PX, 3)
    return small


def _average_rows(bands: Floats) -> Floats:
    """[T, rows, W] -> [T, CANVAS_PX, W]. Three rows at most go into one.

    By hand, because a matrix product of this size wakes BLAS's threads for every frame, which on
    busy cores costs ten times what it computes.
    """
    weights = _area_weights(bands.shape[1])
    first = (weights > 0).argmax(axis=1)
    averages = np.zeros((len(bands), CANVAS_PX, bands.shape[2]), np.float32)
    for tap in range(int((weights > 0).sum(axis=1).max())):
        row = np.minimum(first + tap, bands.shape[1] - 1)
        share = np.where(first + tap == row, weights[np.arange(CANVAS_PX), row], np.float32(0))
        averages += share[:, None] * bands[:, row]
    return averages


@lru_cache(maxsize=16)
def _area_weights(length: int) -> Floats:
    """[CANVAS_PX, length]: each output pixel is the average of the stretch it covers."""
    edges = np.linspace(0, length, CANVAS_PX + 1)
    position = np.arange(length)
    overlap = np.minimum(position + 1, edges[1:, None]) - np.maximum(position, edges[:-1, None])
    weights = np.clip(overlap, 0, None)
    shares: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _to_opponent(rgb: Floats) -> Floats:
    """RGB -> luma in [0, 1], blue-yellow and red-green in [-0.5, 0.5]."""
    matrix = np.array(
        [[0.299, -0.169, 0.5], [0.587, -0.331, -0.419], [0.114, 0.5, -0.081]], np.float32
    )
    opponent: Floats = rgb @ matrix
    return opponent


def _cells(image: Floats, cells: int) -> Floats:
    """[T, CANVAS, CANVAS, ...] -> means over a grid of cells [T, cells, cells, ...]."""
    step = CANVAS_PX // cells
    split = image.reshape(len(image), cells, step, cells, step, *image.shape[3:])
    means: Floats = split.mean(axis=(2, 4))
    return means


def _edges(luma: Floats) -> Floats:
    """Per cell: strength of the gradient, and its direction as a doubled angle (sign-free)."""
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strength = np.sqrt(right * right + down * down)
    safe = strength + np.float32(1e-3)
    maps = np.stack([strength, (right * right - down * down) / safe, 2 * right * down / safe], -1)
    cells = _cells(maps, EDGE_CELLS)
    cells[..., 0] -= cells[..., 0].mean(axis=(1, 2), keepdims=True)
    return cells


def _palette(opponent: Floats) -> Floats:
    """Soft histogram over luma x chroma, as signed square roots around the uniform one."""
    count = len(opponent)
    half = _cells(opponent, CANVAS_PX // 2).reshape(count, -1, 3)
    chromas = half[..., 1:]
    squeezed = (0.5 + 0.5 * chromas / (np.abs(chromas) + CHROMA_KNEE)).astype(np.float32)
    luma = _tents(half[..., 0], LUMA_BINS)
    blue = _tents(squeezed[..., 0], CHROMA_BINS)
    red = _tents(squeezed[..., 1], CHROMA_BINS)
    chroma = (blue[..., :, None] * red[..., None, :]).reshape(count, -1, CHROMA_BINS**2)
    share = np.matmul(luma.transpose(0, 2, 1), chroma) / half.shape[1]
    root: Floats = np.sqrt(share.reshape(count, -1))
    root -= root.mean(axis=1, keepdims=True)
    return root


def _tents(values: Floats, bins: int) -> Floats:
    """Values in [0, 1] -> weights over evenly spaced bins, linear between neighbours."""
    position = np.clip(values, 0, 1) * np.float32(bins - 1)
    distance = np.abs(position[..., None] - np.arange(bins, dtype=np.float32))
    weights: Floats = np.clip(1 - distance, 0, None)
    return weights


def _part(values: Floats, share: float, floor: float) -> Floats:
    """Rows of squared length `share`: the values, and how far they fall short of the floor."""
    flat = values.reshape(len(values), -1)
    norm = np.sqrt((flat * flat).sum(axis=1, keepdims=True) + np.float32(floor**2))
    with_rest = np.concatenate([flat, np.full((len(flat), 1), floor, np.float32)], axis=1)
    part: Floats = with_rest / norm * np.float32(np.sqrt(share))
    return part
