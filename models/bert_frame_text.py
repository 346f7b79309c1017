"""A frame-text encoder whose text side is DistilBERT: ResNet50 with DistilBERT, and its like.

Frames are read through the index of the backbone that it was trained with. The text side stays on
the CPU: one query takes a few hundredths of a second there.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.certainty import MEASURED, Certainty
from models.checkpoint import Checkpoint, beside, load_weights, read_checkpoint
from models.described import within_weights
from models.device import free_threads
from models.errors import CheckpointError
from models.frame_text_encoder import calibration_of, check_backbone, spread_likeness
from models.types import Floats, Pixels

if TYPE_CHECKING:
    from models.backbone_encoder import BackboneEncoder
    from models.bert_network import BertFrameTextNetwork

KIND = "bert_frame_text"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
CHUNK_TEXTS = 64


class BertFrameText:
    """From its checkpoint folder. Implements protocols.FrameEncoder and FrameTextEncoder."""

    certainty: Certainty = MEASURED
    picture_certainty: Certainty = MEASURED

    def __init__(self, folder: Path, backbone_folder: Path | None = None) -> None:
        """The backbone is the one that the description names, beside this one or shipped.

        Raises:
            CheckpointError: this folder or the backbone's cannot be used.
        """
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.calibration = calibration_of(checkpoint, "calibration")
        self.picture_calibration = calibration_of(checkpoint, "picture_calibration")
        try:
            self.index_encoder = str(checkpoint.preprocessing["encoder"])
            self.encoder_hash = str(checkpoint.preprocessing["encoder_hash"])
            self.short_side_px = int(checkpoint.preprocessing["side_px"])
        except KeyError as error:
            raise CheckpointError(
                f"The checkpoint {self.name} does not say its {error}: export it again."
            ) from None
        self._backbone_folder = backbone_folder or beside(folder, self.index_encoder)
        check_backbone(self.name, self._backbone_folder, self.encoder_hash)
        self._tokenizer = _tokenizer(checkpoint)
        self._network = _network(checkpoint)
        self.dim = self._network.shape.dim
        self._running = threading.Lock()
        self._backbone: BackboneEncoder | None = None

    def encode_frames(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D], each row of length one."""
        if self._backbone is None:
            from models.backbone_encoder import BackboneEncoder

            self._backbone = BackboneEncoder(self._backbone_folder)
        return self.project(self._backbone.encode_frames(frames))

    def project(self, features: Floats) -> Floats:
        """The backbone's features of frames, where an index holds them already."""
        import torch

        wanted = self._network.shape.feature_dim
        if features.ndim != 2 or features.shape[1] != wanted:
            raise ValueError(f"features are [T, {wanted}], received {features.shape}")
        given = torch.from_numpy(np.array(features, np.float32))
        with self._running, torch.inference_mode():
            torch.set_num_threads(free_threads())
            return np.asarray(self._network.embed_features(given).numpy(), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """[N] -> float32 [N, D], each row of length one."""
        import torch

        from models.bert_network import read_texts

        embeddings = np.empty((len(texts), self.dim), np.float32)
        with self._running, torch.inference_mode():
            torch.set_num_threads(free_threads())
            for start in range(0, len(texts), CHUNK_TEXTS):
                rows = slice(start, start + CHUNK_TEXTS)
                read = read_texts(
                    self._tokenizer, list(texts[rows]), self._network.shape.text_limit
                )
                embeddings[rows] = self._network.embed_texts(*read).numpy()
        return embeddings

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        """That a frame shows what the query says, from their cosine; see FrameTextEncoder."""
        return self.calibration.probability(scores, searched)

    def picture_probability(self, scores: Floats, searched: int = 1) -> Floats:
        """That two frames belong to one video or scene, from their cosine; any shape."""
        return self.picture_calibration.probability(spread_likeness(scores), searched)

    def reads(self, text: str) -> bool:
        """Whether a word of it is known to the tokenizer."""
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return any(token != self._tokenizer.unk_token_id for token in ids) and any(
            letter.isalnum() for letter in text
        )


def _tokenizer(checkpoint: Checkpoint) -> Any:
    from transformers import AutoTokenizer

    for file in TOKENIZER_FILES:
        if not (checkpoint.folder / file).is_file():
            raise CheckpointError(
                f"The checkpoint {checkpoint.name} has no {file}: fetch it again."
            )
    try:
        return AutoTokenizer.from_pretrained(
            str(checkpoint.folder), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError) as error:
        raise CheckpointError(
            f"The tokenizer of the checkpoint {checkpoint.name} cannot be read: fetch it again."
        ) from error


def _network(checkpoint: Checkpoint) -> "BertFrameTextNetwork":
    from models.bert_network import BertFrameTextNetwork, BertFrameTextShape

    try:
        shape = BertFrameTextShape(**checkpoint.architecture)
        with within_weights(checkpoint.weights_path):
            network = BertFrameTextNetwork(shape)
    except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error
    load_weights(checkpoint, network)
    return network.eval()
