"""What a checkpoint's description may say, for it may come from anywhere, and networks are made
of it: names are names and no paths, sizes are sizes that something real has, and a network is not
built past what the weights beside it could fill.
"""

import math
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

_NAME = re.compile(r"\w[\w ._+-]{0,99}")  # in any script; no separator of paths
_TRUNK = re.compile(r"[A-Za-z0-9_.]{1,100}")  # no scheme: timm would ask the hub, or read a folder
NAMED = ("encoder", "backbone", "space", "frame_text")
TRUNKS = ("architecture", "trunk")
# Others reach into timm: they open files, fetch them, or make one network of another.
TRUNK_OPTIONS = frozenset(
    (
        *("channels", "layers", "depth", "depths", "embed_dim", "num_heads", "mlp_ratio"),
        *("img_size", "output_stride", "channel_multiplier"),
        *("drop_rate", "drop_path_rate", "global_pool"),
    )
)
# Of what transformers needs for DistilBERT; others choose code that it runs.
TEXT_OPTIONS = frozenset(
    (
        *("vocab_size", "max_position_embeddings", "sinusoidal_pos_embds", "n_layers", "n_heads"),
        *("dim", "hidden_dim", "activation", "pad_token_id", "dropout", "attention_dropout"),
        *("initializer_range", "qa_dropout", "seq_classif_dropout"),
    )
)
LARGEST_NUMBER = 2**20
LARGEST_OPTION = 4096
MOST_LAYERS = 256
MOST_ITEMS = 10_000
LONGEST_TEXT = 500
DEEPEST = 4
# Of preprocessing: the least and the most of each number that something is made of.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "side_px": (8, 1024),
    "short_side_px": (8, 1024),
    "frames": (1, 128),  # that are in memory together
    "frames_per_segment": (1, 128),
    "segment_s": (0.1, 3600),
    "middle_share": (0.01, 1),
}
# A network before its batch norms are folded holds more than what is stored of it, but not twice.
_SPARE, _SPARE_TENSORS = 2, 4


def check_described(name: str, config: Mapping[str, Any]) -> None:
    """
    Raises:
        CheckpointError: the description of the checkpoint in the folder `name` says what none says.
    """
    try:
        _check(config)
    except ValueError as error:
        raise CheckpointError(
            f"The checkpoint {name} cannot be used, for its description is out of bounds: {error}."
        ) from None


def _check(config: Mapping[str, Any]) -> None:
    _need(_is_name(config["name"]), "name is a plain name", config["name"])
    for part in ("architecture", "preprocessing"):
        _need(isinstance(config[part], dict), f"{part} is an object", config[part])
        _check_values(part, config[part], DEEPEST)
    for key in NAMED:
        named = config["preprocessing"].get(key)
        _need(named is None or _is_name(named), f"{key} is the name of a model", named)
    for key, (least, most) in BOUNDS.items():
        size = config["preprocessing"].get(key)
        fits = size is None or (isinstance(size, int | float) and least <= size <= most)
        _need(fits, f"{key} is from {least} to {most}", size)
    _check_networks(config["architecture"])
    labels = config.get("labels", [])
    _need(isinstance(labels, list), "labels is a list", labels)
    _check_values("labels", labels, 1)


def _check_networks(architecture: Mapping[str, Any]) -> None:
    for key in TRUNKS:
        trunk = architecture.get(key)
        fits = trunk is None or (isinstance(trunk, str) and _TRUNK.fullmatch(trunk))
        _need(bool(fits), f"{key} is the name of a network", trunk)
    for part, known in (("trunk_options", TRUNK_OPTIONS), ("text", TEXT_OPTIONS)):
        options = architecture.get(part)
        if options is None:
            continue
        _need(isinstance(options, dict), f"{part} is an object", options)
        unknown = sorted(set(options) - known)
        _need(not unknown, f"{part} has no such option here", unknown)
    for value in (architecture.get("trunk_options") or {}).values():
        for number in value if isinstance(value, list) else [value]:
            fits = not isinstance(number, int | float) or abs(number) <= LARGEST_OPTION
            _need(fits, f"an option of trunk_options is at most {LARGEST_OPTION}", number)


def _check_values(key: str, value: object, deep: int) -> None:
    if isinstance(value, dict | list):
        _need(deep > 0, f"{key} is not nested so deeply", "more")
        _need(len(value) <= MOST_ITEMS, f"{key} has at most {MOST_ITEMS} items", len(value))
        items = value.items() if isinstance(value, dict) else ((key, one) for one in value)
        for inner, one in items:
            _check_values(str(inner), one, deep - 1)
    elif isinstance(value, str):
        _need(len(value) <= LONGEST_TEXT, f"{key} is a short text", value)
    elif isinstance(value, int | float):
        most = MOST_LAYERS if key.endswith("layers") else LARGEST_NUMBER
        fits = math.isfinite(value) and abs(value) <= most
        _need(fits, f"{key} is at most {most}", value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _need(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, received {repr(received)[:80]}")


@contextmanager
def within_weights(weights: Path) -> Iterator[None]:
    """A torch network that is built here, in this thread, is no larger than the stored one.

    It is stopped at the first tensor that is too much, before that takes memory: torch reserves
    memory for a tensor, and takes it when the first numbers are written there.

    Raises:
        ValueError: the network that is being built is larger than what is stored.
    """
    from torch.nn.modules import module as modules

    tensors, numbers = stored_size(weights)
    budget = [_SPARE_TENSORS * tensors + 64, _SPARE * numbers + 65_536]
    builder = threading.get_ident()

    def count(_module: "nn.Module", _name: str, held: "Tensor | None") -> None:
        if held is None or threading.get_ident() != builder:
            return
        budget[0] -= 1
        budget[1] -= held.numel()
        if min(budget) < 0:
            raise ValueError("it is larger than the weights that are stored of it")

    hooks = (
        modules.register_module_parameter_registration_hook(count),
        modules.register_module_buffer_registration_hook(count),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def stored_size(weights: Path) -> tuple[int, int]:
    """How many tensors and how many numbers a file holds; only its header is read.

    Raises:
        ValueError: it is no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(f"its weights cannot be read: {error}") from error
    return len(shapes), sum(math.prod(shape) for shape in shapes)
