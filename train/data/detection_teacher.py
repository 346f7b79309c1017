"""The detector to distil from: SSD MobileNetV1 (COCO), int8, run by OpenVINO.

OpenVINO has no translation of TFLite's last operation, which decodes and suppresses boxes. The
network is cut before it and both are done here: 110 pictures a second on one core.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boxes import kept_boxes
from models.engine import import_openvino
from models.squash import squash_to_square
from models.types import Floats, Pixels

TEACHER_FILE = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
LABELS_FILE = "coco_labels.txt"
SIDE_PX = 300
POSTPROCESS = "TFFrameworkNode"  # what stays of an operation that was not translated
CENTRE_SCALE, SIZE_SCALE = 10.0, 5.0  # of the encoding of boxes, as in every SSD of that time
SAME_IOU = 0.5

# What is asked of the teacher: things alike to a small detector are one kind. The members are
# kept with each box.
KINDS: dict[str, tuple[str, ...]] = {
    "person": ("person",),
    "car": ("car", "bus", "truck"),
    "bike": ("bicycle", "motorcycle"),
    "animal": ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra",
               "giraffe"),
    "screen": ("tv", "laptop"),
    "chair": ("chair", "couch", "bench"),
    "bottle": ("bottle", "wine glass", "cup"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TeacherBoxes:
    """What the teacher sees in one picture; boxes in shares of its width and height."""

    boxes: Floats  # [N, 4]: x0, y0, x1, y1
    kinds: npt.NDArray[np.uint8]  # [N], places in KINDS
    members: npt.NDArray[np.uint8]  # [N], places in the teacher's labels
    scores: Floats  # [N]


class DetectionTeacher:
    """All boxes above a score, each kind suppressed on its own."""

    def __init__(self, folder: Path, least_score: float) -> None:
        openvino = import_openvino()
        fronts: Any = importlib.import_module("openvino.frontend")
        front = fronts.FrontEndManager().load_by_framework("tflite")
        whole = front.convert_partially(front.load(str(folder / TEACHER_FILE)))
        last = next(op for op in whole.get_ordered_ops() if op.get_type_name() == POSTPROCESS)
        # Each of the two is rounded to bytes and made bytes; what is wanted is before that.
        rounded = [last.input_value(number).get_node().input_value(0) for number in range(2)]
        encoded = [output.get_node().input_value(0) for output in rounded]
        cut = openvino.Model([*encoded, last.input_value(2)], whole.get_parameters())
        one_thread = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(cut, "CPU", one_thread)
        self._request = compiled.create_infer_request()
        self.labels = tuple((folder / LABELS_FILE).read_text().split("\n"))
        self._members = [
            np.array([self.labels.index(name) for name in names]) for names in KINDS.values()
        ]
        self._least_score = least_score

    def answer(self, picture: Pixels) -> TeacherBoxes:
        """u8 [H, W, 3], of any shape."""
        self._request.infer({0: squash_to_square(picture, SIDE_PX)[None]})
        encoded, scores, anchors = (
            self._request.get_output_tensor(number).data for number in range(3)
        )
        boxes = decoded(encoded[0], anchors)
        by_label = scores[0, :, 1:]  # the first is "nothing"
        found: list[tuple[Floats, int, npt.NDArray[np.int64], Floats]] = []
        for kind, members in enumerate(self._members):
            best = by_label[:, members].max(axis=1)
            rows = np.flatnonzero(best >= self._least_score)
            rows = rows[kept_boxes(boxes[rows], best[rows], SAME_IOU)]
            which = members[by_label[rows][:, members].argmax(axis=1)]
            found.append((boxes[rows], kind, which, best[rows]))
        return TeacherBoxes(
            np.concatenate([rows for rows, _, _, _ in found]),
            np.concatenate([np.full(len(rows), kind, np.uint8) for rows, kind, _, _ in found]),
            np.concatenate([which for _, _, which, _ in found]).astype(np.uint8),
            np.concatenate([best for _, _, _, best in found]).astype(np.float32),
        )


def decoded(encoded: Floats, anchors: Floats) -> Floats:
    """[A, 4] each as centre y, centre x, height, width -> x0, y0, x1, y1 inside the picture."""
    centres = encoded[:, :2] / CENTRE_SCALE * anchors[:, 2:] + anchors[:, :2]
    sizes = np.exp(encoded[:, 2:] / SIZE_SCALE) * anchors[:, 2:]
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    return np.asarray(corners[:, [1, 0, 3, 2]].clip(0, 1), np.float32)
