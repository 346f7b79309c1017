"""Makes a model for the application of a .pt file of the published trigger system.

    python -m train.import_trigger_checkpoint FILE.pt [--to checkpoints/local/NAME]
        [--event "a theft"] [--threshold 0.3] [--side 224]

Only tensors are read: a file that holds pickled code is refused. A report says what of it fitted,
what is missing and what is unknown; where something is missing that the answer depends on, nothing
is made, for nothing is filled in. How good the model is cannot be known from the file, nor at
which threshold it was meant to be used.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.backbones import BackboneShape, CompactBackbone
from models.checkpoint import Checkpoint, write_checkpoint
from models.local_checkpoints import local_dir
from models.published_triggers import LAYOUT
from models.trigger_detector import KIND
from train import shipping
from train.published_file import NEVER_ASKED, Published, examine, read_file
from train.published_names import NOT_USED, PROJECTION, TRUNK
from train.trunk_export import export_trunk

SIDE_PX = 224
PUBLISHED_FPS = 3.0
THRESHOLD = 0.5
STAY_SHARE = 0.6
UNKNOWN = "not measured: a file of weights says neither how good they are nor at which threshold"
CARD = """# {name}

Imported from `{file}`, a checkpoint of the published trigger system: a probability of {events} at
each frame. {parameters:.2f} million parameters, {megabytes:.1f} MB as {dtype}. It reads the frames
as `{encoder}` (weights {encoder_hash}) sees them, best at {fps:g} a second as it was trained.

{fitted} {passed_over}

## Quality
Not measured. Threshold {threshold:g} was chosen by whoever imported it. Code version {code}.
"""


def report_of(path: Path, published: Published) -> dict[str, Any]:
    return {
        "file": path.name,
        "trunk": published.architecture or "none that is known",
        "detector": None if published.shape is None else dataclasses.asdict(published.shape),
        "usable": published.report.fits,
        "quality": UNKNOWN,
        "not_part_of_the_answer": {
            part.rstrip("."): {"tensors": count, "why": NEVER_ASKED[part]}
            for part, count in published.passed_over.items()
            if count
        },
        **published.report.as_json(),
    }


def write_model(
    path: Path,
    published: Published,
    folder: Path,
    events: Sequence[str],
    threshold: float,
    side_px: int,
) -> Checkpoint:
    """`folder` and `folder`_backbone.

    Raises:
        ValueError: something is missing, or the names do not fit the number of events.
    """
    shape, architecture = published.shape, published.architecture
    if not published.report.fits or shape is None or architecture is None:
        raise ValueError(f"{path.name} makes no model: {published.report.summary}")
    names = list(events) or [f"event {at}" for at in range(1, shape.classes)]
    if len(names) != shape.events:
        raise ValueError(f"--event is given {shape.events} times, received {len(names)}")
    encoder = _write_encoder(path, published, folder.with_name(f"{folder.name}_backbone"), side_px)
    wanted = shape.tensors()
    holder = _Tensors({name: published.tensors[name].float() for name in wanted})
    decisions = [
        {
            "event": name,
            "start_at": threshold,
            "stay_at": STAY_SHARE * threshold,
            "calibration": {"slope": 1.0, "offset": 0.0},
        }
        for name in names
    ]
    described = {
        "kind": KIND,
        "architecture": {"layout": LAYOUT, **dataclasses.asdict(shape)},
        "preprocessing": {"encoder": encoder.name, "encoder_hash": encoder.weights_hash},
        "decision": decisions[0] if len(names) == 1 else {"events": decisions},
        "sampling": {"fps": PUBLISHED_FPS},
        "labels": names,
        "imported": report_of(path, published),
        **shipping.origin(),
    }
    card = CARD.format(
        name=folder.name,
        file=path.name,
        events=" or ".join(names),
        encoder=encoder.name,
        encoder_hash=encoder.weights_hash[:12],
        fps=PUBLISHED_FPS,
        fitted=published.report.summary,
        passed_over=passed_over_in_words(published),
        threshold=threshold,
        code=described["code_version"],
        **shipping.size_facts(holder, half=False),
    )
    metrics = {"measured": UNKNOWN}
    return write_checkpoint(
        folder, holder, config=described, metrics=metrics, card=card, half=False
    )


def passed_over_in_words(published: Published) -> str:
    return " ".join(
        f"Passed over {count} tensors of {part.rstrip('.')}: {NEVER_ASKED[part]}."
        for part, count in published.passed_over.items()
        if count
    )


class _Tensors(nn.Module):
    """Tensors by their names, as a checkpoint is written of a module."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self._tensors = tensors

    def state_dict(self, *_: Any, **__: Any) -> Any:
        return self._tensors


def _write_encoder(path: Path, published: Published, folder: Path, side_px: int) -> Checkpoint:
    """The trunk and the first layer of the projection, with a constant number beside it."""
    shape, tensors = published.shape, published.tensors
    assert shape is not None and published.architecture is not None
    backbone = CompactBackbone(
        BackboneShape(published.architecture, shape.input_dim, normalisation="imagenet")
    )
    trunk = {
        name.removeprefix(TRUNK): tensor.float()
        for name, tensor in tensors.items()
        if name.startswith(TRUNK)
    }
    missing = backbone.trunk.load_state_dict(trunk, strict=False).missing_keys
    assert all(name.endswith(NOT_USED) for name in missing), missing
    head: Any = backbone.head
    with torch.no_grad():
        head.weight.zero_()
        head.weight[:-1] = tensors[f"{PROJECTION}2.weight"]
        head.bias[:-1] = tensors[f"{PROJECTION}2.bias"]
        head.bias[-1] = shape.constant
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (4, 8, 8, 3), np.uint8)
    scale = -(-side_px // 8)
    pictures = coarse.repeat(scale, 1).repeat(scale, 2)[:, :side_px, :side_px]
    return export_trunk(
        backbone,
        folder,
        [torch.from_numpy(np.ascontiguousarray(pictures))],
        {"data": {"imported_from": path.name}, "training": {"imported_from": path.name}},
        side_px=side_px,
        made=f"Imported from `{path.name}`; its last number is always the same, so that lengths "
        "survive in an index.",
        data="What it was trained on is not known.",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    folder = flags.to or local_dir() / flags.file.stem
    try:
        if not 0 < flags.threshold <= 1:
            raise ValueError(f"--threshold is above 0 and at most 1, received {flags.threshold}")
        published = examine(read_file(flags.file))
        report_path = folder.with_name(f"{folder.name}_report.json")
        report_path.parent.mkdir(parents=True, exist_ok=True)
        report_path.write_text(json.dumps(report_of(flags.file, published), indent=2) + "\n")
        print(published.report.summary)
        print(passed_over_in_words(published))
        print(f"The whole report: {report_path}")
        made = write_model(flags.file, published, folder, flags.event, flags.threshold, flags.side)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{made.folder}: {UNKNOWN}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.import_trigger_checkpoint")
    parser.add_argument("file", type=Path, metavar="FILE.pt")
    parser.add_argument("--to", type=Path, help="default: checkpoints/local/FILE")
    parser.add_argument("--event", action="append", default=[], help="what it finds, each event")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--side", type=int, default=SIDE_PX, help="of the squashed picture")
    return parser


if __name__ == "__main__":
    sys.exit(main())
