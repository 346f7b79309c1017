"""Makes the graph by which OpenVINO runs a network with the weights of its checkpoint."""

import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.engine import batches, compile_graph, import_openvino, infer
from models.graph import Graph, Precision, aligned, blob_of, places
from models.types import Floats

MOST_CONSTANT_BYTES = 1 << 16
COSINE_AT_LEAST = 0.999  # mean over the rows compared; below it the next precision is taken
PRECISIONS: tuple[Precision, ...] = ("bf16", "f32")


def graph_of(network: nn.Module, example: Tensor, tensors: Mapping[str, Tensor]) -> Graph:
    """The network as a graph for any number of rows; `tensors` are the checkpoint's.

    Every large constant of the graph must be one of the tensors, bit by bit.

    Raises:
        ValueError: it is not, as where a conversion merges two tensors into one.
    """
    openvino = import_openvino()
    shape = openvino.PartialShape([-1, *example.shape[1:]])
    model = openvino.convert_model(network.eval(), example_input=example, input=[shape])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        openvino.serialize(model, path)
        tree = ElementTree.parse(path)
        weights = path.with_suffix(".bin").read_bytes()
    begins, constants_at = places({name: tuple(t.shape) for name, t in tensors.items()})
    where = {_float_bytes(tensors[name]): begin for name, begin in begins.items()}
    constants = bytearray()
    for layer in tree.iter("layer"):
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None:
            continue
        offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
        content = weights[offset : offset + size]
        if content not in where:
            where[content] = constants_at + len(constants)
            constants += content.ljust(aligned(size), b"\0")
            if len(constants) > MOST_CONSTANT_BYTES:
                raise ValueError(f"the graph's constant {layer.get('name')} is no stored tensor")
        data.set("offset", str(where[content]))
    xml = ElementTree.tostring(tree.getroot(), encoding="utf-8")
    return Graph(xml, constants_at, bytes(constants), PRECISIONS[0])


def _float_bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().float().contiguous().numpy().tobytes()


def agreed(
    graph: Graph,
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    compared: Sequence[npt.NDArray[np.generic]],
) -> tuple[Graph, dict[str, float]]:
    """The graph at the cheapest precision that agrees with torch in float32, and the cosines.

    Raises:
        ValueError: none agrees.
    """
    blob = blob_of({name: t.detach().float().numpy() for name, t in tensors.items()},
                   graph.constants)  # fmt: skip
    with torch.inference_mode():
        wanted = [network(torch.from_numpy(rows)).float().numpy() for rows in compared]
    figures: dict[str, float] = {}
    for precision in PRECISIONS:
        compiled = compile_graph(graph, blob, precision, torch.get_num_threads())
        cosines = np.concatenate(
            [
                _cosines(infer(compiled, rows[batch]), expected[batch])
                for rows, expected in zip(compared, wanted, strict=True)
                for batch in batches(len(rows))
            ]
        )
        figures[f"openvino_{precision}_cosine"] = round(float(cosines.mean()), 6)
        figures[f"openvino_{precision}_worst_cosine"] = round(float(cosines.min()), 6)
        if cosines.mean() >= COSINE_AT_LEAST:
            return Graph(graph.xml, graph.constants_at, graph.constants, precision), figures
    raise ValueError(f"OpenVINO does not agree with torch: {figures}")


def _cosines(a: Floats, b: Floats) -> Floats:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(lengths, 1e-12), np.float32)
