"""Segments of a video by transformers that see several frames at once, from folders of the hub's:
what is done (TimeSformer, VideoMAE), what a segment is like and where they looked (TimeSformer).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.attention_rollout import rollout
from models.errors import CheckpointError
from models.gpu_calls import LentModel, on_gpu
from models.pretrained import Pretrained
from models.types import Floats, Pixels

TRAINED_FPS = 30.0  # of the videos that they were trained on, about
_BATCH = {"cuda": 8}
_BATCH_ELSEWHERE = 2  # more is no faster on a CPU and takes memory


class VideoTransformer(LentModel):
    """Implements protocols.SegmentClassifier for every such network that transformers rebuilds."""

    def __init__(self, folder: Path, name: str, stride: int) -> None:
        """`stride`: in training every so manieth frame of the video was shown.

        Raises:
            CheckpointError: the folder does not hold a whole network of that kind.
        """
        self._model = Pretrained(
            folder, name, "AutoModelForVideoClassification", "AutoImageProcessor", lent_gpu=True
        )
        self.name = name
        self.weights_hash: str | None = self._model.weights_hash
        config = self._model.network.config
        self.labels = tuple(str(label) for _, label in sorted(_numbered(config.id2label)))
        self.frames_per_segment = int(config.num_frames)
        self.segment_s = self.frames_per_segment * stride / TRAINED_FPS
        self.short_side_px = int(config.image_size)

    @on_gpu(start_s=5, each_s=0.2, rows="frames")
    def classify_segments(self, frames: Pixels) -> Floats:
        """u8 RGB [N, T, H, W, 3] -> float32 [N, K], each row sums to one."""
        return self._over_batches(frames, len(self.labels), self._probabilities)

    def _probabilities(self, inputs: Any) -> Any:
        return self._model.network(**inputs).logits.float().softmax(dim=-1)

    def _over_batches(self, frames: Pixels, width: int, run: Callable[[Any], Any]) -> Floats:
        import torch

        self._check(frames.shape)
        found = [np.zeros((0, width), np.float32)]
        for batch in self._batches(frames):
            with self._model.running, torch.inference_mode():
                self._model.free_threads()
                found.append(run(self._inputs(batch)).float().cpu().numpy())
        return np.concatenate(found)

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 5 or shape[1] != self.frames_per_segment or shape[4] != 3:
            raise ValueError(
                f"segments are u8 [N, {self.frames_per_segment}, H, W, 3], received {shape}"
            )

    def _batches(self, frames: Pixels) -> Iterator[Pixels]:
        size = _BATCH.get(self._model.device, _BATCH_ELSEWHERE)
        for start in range(0, len(frames), size):
            yield frames[start : start + size]

    def _inputs(self, frames: Pixels) -> Any:
        """[N, T, H, W, 3] -> what the network takes. It sees the middle square of each picture."""
        square = middle_square(frames)
        segments = [[np.ascontiguousarray(frame) for frame in segment] for segment in square]
        return self._model.given(
            self._model.processor(segments, return_tensors="pt", input_data_format="channels_last")
        )


class TimeSformer(VideoTransformer):
    """Implements protocols.SegmentEncoder too, and shows its attention."""

    def __init__(self, folder: Path, name: str, stride: int) -> None:
        super().__init__(folder, name, stride)
        config = self._model.network.config
        if getattr(config, "attention_type", None) != "divided_space_time":
            raise CheckpointError(
                f"The folder of {name} holds no TimeSformer with divided attention: fetch it again."
            )
        self.dim = int(config.hidden_size)

    @on_gpu(start_s=5, each_s=0.2, rows="frames")
    def encode_segments(self, frames: Pixels) -> Floats:
        """u8 RGB [N, T, H, W, 3] -> float32 [N, D]: the class token after the last block."""
        return self._over_batches(frames, self.dim, self._features)

    def _features(self, inputs: Any) -> Any:
        return self._model.network.timesformer(**inputs).last_hidden_state[:, 0]

    @on_gpu(start_s=8)
    def attend(self, frames: Pixels) -> Floats:
        """Where it looked: u8 RGB [T, H, W, 3] -> float32 [T, h, w] in [0, 1].

        The map lies over the middle square of the pictures, which is all that it sees.
        """
        import torch

        self._check((1, *frames.shape))
        temporal: list[Floats] = []
        layers = self._model.network.timesformer.encoder.layer
        with self._model.running, torch.inference_mode():
            self._model.free_threads()
            hooks = [
                layer.temporal_attention.attention.register_forward_hook(_keeping(temporal))
                for layer in layers
            ]
            try:
                seen = self._model.network.timesformer(
                    **self._inputs(frames[None]), output_attentions=True
                )
            finally:
                for hook in hooks:
                    hook.remove()
        spatial = [_mean_of_heads(attention) for attention in seen.attentions]
        share_TP = rollout(np.stack(spatial), np.stack(temporal))
        side = round(share_TP.shape[1] ** 0.5)
        return share_TP.reshape(len(frames), side, -1)


def middle_square(frames: Pixels) -> Pixels:
    """[..., H, W, 3] -> [..., S, S, 3]; S is the shorter side."""
    height, width = frames.shape[-3:-1]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frames[..., top : top + side, left : left + side, :]


def _keeping(kept: list[Floats]) -> Callable[[Any, tuple[Any, ...], Any], None]:
    """A hook: transformers does not give the attention through time, so it is computed again."""

    def hook(module: Any, given: tuple[Any, ...], _: Any) -> None:
        hidden = given[0]  # [P, T, D], of one segment
        places, frames, width = hidden.shape
        parts = module.qkv(hidden).reshape(places, frames, 3, module.num_heads, -1)
        query, key, _ = parts.permute(2, 0, 3, 1, 4)
        scores = (query @ key.transpose(-2, -1)) * module.scale
        kept.append(_mean_of_heads(scores.float().softmax(dim=-1)))

    return hook


def _mean_of_heads(attention: Any) -> Floats:
    mean: Floats = attention.float().mean(dim=1).cpu().numpy()
    return mean


def _numbered(labels: dict[Any, str]) -> Iterator[tuple[int, str]]:
    return ((int(number), label) for number, label in labels.items())
