"""A small captioner: a sentence about one or more frames, from what a backbone sees in them.

It learned from a few thousand captioned videos and says what such videos mostly show. How sure it
is, it says as the share of its words of content that people who saw the same frames used as well,
as estimated on videos that nothing was learned from. Where that is low it says something plainer.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.caption_decoder import (
    CaptionDecoder,
    CaptionShape,
    Said,
    SearchRules,
    ranked,
    rules_from,
)
from models.caption_words import OPEN_WORDS, PEOPLE, THINGS, CaptionWords, content_words
from models.checkpoint import Checkpoint, load_arrays, read_checkpoint
from models.checkpoint import beside as checkpoint_beside
from models.errors import CheckpointError
from models.frame_text_encoder import FrameTextEncoder
from models.types import Floats, FrameBatch, Halves, Pixels, SceneDescription

if TYPE_CHECKING:
    from models.backbone_encoder import BackboneEncoder

KIND = "captioner"
WORDS_FILE = "words.json"
READS = ("backbone", "compact", "both")
FRAMES_WANTED = 8
FRAMES_AT_MOST = 32  # of an index; more are thinned evenly


def features_read(embeddings: Floats, encoder: FrameTextEncoder, reads: str) -> Floats:
    """What the network is given: rows of length one, scaled so that entries are near one."""
    parts = []
    if reads in ("backbone", "both"):
        parts.append(embeddings * np.float32(math.sqrt(embeddings.shape[1])))
    if reads in ("compact", "both"):
        projected = encoder.project(embeddings)
        parts.append(projected * np.float32(math.sqrt(projected.shape[1])))
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class Confidence:
    """From what is known of a caption to the share of its words that people used as well."""

    per_word: float  # weight of the mean logarithm of probability of its words
    match: float  # of how well the frame-text encoder finds it to fit the frames, a cosine
    words: float  # of the number of its words of content
    offset: float

    def of(self, per_word: float, match: float, words: int) -> float:
        logit = self.per_word * per_word + self.match * match + self.words * words + self.offset
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption that was considered, with all that is known of it."""

    text: str
    said: Said
    match: float
    confidence: float


