"""A network as a graph that OpenVINO runs, which has no weights of its own.

graph.xml says how operations hang together and at which place of a blob each constant lies. The
blob is put together in memory from model.safetensors, so that every engine runs the same weights
and a checkpoint holds them once: all its tensors as float32 in the order of their names, and after
them the few constants that are no weights, which the description carries.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from models.types import Floats

ALIGNMENT = 64
FLOAT_BYTES = 4

Precision = Literal["bf16", "f32"]


@dataclass(frozen=True, slots=True)
class Graph:
    """`precision` is the cheapest one that was found to agree with the reference."""

    xml: bytes
    constants_at: int  # where in the blob the constants begin
    constants: bytes
    precision: Precision


def places(shapes: Mapping[str, Sequence[int]]) -> tuple[dict[str, int], int]:
    """Where each tensor begins in the blob, and where the constants do."""
    begins: dict[str, int] = {}
    end = 0
    for name in sorted(shapes):
        begins[name] = end
        end = aligned(end + math.prod(shapes[name]) * FLOAT_BYTES)
    return begins, end


def aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT


def blob_of(arrays: "Mapping[str, Floats]", constants: bytes) -> "npt.NDArray[np.uint8]":
    import numpy as np

    begins, end = places({name: array.shape for name, array in arrays.items()})
    blob = np.zeros(end + len(constants), np.uint8)
    for name, begin in begins.items():
        content = np.ascontiguousarray(arrays[name], np.float32).reshape(-1).view(np.uint8)
        blob[begin : begin + len(content)] = content
    blob[end:] = np.frombuffer(constants, np.uint8)
    return blob
