"""Writes the checkpoint folder of a trained action classifier, calibrated, with its figures."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.action_classifier import KIND, LONGEST_WINDOW_S, STEP_FRAMES, WINDOW_FRAMES
from models.action_layers import classify_sequences, padded
from models.action_network import ActionNetwork
from models.checkpoint import Checkpoint, write_checkpoint
from models.types import Floats, Times
from train import fitting, shipping
from train.action_classifier import ActionSource, mean_logits, open_source
from train.action_config import ActionConfig
from train.action_figures import INDEX_FPS, decide, shipped_figures
from train.data.action_batches import kind_of, whole_window
from train.data.action_examples import Example
from train.data.action_labels import LABELS, SAME

HALF_TOLERANCE = 2e-2  # of the mean difference between logits from both precisions
NUMPY_TOLERANCE = 2e-3  # of the largest difference between logits by numpy and by torch
COMPARED = 64  # recordings for both

CARD = """# {name}

Names what is done in a video, {labels} actions: {parameters:.2f} million parameters,
{megabytes:.1f} MB as {dtype}. Input: unit-length embeddings of the encoder `{encoder}` (weights
{encoder_hash}) and their times in seconds, in windows of up to {frames} frames; output: a
probability for each label, and that it is one of them at all.

A projection, a bidirectional LSTM that is told the seconds between frames, an attention over time.
"Something else" is a further answer in training; how far a label is ahead of it, calibrated,
decides whether a window shows one of the labels.

## Data
{data}. Research data, see their owners' terms. Photographs come from the web, some mislabelled, and
become windows by camera moves; captions say what their videos show, where at least six agree.

## Figures
{protocol}

| | examples | top-1 | top-5 |
|---|---|---|---|
{figures}

Of clips of none of the labels it turns away {rejected_familiar:.0%} of familiar and
{rejected_new:.0%} of new kinds, and keeps {kept:.0%} of those with a label (area under the curve
{auc_familiar:.2f} and {auc_new:.2f}).

