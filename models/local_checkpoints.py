"""Checkpoints that were trained or fetched here, beside those that ship with the program.

Every folder in checkpoints/local (FRAMESCRY_CHECKPOINTS_DIR names another place) that describes a
checkpoint is a model, and its name is the folder's. One that reads what another model makes of the
frames names that model, which lies beside it or ships with the program.
"""

import importlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.checkpoint import CONFIG_FILE, SHIPPED_DIR, WEIGHTS_FILE, file_hash
from models.errors import CheckpointError

LOCAL_VARIABLE = "FRAMESCRY_CHECKPOINTS_DIR"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckpointKind:
    """What a checkpoint of this kind is built into: a class, and the protocol it fulfils."""

    protocol: str
    module: str
    wrapper: str
    purpose: str

    def wrapper_class(self) -> Any:
        return getattr(importlib.import_module(self.module), self.wrapper)


KINDS: dict[str, CheckpointKind] = {
    "backbone": CheckpointKind(
        "frame_encoder",
        "models.backbone_encoder",
        "BackboneEncoder",
        "What is in a picture, as numbers that other models read",
    ),
    "frame_text_encoder": CheckpointKind(
        "frame_text_encoder",
        "models.frame_text_encoder",
        "FrameTextEncoder",
        "Finds moments by words or by a picture",
    ),
    "bert_frame_text": CheckpointKind(
        "frame_text_encoder",
        "models.bert_frame_text",
        "BertFrameText",
        "Finds moments by English sentences or by a picture",
    ),
    "keyframe_scorer": CheckpointKind(
        "frame_scorer",
        "models.keyframe_scorer",
        "KeyframeScorer",
        "How important people would find each moment",
    ),
    "action_classifier": CheckpointKind(
        "action_classifier",
        "models.action_classifier",
        "ActionClassifier",
        "Names what is done",
    ),
    "segment_classifier": CheckpointKind(
        "segment_classifier",
        "models.cnn_rnn",
        "CnnRnnClassifier",
        "Names what is done, from segments of the pictures themselves",
    ),
    "captioner": CheckpointKind(
        "scene_describer",
        "models.captioner",
        "Captioner",
        "Says in a sentence what a moment shows",
    ),
    "trigger_scorer": CheckpointKind(
        "trigger_scorer",
        "models.trigger_detector",
        "TriggerDetector",
        "How likely its event is going on at each moment",
    ),
    "compact_detector": CheckpointKind(
        "object_detector",
        "models.compact_detector",
        "CompactDetector",
        "Finds things in pictures, with boxes",
    ),
}


@dataclass(frozen=True, slots=True)
class LocalCheckpoint:
    """A folder that describes a checkpoint; nothing in it was checked yet."""

    name: str
    folder: Path
    kind: CheckpointKind

    def build(self) -> Any:
        """The wrapper, with its weights.

        Raises:
            CheckpointError: the folder cannot be used.
        """
        wrapper = self.kind.wrapper_class()
        try:
            model = wrapper(self.folder)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            said = f"{type(error).__name__}: {error}"[:200]
            raise CheckpointError(
                f"The checkpoint {self.name} says something that cannot be used ({said}): export "
                "it again, or take its folder away."
            ) from error
        self._check_reads(model)
        return model

    def _check_reads(self, model: Any) -> None:
        """By the name of a shipped model everything else means that one, whatever lies here."""
        reads = str(getattr(model, "index_encoder", self.name))
        wanted = getattr(model, "encoder_hash", getattr(model, "backbone_hash", None))
        shipped = SHIPPED_DIR / reads / WEIGHTS_FILE
        if wanted is not None and shipped.is_file() and file_hash(shipped) != wanted:
            raise CheckpointError(
                f"The checkpoint {self.name} reads another {reads} than the one that ships with "
                "the program: give that folder a name of its own, and export both again."
            )


def local_dir() -> Path:
    """Where checkpoints are looked for that do not ship with the program; it may not exist."""
    text = os.environ.get(LOCAL_VARIABLE, "").strip()
    if text:
        return Path(text).expanduser()
    return Path(__file__).resolve().parent.parent / "checkpoints" / "local"


def local_checkpoints() -> Iterator[LocalCheckpoint]:
    """By name. Folders that say nothing of themselves, or of no kind known here, are left out."""
    root = local_dir()
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.name.startswith("."):  # on its way here
            continue
        kind = _kind_of(folder)
        if kind in KINDS:
            yield LocalCheckpoint(folder.name, folder, KINDS[kind])
        elif kind is not None:
            _log.warning("%s holds a %s, which this program does not know", folder.name, kind)


def _kind_of(folder: Path) -> str | None:
    try:
        described = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    kind = described.get("kind") if isinstance(described, dict) else None
    return kind if isinstance(kind, str) else None
