"""Writes a fine-tuned trunk as a frame encoder of its own, which every model over it may share."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.backbone_encoder import KIND
from models.backbones import CompactBackbone, PictureFeatures, as_input
from models.checkpoint import Checkpoint, write_checkpoint
from train import shipping
from train.graphs import agreed, graph_of

HALF_TOLERANCE = 1e-3  # of the mean cosine distance between features from both precisions
FOLD_TOLERANCE = 1e-3  # of a feature, beside the largest one

CARD = """# {name}

A picture in, {feature_dim} features out: `{architecture}`, {parameters:.2f} million parameters,
{megabytes:.1f} MB as {dtype}. {made}

## Data
{data} Research data, see its owners' terms.

## Input
RGB, the whole picture squashed to {side_px} x {side_px}. Mean and deviation are part of the
network. The features are {features}; the index holds them with length one.

## Limits
It was made for the models that name it, and measured only through them. Code version {code}.
"""


def export_trunk(
    network: CompactBackbone,
    folder: Path,
    pictures: Sequence[Tensor],
    described: Mapping[str, Any],
    *,
    side_px: int,
    made: str,
    data: str,
) -> Checkpoint:
    """`pictures`: some batches u8 [B, side, side, 3], on which precisions are compared.

    `described`: the entries data and training of the checkpoint's description. `made` and `data`
    say the same in sentences, for the card.

    Raises:
        ValueError: the network is not what its folded form or OpenVINO computes.
    """
    full = PictureFeatures(network)
    _check_folding(network.eval(), full, pictures[0])
    rounded = shipping.in_half_precision(full)
    distance = _distance(full, rounded, pictures)
    half = distance <= HALF_TOLERANCE
    kept = rounded if half else full
    shipping.check_size(kept, half=half, folder=folder)
    tensors = kept.network.state_dict()
    graph, agreement = agreed(
        graph_of(kept, pictures[0][:2], tensors), kept, tensors, [p.numpy() for p in pictures]
    )
    shape = network.shape
    config = {
        "kind": KIND,
        "architecture": dataclasses.asdict(shape),
        "preprocessing": {
            "shape": "the whole frame squashed to a square",
            "side_px": side_px,
            "values": "u8 RGB / 255; mean and deviation are part of the network",
        },
        "sampling": "single frames",
        "labels": [],
        **described,
        **shipping.origin(),
    }
    card = CARD.format(
        name=folder.name,
        feature_dim=shape.feature_dim,
        architecture=shape.architecture,
        **shipping.size_facts(kept, half=half),
        features="those of its linear layer"
        if shape.head
        else "those of the trunk before any head",
        made=made,
        data=data,
        side_px=side_px,
        code=config["code_version"],
    )
    metrics = {"half_precision_distance": distance, **agreement}
    return write_checkpoint(
        folder, kept.network, config=config, metrics=metrics, card=card, half=half, graph=graph
    )


@torch.inference_mode()
def _check_folding(network: CompactBackbone, folded: PictureFeatures, pixels: Tensor) -> None:
    wanted, found = network(as_input(pixels)), folded(pixels)
    off = float((wanted - found).abs().max() / wanted.abs().max().clamp(min=1e-6))
    if off > FOLD_TOLERANCE:
        raise ValueError(f"batch norms of {network.shape.architecture} do not fold: {off:.2g} off")


@torch.inference_mode()
def _distance(one: PictureFeatures, other: PictureFeatures, pictures: Sequence[Tensor]) -> float:
    distances = [1 - functional.cosine_similarity(one(p), other(p)) for p in pictures]
    return float(torch.cat(distances).mean().clamp(min=0))
