"""Summaries of segments by a video transformer, by the rules of TVSum or SumMe. Nothing is trained.

python -m train.evaluate segments --encoder timesformer-k400 --dataset tvsum|summe
    [--threshold 400] [--data-dir ../shared/data] [--out train/results]
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import registry
from models.protocols import SegmentEncoder
from models.segment_parts import SEGMENT_S, unit_rows
from models.summary_methods import OF_SEGMENTS, threshold_for
from models.types import Floats
from models.video.segments import SegmentPlan, slide
from models.video.source import VideoSource
from train.data.judged import JudgedVideo, ScoredVideo
from train.data.judged_sets import load_judged
from train.data.tvsum_features import SAMPLE_FPS
from train.held_out import HUMAN, RANDOM, SCORER, measured
from train.held_out import as_markdown as table_as_markdown
from train.metrics import SUMMARY_RATIO
from train.summary_rules import judges_of

TOGETHER = 4  # segments that are given to the encoder at once


@dataclass(frozen=True, slots=True)
class Asked:
    """Which encoder, on what. `threshold`: a published squared distance; None follows the video."""

    encoder: str
    dataset: str
    data_dir: Path
    threshold: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class SegmentedVideo:
    """`segment_of`: for each of the judged moments, which segment it is in."""

    video: ScoredVideo
    features: Floats  # [N, D], as the encoder gave them
    segment_of: np.ndarray[tuple[int], np.dtype[np.int64]]


def evaluate_segments(asked: Asked) -> dict[str, Any]:
    """
    Raises:
        ValueError: there is no such encoder or data set.
    """
    known = registry.names("segment_encoder")
    if asked.encoder not in known:
        raise ValueError(f"--encoder is one of {', '.join(known)}, received {asked.encoder!r}")
    judged = load_judged(asked.dataset, asked.data_dir)[: asked.limit]
    encoder: SegmentEncoder = registry.load(asked.encoder)
    seen = [segmented(video, encoder) for video in judged]
    judges = judges_of(asked.dataset, [each.video for each in seen])
    rows: dict[str, Any] = {}
    for method in OF_SEGMENTS:
        scores = {each.video.name: _scores(method, each, asked.threshold) for each in seen}
        found = measured(judges, scores)
        rows[method] = found["rows"][SCORER]
        rest = {row: found["rows"][row] for row in (RANDOM, HUMAN) if row in found["rows"]}
        protocol = found["protocol"]
    return {
        "encoder": {"name": encoder.name, "hash": encoder.weights_hash},
        "dataset": asked.dataset,
        "videos": [each.video.name for each in seen],
        "threshold": asked.threshold,
        "protocol": protocol,
        "rows": rows | rest,
    }


def segmented(video: JudgedVideo, encoder: SegmentEncoder) -> SegmentedVideo:
    """As the application reads a video: segments of two seconds, the last one to the end."""
    plan = SegmentPlan(encoder.frames_per_segment, SEGMENT_S, SEGMENT_S)
    found: list[Floats] = []
    with VideoSource(video.path) as source:
        start_s, end_s = source.info.start_s, source.info.end_s
        waiting = []
        batches = source.sample(plan.fps, short_side_px=encoder.short_side_px)
        for segment in slide(batches, plan, start_s, end_s):
            if segment is not None:
                waiting.append(segment.pixels)
            if len(waiting) == TOGETHER:
                found.append(encoder.encode_segments(np.stack(waiting)))
                waiting = []
        if waiting:
            found.append(encoder.encode_segments(np.stack(waiting)))
    features = np.concatenate(found)
    times_s = np.arange(start_s, end_s, 1 / SAMPLE_FPS)
    segment_of = np.minimum(((times_s - start_s) // SEGMENT_S).astype(np.int64), len(features) - 1)
    scored = ScoredVideo(
        name=video.name,
        category=video.category,
        features=unit_rows(features)[segment_of],
        times_s=times_s,
        end_s=end_s,
        annotators=video.annotators_at(times_s),
    )
    return SegmentedVideo(scored, features, segment_of)


def _scores(method: str, seen: SegmentedVideo, published: float | None) -> Floats:
    count, dim = seen.features.shape
    starts_s = seen.video.times_s[0] + SEGMENT_S * np.arange(count)
    threshold = None if published is None else threshold_for(published, dim)
    found = OF_SEGMENTS[method](seen.features, starts_s, seen.video.end_s, SUMMARY_RATIO, threshold)
    return found.scores[seen.segment_of]


def as_markdown(report: Mapping[str, Any]) -> str:
    cut = report["threshold"]
    change = "follows each video" if cut is None else f"{cut:g}, as published"
    return (
        f"{report['dataset']}, {len(report['videos'])} videos, segments of {SEGMENT_S:g} s by "
        f"`{report['encoder']['name']}`; a change: {change}. {report['protocol']}\n\n"
        + table_as_markdown(report, "method")
    )


def write_report(report: Mapping[str, Any], folder: Path) -> str:
    """segments_ENCODER_DATASET.json and .md; returns the latter's text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"segments_{report['encoder']['name']}_{report['dataset']}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    text = as_markdown(report)
    path.with_suffix(".md").write_text(text)
    return text
