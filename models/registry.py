"""Every model by its name: what it is for, where its weights are, and how it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from models import hub, local_checkpoints
from models.checkpoint import CONFIG_FILE, SHIPPED_DIR, WEIGHTS_FILE
from models.errors import ModelUnavailableError
from models.hub import HubModel
from models.local_checkpoints import KINDS, LocalCheckpoint
from models.residency import Limits, Residents

NO_WEIGHTS = "no weights"
FROM_THE_HUB = "from the hub on first use"
FROM_A_FOLDER = "from a folder of yours"
LOCAL = "on this machine"
NO_COMMERCE = "CC-BY-NC-4.0"
UNKNOWN_LICENCE = "as its data and its makers say"
CHECKPOINTS_DIR = SHIPPED_DIR


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One row of the table. `kind` says which protocol the built model fulfils.

    `hub`: where its files come from, if they are not part of this program.
    `folder`: of a checkpoint that does not ship with it.
    `also`: other protocols that the same model fulfils.
    """

    name: str
    kind: str
    purpose: str
    build: Callable[[], Any]
    weights: str = NO_WEIGHTS
    licence: str = "Apache-2.0"
    hub: HubModel | None = None
    folder: Path | None = None
    also: tuple[str, ...] = ()

    @property
    def checkpoint_folder(self) -> Path | None:
        """Where its checkpoint lies, if it is one."""
        if self.folder is not None:
            return self.folder
        own = self.hub is None and self.weights != NO_WEIGHTS
        return CHECKPOINTS_DIR / self.name if own else None

    @property
    def stamp(self) -> tuple[str | int, ...] | None:
        """Changes when the checkpoint is written again."""
        folder = self.checkpoint_folder
        if folder is None or not (described := folder / CONFIG_FILE).is_file():
            return None
        weights = folder / WEIGHTS_FILE
        seen = [path.stat() for path in (described, weights) if path.is_file()]
        return str(folder), *(part for stat in seen for part in (stat.st_mtime_ns, stat.st_size))

    @property
    def megabytes(self) -> float:
        """About what it takes of memory, by what its files take."""
        if self.hub is not None:
            return float(self.hub.megabytes)
        folder = self.checkpoint_folder
        weights = None if folder is None else folder / WEIGHTS_FILE
        return weights.stat().st_size / 1e6 if weights is not None and weights.is_file() else 0.0


def _colour() -> Any:
    from models.colour_encoder import ColourEncoder

    return ColourEncoder()


def _shipped(name: str, kind: str) -> Callable[[], Any]:
    """From its checkpoint folder, by the checkpoint's kind; imported when it is built."""
    return lambda: KINDS[kind].wrapper_class()(CHECKPOINTS_DIR / name)


def _public(model: HubModel, module: str, wrapper: str, **options: Any) -> Callable[[], Any]:
    """From its files of the hub, by a wrapper that is imported when it is built."""
    return lambda: getattr(import_module(module), wrapper)(hub.fetch(model), model.name, **options)


MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="colour",
            kind="frame_encoder",
            purpose="Layout of colour and edges: finds shots and near-duplicates, knows no meaning",
            build=_colour,
        ),
        ModelEntry(
            name="backbone",
            kind="frame_encoder",
            purpose="What is in a picture, as numbers that the models below read",
            build=_shipped("backbone", "backbone"),
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="compact",
            kind="frame_text_encoder",
            purpose="Finds moments by words or by a picture",
            build=_shipped("compact", "frame_text_encoder"),
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="keyframe_scorer",
            kind="frame_scorer",
            purpose="How important people would find each moment",
            build=_shipped("keyframe_scorer", "keyframe_scorer"),
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="action_classifier",
            kind="action_classifier",
            purpose="Names what is done, from 48 everyday actions, sports and interactions",
            build=_shipped("action_classifier", "action_classifier"),
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="captioner",
            kind="scene_describer",
            purpose="Says in a sentence what a moment shows; small, and often wrong",
            build=_shipped("captioner", "captioner"),
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="trigger_detector",
            kind="trigger_scorer",
            purpose="How likely a fight is going on at each moment",
            build=_shipped("trigger_detector", "trigger_scorer"),
            weights="shipped, trained here",
        ),
        ModelEntry(
            name="compact_detector",
            kind="object_detector",
            purpose="Finds people who are not too small in the picture, with boxes",
            build=_shipped("compact_detector", "compact_detector"),
            weights="shipped, trained here",
        ),
        ModelEntry(
            name=hub.DETR.name,
            kind="object_detector",
            purpose="Finds 80 kinds of things in pictures, with boxes; large",
            build=_public(hub.DETR, "models.object_detector", "HubObjectDetector"),
            weights=FROM_THE_HUB,
            hub=hub.DETR,
        ),
        ModelEntry(
            name=hub.D_FINE.name,
            kind="object_detector",
            purpose="Finds 80 kinds of things in pictures, with boxes; small and fast",
            build=_public(hub.D_FINE, "models.object_detector", "HubObjectDetector"),
            weights=FROM_THE_HUB,
            hub=hub.D_FINE,
        ),
        ModelEntry(
            name=hub.SIGLIP_2.name,
            kind="frame_text_encoder",
            purpose="Finds moments by words in many languages, or by a picture; large, for a GPU "
            "or patience",
            build=_public(hub.SIGLIP_2, "models.image_text_encoder", "ImageTextEncoder"),
            weights=FROM_THE_HUB,
            hub=hub.SIGLIP_2,
        ),
        ModelEntry(
            name=hub.CLIP.name,
            kind="frame_text_encoder",
            purpose="Finds moments by English words or by a picture; it compares, and does not "
            "say how sure it is",
            build=_public(hub.CLIP, "models.image_text_encoder", "ImageTextEncoder"),
            weights=FROM_THE_HUB,
            licence="MIT",
            hub=hub.CLIP,
        ),
        ModelEntry(
            name=hub.TIMESFORMER_K400.name,
            kind="segment_classifier",
            purpose="Names 400 actions, and says what segments are like for a summary; large, for "
            "a GPU or patience",
            build=_public(
                hub.TIMESFORMER_K400, "models.video_transformer", "TimeSformer", stride=32
            ),
            weights=FROM_THE_HUB,
            licence=NO_COMMERCE,
            hub=hub.TIMESFORMER_K400,
            also=("segment_encoder",),
        ),
        ModelEntry(
            name=hub.TIMESFORMER_K600.name,
            kind="segment_classifier",
            purpose="Names 600 actions, and says what segments are like for a summary; large, for "
            "a GPU or patience",
            build=_public(
                hub.TIMESFORMER_K600, "models.video_transformer", "TimeSformer", stride=32
            ),
            weights=FROM_A_FOLDER,
            licence=NO_COMMERCE,
            hub=hub.TIMESFORMER_K600,
            also=("segment_encoder",),
        ),
        ModelEntry(
            name=hub.VIDEO_MAE.name,
            kind="segment_classifier",
            purpose="Names 400 actions; large, for a GPU or patience",
            build=_public(hub.VIDEO_MAE, "models.video_transformer", "VideoTransformer", stride=4),
            weights=FROM_THE_HUB,
            licence=NO_COMMERCE,
            hub=hub.VIDEO_MAE,
        ),
        ModelEntry(
            name=hub.SMOL_VLM.name,
            kind="scene_describer",
            purpose="Says what pictures of an event show, and whether it happens; for a GPU or "
            "patience",
            build=_public(hub.SMOL_VLM, "models.vision_language", "VisionLanguageModel"),
            weights=FROM_THE_HUB,
            hub=hub.SMOL_VLM,
        ),
        ModelEntry(
            name=hub.LLAVA.name,
            kind="scene_describer",
            purpose="Says what pictures of an event show, and whether it happens; for a GPU",
            # Each picture is eleven times as many tokens to it as to SmolVLM2.
            build=_public(
                hub.LLAVA, "models.vision_language", "VisionLanguageModel", frames_wanted=4
            ),
            weights=FROM_THE_HUB,
            hub=hub.LLAVA,
        ),
    )
}

_residents = Residents()


def entries() -> dict[str, ModelEntry]:
    """Every model by its name: the table, then the checkpoints of this machine."""
    found = dict(MODELS)
    for local in local_checkpoints.local_checkpoints():
        found.setdefault(local.name, _local_entry(local))  # a shipped name keeps its meaning
    return found


def _local_entry(local: LocalCheckpoint) -> ModelEntry:
    return ModelEntry(
        name=local.name,
        kind=local.kind.protocol,
        purpose=local.kind.purpose,
        build=local.build,
        weights=LOCAL,
        licence=UNKNOWN_LICENCE,
        folder=local.folder,
    )


def names(kind: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in entries().values() if kind in (entry.kind, *entry.also))


def entry_of(name: str) -> ModelEntry:
    """
    Raises:
        ModelUnavailableError: there is no such model.
    """
    if name in MODELS:
        return MODELS[name]
    known = entries()
    if name not in known:
        raise ModelUnavailableError(
            f"There is no model named {name!r}; there are: {', '.join(known)}."
        )
    return known[name]


def load(name: str, report: hub.Report = hub.ignore_report) -> Any:
    """The model of that name, built on first use and then shared.

    `report` hears how far fetching is, several times a second; it may raise to stop waiting.

    Raises:
        ModelUnavailableError: there is no such model, or its weights cannot be had.
    """
    entry = entry_of(name)

    def build() -> Any:
        if entry.hub is not None:
            hub.fetch(entry.hub, report, _instead_of(entry))
            report(f"Loading {name}", None)
        return entry.build()

    return _residents.get(name, build, megabytes=entry.megabytes, stamp=entry.stamp, report=report)


def limit_memory(limits: Limits) -> None:
    """From now on, models that nobody uses are let go where memory gets shorter than this."""
    _residents.limits = limits


def is_loaded(name: str) -> bool:
    return name in _residents.names()


def let_go(name: str) -> None:
    """It leaves memory when its last user is done; the next who asks loads it again."""
    _residents.let_go(name)


def _instead_of(entry: ModelEntry) -> str:
    """What can be chosen where the hub cannot be asked."""
    here = [
        other.name for other in MODELS.values() if (other.kind, other.hub) == (entry.kind, None)
    ]
    # Boxes and sentences can be done without; what searches and what names actions cannot.
    without = ["none"] if entry.kind in ("object_detector", "scene_describer") else []
    choices = [*here, *without] or ["a model that comes with this program"]
    return f"choose {' or '.join(choices)} instead"
