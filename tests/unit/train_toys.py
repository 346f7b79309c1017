"""A toy of what training reads: coloured pictures, and a teacher that answers with their colour."""

from pathlib import Path

import numpy as np
import yaml

from train.data.frames import Picture, open_frame_store, write_frame_store
from train.data.teacher import MAP_SIDE, POOLED_DIM
from train.data.teacher_views import MAP_DIM, ViewSet, random_boxes, write_view_set

PICTURES = 96
CLASSES = 3


def write_toy(folder: Path) -> None:
    """Frames, two view sets, whole views and the teacher's space, as training expects them."""
    random = np.random.default_rng(0)
    colours = random.integers(0, 255, (PICTURES, 3))

    def pictures() -> list[Picture]:
        made = []
        for number, colour in enumerate(colours):
            noise = random.integers(-20, 20, (40, 56, 3))
            pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
            label = f"class{colour.argmax()}"
            made.append(Picture(pixels, "toy", f"{number}", f"{number}", label, number % 4 == 0))
        return made

    write_frame_store(folder / "frames", pictures())
    store = open_frame_store(folder / "frames")
    directions = random.random((3, POOLED_DIM)).astype(np.float32)
    pooled = np.clip(colours @ directions / 6, 0, 255).astype(np.uint8)
    maps = (colours @ random.standard_normal((3, MAP_DIM)) / 255).astype(np.float16)
    maps = np.repeat(maps[:, None], MAP_SIDE * MAP_SIDE, axis=1)
    trained = np.flatnonzero(~store.held_out)
    for number in range(2):
        boxes = random_boxes(store, trained, np.random.default_rng(number))
        views = ViewSet(trained, boxes, pooled[trained], maps[trained])
        write_view_set(folder / "views" / f"views_{number:03d}", views)
    every = np.arange(PICTURES)
    whole = np.tile(np.asarray([0, 0, 1, 1], np.float32), (PICTURES, 1))
    write_view_set(folder / "views" / "views_whole", ViewSet(every, whole, pooled, maps))
    np.savez(
        folder / "views" / "teacher.npz",
        pooled_scale=0.02,
        mean=pooled.mean(axis=0).astype(np.float32) * 0.02,
        std=pooled.std(axis=0).astype(np.float32) * 0.02 + 0.01,
        class_weights=random.standard_normal((11, POOLED_DIM)).astype(np.float32) * 0.05,
        map_mean=np.zeros(POOLED_DIM, np.float32),
        map_basis=np.zeros((POOLED_DIM, MAP_DIM), np.float32),
    )


def toy_config(toy: Path, **run: object) -> Path:
    """A config for it; keys given go to its run section."""
    values = {
        "model": {"architecture": "mobilenetv4_conv_small_035", "feature_dim": POOLED_DIM},
        "run": {
            "folder": str(toy / "run"),
            "max_rounds": 4,
            "accelerator": "cpu",
            "devices": 1,
            "precision": "32-true",
            **run,
        },
        "data": {"cache_dir": str(toy), "batch_size": 16, "batches_per_round": 6},
        "learning": {"warmup_steps": 4, "average_decay": 0.8, "label_weight": 0.01},
        "sides_px": [[0.0, 32], [0.5, 64]],
        "validation_side_px": 64,
    }
    path = toy / "toy.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
