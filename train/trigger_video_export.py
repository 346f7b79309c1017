"""Writes two checkpoints of a trained trigger model: its visual encoder, and what reads it.

Probability and thresholds of every event are set on the validation part, which is never trained
on. The figures are of that same part, and say so.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.checkpoint import Checkpoint, write_checkpoint
from models.trigger_detector import KIND, EventDecision
from models.trigger_events import find_events, span_s
from models.types import Floats, Times
from train import fitting, shipping
from train.data.trigger_videos import TrainedVideo
from train.trigger_decision import STARTS, STAY_SHARES, TOLERANCE_S
from train.trigger_measures import (
    average_precision,
    calibration_error,
    fit_calibration,
    matched,
)
from train.trigger_video import Measured, TriggerVideoTraining, load_trained
from train.trigger_video_config import TriggerVideoConfig
from train.trunk_export import export_trunk

COMPARED_FRAMES = 32
PROTOCOL = (
    "Frames and events of the videos held out of training. Probability and thresholds were set on "
    "the same videos, so that precision and recall are what they can be at best. An event is right "
    f"where it overlaps one of its own, give or take {TOLERANCE_S:g} s."
)
CARD = """# {name}

How likely it is that {events} is going on, at each frame of a video: {parameters:.2f} million
parameters, {megabytes:.1f} MB as {dtype}. It reads the frames as `{encoder}` (weights
{encoder_hash}) sees them, and their times in seconds; {time_encoder} looks {window_s:.1f} s to
either side, and only what comes out of it is scored. Nothing is clamped.

{figures}

{protocol} Trained on {trained} videos, measured on {held}. A probability is a reason to look, never
a finding. Code version {code}.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Decided:
    decision: EventDecision
    figures: dict[str, float]


def export_trigger_video(
    config: TriggerVideoConfig, state_path: Path | None, folder: Path
) -> Checkpoint:
    """Writes `folder` and, beside it, `folder`_backbone.

    Raises:
        ValueError: the state is not there, or nothing was held out to set thresholds on.
    """
    state_path = fitting.existing_state(state_path or fitting.last_checkpoint(config.run))
    model = load_trained(config, state_path).eval()
    parts = model.video_parts
    measured = [model.measure(video) for video in parts.held]
    each = [decide(name, at, measured, parts.held) for at, name in enumerate(parts.labels.events)]
    encoder = _export_encoder(model, folder.with_name(f"{folder.name}_backbone"))
    network = model.network.network
    shipping.check_size(network, half=False, folder=folder)
    decisions = [dataclasses.asdict(one.decision) for one in each]
    described = {
        "kind": KIND,
        "architecture": dataclasses.asdict(network.shape),
        "preprocessing": {
            "encoder": encoder.name,
            "encoder_hash": encoder.weights_hash,
            "values": "embeddings of length one, times in seconds",
        },
        "decision": decisions[0] if len(each) == 1 else {"events": decisions},
        "sampling": {"fps": config.data.frame_sampling_rate},
        "labels": list(parts.labels.events),
        "data": {"trained": len(parts.trained), "held_out": len(parts.held)},
        "training": {**dataclasses.asdict(config.training), **_frozen(config)},
        **shipping.origin(),
    }
    figures = {one.decision.event: one.figures for one in each}
    metrics = {"validation": {"events": figures, "protocol": PROTOCOL, "videos": len(measured)}}
    card = _card(folder.name, described, figures, shipping.size_facts(network, half=False))
    return write_checkpoint(
        folder, network, config=described, metrics=metrics, card=card, half=False
    )


def _frozen(config: TriggerVideoConfig) -> dict[str, Any]:
    frozen = [name for name, value in dataclasses.asdict(config.freezing).items() if value]
    return {"frozen": frozen, "started_from": config.model.visual_encoder.pretrained}


