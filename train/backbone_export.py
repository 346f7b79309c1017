"""Writes the checkpoint folder of a trained backbone.

Half precision is kept where it costs nothing measurable: the features of held-out pictures are
computed with both, and float32 is written where they differ by more than the tolerance. So is bf16
in OpenVINO, against torch in float32.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.backbone_encoder import KIND
from models.backbones import BackboneShape, CompactBackbone, PictureFeatures, as_input
from models.checkpoint import Checkpoint, write_checkpoint
from train import fitting, shipping
from train.backbone_config import BackboneConfig
from train.comparison import Comparison, TeacherReader
from train.data.distillation import WholeBatches
from train.data.frames import HELD_OUT_PERCENT, FrameStore, open_frame_store
from train.data.teacher import TEACHER_FILE
from train.data.teacher_views import (
    open_teacher_space,
    open_view_sets,
    open_whole_views,
)
from train.graphs import agreed, graph_of

HALF_TOLERANCE = 1e-3  # of the mean cosine distance between features from both precisions
FOLD_TOLERANCE = 1e-3  # of a feature, beside the largest one
# Of values that a batch norm has brought near one. Without it one held-out picture in a hundred had
# features a hundred times too long; with it their mean cosine with the teacher's rose by .3.
ACTIVATION_LIMIT = 10.0
COMPARED_BATCHES = 8  # of held-out pictures, through OpenVINO and torch

CARD = """# {name}

A compact backbone of the Framescry family: a picture in, {feature_dim} features out.
{architecture}, {parameters:.2f} million parameters, {megabytes:.1f} MB as {dtype}.

Trained from random weights on two CPU cores by distillation: for the same random crop, its features
follow the pooled features of an int8 MobileNetV2 (ImageNet, Apache-2.0), its classes the teacher's
classes, its last map the teacher's map, and what captions read of its features what they read of
the teacher's. Photographs with a label (37 actions and sports) also taught it their class.

## Data
Research data, see its owners' terms. {data}

Pictures of these videos and photographs were held out for the figures below: all of MSR-VTT
validation and of Flickr8k dev, and {held_out_percent} % of everything else, by video or photograph.

## Figures on held-out pictures
| figure | value |
|---|---|
{figures}

The cosine is between the student's and the teacher's standardized features of the whole picture;
teacher agreement is how often both name the same one of the teacher's 1,001 classes; neighbours is
the share of held-out photographs (37 actions and sports) whose nearest labelled training
photographs vote for the right class.

