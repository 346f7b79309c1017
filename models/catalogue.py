"""What is known of each model without loading it: from the description in its folder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from models import hub, registry
from models.checkpoint import Checkpoint, read_checkpoint
from models.errors import CheckpointError, ModelUnavailableError
from models.hub_checkpoints import origin_of
from models.quality import NOT_MEASURED, Quality, quality_in_words
from models.registry import ModelEntry

# What a checkpoint's data are called by people.
DATA_NAMES = {
    "actions15": "15 kinds of action",
    "sports22": "22 kinds of sport",
    "clips": "clips",
    "flickr8k": "Flickr8k",
    "msrvtt": "MSR-VTT",
    "tvsum": "TVSum",
    "stills": "photographs",
    "captioned": "captioned videos",
    "other": "clips of something else",
    "fight": "surveillance clips",
    "fight_fights": "clips of fights",
    "ut_interaction": "staged clips",
    "ut_interaction_fights": "clips of staged strikes",
    "weizmann": "Weizmann",
}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`problem`: why the model cannot be used, one sentence; None where it can.

    `place`: of a model that is not part of this program, where it is or comes from.
    `reported`: what its authors measured, where nobody here did.
    """

    name: str
    purpose: str
    kind: str
    licence: str
    megabytes: float | None
    weights_hash: str | None
    data: str
    quality: Quality
    metrics: Mapping[str, Any]
    problem: str | None = None
    place: str | None = None
    reported: str | None = None


def all_model_facts() -> tuple[ModelFacts, ...]:
    return tuple(model_facts(entry) for entry in registry.entries().values())


def model_facts(entry: ModelEntry) -> ModelFacts:
    """Nothing is raised where the folder does not fit: `problem` says what differs."""
    if entry.hub is not None:
        return _hub_facts(entry, entry.hub)
    stamp = entry.stamp
    if entry.checkpoint_folder is None or stamp is None:
        return _checkpoint_facts(entry)
    return _facts_of_stamp(entry, stamp)


@lru_cache(maxsize=256)
def _facts_of_stamp(entry: ModelEntry, _stamp: object) -> ModelFacts:
    """Read once, for weights are hashed for it, as long as the files stay what they are."""
    return _checkpoint_facts(entry)


def _checkpoint_facts(entry: ModelEntry) -> ModelFacts:
    checkpoint, problem, data, folder = None, None, "", entry.checkpoint_folder
    if folder is not None:
        try:
            checkpoint = read_checkpoint(folder)
            data = data_in_words(checkpoint.config.get("data", {}))
        except CheckpointError as error:
            problem = str(error)
        except (AttributeError, KeyError, TypeError, ValueError):  # anybody can write one
            checkpoint = None
            problem = f"The checkpoint {entry.name} describes itself in a way that is not known."
    return ModelFacts(
        name=entry.name,
        purpose=entry.purpose,
        kind=entry.kind,
        licence=entry.licence,
        megabytes=None if checkpoint is None else _megabytes(checkpoint.folder),
        weights_hash=None if checkpoint is None else checkpoint.weights_hash,
        data=data,
        quality=NOT_MEASURED if checkpoint is None else _quality(checkpoint),
        metrics={} if checkpoint is None else checkpoint.metrics,
        problem=problem,
        place=None if entry.folder is None else _place(entry.folder),
    )


def _place(folder: Path) -> str:
    origin = origin_of(folder)
    return "on this machine" if origin is None else f"from the hub: {origin}"


def _hub_facts(entry: ModelEntry, model: hub.HubModel) -> ModelFacts:
    """Without asking the hub, and without hashing gigabytes: the hash is taken on loading."""
    folder, problem = None, None
    try:
        folder = hub.folder_here(model)
    except ModelUnavailableError as error:
        problem = str(error)
    way = "fetched on first use" if model.revision else "put into a folder of yours"
    place = "on this machine" if folder is not None else f"{way}: {model.repository}"
    return ModelFacts(
        name=entry.name,
        purpose=entry.purpose,
        kind=entry.kind,
        licence=entry.licence,
        megabytes=model.megabytes if folder is None else _megabytes(folder),
        weights_hash=None,
        data=model.trained_on,
        quality=Quality("not measured here", f"Not here; its authors report {model.reported}."),
        metrics={},
        problem=problem,
        place=place,
        reported=model.reported,
    )


def data_in_words(data: Mapping[str, Any]) -> str:
    """How much of what it was trained on, from the description's `data`."""
    for key, name in (("tvsum_videos", "TVSum"), ("summe_videos", "SumMe")):
        if key in data:
            return f"{name}: {data[key]} videos"
    if "actions" in data:
        return f"Actions: {_counts(data['actions'].items())}"
    if "pictures" in data:
        return f"Pictures: {_counts(data['pictures'].items())}"
    if "recordings" in data:
        return f"Recordings: {_counts(data['recordings'].items())}"
    if "items" in data:
        items = data["items"].get("train", {})
        return f"Captioned: {_counts(items.items())}"
    return ""


def _counts(parts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{DATA_NAMES.get(name, name)} {count:,}" for name, count in parts)


def _megabytes(folder: Path) -> float:
    """Of everything that is shipped."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 1e6


def _quality(checkpoint: Checkpoint) -> Quality:
    return quality_in_words(checkpoint.kind, checkpoint.metrics, checkpoint.config)
