"""A toy of what the published frame search is trained from: pictures half of one colour."""

from itertools import product
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from models.types import Pixels
from tests.unit.image_text_toys import write_distilbert

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220),
           "yellow": (230, 220, 40)}  # fmt: skip
PLACES = ("left", "right", "top", "bottom")
WORDS = (*COLOURS, *PLACES, "a", "wall", "at", "the", "is", "here")
COPIES = 6
PARTS = ("train", "train", "train", "train", "dev", "test")
LISTS = {"train": "Flickr_8k.trainImages.txt", "dev": "Flickr_8k.devImages.txt",
         "test": "Flickr_8k.testImages.txt"}  # fmt: skip


def picture(colour: str, place: str, seed: int, height: int = 40, width: int = 60) -> Pixels:
    """Grey noise; one half of it is of the colour."""
    random = np.random.default_rng(seed)
    pixels = random.integers(90, 130, (height, width, 3)).astype(np.uint8)
    halves = {
        "left": np.s_[:, : width // 2], "right": np.s_[:, width // 2 :],
        "top": np.s_[: height // 2], "bottom": np.s_[height // 2 :],
    }  # fmt: skip
    pixels[halves[place]] = np.asarray(COLOURS[colour]) + random.integers(-20, 20, 3)
    return pixels


def write_flickr8k(folder: Path) -> Path:
    (folder / "Images").mkdir(parents=True)
    lines, named = ["image,caption"], dict[str, list[str]]()
    for number, (copy, colour, place) in enumerate(product(range(COPIES), COLOURS, PLACES)):
        name = f"{colour}_{place}_{copy}.png"
        Image.fromarray(picture(colour, place, number)).save(folder / "Images" / name)
        said = (f"a {colour} wall at the {place}", f'"the {place} , is {colour} here ."')
        lines += [f"{name},{caption}" for caption in said]
        named.setdefault(PARTS[copy], []).append(name)
    (folder / "captions.txt").write_text("\n".join(lines) + "\n")
    for part, file in LISTS.items():
        (folder / file).write_text("\n".join(named[part]) + "\n")
    return folder


def write_toy(folder: Path, **run: object) -> Path:
    """Pictures, a tiny DistilBERT and a config; keys given go to its run section."""
    write_flickr8k(folder / "flickr8k")
    write_distilbert(folder / "distilbert", WORDS)
    return write_config(folder, **run)


def write_config(folder: Path, **run: object) -> Path:
    values = {
        "model": {
            "architecture": "test_resnet", "pretrained": "random", "dim": 32, "dropout": 0.1,
            "text": str(folder / "distilbert"), "text_limit": 16, "first_temperature": 0.2,
        },
        "run": {
            "folder": str(folder / "run"), "accelerator": "cpu", "devices": 1,
            "precision": "32-true", "threads": 1, "max_rounds": 6, **run,
        },
        "data": {
            "source": "flickr8k", "folder": str(folder / "flickr8k"),
            "cache_dir": str(folder / "cache"), "side_px": 32, "batch_size": 16,
            "flip_share": 0.0, "smallest_crop": 0.9,
        },
        "learning": {
            "learning_rate": 0.003, "image_rate": 0.003, "text_rate": 0.003, "image_from_round": 0,
            "text_from_round": 1,
        },
    }  # fmt: skip
    path = folder / "toy_distilbert.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
