"""Tiny video transformers in folders laid out as the hub's are, with the names that the published
files have. One TimeSformer is made by hand: it looks where something red has been.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from models.types import Pixels

SIDE, PATCH, FRAMES = 32, 8, 8
PLACES = SIDE // PATCH  # in each direction
LABELS = {0: "juggling", 1: "diving", 2: "baking"}
WIDTH = 16
_GREY, _SPREAD = [0.45] * 3, [0.225] * 3


def write_timesformer(folder: Path, *, layers: int = 2) -> Path:
    """With random weights."""
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    config = TimesformerConfig(
        image_size=SIDE, patch_size=PATCH, num_frames=FRAMES, hidden_size=WIDTH,
        intermediate_size=WIDTH, num_hidden_layers=layers, num_attention_heads=2, id2label=LABELS,
    )  # fmt: skip
    network = TimesformerForVideoClassification(config)
    _make_lively(network)
    network.save_pretrained(folder)
    _write_processor(folder)
    return folder


def write_red_seeker(folder: Path) -> Path:
    """One block. Through time each place looks at the frame in which it is red; in space the class
    token looks at all places that have been red, whenever that was, alike in every frame.

    So only the attention through time says at which place the red is in which frame.
    """
    import torch
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    config = TimesformerConfig(
        image_size=SIDE, patch_size=PATCH, num_frames=FRAMES, hidden_size=WIDTH,
        intermediate_size=WIDTH, num_hidden_layers=1, num_attention_heads=1, id2label=LABELS,
    )  # fmt: skip
    network = TimesformerForVideoClassification(config)
    red, been_red = 0, 1
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        inside = network.timesformer
        layer = inside.encoder.layer[0]
        for norm in (layer.temporal_layernorm, layer.layernorm_before, layer.layernorm_after,
                     inside.layernorm):  # fmt: skip
            norm.weight.fill_(1.0)
        # Large numbers of both signs, so that normalization hardly changes the two that matter.
        steady = torch.tensor([0.0, 0.0, *[8.0, -8.0] * ((WIDTH - 2) // 2)])
        inside.embeddings.position_embeddings[:] = steady
        projection = inside.embeddings.patch_embeddings.projection
        projection.weight[red, 0] = 1.0 / PATCH**2
        projection.weight[red, 1:] = -0.5 / PATCH**2  # grey and white are not red
        in_time, in_space = layer.temporal_attention.attention, layer.attention.attention
        in_time.qkv.bias[0] = 1.0  # everyone asks the same
        in_time.qkv.weight[WIDTH, red] = 400.0  # for the red
        in_time.qkv.weight[2 * WIDTH, red] = 1.0
        layer.temporal_attention.output.dense.weight[0, 0] = 1.0
        layer.temporal_dense.weight[been_red, 0] = 8.0
        in_space.qkv.bias[0] = 1.0
        in_space.qkv.weight[WIDTH, been_red] = 40.0
        in_space.qkv.weight[2 * WIDTH, been_red] = 1.0
        layer.attention.output.dense.weight.copy_(torch.eye(WIDTH))
        network.classifier.weight[0, 0] = 1.0
    network.save_pretrained(folder)
    _write_processor(folder)
    return folder


def write_videomae(folder: Path) -> Path:
    """The published files call two biases otherwise, and the processor a feature extractor."""
    from safetensors.torch import load_file, save_file
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    config = VideoMAEConfig(
        image_size=SIDE, patch_size=PATCH, num_frames=FRAMES, tubelet_size=2, hidden_size=WIDTH,
        intermediate_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, id2label=LABELS,
    )  # fmt: skip
    network = VideoMAEForVideoClassification(config)
    _make_lively(network)
    network.save_pretrained(folder)
    weights = folder / "model.safetensors"
    renamed = {
        key.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): tensor
        for key, tensor in load_file(weights).items()
    }
    save_file(renamed, weights, {"format": "pt"})
    _write_processor(folder)
    described = json.loads((folder / "preprocessor_config.json").read_text())
    described.pop("image_processor_type")
    described |= {"feature_extractor_type": "VideoMAEFeatureExtractor"}
    described |= {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    _write(folder / "preprocessor_config.json", described)
    return folder


def moving_square(path: list[int], colour: tuple[int, int, int] = (255, 0, 0)) -> Pixels:
    """u8 [T, SIDE, SIDE, 3]: a square of one patch, at the place that `path` has for each frame."""
    frames = np.full((len(path), SIDE, SIDE, 3), 115, np.uint8)
    for at, place in enumerate(path):
        top, left = PATCH * (place // PLACES), PATCH * (place % PLACES)
        frames[at, top : top + PATCH, left : left + PATCH] = colour
    return frames


def _make_lively(network: Any) -> None:
    """Random weights as they are made are so small that every attention is even."""
    import torch

    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "norm" not in name:
                parameter.normal_(0.0, 0.4)


def _write_processor(folder: Path) -> None:
    _write(folder / "preprocessor_config.json", {
        "crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": True, "do_normalize": True,
        "do_rescale": True, "do_resize": True, "image_mean": _GREY, "image_std": _SPREAD,
        "image_processor_type": "VideoMAEImageProcessor", "resample": 2,
        "rescale_factor": 1 / 255, "size": {"shortest_edge": SIDE},
    })  # fmt: skip


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values))
