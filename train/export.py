"""Writes the checkpoint folder of a trained model.

    python -m train.export backbone [--run STATE.ckpt] [--to checkpoints/backbone]
    python -m train.export keyframe_scorer [--run STATE.ckpt] [--to checkpoints/keyframe_scorer]
    python -m train.export compact [--run STATE.ckpt] [--to checkpoints/compact]

Half precision is kept where it costs nothing measurable: the features of held-out pictures are
computed with both, and float32 is written where they differ by more than the tolerance.
"""

import argparse
import copy
import dataclasses
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from models.backbones import KIND, BackboneShape, CompactBackbone, as_input
from models.checkpoint import Checkpoint, write_checkpoint
from train import fitting
from train.backbone_config import BackboneConfig, load_config
from train.comparison import Comparison, TeacherReader
from train.data.distillation import WholeBatches
from train.data.frames import HELD_OUT_PERCENT, FrameStore, open_frame_store
from train.data.teacher import TEACHER_FILE
from train.data.teacher_views import (
    open_teacher_space,
    open_view_sets,
    open_whole_views,
)

HALF_TOLERANCE = 1e-3  # of the mean cosine distance between features from both precisions
MEGABYTES_AT_MOST = 10.0

CARD = """# {name}

A compact backbone of the Framescry family: a picture in, {feature_dim} features out.
{architecture}, {parameters:.2f} million parameters, {megabytes:.1f} MB as {dtype}.

Trained from random weights on two CPU cores by distillation: for the same random crop, its features
follow the pooled features of an int8 MobileNetV2 (ImageNet, Apache-2.0), its classes the teacher's
classes, and its last map the teacher's map. No label of the data below was used.

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


def export_backbone(config: BackboneConfig, state_path: Path, folder: Path) -> Checkpoint:
    """Writes the slow average of the student.

    Raises:
        ValueError: there is no such state, or the weights would be too large.
    """
    if not state_path.is_file():
        raise ValueError(f"--run is a state written by training, received {state_path}")
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
    model.eval()
    cache = Path(config.data.cache_dir)
    store = open_frame_store(cache / "frames")
    figures, half_distance = _measure(model, config, store)
    half = half_distance <= HALF_TOLERANCE
    size_mb = sum(t.numel() for t in model.state_dict().values()) * (2 if half else 4) / 1e6
    if size_mb > MEGABYTES_AT_MOST:
        raise ValueError(f"a checkpoint has at most {MEGABYTES_AT_MOST} MB, this one {size_mb:.1f}")
    described = _describe(config, shape, state, store)
    metrics = {
        **figures,
        "half_precision_distance": half_distance,
        "steps": int(state["global_step"]),
        "pictures_seen": int(state["pictures_seen"]),
    }
    card = _card(folder.name, described, metrics, model, half)
    return write_checkpoint(folder, model, config=described, metrics=metrics, card=card, half=half)


def _measure(
    model: CompactBackbone, config: BackboneConfig, store: FrameStore
) -> tuple[dict[str, float], float]:
    """The figures of the weights as they will be stored, and the distance of the two precisions."""
    cache = Path(config.data.cache_dir)
    teacher = TeacherReader(open_teacher_space(cache / "views"))
    views = open_whole_views(cache / "views")
    batches = WholeBatches(store, views, config.validation_side_px)
    rounded = copy.deepcopy(model).half().float()
    comparison = Comparison(teacher)
    distances = []
    with torch.inference_mode():
        for number in range(len(batches)):
            batch = batches[number]
            pixels = as_input(batch["pixels"])
            full, half = model(pixels), rounded(pixels)
            distances.append(1 - functional.cosine_similarity(full, half))
            comparison.add(full, batch)
    figures = {name: round(float(value), 4) for name, value in comparison.figures().items()}
    return figures, float(torch.cat(distances).mean().clamp(min=0))


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
        "code_version": fitting.code_version(),
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _card(
    name: str,
    described: dict[str, Any],
    metrics: dict[str, Any],
    model: CompactBackbone,
    half: bool,
) -> str:
    parameters = sum(weights.numel() for weights in model.parameters())
    pictures = described["data"]["pictures"]
    return CARD.format(
        name=name,
        feature_dim=model.shape.feature_dim,
        architecture=model.shape.architecture,
        parameters=parameters / 1e6,
        megabytes=parameters * (2 if half else 4) / 1e6,
        dtype="float16" if half else "float32",
        data="Pictures trained on: " + ", ".join(f"{s} {c:,}" for s, c in pictures.items()) + ".",
        held_out_percent=HELD_OUT_PERCENT,
        figures="\n".join(f"| {key} | {value:,.4g} |" for key, value in metrics.items()),
        side_px=described["preprocessing"]["side_px"],
        code=described["code_version"],
    )


def _keyframe_scorer(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import keyframe_config, keyframe_export

    config = keyframe_config.load_config(config_path, settings)
    report = Path("train/results") / f"keyframes_{config.data.features}.json"
    return keyframe_export.export_scorer(
        config, state_path or fitting.last_checkpoint(config.run), report, folder
    )


def _compact(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import frame_text_config, frame_text_export

    config = frame_text_config.load_config(config_path, settings)
    return frame_text_export.export_frame_text(config, state_path, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.export")
    parser.add_argument("model", choices=("backbone", "keyframe_scorer", "compact"))
    parser.add_argument("--config", type=Path, help="default: train/configs/MODEL.yaml")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--run", type=Path, help="default: the last state of the config's run")
    parser.add_argument("--to", type=Path, help="default: checkpoints/MODEL")
    flags = parser.parse_args(arguments)
    config_path = flags.config or Path(f"train/configs/{flags.model}.yaml")
    folder = flags.to or Path("checkpoints") / flags.model
    try:
        if flags.model == "keyframe_scorer":
            checkpoint = _keyframe_scorer(config_path, flags.settings, flags.run, folder)
        elif flags.model == "compact":
            checkpoint = _compact(config_path, flags.settings, flags.run, folder)
        else:
            config = load_config(config_path, flags.settings)
            state_path = flags.run or fitting.last_checkpoint(config.run)
            checkpoint = export_backbone(config, state_path, folder)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{checkpoint.folder}: {checkpoint.weights_path.stat().st_size / 1e6:.2f} MB")
    for name, value in checkpoint.metrics.items():
        print(f"  {name} {value:.4g}" if isinstance(value, (int, float)) else f"  {name} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
