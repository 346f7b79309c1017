"""Writes the checkpoint folder of a trained CNN-RNN: all of it, calibrated, with its figures."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.checkpoint import Checkpoint, write_checkpoint
from models.cnn_rnn import KIND, probabilities_of
from models.cnn_rnn_layers import CnnRnnShape, name_segments
from models.cnn_rnn_network import TRUNK, CnnRnn, FrameFeatures, trunk_dim
from models.graph import Graph
from models.types import Floats
from train import fitting, shipping
from train.action_measures import Answers, best_threshold, fit_temperature, roc_auc, top
from train.cnn_rnn import asked, best_checkpoint
from train.cnn_rnn_config import CnnRnnConfig
from train.cnn_rnn_report import figures_of, kept_answers
from train.data.action_segments import HeldSegments
from train.data.ucf101 import SUFFIXES, LabelledVideo, VideoParts
from train.graphs import agreed, graph_of

HALF_TOLERANCE = 1e-2  # of the mean difference between probabilities from both precisions
NUMPY_TOLERANCE = 1e-3  # of the largest difference between logits by numpy and by torch
COMPARED = 16  # videos for both

CARD = """# {name}

Names what is done in segments of a video, {labels} actions: {parameters:.1f} million parameters,
{megabytes:.0f} MB as {dtype}. Input: {frames} pictures over {segment_s:.2f} s, u8 RGB, of which it
sees the middle at {side_px} px; output: a probability for each label.

{trunk} sees every picture; {reader}, and the average is named.

## Data
{data}. Research data, see its owners' terms. Validated on whole recordings of the training part
that were left out of training. The trunk began with: {pretrained}.

## Figures
{figures}

## Limits
{unknown} It looks at {segment_s:.2f} s at a time and remembers nothing between segments.
Code version {code}.
"""


def export_cnn_rnn(config: CnnRnnConfig, state_path: Path | None, folder: Path) -> Checkpoint:
    """Writes the folder.

    Raises:
        ValueError: the state is not there or is of another network, or what runs in the application
            computes something else.
    """
    state_path = fitting.existing_state(state_path or best_checkpoint(config))
    state = torch.load(state_path, map_location="cpu", mmap=True, weights_only=False)
    parts = config.data.parts()
    if list(parts.labels) != list(state.get("labels", ())):
        raise ValueError(f"{state_path} was trained on other labels than those of data.videos")
    network = _network_of(config, state, len(parts.labels))
    held = _some_pictures(config, parts)
    difference = half_difference(network, held)
    half = difference <= HALF_TOLERANCE
    kept = shipping.in_half_precision(network) if half else network
    shipping.check_size(kept, half=half, folder=folder)
    decision, measured = _decide(config, parts, state_path)
    graph, compared = _graph_of(kept, held)
    metrics = {
        **figures_of(kept_answers(config, state_path)),
        **measured,
        "half_precision_difference": difference,
        "numpy_difference": numpy_difference(kept, held),
        **compared,
    }
    described = _described(config, parts, kept.shape, int(state["epoch"]) + 1)
    described["decision"] = decision
    card = _card(folder.name, config, described, metrics, shipping.size_facts(kept, half=half))
    return write_checkpoint(
        folder, kept, config=described, metrics=metrics, card=card, half=half, graph=graph
    )


def _network_of(config: CnnRnnConfig, state: dict[str, Any], labels: int) -> CnnRnn:
    dim = trunk_dim(config.model.trunk, config.model.trunk_options)
    network = CnnRnn(config.model.shape(dim, labels)).eval()
    try:
        network.load_state_dict(
            {name.removeprefix("network."): value for name, value in state["state_dict"].items()}
        )
    except RuntimeError as error:
        raise ValueError(f"--run is a state of the config's network ({error})") from None
    return network.folded()


def _decide(
    config: CnnRnnConfig, parts: VideoParts, state: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Temperature and threshold, both from what was left out of training; and what they give there.

    Whether it is none of the labels is decided only where videos of something else are given; of
    them one half chooses and the other is reported.
    """
    model = asked(config, parts.labels, state, parts.held)
    held = model.segment_answers()
    temperature = fit_temperature(held)
    figures: dict[str, Any] = {"validation": top(model.answers())}
    decision = {"temperature": temperature, "known_from": None}
    if config.data.others:
        others = asked(config, parts.labels, state, _others(Path(config.data.others)))
        sure, other = (_sure(answers, temperature) for answers in (held, others.segment_answers()))
        chosen, reported = other[::2], other[1::2]
        known_from = best_threshold(sure, chosen)
        decision["known_from"] = known_from
        figures["unknown"] = {
            "known_from": round(known_from, 4),
            "examples": len(reported),
            "auc": round(roc_auc(sure, reported), 4),
            "rejected": round(float((reported < known_from).mean()), 4),
            "kept": round(float((sure >= known_from).mean()), 4),
        }
    return decision, figures


def _others(folder: Path) -> list[LabelledVideo]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(paths) < 2:
        raise ValueError(f"data.others is a folder of two videos or more, received {folder}")
    return [LabelledVideo(path, "", path.stem) for path in paths]


def _sure(answers: Answers, temperature: float) -> Floats:
    return np.asarray(probabilities_of(answers.logits[:, :-1], temperature).max(axis=1))


