"""A .pt file of the published trigger system: what is in it, under our names."""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.compatibility import Compatibility, compare
from models.published_triggers import PublishedShape
from train.published_names import (
    NOT_USED,
    PROJECTION,
    TRUNK,
    architecture_of,
    detector_shape,
    our_name,
)

STATE_KEYS = ("model_state_dict", "state_dict", "model")
CONSTANT = 16.0
# What is not part of the answer, in the published system or here, and why.
NEVER_ASKED = {
    "time_aware_encoder.": "it had no part in the published probability, and was never trained",
    "temporal_llm.": "the describer is chosen in the application",
}


@dataclass(frozen=True, slots=True)
class Published:
    """The tensors of a file under our names, and what they make, as far as that can be told."""

    tensors: dict[str, Tensor]
    architecture: str | None
    shape: PublishedShape | None
    report: Compatibility
    passed_over: dict[str, int]  # parts that are never asked, and how many tensors each has


def read_file(path: Path) -> dict[str, Tensor]:
    """Raises ValueError where it holds pickled code, or no weights."""
    if not path.is_file():
        raise ValueError(f"a .pt file is needed, received {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path.name} holds pickled code, which could do anything when it is opened: ask for "
            "a file that holds the state_dict alone"
        ) from None
    except (RuntimeError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path.name} is no file of weights ({error})") from error
    if isinstance(content, Mapping):
        content = next((content[key] for key in STATE_KEYS if key in content), content)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path.name} holds no weights by their names")
    tensors = {
        str(name).removeprefix("module."): value
        for name, value in content.items()
        if isinstance(value, Tensor)
    }
    if not tensors:
        raise ValueError(f"{path.name} holds no weights by their names")
    return tensors


def examine(stored: Mapping[str, Tensor]) -> Published:
    """What of the file fits what it seems to be a file of."""
    tensors, passed_over = dict[str, Tensor](), dict.fromkeys(NEVER_ASKED, 0)
    for name, tensor in stored.items():
        part = next((part for part in NEVER_ASKED if name.startswith(part)), None)
        if part is not None:
            passed_over[part] += 1
        elif not name.endswith(NOT_USED):
            tensors[our_name(name)] = tensor
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    architecture = architecture_of(shapes)
    shape = detector_shape(shapes, CONSTANT)
    report = compare(shapes, _wanted(architecture, shape))
    return Published(tensors, architecture, shape, report, passed_over)


def _wanted(architecture: str | None, shape: PublishedShape | None) -> dict[str, tuple[int, ...]]:
    wanted: dict[str, tuple[int, ...]] = {}
    pooled_dim = None
    if architecture is None:
        wanted["trunk.conv1.weight"] = (64, 3, 7, 7)
    else:
        trunk = _trunk_of(architecture)
        pooled_dim = int(trunk.head_hidden_size)
        for name, tensor in trunk.state_dict().items():
            if not name.endswith(NOT_USED):
                wanted[TRUNK + name] = tuple(tensor.shape)
    if shape is None:
        named = PublishedShape(1, 1, 2).tensors()
        return wanted | {name: size for name, size in named.items() if "temporal" not in name}
    if pooled_dim is not None:
        wanted[f"{PROJECTION}2.weight"] = (shape.feature_dim, pooled_dim)
        wanted[f"{PROJECTION}2.bias"] = (shape.feature_dim,)
    return wanted | shape.tensors()


def _trunk_of(architecture: str) -> Any:
    import timm

    return timm.create_model(architecture, pretrained=False, num_classes=0)
