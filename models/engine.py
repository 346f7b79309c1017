"""What runs a shipped network: OpenVINO on a CPU; torch on a GPU, and wherever OpenVINO cannot.

Torch is the reference, and it is not imported where OpenVINO answers. FRAMESCRY_ENGINE=torch or
=openvino decides otherwise.
"""

import importlib.util
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from models.checkpoint import Checkpoint, stored_arrays
from models.device import PoolSize, free_threads, may_have_gpu, torch_device
from models.errors import CheckpointError, ModelUnavailableError
from models.graph import Graph, blob_of
from models.types import Floats

if TYPE_CHECKING:
    from torch import nn

ENGINE_VARIABLE = "FRAMESCRY_ENGINE"
# Rows at once. Each number of rows is compiled when first met, so only powers of two are used.
LARGEST_BATCH = 32
# Numbers that one step of a graph makes of one row: a graph may come from anywhere.
LARGEST_STEP = 2**26

Blob = npt.NDArray[np.uint8]


class Engine(Protocol):
    """Runs one network on any number of rows, from several threads at once."""

    name: str
    output_dim: int

    def run(self, rows: npt.NDArray[Any]) -> Floats:
        """[N, ...] -> float32 [N, output_dim]."""
        ...


def open_engine(
    checkpoint: Checkpoint, output_dim: int, build: "Callable[[Checkpoint], nn.Module]"
) -> Engine:
    """`build` gives the same network for torch, with its weights, and is called only if needed.

    Raises:
        CheckpointError: the weights, the graph or the described network do not fit each other.
        ModelUnavailableError: the engine that was asked for is not there.
    """
    if _chosen(checkpoint) == "torch":
        return TorchEngine(build(checkpoint), output_dim)
    engine = GraphEngine(checkpoint)
    if engine.output_dim != output_dim:
        raise CheckpointError(
            f"The graph of the checkpoint {checkpoint.name} gives {engine.output_dim} numbers, but "
            f"its description promises {output_dim}: fetch it again."
        )
    return engine


def _chosen(checkpoint: Checkpoint) -> str:
    wanted = os.environ.get(ENGINE_VARIABLE, "")
    if wanted not in ("", "torch", "openvino"):
        raise ModelUnavailableError(
            f"{ENGINE_VARIABLE} is torch or openvino, not {wanted!r}: set one of them, or nothing."
        )
    able = checkpoint.graph is not None and importlib.util.find_spec("openvino") is not None
    if wanted == "openvino" and not able:
        raise ModelUnavailableError(
            f"The checkpoint {checkpoint.name} cannot be run by OpenVINO: it is not installed, or "
            f"the checkpoint has no graph; set {ENGINE_VARIABLE} to torch."
        )
    if wanted:
        return wanted
    return "openvino" if able and not _has_gpu() else "torch"


def _has_gpu() -> bool:
    if not may_have_gpu() or importlib.util.find_spec("torch") is None:
        return False
    return torch_device() != "cpu"


def batches(count: int) -> Iterator[slice]:
    """`count` rows in pieces of a power of two each, the largest first."""
    start = 0
    while start < count:
        size = min(LARGEST_BATCH, 1 << ((count - start).bit_length() - 1))
        yield slice(start, start + size)
        start += size


class CompiledEngine:
    """OpenVINO on the CPU, compiled anew where other programs leave more or fewer threads."""

    name = "openvino"

    def __init__(self, compiled_for: Callable[[int], Any]) -> None:
        """`compiled_for` gives an openvino.CompiledModel for so many threads."""
        self._compiled_for = compiled_for
        self._lock = threading.Lock()
        self._pool = PoolSize()
        self._compile()
        self.output_dim = int(self._compiled.output(0).partial_shape[-1].get_length())

    def run(self, rows: npt.NDArray[Any]) -> Floats:
        results = np.empty((len(rows), self.output_dim), np.float32)
        for batch in batches(len(rows)):
            # One run already uses all threads there are: others gain nothing by not waiting.
            with self._lock:
                if self._pool.begin() != self._threads:
                    self._compile()
                results[batch] = infer(self._compiled, np.ascontiguousarray(rows[batch]))
                self._pool.end()
        return results

    def _compile(self) -> None:
        self._threads = self._pool.threads
        self._compiled = self._compiled_for(self._threads)


class GraphEngine(CompiledEngine):
    """A graph with the weights of its checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError where the graph is none, or not one of these weights."""
        assert checkpoint.graph is not None
        graph = checkpoint.graph
        blob = blob_of(stored_arrays(checkpoint), graph.constants)
        if len(blob) != graph.constants_at + len(graph.constants):
            raise CheckpointError(
                f"The graph of the checkpoint {checkpoint.name} was made for other weights than "
                "those beside it: fetch both again."
            )
        try:
            super().__init__(lambda threads: compile_graph(graph, blob, graph.precision, threads))
        except RuntimeError as error:  # of which OpenVINO's own is a child
            raise CheckpointError(
                f"The graph of the checkpoint {checkpoint.name} cannot be run by this version of "
                f"OpenVINO: export it again, or set {ENGINE_VARIABLE} to torch."
            ) from error


class TorchEngine:
    """Eager torch: bf16 on an NVIDIA GPU, float32 elsewhere; pictures lie channels last."""

    name = "torch"

    def __init__(self, network: "nn.Module", output_dim: int) -> None:
        import torch

        self.output_dim = output_dim
        self._device = torch_device()
        if self._device == "cpu":
            torch.set_num_threads(free_threads())
        placed: Any = network.eval().to(self._device)
        self._network = placed.to(memory_format=torch.channels_last)

    def run(self, rows: npt.NDArray[Any]) -> Floats:
        import torch

        results = np.empty((len(rows), self.output_dim), np.float32)
        on_gpu = self._device == "cuda"
        for batch in batches(len(rows)):
            given = torch.from_numpy(np.ascontiguousarray(rows[batch])).to(self._device)
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
                results[batch] = self._network(given).float().cpu().numpy()
        return results


def compile_graph(graph: Graph, blob: Blob, precision: str, threads: int) -> Any:
    """An openvino.CompiledModel; where the CPU has no bf16, float32 is used instead of it."""
    openvino = import_openvino()
    model = openvino.Core().read_model(graph.xml, openvino.Tensor(blob))
    check_steps(model)
    return compile_model(model, precision, threads)


def check_steps(model: Any) -> None:
    """Before it is compiled, when what does not depend on the pictures would be made already.

    Raises:
        RuntimeError: a step of it makes more numbers than any step of a real network.
    """
    for step in model.get_ops():
        for made in step.outputs():
            shape = made.partial_shape
            if shape.rank.is_dynamic:
                continue
            sizes = [dim.get_length() for dim in shape if dim.is_static]
            if math.prod(sizes) > LARGEST_STEP:
                raise RuntimeError(f"a step of it makes {math.prod(sizes):,} numbers")


def compile_model(model: Any, precision: str, threads: int) -> Any:
    """As compile_graph, of an openvino.Model."""
    core = import_openvino().Core()
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return core.compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": precision if precision.upper() in able else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        },
    )


def infer(compiled: Any, batch: npt.NDArray[Any]) -> Floats:
    """One batch through a compiled graph of one input and one output."""
    return np.asarray(compiled([batch])[0], np.float32)


def import_openvino() -> Any:
    """The module, kept from telling its maker each time that it was imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # "not installed"
    import openvino

    return openvino