## Limits
Most labels were learned from photographs: what it sees is the scene and the pose more than the
movement. Interactions and the exercises come from few people in few places. Code version {code}.
"""


def export_classifier(config: ActionConfig, state_path: Path | None, folder: Path) -> Checkpoint:
    """Writes the folder.

    Raises:
        ValueError: the state is not there, or what runs in the application computes something else.
    """
    state_path = fitting.existing_state(state_path or fitting.last_checkpoint(config.run))
    state = torch.load(state_path, map_location="cpu", weights_only=False)
    network = ActionNetwork(config.model).eval()
    prefix = "network."
    network.load_state_dict(
        {key.removeprefix(prefix): value for key, value in state["state_dict"].items()}
    )
    source = open_source(config)
    chosen = source.examples.part("chosen")
    held = chosen[:: max(1, len(chosen) // COMPARED)]
    difference = half_difference(network, held)
    half = difference <= HALF_TOLERANCE
    kept = shipping.in_half_precision(network) if half else network
    shipping.check_size(kept, half=half)
    arrays = {name: tensor.numpy() for name, tensor in kept.state_dict().items()}

    def logits(seen: Floats, times_s: Times) -> Floats:
        return mean_logits(arrays, config, seen, times_s)

    decision = decide(logits, source.examples)
    metrics = {
        **shipped_figures(logits, decision, source.examples),
        "half_precision_difference": difference,
        "numpy_difference": numpy_difference(kept, held),
    }
    described = _described(config, source, int(state["epoch"]) + 1)
    described["decision"] = {
        "calibration": dataclasses.asdict(decision[0]),
        "known_from": decision[1],
    }
    card = _card(folder.name, described, metrics, shipping.size_facts(kept, half=half))
    return write_checkpoint(folder, kept, config=described, metrics=metrics, card=card, half=half)


def _described(config: ActionConfig, source: ActionSource, rounds: int) -> dict[str, Any]:
    examples = source.examples
    trained = Counter(kind_of(example) for example in examples.part("train"))
    return {
        "kind": KIND,
        "architecture": dataclasses.asdict(config.model),
        "preprocessing": {
            "encoder": examples.backbone,
            "encoder_hash": examples.backbone_hash,
            "space": None if source.space_hash is None else Path(config.data.space).name,
            "space_hash": source.space_hash,
            "values": "embeddings of length one, times in seconds",
        },
        "sampling": {
            "window_frames": WINDOW_FRAMES,
            "window_s": LONGEST_WINDOW_S,
            "step_frames": STEP_FRAMES,
            "fps": [config.data.slowest_fps, config.data.fastest_fps],
        },
        "labels": list(LABELS),
        "data": {
            "actions": {name: trained[name] for name in ("stills", "clips", "captioned", "other")},
            "held_out": len(examples.part("chosen")) + len(examples.part("reported")),
            "label_sources": {label: list(sources) for label, sources in SAME.items()},
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "rounds": rounds,
            "batches_per_round": config.data.batches_per_round,
            "batch_size": config.data.batch_size,
            "shares": dict(config.data.shares),
            "learning": dataclasses.asdict(config.learning),
            "seed": config.seed,
        },
        **shipping.origin(),
    }


def _first_window(example: Example) -> tuple[Floats, Times]:
    seen, times_s = whole_window(example, INDEX_FPS)
    return seen[:WINDOW_FRAMES], times_s[:WINDOW_FRAMES]


@torch.inference_mode()
def _torch_logits(network: ActionNetwork, example: Example) -> Floats:
    seen, times_s = _first_window(example)
    valid = torch.ones((1, len(seen)), dtype=torch.bool)
    given = torch.from_numpy(seen)[None], torch.from_numpy(times_s)[None]
    return np.asarray(network(*given, valid)[0].numpy(), np.float32)


def half_difference(network: ActionNetwork, examples: list[Example]) -> float:
    """Mean difference between logits by the weights as they are and rounded to half precision."""
    rounded = shipping.in_half_precision(network)
    return float(
        np.mean(
            [np.abs(_torch_logits(network, e) - _torch_logits(rounded, e)).mean() for e in examples]
        )
    )


def numpy_difference(network: ActionNetwork, examples: list[Example]) -> float:
    """The largest difference between logits by what the application runs, and by torch.

    Raises:
        ValueError: it is more than rounding.
    """
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    largest = 0.0
    for example in examples:
        seen, times_s = _first_window(example)
        found, _ = classify_sequences(arrays, network.shape, *padded([seen], [times_s]))
        largest = max(largest, float(np.abs(found[0] - _torch_logits(network, example)).max()))
    if largest > NUMPY_TOLERANCE:
        raise ValueError(f"numpy and torch differ by {largest:.2g}, which is more than rounding")
    return largest


def figure_rows(metrics: dict[str, Any]) -> list[str]:
    """Lines of a table: what is shown, how many, top-1, top-5."""
    rows = [(f"photographs, {name}", row) for name, row in metrics["photographs"].items()]
    rows += [
        (f"{name}, {fps} frames a second", row)
        for name, by_fps in metrics["clips"].items()
        for fps, row in by_fps.items()
        if fps in ("2", "8")
    ]
    return [
        f"| {name} | {row['examples']} | {row['top1']:.2f} | {row['top5']:.2f} |"
        for name, row in rows
    ]


def _card(
    name: str, described: dict[str, Any], metrics: dict[str, Any], size: dict[str, Any]
) -> str:
    unknown, counts = metrics["unknown"], described["data"]["actions"]
    empty = {"rejected": float("nan"), "auc": float("nan")}
    familiar, new = unknown.get("familiar", empty), unknown.get("new", empty)
    return CARD.format(
        name=name,
        **size,
        labels=len(described["labels"]),
        encoder=described["preprocessing"]["encoder"],
        encoder_hash=described["preprocessing"]["encoder_hash"][:12],
        frames=WINDOW_FRAMES,
        data=f"{counts['stills']:,} photographs, {counts['clips']} clips, {counts['captioned']} "
        f"captioned videos that show a label, {counts['other']:,} clips of something else",
        protocol=metrics["protocol"],
        figures="\n".join(figure_rows(metrics)),
        rejected_familiar=familiar["rejected"],
        rejected_new=new["rejected"],
        kept=unknown["labelled"]["kept"],
        auc_familiar=familiar["auc"],
        auc_new=new["auc"],
        code=described["code_version"],
    )
