"""A checkpoint is a folder: model.safetensors, config.json, metrics.json, MODEL_CARD.md, and
graph.xml where OpenVINO can run the network.

The folder alone is enough to rebuild the model. Whatever does not fit - the hash of the weights or
of the graph, a tensor's shape, the format's version - is refused with one sentence that says what
differs. Only putting weights into a torch network needs torch.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.described import check_described
from models.errors import CheckpointError
from models.graph import Graph

if TYPE_CHECKING:
    from torch import nn

    from models.types import Floats

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
CARD_FILE = "MODEL_CARD.md"
GRAPH_FILE = "graph.xml"
SHIPPED_DIR = Path(__file__).resolve().parent.parent / "checkpoints"
FORMAT_VERSION = 1
# Of a description or of figures; ours have a few thousandths of it.
LARGEST_JSON_BYTES = 16_000_000
REQUIRED_KEYS = (
    "format_version",
    "name",
    "kind",
    "architecture",
    "preprocessing",
    "weights_sha256",
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder whose description was read and whose weights have the promised hash."""

    folder: Path
    name: str
    kind: str
    architecture: dict[str, Any]
    preprocessing: dict[str, Any]
    config: dict[str, Any]  # all of config.json
    metrics: dict[str, Any]
    weights_hash: str
    graph: Graph | None = None

    @property
    def weights_path(self) -> Path:
        return self.folder / WEIGHTS_FILE


def beside(folder: Path, name: str) -> Path:
    """The checkpoint that this one reads: beside it, or among those that ship with the program."""
    near = folder.parent / name
    return near if near.is_dir() else SHIPPED_DIR / name


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checkpoint(folder: Path, *, kind: str | None = None) -> Checkpoint:
    """Reads and checks everything but the tensors.

    Raises:
        CheckpointError: a file is missing or unreadable, or something does not fit.
    """
    name = folder.name
    config = _read_json(folder, CONFIG_FILE)
    missing = [key for key in REQUIRED_KEYS if key not in config]
    if missing:
        raise CheckpointError(
            f"The checkpoint {name} cannot be used: its {CONFIG_FILE} does not say {missing[0]}."
        )
    if config["format_version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"The checkpoint {name} has format version {config['format_version']}, but this "
            f"program reads version {FORMAT_VERSION}: export it again with this version."
        )
    if kind is not None and config["kind"] != kind:
        raise CheckpointError(
            f"The checkpoint {name} holds a {config['kind']}, where a {kind} is needed."
        )
    check_described(name, config)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise CheckpointError(f"The checkpoint {name} has no {WEIGHTS_FILE}: fetch it again.")
    found = file_hash(weights)
    if found != config["weights_sha256"]:
        raise CheckpointError(
            f"The weights of the checkpoint {name} have the hash {found[:12]}, but its "
            f"{CONFIG_FILE} promises {str(config['weights_sha256'])[:12]}: fetch it again."
        )
    return Checkpoint(
        folder=folder,
        name=str(config["name"]),
        kind=str(config["kind"]),
        architecture=dict(config["architecture"]),
        preprocessing=dict(config["preprocessing"]),
        config=config,
        metrics=_read_json(folder, METRICS_FILE),
        weights_hash=found,
        graph=_read_graph(folder, config["graph"]) if "graph" in config else None,
    )


def _read_graph(folder: Path, described: Mapping[str, Any]) -> Graph:
    try:
        xml = (folder / GRAPH_FILE).read_bytes()
    except OSError:
        raise CheckpointError(
            f"The checkpoint {folder.name} has no {GRAPH_FILE}: fetch it again."
        ) from None
    found = hashlib.sha256(xml).hexdigest()
    if found != described["sha256"]:
        raise CheckpointError(
            f"The {GRAPH_FILE} of the checkpoint {folder.name} has the hash {found[:12]}, but its "
            f"{CONFIG_FILE} promises {str(described['sha256'])[:12]}: fetch it again."
        )
    constants = base64.b64decode(described["constants"])
    return Graph(xml, int(described["constants_at"]), constants, described["precision"])


