"""A scorer of the registry on the judged videos that it did not learn from, with drawings.

python -m train.evaluate scorer --model NAME --dataset tvsum|summe|FILE.h5
    [--data-dir ../shared/data] [--drawings FOLDER] [--out train/results]
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import registry
from models.checkpoint import read_checkpoint
from models.keyframe_scorer import KeyframeScorer
from models.types import Floats
from train.data.community import is_table, load_community, table_source
from train.data.judged import JudgedVideo, ScoredVideo
from train.data.judged_sets import load_judged
from train.data.tvsum_features import Backbone, open_backbone, read_features
from train.drawings import Drawn, draw_video, keyframes_of
from train.held_out import as_markdown as table_as_markdown
from train.held_out import measured
from train.metrics import summary_flags
from train.summary_rules import Judge, judges_of


@dataclass(frozen=True, slots=True)
class Asked:
    """Which scorer, on what."""

    model: str
    dataset: str
    data_dir: Path
    cache_dir: Path
    limit: int | None = None


def evaluate_scorer(asked: Asked, drawings: Path | None = None) -> dict[str, Any]:
    """
    Raises:
        ValueError: there is no such scorer, it learned from every video, or the features of the
            table are not those that it reads.
    """
    if asked.model not in registry.names("frame_scorer"):
        known = ", ".join(registry.names("frame_scorer"))
        raise ValueError(f"--model is one of {known}, received {asked.model!r}")
    scorer: KeyframeScorer = registry.load(asked.model)
    folder = registry.entry_of(asked.model).checkpoint_folder
    assert folder is not None  # a scorer has weights
    data = read_checkpoint(folder).config.get("data", {})
    videos, paths = _videos(asked, scorer, data)
    judges = judges_of(asked.dataset, videos)
    scores = {video.name: scorer.score(video.features, video.times_s) for video in videos}
    if drawings is not None:
        for name, judge in judges.items():
            _draw(drawings / name, judge, scores[name], paths.get(name))
    return {
        "model": {"name": scorer.name, "hash": scorer.weights_hash},
        "dataset": Path(asked.dataset).name,
        "learned_from": len(data.get("trained_on", ())),
        **measured(judges, scores),
    }


def _videos(
    asked: Asked, scorer: KeyframeScorer, data: Mapping[str, Any]
) -> tuple[list[ScoredVideo], dict[str, Path]]:
    """What may be tested on, as the features that the scorer reads; and where the videos are."""
    if is_table(asked.dataset):
        source = table_source(Path(asked.dataset))
        _need_encoder(scorer, source["name"], source["weights_hash"])
        tabled = load_community(Path(asked.dataset))
        names = _untouched([video.name for video in tabled], asked.dataset, data)
        return [video for video in tabled if video.name in names][: asked.limit], {}
    judged = load_judged(asked.dataset, asked.data_dir)
    names = _untouched([video.name for video in judged], asked.dataset, data)
    judged = [video for video in judged if video.name in names][: asked.limit]
    backbone = _encoder_of(scorer, asked)
    found = [_scored(video, backbone) for video in judged]
    return found, {video.name: video.path for video in judged}


def _untouched(names: Sequence[str], dataset: str, data: Mapping[str, Any]) -> set[str]:
    """Of these videos, those that the scorer did not learn from."""
    if "trained_on" in data:
        left = set(names) - set(data["trained_on"])
    else:
        # A checkpoint that does not name its videos may have learned from any of the set.
        of_set = [key.removesuffix("_videos") for key in data if key.endswith("_videos")]
        left = set() if any(name in Path(dataset).name.lower() for name in of_set) else set(names)
    if not left:
        raise ValueError(
            f"--dataset {dataset}: the scorer learned from all of its videos, so that nothing is "
            "left to test it on"
        )
    return left


def _encoder_of(scorer: KeyframeScorer, asked: Asked) -> Backbone:
    folder = registry.entry_of(scorer.index_encoder).checkpoint_folder
    backbone = open_backbone(str(folder), asked.data_dir, asked.cache_dir)
    _need_encoder(scorer, backbone.name, backbone.weights_hash)
    return backbone


def _need_encoder(scorer: KeyframeScorer, name: str, weights_hash: str) -> None:
    if (name, weights_hash) != (scorer.index_encoder, scorer.encoder_hash):
        raise ValueError(
            f"{scorer.name} reads the features of {scorer.index_encoder} "
            f"{scorer.encoder_hash[:12]}, received those of {name} {weights_hash[:12]}"
        )


def _scored(video: JudgedVideo, backbone: Backbone) -> ScoredVideo:
    found = read_features(video, backbone)
    annotators = video.annotators_at(found.times_s)
    return ScoredVideo(
        video.name, video.category, found.features, found.times_s, found.end_s, annotators
    )


def _draw(folder: Path, judge: Judge, scores: Floats, path: Path | None) -> None:
    video, chosen = judge.video, summary_flags(scores, judge.starts)
    drawn = Drawn(video.name, video.times_s, video.end_s, scores, judge.truth, chosen, path)
    draw_video(folder, drawn, keyframes_of(scores, chosen, judge.starts))


def as_markdown(report: Mapping[str, Any]) -> str:
    count = len(report["videos"])
    return (
        f"{report['dataset']}, {count} videos, none of which `{report['model']['name']}` learned "
        f"from. {report['protocol']}\n\n"
        + table_as_markdown(report, f"`{report['model']['name']}`")
    )


def write_report(report: Mapping[str, Any], folder: Path) -> str:
    """scorer_MODEL_DATASET.json and .md; returns the latter's text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"scorer_{report['model']['name']}_{Path(report['dataset']).stem}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    text = as_markdown(report)
    path.with_suffix(".md").write_text(text)
    return text
