"""Things in pictures by DETR and its descendants in transformers, from a folder of the hub's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.gpu_calls import LentModel, on_gpu
from models.pretrained import Pretrained
from models.types import Detections, Pixels

THRESHOLD = 0.5
_BATCH = {"cuda": 8}
_BATCH_ELSEWHERE = 2  # more is no faster on a CPU and takes memory
_NO_LABEL = "N/A"  # COCO's numbers have gaps, which DETR's description calls so
_LEAST_SIDE_PX = 1.0


class HubObjectDetector(LentModel):
    """Implements protocols.ObjectDetector for every detector that transformers can rebuild."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises CheckpointError where the folder does not hold a whole detector."""
        self._model = Pretrained(
            folder, name, "AutoModelForObjectDetection", "AutoImageProcessor", lent_gpu=True
        )
        self.name = name
        self.weights_hash: str | None = self._model.weights_hash
        named = self._model.network.config.id2label
        self._label_of = {int(number): str(label) for number, label in named.items()}
        self.labels = tuple(
            dict.fromkeys(
                label for _, label in sorted(self._label_of.items()) if label != _NO_LABEL
            )
        )

    @on_gpu(start_s=5, each_s=0.2, rows="frames")
    def detect(self, frames: Pixels, threshold: float = THRESHOLD) -> list[Detections]:
        """u8 RGB [T, H, W, 3] -> one Detections a frame, whose scores reach the threshold."""
        found: list[Detections] = []
        with self._model.running:
            self._model.free_threads()
            for batch in self._batches(frames):
                found += self._detect(batch, threshold)
        return found

    def _batches(self, frames: Pixels) -> Iterator[Pixels]:
        size = _BATCH.get(self._model.device, _BATCH_ELSEWHERE)
        for start in range(0, len(frames), size):
            yield frames[start : start + size]

    def _detect(self, frames: Pixels, threshold: float) -> list[Detections]:
        import torch

        processor = self._model.processor
        pictures = [np.ascontiguousarray(frame) for frame in frames]
        inputs = self._model.given(
            processor(images=pictures, return_tensors="pt", input_data_format="channels_last")
        )
        with torch.inference_mode():
            outputs = self._model.network(**inputs)
        outputs.logits, outputs.pred_boxes = outputs.logits.float(), outputs.pred_boxes.float()
        height, width = frames.shape[1:3]
        results = processor.post_process_object_detection(
            outputs, threshold=threshold, target_sizes=[(height, width)] * len(frames)
        )
        return [self._detections(result, height, width) for result in results]

    def _detections(self, result: Any, height: int, width: int) -> Detections:
        """Boxes cut at the edges of the picture; what is outside or has no name is left out."""
        boxes = result["boxes"].cpu().numpy().astype(np.float32).reshape(-1, 4)
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        scores = result["scores"].cpu().numpy().astype(np.float32)
        labels = [self._label_of.get(int(n), _NO_LABEL) for n in result["labels"].cpu().numpy()]
        sides = boxes[:, 2:] - boxes[:, :2]
        kept = [
            row
            for row in np.argsort(-scores, kind="stable")
            if labels[row] != _NO_LABEL and sides[row].min() >= _LEAST_SIDE_PX
        ]
        return Detections(boxes[kept], scores[kept], tuple(labels[row] for row in kept))
