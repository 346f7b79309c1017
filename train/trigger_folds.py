"""The trigger detector by five folds and several seeds, beside what it would be without its parts.

Nothing that is reported chose anything: for each fold, probability and thresholds come from
networks that saw neither that fold nor the recordings on which they are set (a network for each
pair of folds, with both left out). The number of rounds is fixed in the config.
"""

import dataclasses
import hashlib
import itertools
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch

from models.checkpoint import file_hash
from train import fitting
from train.data.trigger_folds import FOLDS, Recording, fold_of_groups, parts_of, shown_at
from train.trigger_config import TriggerConfig
from train.trigger_decision import (
    FALSE_AN_HOUR,
    FAST_FPS,
    INDEX_FPS,
    TOLERANCE_S,
    Scored,
    clip_precision,
    decide,
    figures_of,
    ranking_figures,
)
from train.trigger_detector import TriggerDataModule, TriggerSource, TriggerTraining, open_source
from train.trigger_joined import joined_recordings

LOG = logging.getLogger(__name__)

SEEDS = (0, 1, 2)
TRAINED = "as shipped"
VARIANTS: dict[str, dict[str, Any]] = {
    TRAINED: {},
    "LSTM instead of the Transformer": {"time_encoder": "lstm"},
    "no time-aware encoder": {"time_encoder": "none"},
    "no motion either": {"time_encoder": "none", "motion_s": 0.0},
}
PROTOCOL = (
    "247 clips of surveillance cameras, about 2 s each (128 fights), in five folds; clips of one "
    "recording or place are in one fold, with what else shows it, and so are TVSum videos. Average "
    "precision: over the left-out clips, each by its surest frame. Precision and recall of clips, "
    "and of events in long recordings joined of left-out clips (an event is right where it "
    f"overlaps a fight of its own, give or take {TOLERANCE_S:g} s), at thresholds. Probability and "
    "thresholds are set on folds that neither the reported figures nor the networks behind them "
    f"have seen, for the most events right with at most {FALSE_AN_HOUR:g} false ones an hour in "
    "web videos there. False events an hour: TVSum's left-out videos, at two frames a second; at "
    "half: at that height of the score which half of the left-out fights reach. "
    "+- is the standard deviation over folds (means over seeds), in brackets that over seeds."
)
SEEN = (
    "Frames of all these recordings were also used, without their labels, to train the backbone by "
    "distillation."
)
SOURCES = (
    "models/trigger_layers.py",
    "models/trigger_network.py",
    "train/data/fight_places.py",
    "train/data/trigger_batches.py",
    "train/data/trigger_folds.py",
    "train/trigger_detector.py",
    "train/trigger_joined.py",
)

Figures = dict[str, float]


def fit_quietly(
    config: TriggerConfig, source: TriggerSource, left_out: Sequence[int]
) -> TriggerTraining:
    """Trains without logs and files."""
    lightning.seed_everything(config.seed, verbose=False)
    model = TriggerTraining(config, source.space)
    trainer = lightning.Trainer(
        accelerator=config.run.accelerator,
        devices=1,
        max_epochs=config.run.max_rounds,
        accumulate_grad_batches=config.run.accumulate,
        gradient_clip_val=config.run.clip_norm,
        reload_dataloaders_every_n_epochs=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, TriggerDataModule(config, parts_of(source.recordings, left_out)))
    return model


def score_fold(model: TriggerTraining, held: Sequence[Recording], fold: int) -> list[Scored]:
    """Everything of one left-out fold, at both rates; TVSum's previews have the slow one only."""
    scored = []
    for recording in held:
        rates = (INDEX_FPS,) if recording.source == "tvsum" else (INDEX_FPS, FAST_FPS)
        for fps in rates:
            seen, times_s = shown_at(recording, fps)
            logits = model.logits(seen, times_s)
            of = (recording.source, recording.name, recording.fights, fold, fps)
            scored.append(Scored(*of, times_s, logits))
    for fps in (INDEX_FPS, FAST_FPS):
        for joined in joined_recordings(held, fps):
            logits = model.logits(joined.seen, joined.times_s)
            of = ("joined", joined.name, True, fold, fps)
            scored.append(Scored(*of, joined.times_s, logits, joined.spans_s))
    return scored


def left_out_scores(
    config: TriggerConfig, source: TriggerSource, left_out: Sequence[int]
) -> list[Scored]:
    """By a network that saw none of these folds. Kept on disk: a broken evaluation goes on."""
    repository = Path(__file__).parents[1]
    depends = [
        dataclasses.asdict(config.model),
        dataclasses.asdict(config.learning),
        dataclasses.asdict(dataclasses.replace(config.data, fold=None)),
        [config.run.max_rounds, config.run.accumulate, config.run.clip_norm, config.seed],
        dataclasses.asdict(source.origin),
        sorted(left_out),
        [file_hash(repository / name) for name in SOURCES],
    ]
    digest = hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:24]
    path = Path(config.data.cache_dir) / "trigger_folds" / f"{digest}.json"
    if path.is_file():
        return [_restored(values) for values in json.loads(path.read_text())]
    model = fit_quietly(config, source, left_out)
    fold_of = fold_of_groups(source.recordings)
    scored = []
    for fold in left_out:
        held = [r for r in source.recordings if fold_of[r.group] == fold]
        scored += score_fold(model, held, fold)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps([_kept(one) for one in scored]))
    unfinished.rename(path)
    return scored


