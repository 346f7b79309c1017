"""CLIP, SigLIP 2 and their like: frames and sentences to one space, from a folder of the hub's.

What such a model sees of a frame is what a query is compared with, so its index is its own: a
video is read once for it, and every query after that is answered from the index.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.certainty import COMPARED, OWN, Certainty
from models.converted_engine import fastest_engine
from models.device import lends_gpu
from models.engine import Engine
from models.errors import CheckpointError
from models.gpu_calls import LentModel, on_gpu
from models.numpy_layers import unit_rows
from models.pretrained import Pretrained
from models.types import Floats, Pixels

if TYPE_CHECKING:
    from torch import Tensor, nn

CHUNK_FRAMES = 32
CHUNK_TEXTS = 64
# Sentences of SigLIP are padded to this length in training, without saying which part is padding.
SIGLIP_TOKENS = 64


class ImageTextEncoder(LentModel):
    """Implements protocols.FrameEncoder and protocols.FrameTextEncoder.

    A model that was trained by sigmoids (SigLIP) says of one picture and one sentence alone how
    likely they belong together, and that is handed on as its own word. One that was trained to tell
    sentences apart (CLIP) says only which is closer. Neither was measured for pairs of pictures.
    """

    picture_certainty: Certainty = COMPARED

    def __init__(self, folder: Path, name: str) -> None:
        """Raises CheckpointError where the folder does not hold a whole model of that kind."""
        self._model = Pretrained(folder, name, "AutoModel", "AutoProcessor")
        network = self._model.network
        if not hasattr(network, "get_image_features") or not hasattr(network, "logit_scale"):
            raise CheckpointError(
                f"The folder of {name} holds no model of pictures and sentences: fetch it again."
            )
        self.name = self.index_encoder = name
        self.weights_hash: str | None = self._model.weights_hash
        self._by_sigmoid = hasattr(network, "logit_bias")
        self.certainty: Certainty = OWN if self._by_sigmoid else COMPARED
        self._scale = float(network.logit_scale.detach().float().exp())
        self._bias = float(network.logit_bias.detach().float()) if self._by_sigmoid else 0.0
        self.short_side_px = int(network.config.vision_config.image_size)
        self.dim = self.encode_texts(["a"]).shape[1]
        self._built: tuple[str, Engine] | None = None  # for where this process computes
        self._building = threading.Lock()
        if not lends_gpu():  # there another process sees the frames
            self._engine()

    @property
    def engine(self) -> str:
        """What runs the picture side: openvino or torch."""
        return self._engine().name

    def _engine(self) -> Engine:
        device = self._model.device
        with self._building:
            if self._built is None or self._built[0] != device:
                network = _picture_side(self._model.network)
                engine = fastest_engine(network, self.short_side_px, self.dim)
                self._built = device, engine
            return self._built[1]

    @on_gpu(start_s=5, each_s=0.05, rows="frames")
    def encode_frames(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D], each row of length one."""
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames are u8 [T, H, W, 3], received {frames.dtype} {frames.shape}")
        embeddings = np.empty((len(frames), self.dim), np.float32)
        for start in range(0, len(frames), CHUNK_FRAMES):
            rows = slice(start, start + CHUNK_FRAMES)
            embeddings[rows] = self._engine().run(self._prepared(frames[rows]))
        return unit_rows(embeddings)

    def project(self, features: Floats) -> Floats:
        """The index holds its embeddings already, rounded to half precision."""
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(f"features are [T, {self.dim}], received {features.shape}")
        return unit_rows(np.asarray(features, np.float32))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """[N] -> float32 [N, D], each row of length one."""
        import torch

        found = []
        with self._model.running, torch.inference_mode():
            self._model.free_threads()
            for start in range(0, len(texts), CHUNK_TEXTS):
                inputs = self._read(list(texts[start : start + CHUNK_TEXTS]))
                features = self._model.network.get_text_features(**inputs)
                found.append(features.pooler_output.float().cpu().numpy())
        return unit_rows(np.concatenate(found)) if found else np.empty((0, self.dim), np.float32)

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        """That they belong together as the model itself says; `searched` changes nothing in that.

        Raises:
            ValueError: it was not trained to say so.
        """
        if not self._by_sigmoid:
            raise ValueError(f"{self.name} compares and gives no probability")
        logits = self._scale * np.asarray(scores, np.float64) + self._bias
        return np.asarray(1.0 / (1.0 + np.exp(-logits.clip(-60, 60))), np.float32)

    def picture_probability(self, scores: Floats, searched: int = 1) -> Floats:
        """Raises ValueError: nobody measured it, see `picture_certainty`."""
        raise ValueError(f"{self.name} gives no probability for two pictures")

    def reads(self, text: str) -> bool:
        """Whether there is a letter or a digit in it."""
        return any(letter.isalnum() for letter in text)

    def _prepared(self, frames: Pixels) -> Floats:
        """Resized, cropped and normalised by its own processor: float32 [T, 3, side, side]."""
        made = self._model.processor.image_processor(
            images=[np.ascontiguousarray(frame) for frame in frames],
            return_tensors="pt",
            input_data_format="channels_last",
        )
        return np.asarray(made["pixel_values"].numpy(), np.float32)

    def _read(self, texts: list[str]) -> "dict[str, Tensor]":
        import torch

        tokenizer = self._model.processor.tokenizer
        longest = self._model.network.config.text_config.max_position_embeddings
        if self._by_sigmoid:
            rows = [
                _as_siglip_reads(tokenizer, text, min(longest, SIGLIP_TOKENS)) for text in texts
            ]
            return {"input_ids": torch.tensor(rows, device=self._model.device)}
        read = tokenizer(
            texts, padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        names = ("input_ids", "attention_mask")
        return {name: read[name].to(self._model.device) for name in names}


def _as_siglip_reads(tokenizer: Any, text: str, length: int) -> list[int]:
    """In lower case, then the end's token, then padding that is read as the rest: as in training.

    Which of this a tokenizer does by itself depends on the file it came from and on its version.
    """
    read: list[int] = tokenizer(text.lower(), add_special_tokens=False)["input_ids"]
    ended = [*read[: length - 1], tokenizer.eos_token_id]
    return ended + [tokenizer.pad_token_id] * (length - len(ended))


def _picture_side(network: Any) -> "nn.Module":
    """The part that makes vectors of pictures, as a network of one input and one output."""
    from torch import nn

    class PictureSide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixel_values: "Tensor") -> "Tensor":
            features: Tensor = network.get_image_features(pixel_values=pixel_values).pooler_output
            return features

    return PictureSide().eval()
