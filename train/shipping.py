"""What every export does alike: half precision, the limit of size, what the card says of both."""

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from models.checkpoint import SHIPPED_DIR
from train import fitting

MEGABYTES_AT_MOST = 10.0

Network = TypeVar("Network", bound=nn.Module)


def in_half_precision(network: Network) -> Network:
    """A copy whose weights are what half precision leaves of them."""
    return copy.deepcopy(network).half().float()


def size_facts(network: nn.Module, *, half: bool) -> dict[str, Any]:
    """What a card says of the size: parameters in millions, megabytes, dtype."""
    parameters = sum(tensor.numel() for tensor in network.state_dict().values())
    return {
        "parameters": parameters / 1e6,
        "megabytes": parameters * (2 if half else 4) / 1e6,
        "dtype": "float16" if half else "float32",
    }


def check_size(network: nn.Module, *, half: bool, folder: Path | None = None) -> None:
    """Raises ValueError where the weights are more than a checkpoint that ships may hold.

    `folder`: where it will lie; what is not in checkpoints/ itself does not ship.
    """
    if folder is not None and folder.resolve().parent != SHIPPED_DIR:
        return
    megabytes = size_facts(network, half=half)["megabytes"]
    if megabytes > MEGABYTES_AT_MOST:
        raise ValueError(
            f"a checkpoint has at most {MEGABYTES_AT_MOST} MB, this one {megabytes:.1f}"
        )


def origin() -> dict[str, str]:
    """By what code, and when: the end of every description."""
    return {
        "code_version": fitting.code_version(),
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
    }