def _kept(scored: Scored) -> dict[str, Any]:
    values = dataclasses.asdict(scored)
    return values | {"times_s": scored.times_s.tolist(), "logits": scored.logits.tolist()}


def _restored(values: dict[str, Any]) -> Scored:
    return Scored(
        **{
            **values,
            "times_s": np.asarray(values["times_s"], np.float64),
            "logits": np.asarray(values["logits"], np.float32),
            "spans_s": tuple((start, end) for start, end in values["spans_s"]),
        }
    )


def nested(config: TriggerConfig, source: TriggerSource) -> tuple[list[Figures], list[Scored]]:
    """Figures of each fold, and all left-out scores that the figures are of."""
    pairs = {}
    for pair in itertools.combinations(range(FOLDS), 2):
        pairs[pair] = left_out_scores(config, source, pair)
        LOG.info("seed %d, folds %d and %d left out", config.seed, *pair)
    figures, every = [], []
    for fold in range(FOLDS):
        inner = [
            one
            for pair, scored in pairs.items()
            if fold in pair
            for one in scored
            if one.fold != fold
        ]
        decision = decide(inner)
        outer = left_out_scores(config, source, [fold])
        figures.append(
            figures_of(outer, decision)
            | {"start_at": decision.start_at, "stay_at": decision.stay_at}
        )
        every += outer
        LOG.info("seed %d, fold %d: %s", config.seed, fold, json.dumps(figures[-1]))
    return figures, every


def rankings(config: TriggerConfig, source: TriggerSource) -> list[Figures]:
    """What needs no threshold, of each fold, so no pairs of folds either."""
    return [ranking_figures(left_out_scores(config, source, [fold])) for fold in range(FOLDS)]


def summarized(runs: Sequence[Sequence[Figures]]) -> dict[str, dict[str, float]]:
    """Means over folds and seeds, with both standard deviations, of every figure."""
    table = {}
    for name in runs[0][0]:
        values = np.array([[fold[name] for fold in run] for run in runs])  # [seeds, folds]
        by_fold, by_seed = values.mean(axis=0), values.mean(axis=1)
        table[name] = {
            "mean": round(float(values.mean()), 4),
            "over_folds": round(float(by_fold.std(ddof=1)), 4),
            "over_seeds": round(float(by_seed.std(ddof=1)) if len(runs) > 1 else 0.0, 4),
        }
    return table


def evaluate_triggers(config: TriggerConfig, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """The report, with the decision that is shipped: set on all left-out scores together."""
    # Lightning says the same of its devices and workers at every one of the many fits.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    source = open_source(config)
    rows: dict[str, Any] = {}
    left_out: list[Scored] = []
    for variant, changes in VARIANTS.items():
        runs = []
        for seed in seeds:
            model = dataclasses.replace(config.model, **changes)
            changed = dataclasses.replace(config, model=model, seed=seed)
            if variant == TRAINED:
                figures, scored = nested(changed, source)
                left_out += scored
            else:
                figures = rankings(changed, source)
            runs.append(figures)
        rows[variant] = summarized(runs)
        LOG.info("%s: %s", variant, json.dumps(rows[variant]))
    chance = [float(np.mean([one.fights for one in _clips(left_out, fold)])) for fold in range(5)]
    decision = decide(left_out)
    return {
        "protocol": PROTOCOL,
        "seen_before": SEEN,
        "origin": dataclasses.asdict(source.origin),
        "seeds": list(seeds),
        "config": {
            "model": dataclasses.asdict(config.model),
            "learning": dataclasses.asdict(config.learning),
            "data": dataclasses.asdict(dataclasses.replace(config.data, fold=None)),
            "rounds": config.run.max_rounds,
        },
        "counts": _counts(source.recordings),
        "code_version": fitting.code_version(),
        "chance": round(float(np.mean(chance)), 4),
        "rows": rows,
        "staged": _staged(left_out),
        "shipped": decision.as_json(),
    }


def _clips(scored: Sequence[Scored], fold: int) -> list[Scored]:
    return [one for one in scored if (one.source, one.fold) == ("fight", fold)]


def _staged(scored: Sequence[Scored]) -> dict[str, float]:
    """ut_interaction, whose every set is left out whole: average precision of striking."""
    found = {}
    for name in ("set1", "set2"):
        some = [s for s in scored if s.source == "ut_interaction" and s.name.startswith(name)]
        if some:
            found[name] = round(clip_precision(some, "ut_interaction", INDEX_FPS), 4)
            found[f"{name}_chance"] = round(float(np.mean([one.fights for one in some])), 4)
    return found


def _counts(recordings: Sequence[Recording]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for recording in recordings:
        kind = recording.source + ("_fights" if recording.fights else "")
        counts[kind] = counts.get(kind, 0) + 1
    return counts
