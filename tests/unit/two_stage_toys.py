"""The two-stage keyframe system at toy size: a narrow ResNet-18, small pictures, few frames."""

from pathlib import Path
from typing import Any

import yaml

from tests.unit import judged_toys

VIDEOS = 10
LONG_FRAMES = 600  # a minute: more than 100 frames at two a second
SIDE_PX = 32
FROZEN_ROUNDS, ROUNDS = 2, 4


def write_data(folder: Path) -> None:
    """A SumMe of short videos and one long one."""
    names = [f"video{number}" for number in range(VIDEOS)]
    judged_toys.write_summe(folder / "summe", names)
    judged_toys.write_summe(folder / "summe", ["long"], frames=LONG_FRAMES)


def write_config(folder: Path, name: str = "run", **sections: dict[str, Any]) -> Path:
    """A config for it; what is given replaces keys of a section."""
    dim = 16
    values: dict[str, dict[str, Any]] = {
        "model": {
            "pretrained": "random",
            "side_px": SIDE_PX,
            "trunk": {
                "architecture": "resnet18",
                "feature_dim": dim,
                "trunk_options": {"channels": [8, 8, 16, dim]},
                "normalisation": "imagenet",
                "head": False,
            },
            "scorer": {
                "input_dim": dim, "dim": 16, "heads": 2, "layers": 1, "feedforward_dim": 24,
                "window_s": 2.0, "dropout": 0.1, "input_dropout": 0.0,
            },
        },
        "run": {
            "folder": str(folder / name), "max_rounds": ROUNDS, "accelerator": "cpu", "devices": 1,
            "threads": 1,
        },
        "data": {
            "dataset": "summe", "data_dir": str(folder), "cache_dir": str(folder / "cache"),
            "stretch_frames": 50, "chunk_frames": 16,
        },
        "learning": {"frozen_rounds": FROZEN_ROUNDS, "frozen_rate": 0.01, "tuned_rate": 0.001},
    }  # fmt: skip
    for section, changes in sections.items():
        values[section] |= changes
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
