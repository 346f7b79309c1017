"""A toy of what the detector learns from: bright boxes on grey, and where they are."""

from pathlib import Path

import numpy as np
import yaml

from models.types import Floats, Pixels
from train.data.detection_teacher import KINDS, LABELS_FILE, TeacherBoxes
from train.data.frames import Picture, write_frame_store
from train.data.teacher_boxes import write_box_store

PICTURES = 160
LABELS = ("person", "dog", "cat", "car")
COLOURS = {"person": (250, 40, 40), "dog": (40, 250, 40), "car": (40, 40, 250)}


def write_toy(folder: Path) -> None:
    """Frames, the teacher's boxes and the list of its labels, as training expects them."""
    random = np.random.default_rng(0)
    pictures, answers = [], []
    for number in range(PICTURES):
        pixels, answer = toy_picture(random)
        pictures.append(
            Picture(pixels, "toy", f"{number}", f"{number}", "", number % 2 == 0)  # held out
        )
        answers.append(answer)
    write_frame_store(folder / "frames", pictures)
    write_box_store(folder, np.arange(PICTURES), answers)
    (folder / "teachers").mkdir()
    (folder / "teachers" / LABELS_FILE).write_text("\n".join(LABELS))


def toy_picture(random: np.random.Generator) -> tuple[Pixels, TeacherBoxes]:
    """One person, dog or car, each of its own colour."""
    height, width = 64, 80
    pixels = random.integers(90, 140, (height, width, 3)).astype(np.uint8)
    label = str(random.choice(list(COLOURS)))
    w, h = random.integers(24, 44, 2)
    x, y = random.integers(0, width - w), random.integers(0, height - h)
    pixels[y : y + h, x : x + w] = COLOURS[label]
    box = np.array([[x / width, y / height, (x + w) / width, (y + h) / height]], np.float32)
    return pixels, boxes_of_teacher(box, [label], [0.8])


def boxes_of_teacher(boxes: Floats, labels: list[str], scores: list[float]) -> TeacherBoxes:
    kinds = [
        next(place for place, members in enumerate(KINDS.values()) if label in members)
        for label in labels
    ]
    return TeacherBoxes(
        np.asarray(boxes, np.float32).reshape(-1, 4),
        np.array(kinds, np.uint8),
        np.array([LABELS.index(label) for label in labels], np.uint8),
        np.array(scores, np.float32),
    )


def toy_config(toy: Path, **run: object) -> Path:
    """A config for it; keys given go to its run section."""
    values = {
        "model": {
            "architecture": "mobilenetv4_conv_small_035",
            "kinds": ["person", "car", "animal", "chair"],
            "names": ["dog", "cat"],
            "named": "animal",
            "width": 16,
        },
        "run": {
            "folder": str(toy / "run"),
            "max_rounds": 6,
            "accelerator": "cpu",
            "devices": 1,
            "precision": "32-true",
            "threads": 1,
            "rounds_per_validation": 3,
            **run,
        },
        "data": {
            "data_dir": str(toy),
            "cache_dir": str(toy),
            "batch_size": 16,
            "batches_per_round": 10,
        },
        "learning": {"warmup_steps": 4, "average_decay": 0.8, "learning_rate": 0.005},
        "sides_px": [[0.0, 64]],
        "validation_side_px": 64,
    }
    path = toy / "toy.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
