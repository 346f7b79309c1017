"""A toy of what the frame-text encoder is trained from: frames with captions that fit them."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import yaml

from models.backbone_encoder import KIND
from models.backbones import BackboneShape, CompactBackbone, PictureFeatures
from models.checkpoint import write_checkpoint
from models.types import Floats
from train.data.captioned_features import TEACHER, CaptionedFeatures, write_features
from train.data.frames import Picture, write_frame_store
from train.data.sentences import SENTENCE_DIM

FEATURE_DIM = 24
COLOURS = ("red", "green", "blue", "white", "black", "yellow", "orange", "purple")
ANIMALS = ("dog", "cat", "horse", "bird", "fish", "cow", "bear", "mouse")
SIZES = ("big", "small", "old")
FRAMES = 2


def toy_sentence(texts: Sequence[str]) -> Floats:
    """In the place of the sentence encoder: the sum of a fixed direction for each word."""
    rows = []
    for text in texts:
        total = np.zeros(SENTENCE_DIM)
        for word in text.split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
            total += np.random.default_rng(seed).standard_normal(SENTENCE_DIM)
        rows.append(total / np.linalg.norm(total))
    return np.asarray(rows, np.float32)


def write_toy(folder: Path) -> None:
    """Frames, captions, features of a teacher and of a backbone, and the words of the cache."""
    random = np.random.default_rng(0)
    pictures, captions, said = [], dict[str, dict[str, list[str]]](), []
    for split in ("train", "val"):
        captions[split] = {}
        for shown in product(range(len(SIZES)), range(len(COLOURS)), range(len(ANIMALS))):
            if (split == "val") != (sum(shown) % 5 == 0):
                continue
            name = f"video{len(pictures)}"
            size, colour, animal = shown
            words = f"{SIZES[size]} {COLOURS[colour]} {ANIMALS[animal]}"
            captions[split][name] = [f"a {words}", f"the {words} is here"]
            for _ in range(FRAMES):
                pixels = random.integers(0, 255, (8, 8, 3)).astype(np.uint8)
                official = split == "val"
                pictures.append(Picture(pixels, "msrvtt", name, name, "", official))
                said.append(shown)
    write_frame_store(folder / "cache" / "frames", pictures)
    for split, found in captions.items():
        path = folder / "data" / "msrvtt" / f"{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: {"captions": texts} for name, texts in found.items()}))
        other = folder / "data" / "flickr8k" / f"{'train' if split == 'train' else 'dev'}.json"
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text("{}")
    shape = BackboneShape("mobilenetv4_conv_small_035", FEATURE_DIM)
    backbone = write_checkpoint(
        folder / "checkpoints" / "backbone",
        PictureFeatures(CompactBackbone(shape)).network,
        config={
            "kind": KIND,
            "architecture": dataclasses.asdict(shape),
            "preprocessing": {"side_px": 32},
        },
        metrics={},
        card="",
        half=True,
    )
    directions = random.standard_normal((3, 8, FEATURE_DIM))
    clean = np.stack([sum(directions[i, n] for i, n in enumerate(shown)) for shown in said])
    rows = np.arange(len(said))
    for name, maker, noise in (
        (TEACHER, "toy teacher", 0.3),
        ("backbone", backbone.weights_hash, 0.6),
    ):
        seen = clean + noise * random.standard_normal((2, *clean.shape))
        features = CaptionedFeatures(rows, seen.astype(np.float16), maker)
        write_features(folder / "cache", name, features)
    words = folder / "cache" / "features" / "words.txt"
    words.write_text("\n".join((*SIZES, *COLOURS, *ANIMALS, "zebra", "elephant")))


def toy_config(toy: Path, **run: object) -> Path:
    """A config for it; keys given go to its run section."""
    values = {
        "run": {
            "folder": str(toy / "run"),
            "accelerator": "cpu",
            "devices": 1,
            "precision": "32-true",
            "threads": 1,
            **run,
        },
        "words": {"rounds": 3, "batches_per_round": 10, "learning_rate": 0.01, "warmup_steps": 4},
        "joint": {"rounds": 4, "batches_per_round": 15, "learning_rate": 0.01, "warmup_steps": 4},
        "model": {
            "vocabulary": 160,
            "dim": 16,
            "width": 24,
            "layers": 1,
            "heads": 2,
            "inner_width": 32,
            "text_limit": 16,
        },
        "data": {
            "data_dir": str(toy / "data"),
            "cache_dir": str(toy / "cache"),
            "backbone": str(toy / "checkpoints" / "backbone"),
            "spans": 60,
            "batch_size": 24,
        },
    }
    path = toy / "compact.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
