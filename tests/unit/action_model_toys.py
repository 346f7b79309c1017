"""A toy world of actions: every label is one direction of the embeddings, and one is nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from models.checkpoint import write_checkpoint
from models.types import Floats, Halves
from train.action_classifier import ActionSource
from train.data.action_examples import Example, Examples
from train.data.action_labels import LABELS

DIM = 24
PARTS = ("train", "train", "train", "chosen", "reported")


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def directions() -> Floats:
    return unit(np.random.default_rng(0).standard_normal((len(LABELS) + 1, DIM)))


def _rows(label: int, count: int, random: np.random.Generator) -> Halves:
    noisy = directions()[label] + random.normal(0, 0.03, (count, DIM))
    return (unit(noisy.astype(np.float32)) * np.sqrt(DIM)).astype(np.float16)


def toy_examples(backbone_hash: str) -> Examples:
    """Photographs and clips of every label, and clips of something else, in all parts."""
    random = np.random.default_rng(1)
    items = []
    for number, label in enumerate((*LABELS, None)):
        for at, part in enumerate(PARTS):
            name, group = f"{label}/p{at}_{label}", f"toy/{number}-{at}"
            still = tuple(_rows(number, count, random) for count in (1, 5, 5))
            times_s = np.arange(20) / 12
            clip = (_rows(number, 20, random), _rows(number, 20, random))
            if label is not None:
                items.append(Example("actions15", name, group, label, part, still))
            source = "weizmann" if label is not None else "tvsum"
            items.append(Example(source, name, group + "c", label, part, clip, times_s))
    return Examples(tuple(items), "backbone", backbone_hash)


def write_backbone(folder: Path) -> str:
    """A folder that has a hash, which is all that a classifier asks of it; returns that."""
    torch.manual_seed(0)
    config = {"kind": "backbone", "architecture": {}, "preprocessing": {}}
    made = write_checkpoint(
        folder / "backbone", nn.Linear(2, 2), config=config, metrics={}, card="", half=False
    )
    return made.weights_hash


def toy_source(folder: Path) -> ActionSource:
    return ActionSource(toy_examples(write_backbone(folder)), {}, None)


def toy_config(folder: Path, **run: Any) -> Path:
    values = {
        "model": {
            "input_dim": DIM,
            "labels": len(LABELS),
            "reads": "backbone",
            "dim": 32,
            "dropout": 0.1,
            "input_dropout": 0.0,
        },
        "run": {
            "folder": str(folder / "run"),
            "max_rounds": 4,
            "rounds_per_validation": 4,
            "accelerator": "cpu",
            "devices": 1,
            "threads": 1,
            **run,
        },
        "data": {"batch_size": 64, "batches_per_round": 20},
        "learning": {"learning_rate": 0.01},
    }
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
