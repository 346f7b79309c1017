"""Writes a trained two-stage keyframe system as two checkpoints: its trunk, and the scorer over it.

    python -m train.export keyframes_resnet50 [--run STATE.ckpt] [--to checkpoints/local/NAME]

makes checkpoints/local/NAME and checkpoints/local/NAME_backbone.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.checkpoint import Checkpoint, write_checkpoint
from models.keyframe_scorer import KIND
from train import fitting, shipping
from train.data.judged_frames import JudgedFrames
from train.data.tvsum_features import SAMPLE_FPS
from train.held_out import as_markdown
from train.keyframe_export import HALF_TOLERANCE, half_difference, numpy_difference
from train.keyframes_resnet50 import FIGURES_FILE, TwoStageTraining, load_parts, load_trained
from train.keyframes_resnet50_config import TwoStageConfig
from train.trunk_export import export_trunk

COMPARED_VIDEOS, COMPARED_FRAMES = 8, 8  # whose features and scores are compared

CARD = """# {name}

How important each frame of a video is, learned from people: {parameters:.2f} million parameters,
{megabytes:.1f} MB as {dtype}. Input: unit-length embeddings of the encoder `{encoder}` (weights
{encoder_hash}) and their times in seconds; output: a score in [0, 1] for each. Any length, also
irregular times.

A projection, a Transformer encoder with rotary positions in seconds, then attention within
{window_s:g} s beside attention over the whole video, fused. Trained in two stages: {stages}.

## Data
{count} videos of {dataset} with the judgements of its annotators. Research data, see its owners'
terms. Which ones: `data.trained_on` in config.json.

## Figures
{figures}

## Limits
People agree little on what is important, as the row "human" says. Code version {code}.
"""


def export_two_stage(config: TwoStageConfig, state_path: Path | None, folder: Path) -> Checkpoint:
    """Writes both folders; the figures are those of `test`, where it was run on this state.

    Raises:
        ValueError: there is no such state, or what runs in the application computes something else.
    """
    path = state_path or fitting.last_checkpoint(config.run)
    model = load_trained(config, path)
    state = torch.load(path, map_location="cpu", mmap=True, weights_only=False)
    trained, held = load_parts(config)
    described = _described(config, trained, held, state)
    learned = _stages(config, int(state["epoch"]) + 1)
    pictures = _pictures([*held, *trained][:COMPARED_VIDEOS])
    trunk = export_trunk(
        model.trunk.network,
        folder.with_name(f"{folder.name}_backbone"),
        pictures,
        described,
        side_px=config.model.side_px,
        made=f"From {config.model.pretrained} weights; then, with the scorer {folder.name} over "
        f"it: {learned}.",
        data=f"{len(trained)} videos of {config.data.dataset}.",
    )
    return _export_scorer(config, model, folder, trunk, described, state, held or trained)


def _export_scorer(
    config: TwoStageConfig,
    model: TwoStageTraining,
    folder: Path,
    trunk: Checkpoint,
    described: dict[str, Any],
    state: dict[str, Any],
    compared: Sequence[JudgedFrames],
) -> Checkpoint:
    network = model.scorer.eval()
    videos = [model.scored(video) for video in compared[:COMPARED_VIDEOS]]
    difference = half_difference(network, videos)
    half = difference <= HALF_TOLERANCE
    kept = shipping.in_half_precision(network) if half else network
    shipping.check_size(kept, half=half, folder=folder)
    found = figures_of(config, state)
    metrics = {
        **found,
        "half_precision_difference": difference,
        "numpy_difference": numpy_difference(kept, videos),
    }
    described = {
        "kind": KIND,
        "architecture": dataclasses.asdict(config.model.scorer),
        "preprocessing": {
            "encoder": trunk.name,
            "encoder_hash": trunk.weights_hash,
            "values": "embeddings of length one, times in seconds",
        },
        "sampling": {"fps": SAMPLE_FPS},
        "labels": ["importance"],
        **described,
        **shipping.origin(),
    }
    card = CARD.format(
        name=folder.name,
        **shipping.size_facts(kept, half=half),
        encoder=trunk.name,
        encoder_hash=trunk.weights_hash[:12],
        window_s=config.model.scorer.window_s,
        stages=_stages(config, int(state["epoch"]) + 1),
        count=len(described["data"]["trained_on"]),
        dataset=config.data.dataset,
        figures=_figures_in_words(found),
        code=described["code_version"],
    )
    return write_checkpoint(folder, kept, config=described, metrics=metrics, card=card, half=half)


def figures_of(config: TwoStageConfig, state: dict[str, Any]) -> dict[str, Any]:
    """What `test` found on this very state; nothing where it was not run on it."""
    path = Path(config.run.folder) / FIGURES_FILE
    if not path.is_file():
        return {}
    report: dict[str, Any] = json.loads(path.read_text())
    measured = report["step"], report["dataset"], report["fold"], report["inner"]
    data = config.data
    if measured != (int(state["global_step"]), data.dataset, data.fold, data.inner):
        return {}
    return {
        "held_out": {
            "dataset": report["dataset"],
            "fold": report["fold"],
            "videos": len(report["videos"]),
            "protocol": report["protocol"],
            "rows": report["rows"],
        }
    }


def _figures_in_words(found: dict[str, Any]) -> str:
    if not found:
        return "Not measured: `python -m train.keyframes_resnet50 test` was not run on this state."
    held = found["held_out"]
    count = held["videos"]
    table = as_markdown(held, f"{count} held-out videos of {held['dataset']}")
    return f"{held['protocol']} None of the {count} videos was learned from.\n\n{table}"


def _stages(config: TwoStageConfig, rounds: int) -> str:
    learning = config.learning
    frozen = min(rounds, learning.frozen_rounds)
    return (
        f"{frozen} rounds at {learning.frozen_rate:g} with the trunk frozen, then "
        f"{rounds - frozen} at {learning.tuned_rate:g} with its {config.model.tuned} learning"
    )


def _described(
    config: TwoStageConfig,
    trained: Sequence[JudgedFrames],
    held: Sequence[JudgedFrames],
    state: dict[str, Any],
) -> dict[str, Any]:
    return {
        "data": {
            f"{config.data.dataset}_videos": len(trained),
            "trained_on": sorted(video.name for video in trained),
            "held_out": sorted(video.name for video in held),
            "dataset": config.data.dataset,
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "rounds": int(state["epoch"]) + 1,
            "steps": int(state["global_step"]),
            "pretrained": config.model.pretrained,
            "tuned": config.model.tuned,
            "learning": dataclasses.asdict(config.learning),
            "fold": config.data.fold,
            "seed": config.seed,
        },
    }


def _pictures(videos: Sequence[JudgedFrames]) -> list[Tensor]:
    """A few frames of each."""
    batches = []
    for video in videos:
        at = np.linspace(0, len(video) - 1, min(COMPARED_FRAMES, len(video))).round().astype(int)
        batches.append(torch.from_numpy(np.stack([video.pixels[number] for number in at])))
    return batches
