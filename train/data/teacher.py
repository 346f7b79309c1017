"""The network to distil from: MobileNetV2 (ImageNet), int8, run by LiteRT."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.types import Floats, Pixels

TEACHER_FILE = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
TEACHER_PX = 224
POOLED_DIM = 1280
MAP_SIDE = 4  # the teacher's 7 x 7 map, pooled to what a student at 128 px has


@dataclass(frozen=True, slots=True)
class TeacherAnswer:
    pooled: npt.NDArray[np.uint8]  # [1280], times Teacher.pooled_scale
    map_yxc: Floats  # [4, 4, 1280]


class Teacher:
    """MobileNetV2 (ImageNet), int8: pooled features, and the map they are pooled from."""

    def __init__(self, path: Path) -> None:
        interpreter_module: Any = importlib.import_module("ai_edge_litert.interpreter")
        self._net = interpreter_module.Interpreter(
            str(path), num_threads=1, experimental_preserve_all_tensors=True
        )
        self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]["index"]
        details = self._net.get_tensor_details()
        self._pooled = _only(details, (1, 1, 1, POOLED_DIM))
        self._map = _only(details, (1, 7, 7, POOLED_DIM))
        self._classes = _only(details, (1001, 1, 1, POOLED_DIM))
        self.pooled_scale = float(self._pooled["quantization"][0])
        self._map_scale = float(self._map["quantization"][0])
        self._pooling = _pooling_matrix(7, MAP_SIDE)

    def answer(self, view: Pixels) -> TeacherAnswer:
        """view: u8 [224, 224, 3]."""
        self._net.set_tensor(self._input, view[None])
        self._net.invoke()
        pooled = self._net.get_tensor(self._pooled["index"]).reshape(-1)
        cells = self._net.get_tensor(self._map["index"])[0].astype(np.float32) + 128.0
        rows = np.tensordot(self._pooling, cells, axes=(1, 0))
        grid = np.tensordot(self._pooling, rows, axes=(1, 1)).transpose(1, 0, 2)
        return TeacherAnswer(
            (pooled.astype(np.int16) + 128).astype(np.uint8),
            np.asarray(grid * self._map_scale, np.float32),
        )

    def class_weights(self) -> Floats:
        """[1001, 1280]: logits are pooled features times this (the bias is small; left out)."""
        raw = self._net.get_tensor(self._classes["index"]).reshape(1001, POOLED_DIM)
        scales = self._classes["quantization_parameters"]["scales"]
        return np.asarray(raw.astype(np.float32) * scales[:, None], np.float32)


def _only(details: list[dict[str, Any]], shape: tuple[int, ...]) -> dict[str, Any]:
    found = [detail for detail in details if tuple(detail["shape"]) == shape]
    if len(found) != 1:
        raise ValueError(f"the teacher has one tensor of shape {shape}, found {len(found)}")
    return found[0]


def _pooling_matrix(size: int, cells: int) -> Floats:
    """[cells, size]: the mean over each cell, cells overlapping as in adaptive pooling."""
    matrix = np.zeros((cells, size), np.float32)
    for cell in range(cells):
        start, end = cell * size // cells, -(-(cell + 1) * size // cells)
        matrix[cell, start:end] = 1.0 / (end - start)
    return matrix
