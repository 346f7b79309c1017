"""A toy of fights: clips without pictures, in which fights move along one direction of features."""

from pathlib import Path

import numpy as np
import yaml

from models.types import Floats
from train.data.trigger_features import Seen, TriggerFeatures, write_trigger_features

DIM = 16
HASH = "abc"
CLIPS = 30  # of fights, and as many without
FPS = 12.0


def toy_rows(random: np.random.Generator, place: Floats, count: int, fights: bool) -> Floats:
    """A place, with a blow in every other frame of a fight: no single frame gives it away."""
    rows = np.tile(place, (count, 1)) + 0.02 * random.standard_normal((count, DIM))
    swing = np.zeros(DIM)
    swing[0] = 0.7
    phase = np.arange(count) // 4 % 2 if fights else np.full(count, random.integers(2))
    rows = rows + phase[:, None] * swing
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def write_toy(folder: Path) -> None:
    """cache/features/triggers_toy, as training expects it."""
    random = np.random.default_rng(0)
    rows: list[Floats] = []
    seen: list[Seen] = []

    def add(source: str, name: str, fights: bool, count: int, fps: float = FPS) -> None:
        place = np.append(0.0, random.standard_normal(DIM - 1) * 0.3)
        for view in range(2 if source == "fight" else 1):
            start = sum(map(len, rows))
            rows.append(toy_rows(random, np.asarray(place, np.float32), count, fights))
            times_s = (np.arange(count) / fps).tolist()
            seen.append(Seen(source, name, fights, view, start, count, times_s))

    for number in range(CLIPS):
        # Beyond the numbers that fight_places knows: every clip is a place of its own.
        add("fight", f"fight/fi{number + 200}", True, 24)
        add("fight", f"normal/nofi{number + 200}", False, 24)
    for number in range(5):
        add("tvsum", f"video{number}", False, 90, 3.0)
        add("weizmann", f"walk/person{number}_walk", False, 24)
        add("msrvtt", f"video{number}", False, 4, 1.0)
    for part in ("set1", "set2"):
        add("ut_interaction", f"{part}/punch/1", True, 24)
        add("ut_interaction", f"{part}/hug/1", False, 24)
    made = TriggerFeatures(np.concatenate(rows).astype(np.float16), tuple(seen), "toy", HASH)
    write_trigger_features(folder / "cache", made)


def toy_config(toy: Path, **run: object) -> Path:
    """A config for it, with fold 0 held out; keys given go to its run section."""
    values = {
        "model": {
            "input_dim": DIM,
            "space_dim": 0,
            "dim": 16,
            "heads": 2,
            "layers": 1,
            "motion_s": 0.5,
            "dropout": 0.0,
            "input_dropout": 0.0,
        },
        "run": {
            "folder": str(toy / "run"),
            "max_rounds": 5,
            "accelerator": "cpu",
            "threads": 1,
            **run,
        },
        "data": {
            "cache_dir": str(toy / "cache"),
            "backbone": "toy",
            "space": None,
            "fold": 0,
            "batch_size": 16,
            "batches_per_round": 12,
        },
        "learning": {"learning_rate": 0.01},
    }
    path = toy / "trigger.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
