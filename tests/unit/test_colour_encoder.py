import numpy as np
import pytest

from models.colour_encoder import CANVAS_PX, ColourEncoder, _shrink
from models.types import Pixels

ENCODER = ColourEncoder()


def scene(seed: int, height: int = 90, width: int = 160) -> Pixels:
    """A picture of a few coloured shapes, one for each seed."""
    random = np.random.default_rng(seed)
    frame = np.empty((height, width, 3), np.uint8)
    frame[:] = random.integers(30, 225, 3)
    for _ in range(8):
        top, left = random.integers(0, height - 10), random.integers(0, width - 10)
        tall, wide = random.integers(10, height // 2), random.integers(10, width // 2)
        frame[top : top + tall, left : left + wide] = random.integers(0, 255, 3)
    return frame


def noisy(frame: Pixels, seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, 8, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 1), (7, 13), (32, 32), (33, 65), (224, 398), (2160, 41)]
)
def test_any_size_gives_unit_rows(shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, *shape, 3), dtype=np.uint8)
    emb_TD = ENCODER.encode_frames(frames)
    assert emb_TD.shape == (3, ENCODER.dim) and emb_TD.dtype == np.float32
    assert np.linalg.norm(emb_TD, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_frames_give_no_rows() -> None:
    assert ENCODER.encode_frames(np.zeros((0, 9, 9, 3), np.uint8)).shape == (0, ENCODER.dim)


def test_refuses_what_is_not_rgb_bytes() -> None:
    with pytest.raises(ValueError, match="u8"):
        ENCODER.encode_frames(np.zeros((1, 9, 9, 3), np.float32))
    with pytest.raises(ValueError, match="pixel"):
        ENCODER.encode_frames(np.zeros((1, 0, 9, 3), np.uint8))


def test_a_frame_has_one_embedding_whatever_its_neighbours() -> None:
    frames = np.stack([scene(seed) for seed in range(70)])
    together = ENCODER.encode_frames(frames)
    alone = np.concatenate([ENCODER.encode_frames(frames[i : i + 1]) for i in range(70)])
    assert np.abs(together - alone).max() < 1e-5


def test_near_duplicates_are_near_and_scenes_are_apart() -> None:
    scenes = np.stack([scene(seed) for seed in range(40)])
    emb_TD = ENCODER.encode_frames(scenes)
    worse = np.stack([noisy(frame) for frame in scenes])
    smaller = scenes[:, ::2, ::2]
    for copies in (worse, smaller):
        assert np.einsum("td,td->t", emb_TD, ENCODER.encode_frames(copies)).min() > 0.98
    cosines = (emb_TD @ emb_TD.T)[np.triu_indices(40, 1)]
    assert np.quantile(cosines, 0.95) < 0.5
    assert np.median(cosines) < 0.2


def test_noise_on_a_blank_wall_is_not_a_picture() -> None:
    wall = np.full((90, 160, 3), 120, np.uint8)
    pair = ENCODER.encode_frames(np.stack([noisy(wall, 1), noisy(wall, 2)]))
    assert pair[0] @ pair[1] > 0.98


@pytest.mark.parametrize("change", ["mirrored", "recoloured", "darkened"])
def test_sees_layout_colour_and_brightness(change: str) -> None:
    frame = scene(3)
    other = {
        "mirrored": frame[:, ::-1],
        "recoloured": frame[..., ::-1],
        "darkened": frame // 4,
    }[change]
    pair = ENCODER.encode_frames(np.stack([frame, other]))
    assert pair[0] @ pair[1] < 0.9


@pytest.mark.parametrize("shape", [(224, 398), (398, 224), (63, 97), (20, 20), (1, 5)])
def test_shrinks_by_area(shape: tuple[int, int]) -> None:
    """Against enlarging without interpolation and averaging exactly."""
    frames = np.random.default_rng(2).integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    small = _shrink(frames)
    assert small.mean(axis=(1, 2)) == pytest.approx(frames.mean(axis=(1, 2)) / 255, abs=0.01)
    block = max(1, shape[0] // CANVAS_PX)
    rows = shape[0] // block
    whole = frames[:, : rows * block] / 255
    down = whole.mean(axis=(2, 3)).reshape(2, rows, block).mean(axis=2)
    for profile, axis in ((down, 2), (whole.mean(axis=(1, 3)), 1)):
        fine = np.repeat(profile, CANVAS_PX, axis=1).reshape(2, CANVAS_PX, -1).mean(axis=2)
        assert small.mean(axis=(axis, 3)) == pytest.approx(fine, abs=1e-4)
