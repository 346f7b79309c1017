"""Writes the checkpoint folder of a trained detector.

The scores from which boxes are shown, and the kinds that are good enough to be shown, are chosen
on one half of the held-out pictures; the figures are of the other half, and of the weights as they
are stored.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.checkpoint import Checkpoint, write_checkpoint
from models.compact_detector import KIND
from models.detector_network import DetectorNetwork, DetectorShape, PictureDetector
from models.device import free_threads
from models.types import Floats, Pixels
from train import fitting, shipping
from train.compact_detector_config import DetectorConfig
from train.data.detection_batches import drawn_how_often
from train.data.detection_teacher import TEACHER_FILE
from train.data.frames import HELD_OUT_PERCENT
from train.graphs import agreed, graph_of
from train.objects_report import (
    HeldOut,
    as_markdown,
    choose_scores,
    figures_of,
    open_held_out,
)

HALF_TOLERANCE = 1e-2  # of a cell's probability, at the mean over all that are not empty
COMPARED_PICTURES = 128
SOME = 0.05  # probability of a cell that is not empty

CARD = """# {name}

Boxes in pictures: {labels}.
{architecture} with a trunk of its own and a light head of one scale,
{parameters:.2f} million parameters, {megabytes:.1f} MB as {dtype}.

Trained on two CPU cores from the trunk of `backbone`, by distillation: an int8 SSD MobileNetV1
(COCO, Apache-2.0) said what it sees in every picture, and how sure it is.

## Data
Research data, see its owners' terms.
{data}

## Agreement with the teacher on held-out pictures
All of MSR-VTT validation and of Flickr8k dev, and {held_out_percent} % of everything else, by video
or photograph; the half of it on which nothing was chosen. To be found are the teacher's boxes with
a score of .5 or more (IoU .5). This is not the truth: the teacher errs too.

{figures}

## Limits
Trained too, but not good enough to be shown: {hidden}.
It sees small pictures ({side_px} px), squashed to a square: what is far away is not found, and of
a crowd a few. Hands and clothes close up are boxed as people now and then, and so is, seldom, an
empty room.
Code version {code}.
"""


def export_detector(config: DetectorConfig, state_path: Path | None, folder: Path) -> Checkpoint:
    """Writes the slow average of the student.

    Raises:
        ValueError: there is no such state, the weights would be too large, no kind is good enough,
            or OpenVINO does not compute what the network does.
    """
    state_path = fitting.existing_state(state_path or fitting.last_checkpoint(config.run))
    torch.set_num_threads(free_threads())
    state = torch.load(state_path, map_location="cpu", weights_only=False)
    shape = dataclasses.replace(
        DetectorShape(**state["detector_shape"]), activation_limit=config.model.activation_limit
    )
    model = DetectorNetwork(shape)
    prefix = "average."
    model.load_state_dict(
        {
            key.removeprefix(prefix): value
            for key, value in state["state_dict"].items()
            if key.startswith(prefix)
        }
    )
    full = PictureDetector(model)
    rounded = shipping.in_half_precision(full)
    held = open_held_out(Path(config.data.cache_dir), Path(config.data.data_dir))
    compared = _some_pictures(held, config.validation_side_px)
    distance = _distance(full, rounded, compared, shape)
    half = distance <= HALF_TOLERANCE
    kept = rounded if half else full
    shipping.check_size(kept, half=half)
    tensors = kept.network.state_dict()
    graph, agreement = agreed(
        graph_of(kept, torch.from_numpy(compared[:2]), tensors), kept, tensors, [compared]
    )

    def cells(pixels: Pixels) -> Floats:
        return _cells(kept, pixels, shape)

    least = choose_scores(held, shape, cells, config.validation_side_px)
    if not least:
        raise ValueError("no kind agrees with the teacher well enough to be shown")
    rows = figures_of(held, shape, least, cells, config.validation_side_px)
    described = _describe(config, shape, state, held, least)
    metrics = {
        "rows": rows,
        "half_precision_distance": distance,
        **agreement,
        "steps": int(state["global_step"]),
        "pictures_seen": int(state["pictures_seen"]),
    }
    size = shipping.size_facts(kept, half=half)
    return write_checkpoint(
        folder,
        kept.network,
        config=described,
        metrics=metrics,
        card=_card(folder.name, described, rows, size),
        half=half,
        graph=graph,
    )


def _some_pictures(held: HeldOut, side_px: int) -> Pixels:
    places = held.halves().chosen_on[:COMPARED_PICTURES]
    return np.concatenate(list(held.pictures(places, side_px)))


@torch.inference_mode()
def _cells(network: PictureDetector, pixels: Pixels, shape: DetectorShape) -> Floats:
    side = int(network.network(torch.zeros(1, 3, *pixels.shape[1:3])).shape[-1])
    rows = network(torch.from_numpy(pixels)).numpy()
    return np.asarray(rows.reshape(len(pixels), -1, side, side), np.float32)


def _distance(
    one: PictureDetector, other: PictureDetector, pixels: Pixels, shape: DetectorShape
) -> float:
    """Between the probabilities that both give to cells which one finds not empty."""
    channels = len(shape.kinds) + len(shape.names)
    ours, theirs = (
        1 / (1 + np.exp(-_cells(network, pixels, shape)[:, :channels])) for network in (one, other)
    )
    some = ours >= SOME
    return float(np.abs(ours - theirs)[some].mean()) if some.any() else 0.0


def _describe(
    config: DetectorConfig,
    shape: DetectorShape,
    state: dict[str, Any],
    held: HeldOut,
    least: dict[str, float],
) -> dict[str, Any]:
    trained = held.boxes.pictures[drawn_how_often(held.store, held.boxes) > 0]
    sources, counts = np.unique(held.store.sources[trained], return_counts=True)
    return {
        "kind": KIND,
        "architecture": dataclasses.asdict(shape),
        "preprocessing": {
            "shape": "the whole frame squashed to a square",
            "side_px": config.validation_side_px,
            "values": "u8 RGB / 255; mean and deviation are part of the network",
        },
        "sampling": "single frames",
        "labels": list(least),
        "least_scores": least,
        "data": {
            "pictures": {str(s): int(c) for s, c in zip(sources, counts, strict=True)},
            "held_out": len(held.halves().reported),
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "teacher": TEACHER_FILE,
            "start_from": config.start_from,
            "steps": int(state["global_step"]),
            "batch_size": config.data.batch_size,
            "learning": dataclasses.asdict(config.learning),
            "sides_px": [list(stage) for stage in config.sides_px],
            "seed": config.seed,
        },
        **shipping.origin(),
    }


def _card(
    name: str,
    described: dict[str, Any],
    rows: dict[str, dict[str, float]],
    size: dict[str, Any],
) -> str:
    pictures = described["data"]["pictures"]
    trained = [*described["architecture"]["kinds"], *described["architecture"]["names"]]
    hidden = [label for label in trained if label not in described["labels"]]
    table = as_markdown({"protocol": "", "data": {}, "rows": rows})
    return CARD.format(
        name=name,
        labels=", ".join(described["labels"]),
        hidden=", ".join(hidden) or "nothing",
        architecture=described["architecture"]["architecture"],
        **size,
        data="Pictures trained on: " + ", ".join(f"{s} {c:,}" for s, c in pictures.items()) + ".",
        held_out_percent=HELD_OUT_PERCENT,
        figures=table[table.index("| ") :].strip(),
        side_px=described["preprocessing"]["side_px"],
        code=described["code_version"],
    )
