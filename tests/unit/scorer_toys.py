"""A toy TVSum: videos without pictures, whose importance is one direction of their features."""

from pathlib import Path

import h5py
import numpy as np
import yaml

from train.data.tvsum_features import SOURCE_FILE, unit_rows

CATEGORIES = ("AA", "BB")
VIDEOS = 10
DIM = 16
ANNOTATORS = 4


def write_toy(folder: Path) -> None:
    """data/tvsum and cache/features/toy, as training expects them."""
    random = np.random.default_rng(0)
    videos, features_dir = folder / "data" / "tvsum" / "videos", folder / "cache/features/toy"
    videos.mkdir(parents=True)
    features_dir.mkdir(parents=True)
    (features_dir / SOURCE_FILE).write_text('{"name": "toy", "weights_hash": "abc", "fps": 2.0}')
    direction = random.standard_normal(DIM)
    with h5py.File(videos.parent / "tvsum.h5", "w") as file:
        for number in range(VIDEOS):
            name, count = f"video{number}", 40 + number
            (videos / f"{name}.mp4").touch()
            features = unit_rows(random.standard_normal((count, DIM)).astype(np.float32))
            along = features @ direction
            liked = 1 + np.digitize(along, np.quantile(along, [0.2, 0.4, 0.6, 0.8]))
            noisy = liked + random.integers(-1, 2, (ANNOTATORS, count))
            group = file.create_group(name)
            group["user_anno"] = np.clip(noisy, 1, 5).astype(np.uint8)
            group.attrs["category"] = CATEGORIES[number % len(CATEGORIES)]
            group.attrs["length_s"] = count / 2
            times_s = np.arange(count) / 2
            np.savez(
                features_dir / f"{name}.npz",
                features=features.astype(np.float16),
                times_s=times_s,
                end_s=count / 2,
            )


def toy_config(toy: Path, run: dict[str, object] | None = None, **data: object) -> Path:
    """A config for it; keys given go to its data section, those of `run` to that."""
    values = {
        "model": {"input_dim": DIM, "dim": 16, "heads": 2, "layers": 1, "dropout": 0.1},
        "run": {
            "folder": str(toy / "run"),
            "max_rounds": 12,
            "accelerator": "cpu",
            "devices": 1,
            "threads": 1,
            **(run or {}),
        },
        "data": {
            "data_dir": str(toy / "data"),
            "cache_dir": str(toy / "cache"),
            "features": "toy",
            "fold": 0,
            "batch_videos": 2,
            **data,
        },
        "learning": {"learning_rate": 0.01},
    }
    path = toy / "toy.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
