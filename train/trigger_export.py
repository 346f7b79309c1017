"""Writes the checkpoint folder of a trained trigger detector, with its figures from the folds."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.checkpoint import Checkpoint, write_checkpoint
from models.trigger_detector import KIND
from models.trigger_layers import TriggerShape, score_logits
from models.trigger_network import TriggerNetwork
from train import fitting, shipping
from train.command import RESULTS_DIR
from train.data.trigger_folds import Recording, shown_at
from train.trigger_config import TriggerConfig
from train.trigger_detector import INDEX_FPS, open_source
from train.trigger_report import as_markdown

EVENT = "a fight"
HALF_TOLERANCE = 5e-3  # of the mean difference between probabilities from both precisions
NUMPY_TOLERANCE = 1e-3  # of the largest difference between logits by numpy and by torch

CARD = """# {name}

How likely it is that {event} is going on, at each frame of a video: {parameters:.2f} million
parameters, {megabytes:.1f} MB as {dtype}. Input: unit-length embeddings of the encoder `{encoder}`
(weights {encoder_hash}) and their times in seconds; output: a probability in [0, 1] for each. Any
length and any number of frames a second.

{look}A frame with its distance from the one {motion_s:g} s before goes through a time-aware encoder
({time_encoder}; {window_s:g} s to either side where it is a transformer), and only what comes out
of that is scored. Trained with binary cross-entropy on logits; nothing is clamped. Probabilities
are calibrated for frames of which 20 % show a fight, 30 % what else such cameras see, and 50 % are
of web videos. An event begins at {start_at:.2f} and lasts while above {stay_at:.2f}.

## Data
{counts}. Research data, see its owners' terms.

## Figures
Of networks trained in the same way on what their folds leave; this one was trained on all.
{figures}
## Limits
It tells fights before surveillance cameras, as in the clips, from what else such cameras see and
from web videos; it has not been shown films, sports such as boxing, or crowds at night in numbers
worth speaking of. What it knows of a place it saw in fights it also says of that place at peace. It
says that a fight may be seen, not who began it or why, and it misses more than half: a reason to
look, never a finding.
Code version {code}.
"""


def export_detector(
    config: TriggerConfig, state_path: Path | None, folder: Path, report_path: Path | None = None
) -> Checkpoint:
    """Writes the folder. `report_path`: what train.evaluate wrote of these features.

    Raises:
        ValueError: the state or the report is not there, or was not made for these features; or
            what runs in the application computes something else.
    """
    state_path = fitting.existing_state(state_path or fitting.last_checkpoint(config.run))
    report_path = report_path or RESULTS_DIR / "triggers.json"
    if not report_path.is_file():
        raise ValueError(f"{report_path} is missing: run python -m train.evaluate triggers first")
    report = json.loads(report_path.read_text())
    source = open_source(config)
    origin = dataclasses.asdict(source.origin)
    if report["origin"] != origin:
        raise ValueError(f"{report_path} has figures of {report['origin']}, not of {origin}")
    if TriggerShape(**report["config"]["model"]) != config.model:
        raise ValueError(f"{report_path} has figures of another network than the config's")
    state = torch.load(state_path, map_location="cpu", weights_only=False)
    network = TriggerNetwork(config.model).eval()
    prefix = "network."
    network.load_state_dict(
        {key.removeprefix(prefix): value for key, value in state["state_dict"].items()}
    )
    if source.space and not torch.allclose(
        network.space.weight, torch.from_numpy(source.space["space.weight"])
    ):
        raise ValueError(f"{state_path} was trained on another {origin['space']}: fit again")
    measured = [r for r in source.recordings if r.source in ("fight", "tvsum")]
    difference = half_difference(network, measured)
    half = difference <= HALF_TOLERANCE
    kept = shipping.in_half_precision(network) if half else network
    shipping.check_size(kept, half=half)
    metrics = {
        "rows": report["rows"],
        "chance": report["chance"],
        "staged": report["staged"],
        "protocol": report["protocol"],
        "seeds": report["seeds"],
        "half_precision_difference": difference,
        "numpy_difference": numpy_difference(kept, measured),
    }
    described = {
        "kind": KIND,
        "architecture": dataclasses.asdict(config.model),
        "preprocessing": {
            "encoder": origin["backbone"],
            "encoder_hash": origin["backbone_hash"],
            "values": "embeddings of length one, times in seconds",
        },
        "space": {"from": origin["space"], "weights_hash": origin["space_hash"]},
        "decision": {"event": EVENT, **report["shipped"]},
        "sampling": {"fps": INDEX_FPS},
        "labels": [EVENT],
        "data": {
            "recordings": report["counts"],
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


@torch.inference_mode()
def _torch_logits(network: TriggerNetwork, recording: Recording) -> torch.Tensor:
    seen, times_s = shown_at(recording, INDEX_FPS)
    times = torch.from_numpy(times_s)[None]
    found = network(torch.from_numpy(seen)[None], times, torch.ones_like(times, dtype=torch.bool))
    return torch.as_tensor(found[0])


def half_difference(network: TriggerNetwork, recordings: Sequence[Recording]) -> float:
    """Mean difference between probabilities by the weights as they are and in half precision."""
    rounded = shipping.in_half_precision(network)
    differences = [
        (_torch_logits(network, one).sigmoid() - _torch_logits(rounded, one).sigmoid()).abs()
        for one in recordings
    ]
    return float(torch.cat(differences).mean())


def numpy_difference(network: TriggerNetwork, recordings: Sequence[Recording]) -> float:
    """The largest difference between logits by what the application runs, and by torch.

    Raises:
        ValueError: it is more than rounding.
    """
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    largest = 0.0
    for recording in recordings:
        found = score_logits(arrays, network.shape, *shown_at(recording, INDEX_FPS))
        wanted = _torch_logits(network, recording).numpy()
        largest = max(largest, float(np.abs(found - wanted).max()))
    if largest > NUMPY_TOLERANCE:
        raise ValueError(f"numpy and torch differ by {largest:.2g}, which is more than rounding")
    return largest


def _card(
    name: str, described: dict[str, Any], report: dict[str, Any], size: dict[str, Any]
) -> str:
    shape = described["architecture"]
    space = described["space"]["from"]
    counts = report["counts"]
    fights = {key.removesuffix("_fights") for key in counts if key.endswith("_fights")}
    said = [
        f"{key}: {count:,}" + (f" and {counts[f'{key}_fights']:,} fights" if key in fights else "")
        for key, count in counts.items()
        if not key.endswith("_fights")
    ]
    look = f"Embeddings are projected as `{space}` does ({shape['space_dim']} numbers).\n"
    return CARD.format(
        name=name,
        **size,
        event=EVENT,
        encoder=described["preprocessing"]["encoder"],
        encoder_hash=described["preprocessing"]["encoder_hash"][:12],
        look=look if space else "",
        **{key: shape[key] for key in ("motion_s", "time_encoder", "window_s")},
        **{key: described["decision"][key] for key in ("start_at", "stay_at")},
        counts="Recordings: " + "; ".join(said),
        figures=as_markdown(report),
        code=described["code_version"],
    )