def _read_json(folder: Path, file_name: str) -> dict[str, Any]:
    path = folder / file_name
    try:
        if path.stat().st_size > LARGEST_JSON_BYTES:
            raise ValueError(f"it is larger than {LARGEST_JSON_BYTES / 1e6:.0f} MB")
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"The checkpoint {folder.name} has no {file_name}: fetch it again."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"The {file_name} of the checkpoint {folder.name} cannot be read ({error})."
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"The {file_name} of the checkpoint {folder.name} is no JSON object.")
    return values


def load_weights(checkpoint: Checkpoint, model: "nn.Module") -> None:
    """Puts the stored tensors, made float32, into the model.

    Raises:
        CheckpointError: a tensor is missing, unknown, or has another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(checkpoint.weights_path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"The weights of the checkpoint {checkpoint.name} cannot be read ({error})."
        ) from error
    wanted = model.state_dict()
    _check_shapes(
        checkpoint,
        {name: tuple(tensor.shape) for name, tensor in stored.items()},
        {name: tuple(tensor.shape) for name, tensor in wanted.items()},
    )
    model.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in stored.items()})


def load_arrays(
    checkpoint: Checkpoint, wanted: Mapping[str, tuple[int, ...]]
) -> "dict[str, Floats]":
    """The stored tensors as float32 arrays, for a network that runs without torch.

    Raises:
        CheckpointError: a tensor is missing, unknown, or has another shape than `wanted` says.
    """
    arrays = stored_arrays(checkpoint)
    _check_shapes(checkpoint, {name: array.shape for name, array in arrays.items()}, wanted)
    return arrays


def stored_arrays(checkpoint: Checkpoint) -> "dict[str, Floats]":
    """The stored tensors as float32 arrays, whatever they are.

    Raises:
        CheckpointError: they cannot be read.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        stored = load_file(checkpoint.weights_path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"The weights of the checkpoint {checkpoint.name} cannot be read ({error})."
        ) from error
    return {name: array.astype(np.float32) for name, array in stored.items()}


def _check_shapes(
    checkpoint: Checkpoint,
    stored: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, tuple[int, ...]],
) -> None:
    difference = _difference(stored, wanted)
    if difference is not None:
        raise CheckpointError(
            f"The weights of the checkpoint {checkpoint.name} do not fit its "
            f"architecture: {difference}."
        )


def _difference(
    stored: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> str | None:
    for name, shape in wanted.items():
        if name not in stored:
            return f"{name} is missing"
        if stored[name] != tuple(shape):
            return f"{name} has the shape {list(stored[name])}, not {list(shape)}"
    unknown = sorted(set(stored) - set(wanted))
    return f"{unknown[0]} is not part of it" if unknown else None


def write_checkpoint(
    folder: Path,
    model: "nn.Module",
    *,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    card: str,
    half: bool,
    graph: Graph | None = None,
) -> Checkpoint:
    """Writes the folder and reads it back.

    config holds kind, architecture, preprocessing and what else describes the model; the name, the
    format's version and the hashes are added here. With `half`, floating-point tensors are stored
    in float16; a graph must have been made of a model that has been rounded so.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).unlink(missing_ok=True)  # a broken export must not look complete
    tensors = {}
    for name, tensor in model.state_dict().items():
        plain = tensor.detach().cpu().contiguous()
        is_half = half and plain.is_floating_point()
        tensors[name] = plain.to(torch.float16) if is_half else plain.clone()
    save_file(tensors, folder / WEIGHTS_FILE)
    (folder / WEIGHTS_FILE).chmod(0o644)  # safetensors makes it readable by its owner alone
    described = {
        "format_version": FORMAT_VERSION,
        "name": folder.name,
        **config,
        "weights_dtype": "float16" if half else "float32",
        "weights_sha256": file_hash(folder / WEIGHTS_FILE),
    }
    (folder / GRAPH_FILE).unlink(missing_ok=True)
    if graph is not None:
        (folder / GRAPH_FILE).write_bytes(graph.xml)
        described["graph"] = {
            "sha256": hashlib.sha256(graph.xml).hexdigest(),
            "precision": graph.precision,
            "constants_at": graph.constants_at,
            "constants": base64.b64encode(graph.constants).decode("ascii"),
        }
    (folder / METRICS_FILE).write_text(_as_json(metrics), encoding="utf-8")
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
    (folder / CONFIG_FILE).write_text(_as_json(described), encoding="utf-8")
    return read_checkpoint(folder)


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, sort_keys=False) + "\n"