def decide(
    event: str, at: int, measured: Sequence[Measured], videos: Sequence[TrainedVideo]
) -> Decided:
    """A probability, and the thresholds that find most events right.

    Raises:
        ValueError: the event is never, or always, going on in what was held out.
    """
    none = np.empty(0, np.float32)
    logits = np.concatenate([none, *(one.logits[:, at] for one in measured)])
    truth = np.concatenate([none, *(one.truth[:, at] for one in measured)])
    known = truth >= 0
    logits, truth = logits[known], truth[known]
    if not 0 < truth.sum() < len(truth):
        raise ValueError(
            f"the validation part shows {event!r} in {int(truth.sum())} of {len(truth)} frames: "
            "thresholds are set where it sometimes is and sometimes is not, so hold out more videos"
        )
    calibration = fit_calibration(logits, truth, np.ones(len(truth)))
    scored = [(calibration.probability(one.logits[:, at]), one.times_s) for one in measured]
    true = [video.spans_s[at] for video in videos]
    choices = [(start, round(start * share, 4)) for start in STARTS for share in STAY_SHARES]
    figures = {choice: _event_figures(scored, true, *choice) for choice in choices}
    best = max(choices, key=lambda choice: (figures[choice]["f"], -abs(choice[0] - 0.5)))
    said = calibration.probability(logits.astype(np.float32))
    return Decided(
        EventDecision(event, *best, calibration),
        {
            "average_precision": average_precision(truth, logits),
            "chance": float(truth.mean()),
            "calibration_error": calibration_error(said, truth, np.ones(len(truth))),
            **figures[best],
        },
    )


def _event_figures(
    scored: Sequence[tuple[Floats, Times]],
    true: Sequence[Sequence[tuple[float, float]]],
    start_at: float,
    stay_at: float,
) -> dict[str, float]:
    right = said = wanted = 0
    for (scores, times_s), spans in zip(scored, true, strict=True):
        found = [span_s(one, times_s) for one in find_events(scores, times_s, start_at, stay_at)]
        right += matched(found, spans, TOLERANCE_S)
        said += len(found)
        wanted += len(spans)
    precision, recall = right / said if said else 1.0, right / wanted if wanted else 1.0
    both = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f": 2 * precision * recall / both if both else 0.0,
    }


def _export_encoder(model: TriggerVideoTraining, folder: Path) -> Checkpoint:
    config, parts = model.config, model.video_parts
    pixels = parts.held[0].store.read(parts.held[0].name).pixels[:COMPARED_FRAMES]
    how = "trained by" if not config.freezing.visual_backbone else "left as they were by"
    began = config.model.visual_encoder.pretrained
    return export_trunk(
        model.network.backbone,
        folder,
        [torch.from_numpy(np.asarray(pixels).copy())],
        {"data": {"trained": len(parts.trained)}, "training": _frozen(config)},
        side_px=config.data.image_side_px,
        made=f"The weights of its trunk were at first {began}, and {how} the training of "
        f"`{folder.name.removesuffix('_backbone')}`.",
        data=f"{len(parts.trained)} videos with annotated events.",
    )


def _card(
    name: str, described: dict[str, Any], figures: dict[str, Any], size: dict[str, Any]
) -> str:
    shape = described["architecture"]
    rows = ["| event | average precision | chance | precision | recall |", "|---|---|---|---|---|"]
    rows += [
        f"| {event} | {one['average_precision']:.2f} | {one['chance']:.2f} | "
        f"{one['precision']:.2f} | {one['recall']:.2f} |"
        for event, one in figures.items()
    ]
    return CARD.format(
        name=name,
        events=" or ".join(figures),
        encoder=described["preprocessing"]["encoder"],
        encoder_hash=described["preprocessing"]["encoder_hash"][:12],
        time_encoder=f"a time-aware {shape['time_encoder']}",
        window_s=shape["window_s"],
        figures="\n".join(rows),
        protocol=PROTOCOL,
        trained=described["data"]["trained"],
        held=described["data"]["held_out"],
        code=described["code_version"],
        **size,
    )
