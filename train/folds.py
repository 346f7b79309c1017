"""The keyframe scorer by five folds and several seeds, beside its ablations, chance and people.

Every video is tested once for each seed, by a network that saw neither it nor any figure of it:
the number of rounds is fixed in the config.
"""

import dataclasses
import hashlib
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
from models.types import Floats
from train import fitting
from train.data.judged import ScoredVideo
from train.data.judged_sets import TVSUM
from train.data.tvsum_folds import (
    FOLDS,
    Parts,
    fold_of_each,
    load_scored_videos,
    parts_of,
    source_of,
)
from train.keyframe_config import ScorerConfig
from train.keyframe_scorer import KeyframeTraining, ScorerVideos
from train.summary_rules import TITLES, TVSUM_RULE, Judge, Row, judges_of, rule_of

LOG = logging.getLogger(__name__)

SEEDS = (0, 1, 2)
TRAINED = "local and global"
VARIANTS: dict[str, dict[str, Any]] = {
    TRAINED: {},
    "local only": {"branches": "local"},
    "global only": {"branches": "global"},
    "no Transformer": {"layers": 0},
}
PROTOCOL = (
    "Frames at 2 a second. Five folds in which every video is tested once, dealt out by category; "
    "the number of rounds is fixed. tau-b and rho of the scores against EACH of the 20 "
    "annotators, mean over annotators, then videos, then folds. F: shots by KTS on the same "
    "features, shot value = mean of its frames, 0/1 knapsack at 15 % of the length, F against "
    "each annotator's own choice by the same rule, mean over annotators, videos, folds. +- is the "
    "standard deviation over folds (means over seeds), in brackets that over seeds. Human: each "
    "annotator against each of the others."
)
FOLDED = (
    "Five folds in which every video is tested once; the number of rounds is fixed. +- is the "
    "standard deviation over folds (means over seeds), in brackets that over seeds."
)
TVSUM_DATA = "TVSum, 40 of 50 videos as 3 frames-a-second previews of 176x176"
SEEN = (
    "The frames of all these videos were also used, without their annotations, to train the "
    "backbone by distillation."
)

# What a run's figures depend on beside its config and features.
SOURCES = (
    "models/keyframe_network.py",
    "models/keyframe_scorer.py",
    "models/shots.py",
    "train/data/tvsum_folds.py",
    "train/folds.py",
    "train/keyframe_scorer.py",
    "train/losses.py",
    "train/metrics.py",
    "train/summary_rules.py",
)


def fit_quietly(config: ScorerConfig, parts: Parts[ScoredVideo]) -> KeyframeTraining:
    """Trains without logs and files."""
    lightning.seed_everything(config.seed, verbose=False)
    model = KeyframeTraining(config)
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
    trainer.fit(model, ScorerVideos(config, parts))
    return model


def held_out_scores(
    config: ScorerConfig, videos: Sequence[ScoredVideo], *, inner: bool = False
) -> dict[str, Floats]:
    """Scores of every video by the network of the fold that held it out."""
    found = {}
    for fold in range(FOLDS):
        parts = parts_of(videos, fold, inner=inner)
        model = fit_quietly(config, parts)
        for video in parts.held:
            features, times_s = torch.from_numpy(video.features), torch.from_numpy(video.times_s)
            found[video.name] = model.scores(features, times_s)
    return found


def summarized(
    runs: Sequence[dict[str, Row]],
    fold_of: dict[str, int],
    figures: Sequence[str] = TVSUM_RULE.figures,
) -> dict[str, Any]:
    """Means over videos, folds and seeds, with both standard deviations, for one row."""
    folds = sorted(set(fold_of.values()))
    means = np.array(
        [
            [
                np.mean([row for name, row in run.items() if fold_of[name] == fold], axis=0)
                for fold in folds
            ]
            for run in runs
        ]
    )  # [seeds, folds, figures]
    by_fold, by_seed = means.mean(axis=0), means.mean(axis=1)
    over_folds = by_fold.std(axis=0, ddof=1) if len(folds) > 1 else by_fold[0] * 0
    over_seeds = by_seed.std(axis=0, ddof=1) if len(runs) > 1 else by_seed[0] * 0
    return {
        name: {
            "mean": round(float(by_seed[:, i].mean()), 4),
            "over_folds": round(float(over_folds[i]), 4),
            "over_seeds": round(float(over_seeds[i]), 4),
        }
        for i, name in enumerate(figures)
    }