class Captioner:
    """From its checkpoint folder. Implements protocols.SceneDescriber.

    The backbone and the frame-text encoder that it was trained on lie beside it.
    """

    def __init__(self, folder: Path, beside: Path | None = None) -> None:
        """Raises CheckpointError where this folder or one that it reads from cannot be used."""
        checkpoint = read_checkpoint(folder, kind=KIND)
        preprocessing = checkpoint.preprocessing
        self.name = checkpoint.name
        self.weights_hash: str | None = checkpoint.weights_hash
        self.metrics = checkpoint.metrics
        self.index_encoder = str(preprocessing["backbone"])
        self.frames_wanted = FRAMES_WANTED
        self.short_side_px = int(preprocessing["side_px"])
        self.shape = _shape_of(checkpoint)
        self.rules, self.confidence, self.doubt_below, self.plain = _habits_of(checkpoint)
        self.backbone_hash = str(preprocessing["backbone_hash"])
        self.frame_text_hash = str(preprocessing["frame_text_hash"])
        self._reads = str(preprocessing["reads"])
        self._backbone_folder = _read_by(folder, beside, self.index_encoder)
        self._frame_text = FrameTextEncoder(
            _read_by(folder, beside, str(preprocessing["frame_text"]))
        )
        self._check_frame_text()
        self.words = _read_words(checkpoint, self.shape)
        self._decoder = CaptionDecoder(
            load_arrays(checkpoint, self.shape.tensors()), self.shape, self.words.ids_of(OPEN_WORDS)
        )
        self._backbone: BackboneEncoder | None = None

    def _check_frame_text(self) -> None:
        """The backbone beside it is the frame-text encoder's to check."""
        found, wanted = str(self._frame_text.weights_hash), self.frame_text_hash
        if found != wanted:
            raise CheckpointError(
                f"The checkpoint {self.name} was trained on a {self._frame_text.name} with the "
                f"hash {wanted[:12]}, but the one beside it has {found[:12]}: fetch both again."
            )

    def describe(self, frames: Pixels) -> str:
        """u8 RGB [T, H, W, 3], any T from 1 on, in the order of time -> a sentence."""
        return self.describe_features(self._look(frames))[0]

    def describe_event(self, frames: FrameBatch, trigger: str) -> SceneDescription:
        """What is seen, whatever triggered: it cannot judge that, so there is no verdict."""
        text, confidence = self.describe_features(self._look(frames.pixels))
        named = content_words(text)
        return SceneDescription(
            text=text,
            confidence=confidence,
            people=tuple(word for word in named if word in PEOPLE),
            objects=tuple(word for word in named if word in THINGS),
        )

    def describe_features(self, embeddings: Floats | Halves) -> tuple[str, float]:
        """The index's embeddings [T, D] of some frames -> a sentence and how sure it is of it.

        The number estimates the share of its words of content that people who saw the frames used
        as well; articles and the like are not counted.
        """
        best = self.chosen(self.considered(embeddings))
        return best.text, best.confidence

    def considered(self, embeddings: Floats | Halves) -> list[Caption]:
        """Its captions, the best first, and after them the plain ones that it can fall back on."""
        if embeddings.ndim != 2 or len(embeddings) < 1:
            raise ValueError(f"embeddings are [T, D], one row or more, received {embeddings.shape}")
        rows = np.asarray(embeddings, np.float32)
        if len(rows) > FRAMES_AT_MOST:
            rows = rows[np.linspace(0, len(rows) - 1, FRAMES_AT_MOST).round().astype(int)]
        features = features_read(rows, self._frame_text, self._reads)
        said = self._decoder.search(features, self.rules)
        plain = [
            self._decoder.probability_of(features, self.words.encode(text)) for text in self.plain
        ]
        texts = [self.words.decode(one.ids) for one in [*said, *plain]]
        seen = self._frame_text.project(rows).mean(axis=0)
        matches = self._frame_text.encode_texts(texts) @ (seen / max(np.linalg.norm(seen), 1e-6))
        every = [
            Caption(text, one, float(match), self._sure(text, one, float(match)))
            for text, one, match in zip(texts, [*said, *plain], matches, strict=True)
        ]
        own = sorted(every[: len(said)], key=self._rank, reverse=True)
        return own + every[len(said) :]

    def chosen(self, considered: Sequence[Caption]) -> Caption:
        """The best, unless it is too unsure of it: then the surest of all that were considered."""
        best = considered[0]
        if best.confidence >= self.doubt_below:
            return best
        return max(considered, key=lambda caption: caption.confidence)

    def _rank(self, caption: Caption) -> float:
        return ranked(caption.said, self.rules) + self.rules.match_weight * caption.match

    def _sure(self, text: str, said: Said, match: float) -> float:
        return self.confidence.of(said.per_word, match, len(content_words(text)))

    def _look(self, frames: Pixels) -> Floats:
        if self._backbone is None:
            from models.backbone_encoder import BackboneEncoder

            self._backbone = BackboneEncoder(self._backbone_folder)
        if len(frames) > FRAMES_AT_MOST:
            frames = frames[np.linspace(0, len(frames) - 1, FRAMES_AT_MOST).round().astype(int)]
        return self._backbone.encode_frames(frames)


def _read_by(folder: Path, others: Path | None, name: str) -> Path:
    return checkpoint_beside(folder, name) if others is None else others / name


def _shape_of(checkpoint: Checkpoint) -> CaptionShape:
    try:
        return CaptionShape(**checkpoint.architecture)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} describes a network that cannot be built ({error})."
        ) from error


def _habits_of(checkpoint: Checkpoint) -> tuple[SearchRules, Confidence, float, tuple[str, ...]]:
    """How it searches, how sure it is of what, when it doubts, and what it says then."""
    config: dict[str, Any] = checkpoint.config
    try:
        return (
            rules_from(config["search"]),
            Confidence(**config["confidence"]),
            float(config["doubt_below"]),
            tuple(map(str, config["plain"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} does not say how it speaks ({error}): "
            "export it again."
        ) from error


def _read_words(checkpoint: Checkpoint, shape: CaptionShape) -> CaptionWords:
    try:
        content = (checkpoint.folder / WORDS_FILE).read_bytes()
    except OSError:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name} has no {WORDS_FILE}: fetch it again."
        ) from None
    found, wanted = hashlib.sha256(content).hexdigest(), checkpoint.config.get("words_sha256")
    if found != wanted:
        raise CheckpointError(
            f"The {WORDS_FILE} of the checkpoint {checkpoint.name} has the hash {found[:12]}, "
            f"but its description promises {str(wanted)[:12]}: fetch it again."
        )
    words = CaptionWords.from_json(content.decode("utf-8"))
    if len(words) != shape.vocabulary:
        raise CheckpointError(
            f"The {WORDS_FILE} of the checkpoint {checkpoint.name} has {len(words)} words, "
            f"but its network {shape.vocabulary}."
        )
    return words
