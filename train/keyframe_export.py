"""Writes the checkpoint folder of a trained keyframe scorer, with its figures from the folds."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.checkpoint import Checkpoint, write_checkpoint
from models.keyframe_network import ScorerNetwork
from models.keyframe_scorer import KIND, ScorerShape, score_logits
from train import fitting, shipping
from train.command import RESULTS_DIR
from train.data.judged import ScoredVideo
from train.data.judged_sets import TVSUM
from train.data.tvsum_features import SAMPLE_FPS
from train.data.tvsum_folds import load_scored_videos, source_of
from train.folds import TRAINED
from train.keyframe_config import ScorerConfig

HALF_TOLERANCE = 1e-3  # of the mean difference between scores from both precisions
NUMPY_TOLERANCE = 1e-4  # of the largest difference between logits by numpy and by torch

CARD = """# {name}

How important each frame of a video is, learned from people: {parameters:.2f} million parameters,
{megabytes:.1f} MB as {dtype}. Input: unit-length embeddings of the encoder `{encoder}` (weights
{encoder_hash}) and their times in seconds; output: a score in [0, 1] for each. Any length, also
irregular times.

A projection, a Transformer encoder with rotary positions in seconds, then attention within
{window_s:g} s beside attention over the whole video, fused.

## Data
{count} TVSum videos with the judgements of 20 annotators each. Research data, see its owners'
terms. {seen}

## Figures
Of networks trained in the same way on four fifths of the videos; this one was trained on all.
{protocol}

| | tau-b | rho | F |
|---|---|---|---|
{figures}

## Limits
What people who watched web videos of 2010 to 2015 found important, of ten kinds (tyre changing,
unsticking, grooming, sandwiches, parades, parkour, flash mobs, bees, bikes, dogs). People agree
little on it, as the row "human" says. Code version {code}.
"""


def export_scorer(
    config: ScorerConfig, state_path: Path | None, folder: Path, report_path: Path | None = None
) -> Checkpoint:
    """Writes the folder. `report_path`: what train.evaluate wrote of these features.

    Raises:
        ValueError: the state or the report is not there, or was not made for these features; or
            what runs in the application computes something else.
    """
    if config.data.dataset != TVSUM:
        raise ValueError(
            f"data.dataset is {TVSUM} for a scorer whose card quotes its folds, "
            f"received {config.data.dataset!r}"
        )
    state_path = fitting.existing_state(state_path or fitting.last_checkpoint(config.run))
    report_path = report_path or RESULTS_DIR / f"keyframes_{config.data.features}.json"
    if not report_path.is_file():
        raise ValueError(f"{report_path} is missing: run python -m train.evaluate keyframes first")
    report = json.loads(report_path.read_text())
    backbone = source_of(config.data.dataset, config.data.features_dir)
    if report["backbone"] != backbone:
        raise ValueError(f"{report_path} has figures of {report['backbone']}, not of {backbone}")
    if ScorerShape(**report["config"]["model"]) != config.model:
        raise ValueError(f"{report_path} has figures of another network than the config's")
    state = torch.load(state_path, map_location="cpu", weights_only=False)
    network = ScorerNetwork(config.model).eval()
    prefix = "network."
    network.load_state_dict(
        {key.removeprefix(prefix): value for key, value in state["state_dict"].items()}
    )
    videos = load_scored_videos(
        Path(config.data.data_dir), config.data.features_dir, config.data.dataset
    )
    difference = half_difference(network, videos)
    half = difference <= HALF_TOLERANCE
    kept = shipping.in_half_precision(network) if half else network
    shipping.check_size(kept, half=half)
    metrics = {
        "rows": report["rows"],
        "protocol": report["protocol"],
        "seeds": report["seeds"],
        "half_precision_difference": difference,
        "numpy_difference": numpy_difference(kept, videos),
    }
    described = {
        "kind": KIND,
        "architecture": dataclasses.asdict(config.model),
        "preprocessing": {
            "encoder": backbone["name"],
            "encoder_hash": backbone["weights_hash"],
            "values": "embeddings of length one, times in seconds",
        },
        "sampling": {"fps": SAMPLE_FPS},
        "labels": ["importance"],
        "data": {
            "tvsum_videos": len(videos),
            "seen_before": report["seen_before"],
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "rounds": int(state["epoch"]) + 1,
            "learning": dataclasses.asdict(config.learning),
            "seed": config.seed,
        },
        **shipping.origin(),
    }
    card = _card(folder.name, described, report, shipping.size_facts(kept, half=half))
    return write_checkpoint(folder, kept, config=described, metrics=metrics, card=card, half=half)


def half_difference(network: ScorerNetwork, videos: list[ScoredVideo]) -> float:
    """Mean difference between scores by the weights as they are and rounded to half precision."""
    rounded = shipping.in_half_precision(network)
    differences = []
    with torch.inference_mode():
        for video in videos:
            features, times_s = torch.from_numpy(video.features), torch.from_numpy(video.times_s)
            full, half = (one(features, times_s).sigmoid() for one in (network, rounded))
            differences.append((full - half).abs().numpy())
    return float(np.concatenate(differences).mean())


@torch.inference_mode()
def numpy_difference(network: ScorerNetwork, videos: list[ScoredVideo]) -> float:
    """The largest difference between logits by what the application runs, and by torch.

    Raises:
        ValueError: it is more than rounding.
    """
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    largest = 0.0
    for video in videos:
        wanted = network(torch.from_numpy(video.features), torch.from_numpy(video.times_s)).numpy()
        found = score_logits(arrays, network.shape, video.features, video.times_s)
        largest = max(largest, float(np.abs(found - wanted).max()))
    if largest > NUMPY_TOLERANCE:
        raise ValueError(f"numpy and torch differ by {largest:.2g}, which is more than rounding")
    return largest


def _card(
    name: str, described: dict[str, Any], report: dict[str, Any], size: dict[str, Any]
) -> str:
    rows = {row: report["rows"][row] for row in ("random", TRAINED, "human")}
    figures = [
        f"| {row} | "
        + " | ".join(
            f"{of[f]['mean']:.3f} +- {of[f]['over_folds']:.3f}" for f in ("tau", "rho", "f")
        )
        + " |"
        for row, of in rows.items()
    ]
    return CARD.format(
        name=name,
        **size,
        encoder=described["preprocessing"]["encoder"],
        encoder_hash=described["preprocessing"]["encoder_hash"][:12],
        window_s=described["architecture"]["window_s"],
        count=described["data"]["tvsum_videos"],
        seen=report["seen_before"],
        protocol=report["protocol"],
        figures="\n".join(figures),
        code=described["code_version"],
    )