def run_of(
    config: ScorerConfig, judges: dict[str, Judge], backbone: dict[str, Any]
) -> dict[str, Row]:
    """Rows of every video, held out once. Kept on disk: a broken evaluation goes on from there."""
    repository = Path(__file__).parents[1]
    depends = [
        dataclasses.asdict(config.model),
        dataclasses.asdict(config.learning),
        dataclasses.asdict(dataclasses.replace(config.data, fold=None, inner=False)),
        [config.run.max_rounds, config.run.accumulate, config.run.clip_norm, config.seed],
        backbone,
        [file_hash(repository / name) for name in SOURCES],
    ]
    digest = hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:24]
    path = Path(config.data.cache_dir) / "folds" / f"{digest}.json"
    if path.is_file():
        return {name: tuple(row) for name, row in json.loads(path.read_text()).items()}
    scores = held_out_scores(config, [judge.video for judge in judges.values()])
    rows = {name: judge.row(scores[name]) for name, judge in judges.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(rows))
    unfinished.rename(path)
    return rows


def evaluate_keyframes(config: ScorerConfig, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """The report: every variant, random scores and people, on the config's features."""
    data = config.data
    # Lightning says the same of its devices and workers at every one of the many fits.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    rule = rule_of(data.dataset)
    videos = load_scored_videos(Path(data.data_dir), data.features_dir, data.dataset)
    backbone = source_of(data.dataset, data.features_dir)
    judges = judges_of(data.dataset, videos)
    runs = {"random": [_random_run(judges, seed) for seed in seeds]}
    for variant, changes in VARIANTS.items():
        runs[variant] = []
        for seed in seeds:
            model = dataclasses.replace(config.model, **changes)
            changed = dataclasses.replace(config, model=model, seed=seed)
            runs[variant].append(run_of(changed, judges, backbone))
            tau, rho, f = np.mean(list(runs[variant][-1].values()), axis=0)[:3]
            LOG.info("%s, seed %d: tau %.4f rho %.4f F %.4f", variant, seed, tau, rho, f)
    runs["human"] = [{name: judge.human_row() for name, judge in judges.items()}]
    first = data.dataset == TVSUM
    fold_of = dict(zip(judges, fold_of_each(videos), strict=True))
    return {
        "data": TVSUM_DATA if first else f"{Path(data.dataset).name}, {len(videos)} videos",
        "protocol": PROTOCOL if first else f"{FOLDED} {rule.protocol}",
        "seen_before": SEEN if first else "",
        "backbone": backbone,
        "dataset": data.dataset,
        "seeds": list(seeds),
        "config": {
            "model": dataclasses.asdict(config.model),
            "learning": dataclasses.asdict(config.learning),
            "rounds": config.run.max_rounds,
            "batch_videos": data.batch_videos,
            "crop_share": data.crop_share,
            "max_stride": data.max_stride,
        },
        "code_version": fitting.code_version(),
        "rows": {name: summarized(of_row, fold_of, rule.figures) for name, of_row in runs.items()},
        "folds": fold_of,
        "videos": {
            name: {
                row: [[round(value, 4) for value in run[name]] for run in of_row]
                for row, of_row in runs.items()
            }
            for name in judges
        },
    }


def _random_run(judges: dict[str, Judge], seed: int) -> dict[str, Row]:
    random = np.random.default_rng(seed)
    return {
        name: judge.row(random.random(len(judge.video.times_s))) for name, judge in judges.items()
    }


def as_markdown(report: dict[str, Any]) -> str:
    name = report["backbone"]["name"]
    figures = list(report["rows"]["human"])
    lines = [
        f"{report['data']}. {report['protocol']} {report['seen_before']}",
        "",
        f"| features of `{name}` | {' | '.join(TITLES[figure] for figure in figures)} |",
        f"|---|{'---|' * len(figures)}",
    ]
    for row, found in report["rows"].items():
        cells = [
            f"{found[f]['mean']:.3f} +- {found[f]['over_folds']:.3f} ({found[f]['over_seeds']:.3f})"
            for f in figures
        ]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    seeds = ", ".join(str(seed) for seed in report["seeds"])
    lines += ["", f"Seeds {seeds}; {report['config']['rounds']} rounds of training."]
    return "\n".join(lines) + "\n"


def write_report(report: dict[str, Any], folder: Path) -> Path:
    """keyframes_BACKBONE.json and .md; returns the first. Other sets than TVSum are named."""
    folder.mkdir(parents=True, exist_ok=True)
    name = report["backbone"]["name"]
    if report["dataset"] != TVSUM:
        name += f"_{Path(report['dataset']).stem}"
    path = folder / f"keyframes_{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    path.with_suffix(".md").write_text(as_markdown(report))
    return path
