"""A toy of what the captioner is trained from: that of the frame-text encoder, and a random one."""

import dataclasses
import hashlib
import json
from pathlib import Path

import torch
import yaml

from models.checkpoint import read_checkpoint, write_checkpoint
from models.frame_text_encoder import KIND, VOCABULARY_FILE, FrameTextShape
from models.subwords import count_words, learn_subwords
from tests.unit import frame_text_toys
from train.frame_text_network import FrameTextNetwork


def write_toy(folder: Path) -> None:
    """Frames with captions, a backbone and a frame-text encoder that has learned nothing."""
    frame_text_toys.write_toy(folder)
    backbone = read_checkpoint(folder / "checkpoints" / "backbone")
    said = json.loads((folder / "data" / "msrvtt" / "train.json").read_text()).values()
    subwords = learn_subwords(count_words([c for one in said for c in one["captions"]]), 160)
    shape = FrameTextShape(
        vocabulary=len(subwords),
        feature_dim=frame_text_toys.FEATURE_DIM,
        dim=8,
        width=8,
        layers=0,
        heads=2,
        inner_width=8,
    )
    torch.manual_seed(0)
    compact = folder / "checkpoints" / "compact"
    compact.mkdir(parents=True)
    (compact / VOCABULARY_FILE).write_text(subwords.to_json())
    curve = {"slope": 1.0, "offset": 0.0}
    write_checkpoint(
        compact,
        FrameTextNetwork(shape),
        config={
            "kind": KIND,
            "architecture": dataclasses.asdict(shape),
            "preprocessing": {
                "backbone": "backbone",
                "backbone_hash": backbone.weights_hash,
                "side_px": 32,
            },
            "calibration": curve,
            "picture_calibration": curve,
            "subwords_sha256": hashlib.sha256(subwords.to_json().encode()).hexdigest(),
        },
        metrics={},
        card="",
        half=True,
    )


def toy_config(toy: Path, **run: object) -> Path:
    """A config for it; keys given go to its run section."""
    values = {
        "run": {
            "folder": str(toy / "run"),
            "max_rounds": 10,
            "accelerator": "cpu",
            "devices": 1,
            "precision": "32-true",
            "threads": 1,
            **run,
        },
        "model": {"dim": 32, "heads": 2, "dropout": 0.1, "input_dropout": 0.1},
        "data": {
            "data_dir": str(toy / "data"),
            "cache_dir": str(toy / "cache"),
            "backbone": str(toy / "checkpoints" / "backbone"),
            "frame_text": str(toy / "checkpoints" / "compact"),
            "least_count": 2,
            "batch_items": 16,
            "captions_per_item": 2,
        },
        "learning": {
            "word_rounds": 8,
            "learning_rate": 0.01,
            "reward_rate": 0.001,
            "samples": 3,
            "smoothing": 0.0,
        },
        "search": {"beams": 3, "longest": 8},
        "doubt_below": 0.2,
        "plain": ["the dog is here", "somebody is here"],
    }
    path = toy / "captioner.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
