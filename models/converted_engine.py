"""A torch network of transformers by OpenVINO, where that is faster and says the same."""

import importlib.util
import logging
import os
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from models.device import torch_device
from models.engine import (
    ENGINE_VARIABLE,
    CompiledEngine,
    Engine,
    TorchEngine,
    batches,
    compile_model,
    import_openvino,
    infer,
)
from models.types import Floats

if TYPE_CHECKING:
    from torch import nn

COSINE_AT_LEAST = 0.999  # mean over the probes; below it the next precision is taken
PRECISIONS = ("bf16", "f32")
PROBES = 4
_log = logging.getLogger(__name__)


def fastest_engine(network: "nn.Module", side_px: int, output_dim: int) -> Engine:
    """For a network that makes float [N, 3, side, side] to [N, output_dim].

    On a CPU that is OpenVINO at the cheapest precision that agrees with torch. Torch answers on a
    GPU, where FRAMESCRY_ENGINE says so, and where a conversion fails or does not agree.
    """
    wanted = os.environ.get(ENGINE_VARIABLE, "")
    able = importlib.util.find_spec("openvino") is not None and torch_device() == "cpu"
    if able and wanted != "torch":
        try:
            return _converted(network, probes(side_px))
        except (RuntimeError, ValueError) as error:  # of which OpenVINO's own are children
            _log.warning("torch runs what OpenVINO cannot: %s", str(error).splitlines()[0])
    return TorchEngine(network, output_dim)


def probes(side_px: int) -> Floats:
    """Pictures from coarse to fine, as a network that is normalised takes them."""
    random = np.random.default_rng(0)
    made = []
    for number in range(PROBES):
        cells = max(1, side_px >> (2 * number))
        coarse = random.uniform(-1.0, 1.0, (3, -(-side_px // cells), -(-side_px // cells)))
        made.append(coarse.repeat(cells, 1).repeat(cells, 2)[:, :side_px, :side_px])
    return np.asarray(np.stack(made), np.float32)


def _converted(network: "nn.Module", rows: Floats) -> Engine:
    """Raises ValueError where no precision agrees."""
    import torch

    example = torch.from_numpy(rows)
    with torch.inference_mode():
        expected = network(example).float().numpy()
    openvino = import_openvino()
    shape = openvino.PartialShape([-1, *rows.shape[1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # branches on the size of a picture, which is one size here
        model: Any = openvino.convert_model(network.eval(), example_input=example, input=[shape])
    likeness = {}
    for precision in PRECISIONS:
        compiled = compile_model(model, precision, torch.get_num_threads())
        found = np.concatenate([infer(compiled, rows[batch]) for batch in batches(len(rows))])
        likeness[precision] = _mean_cosine(found, expected)
        if likeness[precision] >= COSINE_AT_LEAST:
            return CompiledEngine(partial(compile_model, model, precision))
    raise ValueError(f"OpenVINO does not agree with torch: {likeness}")


def _mean_cosine(a: Floats, b: Floats) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())