def _some_pictures(config: CnnRnnConfig, parts: VideoParts) -> list[npt.NDArray[np.uint8]]:
    """A segment of some held-out videos, as the network sees it."""
    data = config.data
    videos = parts.held[:: max(1, len(parts.held) // COMPARED)]
    held = HeldSegments(videos, parts.labels, data.plan, data.seen, 1)
    return [held[at]["frames"][0].numpy() for at in range(len(videos))]


def _logits(network: CnnRnn, pictures: npt.NDArray[np.uint8]) -> Floats:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(pictures)[None]).numpy(), np.float32)


def half_difference(network: CnnRnn, segments: Sequence[npt.NDArray[np.uint8]]) -> float:
    """Mean difference of probabilities by the weights as they are and in half precision."""
    rounded = shipping.in_half_precision(network)
    pairs = [(_logits(network, s), _logits(rounded, s)) for s in segments]
    return float(
        np.mean([np.abs(probabilities_of(a, 1.0) - probabilities_of(b, 1.0)) for a, b in pairs])
    )


def numpy_difference(network: CnnRnn, segments: Sequence[npt.NDArray[np.uint8]]) -> float:
    """The largest difference between logits by numpy behind the trunk, and by torch.

    Raises:
        ValueError: it is more than rounding.
    """
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    largest = 0.0
    for pictures in segments:
        with torch.inference_mode():
            features = FrameFeatures(network)(torch.from_numpy(pictures)).numpy()[None]
        found, _ = name_segments(arrays, network.shape, features)
        largest = max(largest, float(np.abs(found - _logits(network, pictures)).max()))
    if largest > NUMPY_TOLERANCE:
        raise ValueError(f"numpy and torch differ by {largest:.2g}, which is more than rounding")
    return largest


def _graph_of(
    network: CnnRnn, segments: Sequence[npt.NDArray[np.uint8]]
) -> tuple[Graph | None, dict[str, Any]]:
    """The trunk for OpenVINO, where that computes the same; torch runs it otherwise."""
    tensors = network.state_dict()
    try:
        graph = graph_of(FrameFeatures(network), torch.from_numpy(segments[0]), tensors)
        return agreed(graph, FrameFeatures(network), tensors, segments)
    except (ValueError, ModuleNotFoundError) as error:
        return None, {"openvino": f"not used: {error}"}


def _described(
    config: CnnRnnConfig, parts: VideoParts, shape: CnnRnnShape, rounds: int
) -> dict[str, Any]:
    data = config.data
    return {
        "kind": KIND,
        "architecture": dataclasses.asdict(shape),
        "preprocessing": {
            "frames": data.frames,
            "segment_s": data.plan.segment_s,
            "short_side_px": data.short_side_px,
            "side_px": data.side_px,
            "middle_share": data.seen.middle_share,
            "values": f"u8 RGB; the trunk's own normalisation is part of {TRUNK.rstrip('.')}",
        },
        "labels": list(parts.labels),
        "data": {
            "actions": {_data_name(config): len(parts.train)},
            "held_out": len(parts.held),
            "tested": len(parts.test),
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "rounds": rounds,
            "pretrained": config.pretrained,
            "batch_size": data.batch_size * config.run.accumulate,
            "learning": dataclasses.asdict(config.learning),
            "seed": config.seed,
        },
        **shipping.origin(),
    }


def _data_name(config: CnnRnnConfig) -> str:
    if config.data.kind == "ucf101":
        return f"UCF101 split {config.data.split}"
    return f"videos of {Path(config.data.videos).name}"


def _card(
    name: str,
    config: CnnRnnConfig,
    described: dict[str, Any],
    metrics: dict[str, Any],
    size: dict[str, Any],
) -> str:
    shape, counts = config.model, described["data"]
    readers = [
        f"an LSTM reads them {'both ways' if shape.bidirectional else 'forwards'}"
        if shape.recurrent
        else "their order is not read",
        "every one is drawn from all others by attention" if shape.attention else "",
    ]
    rows = {"validation": metrics["validation"]}
    if "test" in metrics:
        rows["test"] = metrics["test"]
    table = [f"| {part} | {r['examples']} | {r['top1']:.3f} | {r['top5']:.3f} |"
             for part, r in rows.items()]  # fmt: skip
    header = ["| part | videos | top-1 | top-5 |", "|---|---|---|---|"]
    unknown = metrics.get("unknown")
    return CARD.format(
        name=name,
        **size,
        labels=len(described["labels"]),
        frames=config.data.frames,
        segment_s=config.data.plan.segment_s,
        side_px=config.data.side_px,
        trunk=shape.trunk,
        reader=", ".join(filter(None, readers)),
        data=", ".join(f"{n}: {count:,} videos" for n, count in counts["actions"].items()),
        pretrained=config.pretrained,
        figures="\n".join([metrics.get("protocol", ""), "", *header, *table]).strip(),
        unknown="It names one of its labels whatever it is shown."
        if unknown is None
        else f"Of segments of something else it turns away {unknown['rejected']:.0%}, and keeps "
        f"{unknown['kept']:.0%} of those with a label.",
        code=described["code_version"],
    )
