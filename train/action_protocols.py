"""Networks trained anew for a protocol: people left out, one set against the other, ablations.

How long to train is fixed beforehand; no figure of what is left out chooses anything. Each outcome
is kept on disk under everything that it depends on.
"""

import dataclasses
import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np

from models.checkpoint import file_hash
from models.types import Floats, Times
from train.action_classifier import ActionDataModule, ActionSource, ActionTraining, mean_logits
from train.action_config import ActionConfig
from train.action_figures import clip_figures, decide, photograph_figures, unknown_figures
from train.action_measures import Logits, answers_of, top
from train.data.action_examples import Example
from train.data.action_labels import LABELS

LOG = logging.getLogger(__name__)

# Few clips of one place: a small network sees each a hundred times in so many rounds.
CLIPS_ALONE = {"max_rounds": 8, "batches_per_round": 30, "batch_size": 32}
RATES = (2.0, 8.0, 12.0)
# Network that ships first; what each of the others lacks, or reads instead.
VARIANTS: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "no attention (last frame)": {"pooling": "last"},
    "mean over time": {"pooling": "mean"},
    "one direction": {"directions": 1},
    "no LSTM": {"directions": 0},
    "mean of frames, no LSTM": {"directions": 0, "pooling": "mean"},
    "reads the backbone": {"reads": "backbone"},
    "reads compact": {"reads": "space"},
    "reads both": {"reads": "both"},
}
SOURCES = (
    "models/action_classifier.py",
    "models/action_layers.py",
    "models/action_network.py",
    "train/action_classifier.py",
    "train/action_protocols.py",
    "train/data/action_batches.py",
    "train/data/action_examples.py",
    "train/data/action_labels.py",
    "train/data/camera_moves.py",
)


def quiet() -> None:
    """Lightning says the same of its devices and workers at every one of the many fits."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")


def fit_quietly(
    config: ActionConfig, source: ActionSource, trained: Sequence[Example], labels: Sequence[str]
) -> Logits:
    """Trains without logs and files; what it says of a whole recording."""
    lightning.seed_everything(config.seed, verbose=False)
    model = ActionTraining(config, source.space, labels)
    trainer = lightning.Trainer(
        accelerator=config.run.accelerator,
        devices=1,
        max_epochs=config.run.max_rounds,
        gradient_clip_val=config.run.clip_norm,
        reload_dataloaders_every_n_epochs=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, ActionDataModule(config, trained, [], labels))
    arrays = model.arrays()

    def logits(seen: Floats, times_s: Times) -> Floats:
        return mean_logits(arrays, config, seen, times_s)

    return logits


def kept_on_disk(
    config: ActionConfig, source: ActionSource, what: str, compute: Callable[[], Any]
) -> Any:
    """What `compute` gives, from the disk where nothing that it depends on has changed."""
    repository = Path(__file__).parents[1]
    depends = [
        what,
        dataclasses.asdict(config.model),
        dataclasses.asdict(config.learning),
        dataclasses.asdict(config.data),
        [config.run.max_rounds, config.run.clip_norm, config.seed],
        [source.examples.backbone_hash, source.space_hash],
        [file_hash(repository / name) for name in SOURCES],
    ]
    digest = hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:24]
    path = Path(config.data.cache_dir) / "actions" / f"{digest}.json"
    if path.is_file():
        return json.loads(path.read_text())
    found = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(found))
    unfinished.rename(path)
    LOG.info("%s, seed %d: done", what, config.seed)
    return found


def own_classes(examples: Sequence[Example]) -> list[Example]:
    """Clips under the names that their own data set has for them."""
    return [dataclasses.replace(e, label=e.name.split("/")[-2]) for e in examples]


def clips_alone(config: ActionConfig, labels: int) -> ActionConfig:
    """The same network for one small set of clips."""
    run = dataclasses.replace(config.run, max_rounds=CLIPS_ALONE["max_rounds"])
    data = dataclasses.replace(
        config.data,
        batches_per_round=CLIPS_ALONE["batches_per_round"],
        batch_size=CLIPS_ALONE["batch_size"],
    )
    model = dataclasses.replace(config.model, labels=labels)
    return dataclasses.replace(config, run=run, data=data, model=model)


def weizmann_people(config: ActionConfig, source: ActionSource) -> dict[str, Any]:
    """Ten actions; each of nine people is tested by a network that saw the other eight."""
    clips = own_classes([e for e in source.examples.items if e.source == "weizmann"])
    labels = sorted({str(clip.label) for clip in clips})
    small = clips_alone(config, len(labels))
    right: dict[str, list[float]] = {f"{fps:g}": [] for fps in RATES}
    for person in sorted({clip.group for clip in clips}):
        logits = fit_quietly(small, source, [c for c in clips if c.group != person], labels)
        held = [clip for clip in clips if clip.group == person]
        for fps in RATES:
            right[f"{fps:g}"].append(answers_of(logits, held, labels, fps).top(1))
    return {
        fps: {
            "top1": round(float(np.mean(each)), 4),
            "over_people": round(float(np.std(each, ddof=1)), 4),
        }
        for fps, each in right.items()
    }


def ut_sets(config: ActionConfig, source: ActionSource) -> dict[str, Any]:
    """Six interactions: trained on one set, tested on the other, and back."""
    clips = own_classes(
        [e for e in source.examples.items if e.source == "ut_interaction" and e.label is not None]
    )
    labels = sorted({str(clip.label) for clip in clips})
    small = clips_alone(config, len(labels))
    rows = {}
    for trained, tested in (("set1", "set2"), ("set2", "set1")):
        logits = fit_quietly(
            small, source, [c for c in clips if c.name.startswith(trained)], labels
        )
        held = [clip for clip in clips if clip.name.startswith(tested)]
        rows[f"{trained} -> {tested}"] = {
            f"{fps:g}": top(answers_of(logits, held, labels, fps)) for fps in RATES
        }
    return rows


def variant_figures(
    config: ActionConfig, source: ActionSource, parts: Sequence[str]
) -> dict[str, Any]:
    """One network of the config's shape, trained as the shipped one is; by part."""
    examples = source.examples
    logits = fit_quietly(config, source, examples.part("train"), LABELS)
    decision = decide(logits, examples)
    return {
        part: {
            "photographs": photograph_figures(logits, examples, part),
            "clips": clip_figures(logits, examples, part),
            "unknown": unknown_figures(logits, decision, examples, part),
        }
        for part in parts
    }
