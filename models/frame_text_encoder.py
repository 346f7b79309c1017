"""Frames and sentences to one space, so that a video can be searched in words.

The image side is a projection of a compact backbone's features; the text side is small enough to
run in numpy, so that a query is answered without loading torch. The backbone has a checkpoint of
its own, beside this one: other models read the same features, and they are computed once.
"""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.certainty import MEASURED, Certainty
from models.checkpoint import Checkpoint, beside, load_arrays, read_checkpoint
from models.errors import CheckpointError
from models.numpy_layers import Arrays, layer_norm, linear, unit_rows
from models.subwords import PADDING_ID, Subwords, words_of
from models.types import Floats, Pixels

if TYPE_CHECKING:
    from models.backbone_encoder import BackboneEncoder

KIND = "frame_text_encoder"
BACKBONE_KIND = "backbone"
VOCABULARY_FILE = "subwords.json"
CHUNK_TEXTS = 64
MOST_ALIKE = 0.999  # equal pictures are finitely alike

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FrameTextShape:
    """Everything that is needed to build the network, before its weights are loaded."""

    vocabulary: int
    feature_dim: int
    dim: int = 256
    width: int = 192
    layers: int = 1
    heads: int = 4
    inner_width: int = 384
    text_limit: int = 40  # pieces of a text that are read; the rest is cut off

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value < (0 if field.name == "layers" else 1):
                raise ValueError(f"{field.name} is at least 1, received {value}")
        if self.width % self.heads:
            raise ValueError(f"width is a multiple of heads, received {self.width}, {self.heads}")

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored tensor."""
        width, inner = self.width, self.inner_width
        shapes: dict[str, tuple[int, ...]] = {
            "text.pieces.weight": (self.vocabulary, width),
            "text.places": (self.text_limit, width),
            "text.norm.weight": (width,),
            "text.norm.bias": (width,),
            "text_out.weight": (self.dim, width),
            "text_out.bias": (self.dim,),
            "image_out.weight": (self.dim, self.feature_dim),
            "image_out.bias": (self.dim,),
        }
        linear = {
            "query_key_value": (3 * width, width),
            "join": (width, width),
            "up": (inner, width),
            "down": (width, inner),
        }
        for layer in range(self.layers):
            for name, shape in linear.items():
                shapes[f"text.layers.{layer}.{name}.weight"] = shape
                shapes[f"text.layers.{layer}.{name}.bias"] = shape[:1]
            for name in ("norm_1", "norm_2"):
                shapes[f"text.layers.{layer}.{name}.weight"] = (width,)
                shapes[f"text.layers.{layer}.{name}.bias"] = (width,)
        return shapes


@dataclass(frozen=True, slots=True)
class Calibration:
    """From a score to the probability of a match, fitted on pairs that nothing was learned from.

    `crowd` is how much less a score means when it is the best of many moments.
    """

    slope: float
    offset: float
    crowd: float = 0.0

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        logits = self.slope * np.asarray(scores, np.float64) + self.offset
        logits -= self.crowd * math.log(max(searched, 1))
        return np.asarray(1.0 / (1.0 + np.exp(-logits.clip(-60, 60))), np.float32)


class FrameTextEncoder:
    """From its checkpoint folder. Implements protocols.FrameEncoder and FrameTextEncoder."""

    certainty: Certainty = MEASURED
    picture_certainty: Certainty = MEASURED

    def __init__(self, folder: Path, backbone_folder: Path | None = None) -> None:
        """The backbone is the folder beside this one that the description names, unless given.

        Raises:
            CheckpointError: this folder or the backbone's cannot be used.
        """
        checkpoint = read_checkpoint(folder, kind=KIND)
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.shape = _shape_of(checkpoint)
        self.dim = self.shape.dim
        self.short_side_px = int(checkpoint.preprocessing["side_px"])
        self.calibration = calibration_of(checkpoint, "calibration")
        self.picture_calibration = calibration_of(checkpoint, "picture_calibration")
        self.backbone_hash = str(checkpoint.preprocessing["backbone_hash"])
        self.index_encoder = str(checkpoint.preprocessing["backbone"])
        self._backbone_folder = backbone_folder or beside(folder, self.index_encoder)
        check_backbone(checkpoint.name, self._backbone_folder, self.backbone_hash)
        self._subwords = _read_subwords(checkpoint, self.shape)
        self._arrays = load_arrays(checkpoint, self.shape.tensors())
        self._backbone: BackboneEncoder | None = None

    def encode_frames(self, frames: Pixels) -> Floats:
        """u8 RGB [T, H, W, 3] -> float32 [T, D], each row of length one."""
        if self._backbone is None:
            from models.backbone_encoder import BackboneEncoder

            self._backbone = BackboneEncoder(self._backbone_folder)
        return self.project(self._backbone.encode_frames(frames))

    def project(self, features: Floats) -> Floats:
        """The backbone's features of frames, where an index holds them already."""
        if features.ndim != 2 or features.shape[1] != self.shape.feature_dim:
            wanted = self.shape.feature_dim
            raise ValueError(f"features are [T, {wanted}], received {features.shape}")
        scaled = unit_rows(np.asarray(features, np.float32)) * math.sqrt(self.shape.feature_dim)
        return unit_rows(linear(self._arrays, "image_out", scaled))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Any texts -> float32 [N, D], each row of length one."""
        embeddings = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), CHUNK_TEXTS):
            chunk = [self._subwords.encode(text) for text in texts[start : start + CHUNK_TEXTS]]
            ids = pad_ids(chunk, self.shape.text_limit)
            read = read_texts(self._arrays, self.shape, ids)
            embeddings[start : start + CHUNK_TEXTS] = unit_rows(
                linear(self._arrays, "text_out", read)
            )
        return embeddings

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        """That a frame shows what the query says, from their cosine; any shape.

        Half of the pairs are taken to match before anything is known. For the best one of many
        moments say how many distinct ones were `searched`: among many, one looks right by chance.
        """
        return self.calibration.probability(scores, searched)

    def picture_probability(self, scores: Floats, searched: int = 1) -> Floats:
        """That two frames belong to one video or scene, from their cosine; any shape."""
        return self.picture_calibration.probability(spread_likeness(scores), searched)

    def reads(self, text: str) -> bool:
        """Whether there is a word in it; scripts other than Latin hold none."""
        return bool(words_of(text))


def spread_likeness(cosines: Floats) -> Floats:
    """Fisher's z: of pictures, the last hundredth of a cosine says as much as tenths lower down."""
    return np.asarray(np.arctanh(MOST_ALIKE * np.clip(cosines, -1.0, 1.0)), np.float32)


