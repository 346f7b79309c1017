"""The network to distil from: MobileNetV2 (ImageNet), int8, run by OpenVINO.

OpenVINO answers 400 pictures a second on one core, where LiteRT, made to keep its inner tensors,
gives 60; their pooled features agree to a cosine of .996, which is the noise of int8.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.engine import import_openvino
from models.types import Floats, Pixels

TEACHER_FILE = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
TEACHER_PX = 224
POOLED_DIM = 1280
CLASSES = 1001
MAP_SIDE = 4  # the teacher's 7 x 7 map, pooled to what a student at 128 px has


@dataclass(frozen=True, slots=True)
class TeacherAnswer:
    pooled: npt.NDArray[np.uint8]  # [1280], times Teacher.pooled_scale
    map_yxc: Floats  # [4, 4, 1280]


class Teacher:
    """MobileNetV2 (ImageNet), int8: pooled features, and the map they are pooled from."""

    def __init__(self, path: Path) -> None:
        self._openvino = import_openvino()
        self._core = self._openvino.Core()
        whole = self._core.read_model(path)
        operations = whole.get_ordered_ops()
        pooled = _only(operations, "FakeQuantize", (1, POOLED_DIM, 1, 1))
        cells = _only(operations, "FakeQuantize", (1, POOLED_DIM, 7, 7))
        self._classes = _only(operations, "Convolution", (1, CLASSES, 1, 1)).input_value(1)
        largest = pooled.input_value(4).get_node().get_data()
        self.pooled_scale = float(largest.item()) / (pooled.get_attributes()["levels"] - 1)
        cut = self._openvino.Model([pooled.output(0), cells.output(0)], whole.get_parameters())
        one_thread = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = self._core.compile_model(cut, "CPU", one_thread).create_infer_request()
        self._pooling = _pooling_matrix(7, MAP_SIDE)

    def answer(self, view: Pixels) -> TeacherAnswer:
        """view: u8 [224, 224, 3]."""
        self._request.infer({0: view[None]})
        pooled = self._request.get_output_tensor(0).data.reshape(-1)
        cells = self._request.get_output_tensor(1).data[0].transpose(1, 2, 0)
        rows = np.tensordot(self._pooling, cells, axes=(1, 0))
        grid = np.tensordot(self._pooling, rows, axes=(1, 1)).transpose(1, 0, 2)
        steps = np.rint(pooled / self.pooled_scale).clip(0, 255)
        return TeacherAnswer(steps.astype(np.uint8), np.asarray(grid, np.float32))

    def class_weights(self) -> Floats:
        """[1001, 1280]: logits are pooled features times this (the bias is small; left out)."""
        weights = self._openvino.Model([self._classes], [])
        values = self._core.compile_model(weights, "CPU")([])[0]
        return np.array(values, np.float32).reshape(CLASSES, POOLED_DIM)


def _only(operations: list[Any], kind: str, shape: tuple[int, ...]) -> Any:
    found = [
        operation
        for operation in operations
        if operation.get_type_name() == kind and tuple(operation.get_output_shape(0)) == shape
    ]
    if len(found) != 1:
        raise ValueError(f"the teacher has one {kind} of shape {shape}, found {len(found)}")
    return found[0]


def _pooling_matrix(size: int, cells: int) -> Floats:
    """[cells, size]: the mean over each cell, cells overlapping as in adaptive pooling."""
    matrix = np.zeros((cells, size), np.float32)
    for cell in range(cells):
        start, end = cell * size // cells, -(-(cell + 1) * size // cells)
        matrix[cell, start:end] = 1.0 / (end - start)
    return matrix
