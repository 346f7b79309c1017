"""Mini videos named as UCF101 names its own: a square that moves, and whose way is its class."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

from models.types import Pixels

LABELS = ("MoveLeft", "MoveRight")
WAYS = {"MoveRight": (1, 0), "MoveLeft": (-1, 0), "MoveDown": (0, 1), "MoveUp": (0, -1)}
SIDE = 48
SQUARE = 26
FRAMES = 24  # at 25 a second
TEST_GROUPS = (1, 2)
TRAIN_GROUPS = tuple(range(3, 13))


def frame_at(x: float, y: float, tint: int = 0) -> Pixels:
    """A dark square over colours that say where it is: red grows to the right, green downwards."""
    ramp = np.linspace(20, 250, SIDE)
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[..., 0], picture[..., 1], picture[..., 2] = ramp[None], ramp[:, None], 40 + tint
    left, top = round(x), round(y)
    picture[max(0, top) : top + SQUARE, max(0, left) : left + SQUARE] = (10, 10, 200)
    return picture


def moving(label: str, seed: int, frames: int = FRAMES) -> Pixels:
    """It crosses the picture; where, how fast and how late differs."""
    random = np.random.default_rng(seed)
    across, way = float(random.uniform(0, SIDE - SQUARE)), WAYS[label]
    room, delay = SIDE - SQUARE, float(random.uniform(-0.1, 0.1))
    tint = int(random.integers(0, 60))
    pictures = []
    for at in np.linspace(0, 1, frames) + delay:
        along = room * (at if sum(way) > 0 else 1 - at)
        x, y = (along, across) if way[0] else (across, along)
        pictures.append(frame_at(float(np.clip(x, 0, room)), float(np.clip(y, 0, room)), tint))
    return np.stack(pictures)


def write_video(path: Path, pictures: Pixels, codec: str = "mpeg4") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.thread_count, stream.bit_rate = 1, 2_000_000
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_ucf101(folder: Path, labels: tuple[str, ...] = LABELS) -> Path:
    """videos/CLASS/v_CLASS_gNN_cMM.avi and the official lists, as UCF101 is unpacked."""
    lists = folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    classes = [f"{number} {label}" for number, label in enumerate(labels, start=1)]
    (lists / "classInd.txt").write_text("\r\n".join(classes) + "\r\n")
    trained, tested = [], []
    for number, label in enumerate(labels, start=1):
        for group in (*TEST_GROUPS, *TRAIN_GROUPS):
            for clip in (1, 2):
                name = f"{label}/v_{label}_g{group:02d}_c{clip:02d}.avi"
                seed = number * 10_000 + group * 100 + clip
                write_video(folder / "UCF-101" / name, moving(label, seed))
                if group in TEST_GROUPS:
                    tested.append(name)
                else:
                    trained.append(f"{name} {number}")
    (lists / "trainlist01.txt").write_text("\r\n".join(trained) + "\r\n")
    (lists / "testlist01.txt").write_text("\r\n".join(tested) + "\r\n")
    return folder


def toy_config(folder: Path, data: Path, **sections: dict[str, Any]) -> Path:
    values: dict[str, dict[str, Any] | str] = {
        "pretrained": "random",
        "model": {"trunk": "test_resnet", "hidden": 24, "attention_dim": 16, "dropout": 0.0},
        "data": {
            "videos": str(data / "UCF-101"),
            "lists": str(data / "ucfTrainTestlist"),
            "frames": 8,
            "stride": 3,
            "short_side_px": 36,
            "side_px": 32,
            "batch_size": 8,
            "held_share": 0.17,
            "held_windows": 1,
            "test_windows": 2,
        },
        "run": {
            "folder": str(folder / "run"),
            "max_rounds": 6,
            "accelerator": "cpu",
            "devices": 1,
            "threads": 1,
        },
        "learning": {
            "learning_rate": 0.01,
            "frozen_rounds": 0,
            "unfreeze": ["all"],
            "train_batch_norms": True,
            "label_smoothing": 0.0,
        },
    }
    for name, changes in sections.items():
        section = values[name]
        assert isinstance(section, dict)
        section |= changes
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