def calibration_of(checkpoint: Checkpoint, name: str) -> Calibration:
    try:
        return Calibration(**checkpoint.config[name])
    except (KeyError, TypeError):
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} does not say its {name}: export it again."
        ) from None


def _shape_of(checkpoint: Checkpoint) -> FrameTextShape:
    try:
        return FrameTextShape(**checkpoint.architecture)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error


def check_backbone(name: str, folder: Path, wanted: str) -> None:
    try:
        found = read_checkpoint(folder, kind=BACKBONE_KIND).weights_hash
    except CheckpointError as error:
        raise CheckpointError(
            f"The checkpoint {name} reads the features of {folder.name}: {error}"
        ) from error
    if found != wanted:
        raise CheckpointError(
            f"The checkpoint {name} was trained on a {folder.name} with the hash {wanted[:12]}, "
            f"but the one beside it has {found[:12]}: fetch both again."
        )


def _read_subwords(checkpoint: Checkpoint, shape: FrameTextShape) -> Subwords:
    path = checkpoint.folder / VOCABULARY_FILE
    try:
        content = path.read_bytes()
    except OSError:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} has no {VOCABULARY_FILE}: fetch it again."
        ) from None
    found, wanted = hashlib.sha256(content).hexdigest(), checkpoint.config.get("subwords_sha256")
    if found != wanted:
        raise CheckpointError(
            f"The {VOCABULARY_FILE} of the checkpoint {checkpoint.name} has the hash {found[:12]}, "
            f"but its description promises {str(wanted)[:12]}: fetch it again."
        )
    subwords = Subwords.from_json(content.decode("utf-8"))
    if len(subwords) != shape.vocabulary:
        raise CheckpointError(
            f"The {VOCABULARY_FILE} of the checkpoint {checkpoint.name} has {len(subwords)} "
            f"pieces, but its network {shape.vocabulary}."
        )
    return subwords


def pad_ids(texts: Sequence[Sequence[int]], limit: int) -> Ids:
    """[N, L]: as long as the longest text, which is cut at the limit."""
    cut = [ids[:limit] for ids in texts]
    padded = np.full((len(cut), max(map(len, cut), default=1)), PADDING_ID, np.int64)
    for row, ids in enumerate(cut):
        padded[row, : len(ids)] = ids
    return padded


def read_texts(arrays: Arrays, shape: FrameTextShape, ids: Ids) -> Floats:
    """What train.frame_text_network.TextTower computes, in numpy: ids [N, L] -> [N, width]."""
    present = ids != PADDING_ID
    x = arrays["text.pieces.weight"][ids] + arrays["text.places"][: ids.shape[1]]
    for layer in range(shape.layers):
        x = _layer(arrays, f"text.layers.{layer}", x, present, shape.heads)
    weights_NL1 = present[..., None].astype(np.float32)
    mean_ND = (x * weights_NL1).sum(1) / weights_NL1.sum(1)
    return layer_norm(arrays, "text.norm", mean_ND)


def _layer(
    arrays: Arrays, name: str, x: Floats, present: npt.NDArray[np.bool_], heads: int
) -> Floats:
    count, length, width = x.shape
    normed = layer_norm(arrays, f"{name}.norm_1", x)
    split = linear(arrays, f"{name}.query_key_value", normed)
    query, key, value = split.reshape(count, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
    logits = query @ key.swapaxes(-1, -2) / math.sqrt(width // heads)
    logits = np.where(present[:, None, None, :], logits, -np.inf)
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    attended = (shares / shares.sum(-1, keepdims=True)) @ value
    joined = attended.transpose(0, 2, 1, 3).reshape(count, length, width)
    x = x + linear(arrays, f"{name}.join", joined)
    inner = _gelu(linear(arrays, f"{name}.up", layer_norm(arrays, f"{name}.norm_2", x)))
    return np.asarray(x + linear(arrays, f"{name}.down", inner), np.float32)


def _gelu(x: Floats) -> Floats:
    """The form with tanh, which numpy has; training uses the same."""
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1 + np.tanh(inner)), np.float32)