## Limits
It sees small pictures ({side_px} px), squashed to a square. It knows what web videos and
photographs of the years up to 2017 show; its teacher knows ImageNet's classes. Code version {code}.
"""


def export_backbone(config: BackboneConfig, state_path: Path | None, folder: Path) -> Checkpoint:
    """Writes the slow average of the student.

    Raises:
        ValueError: there is no such state, the weights would be too large, or the network is not
            what its folded form or OpenVINO computes.
    """
    state_path = fitting.existing_state(state_path or fitting.last_checkpoint(config.run))
    state = torch.load(state_path, map_location="cpu", weights_only=False)
    shape = BackboneShape(**state["backbone_shape"])
    model = CompactBackbone(shape)
    prefix = "average."
    weights = {
        key.removeprefix(prefix): value
        for key, value in state["state_dict"].items()
        if key.startswith(prefix)
    }
    model.load_state_dict(weights)
    store = open_frame_store(Path(config.data.cache_dir) / "frames")
    held = _held_out_pictures(config, store)
    _check_folding(model.eval(), held[0])
    shape = dataclasses.replace(shape, activation_limit=ACTIVATION_LIMIT)
    model.shape = shape
    full = PictureFeatures(model)
    rounded = shipping.in_half_precision(full)
    half_distance = _distance(full, rounded, held)
    half = half_distance <= HALF_TOLERANCE
    kept = rounded if half else full
    shipping.check_size(kept, half=half)
    tensors = kept.network.state_dict()
    graph, agreement = agreed(
        graph_of(kept, held[0][:2], tensors), kept, tensors, [pixels.numpy() for pixels in held]
    )
    described = _describe(config, shape, state, store)
    metrics = {
        **_figures(kept, config, store),
        "half_precision_distance": half_distance,
        **agreement,
        "steps": int(state["global_step"]),
        "pictures_seen": int(state["pictures_seen"]),
    }
    return write_checkpoint(
        folder,
        kept.network,
        config=described,
        metrics=metrics,
        card=_card(folder.name, described, metrics, shipping.size_facts(kept, half=half)),
        half=half,
        graph=graph,
    )


def _whole_batches(config: BackboneConfig, store: FrameStore) -> WholeBatches:
    views = open_whole_views(Path(config.data.cache_dir) / "views")
    return WholeBatches(store, views, config.validation_side_px)


def _held_out_pictures(config: BackboneConfig, store: FrameStore) -> list[Tensor]:
    """u8 [B, side, side, 3] each: some of the pictures that nothing was learned from."""
    batches = _whole_batches(config, store)
    step = max(1, len(batches) // COMPARED_BATCHES)
    chosen = (batches[number] for number in range(0, len(batches), step))
    return [batch["pixels"][batch["held_out"]] for batch in chosen if batch["held_out"].any()]


@torch.inference_mode()
def _check_folding(model: CompactBackbone, pixels: Tensor) -> None:
    wanted, found = model(as_input(pixels)), PictureFeatures(model)(pixels)
    off = float((wanted - found).abs().max() / wanted.abs().max())
    if off > FOLD_TOLERANCE:
        raise ValueError(f"batch norms of {model.shape.architecture} do not fold: {off:.2g} off")


@torch.inference_mode()
def _distance(one: PictureFeatures, other: PictureFeatures, held: list[Tensor]) -> float:
    distances = [1 - functional.cosine_similarity(one(p), other(p)) for p in held]
    return float(torch.cat(distances).mean().clamp(min=0))


@torch.inference_mode()
def _figures(
    network: PictureFeatures, config: BackboneConfig, store: FrameStore
) -> dict[str, float]:
    """The figures of the weights as they will be stored."""
    space = open_teacher_space(Path(config.data.cache_dir) / "views")
    comparison = Comparison(TeacherReader(space))
    batches = _whole_batches(config, store)
    for number in range(len(batches)):
        batch = batches[number]
        comparison.add(network(batch["pixels"]), batch)
    return {name: round(float(value), 4) for name, value in comparison.figures().items()}


def _describe(
    config: BackboneConfig, shape: BackboneShape, state: dict[str, Any], store: FrameStore
) -> dict[str, Any]:
    trained = ~store.held_out
    sources, counts = np.unique(store.sources[trained], return_counts=True)
    return {
        "kind": KIND,
        "architecture": dataclasses.asdict(shape),
        "preprocessing": {
            "shape": "the whole frame squashed to a square",
            "side_px": config.validation_side_px,
            "values": "u8 RGB / 255; mean and deviation are part of the network",
        },
        "sampling": "single frames",
        "labels": [],
        "data": {
            "pictures": {str(s): int(c) for s, c in zip(sources, counts, strict=True)},
            "held_out": int(store.held_out.sum()),
            "view_sets": len(open_view_sets(Path(config.data.cache_dir) / "views")),
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "teacher": TEACHER_FILE,
            "steps": int(state["global_step"]),
            "batch_size": config.data.batch_size,
            "learning": dataclasses.asdict(config.learning),
            "sides_px": [list(stage) for stage in config.sides_px],
            "seed": config.seed,
        },
        **shipping.origin(),
    }


def _card(
    name: str, described: dict[str, Any], metrics: dict[str, Any], size: dict[str, Any]
) -> str:
    shape, pictures = described["architecture"], described["data"]["pictures"]
    return CARD.format(
        name=name,
        feature_dim=shape["feature_dim"],
        architecture=shape["architecture"],
        **size,
        data="Pictures trained on: " + ", ".join(f"{s} {c:,}" for s, c in pictures.items()) + ".",
        held_out_percent=HELD_OUT_PERCENT,
        figures="\n".join(f"| {key} | {value:,.4g} |" for key, value in metrics.items()),
        side_px=described["preprocessing"]["side_px"],
        code=described["code_version"],
    )
