"""Quality against speed, task by task: only figures of one protocol stand in one picture."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.catalogue import ModelFacts
from models.quality import TRAINED_ROW
from models.speed import Speed, Speeds

# Of train/results/summaries.json, its half of the videos that nothing was chosen on: tau.
UNTRAINED_TAU = {"key_shots": 0.085, "kmeans": -0.021, "ssd_anchor": 0.032, "ssd_previous": 0.010}
UNTRAINED_READ = "backbone"
# What authors report of their own models on data that all of them use.
COCO_AP = {"detr-resnet-50": 0.420, "dfine-small": 0.485}
KINETICS_400_TOP_1 = {"timesformer-k400": 77.9, "videomae-base": 80.9}


@dataclass(frozen=True, slots=True)
class Point:
    """`ours`: whether the quality was measured here. `best`: nothing is faster and better."""

    name: str
    quality: float
    frames_per_s: float
    ours: bool
    best: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    task: str
    measure: str
    note: str
    points: tuple[Point, ...]


def comparisons(facts: Sequence[ModelFacts], speeds: Speeds | None) -> tuple[Comparison, ...]:
    """Empty where no speed was measured; a picture of one point is none."""
    if speeds is None:
        return ()
    made = (
        _summaries(facts, speeds.models),
        Comparison(
            "Things in pictures",
            "AP on COCO's 5,000 validation pictures",
            "compact_detector is left out: it was measured on other pictures, against the boxes of "
            f"a larger detector. It finds people only, {_times(speeds, 'compact_detector')}.",
            _reported(COCO_AP, speeds.models),
        ),
        Comparison(
            "Actions",
            "right first answers on Kinetics-400, %",
            "action_classifier is left out: its 48 labels are other ones. "
            f"It is {_times(speeds, 'action_classifier')}.",
            _reported(KINETICS_400_TOP_1, speeds.models),
        ),
    )
    return tuple(comparison for comparison in made if len(comparison.points) > 1)


def _summaries(facts: Sequence[ModelFacts], speeds: Mapping[str, Speed]) -> Comparison:
    points = []
    for fact in facts:
        tau = _tau(fact) if fact.name == "keyframe_scorer" else None
        if tau is not None and fact.name in speeds:
            points.append(Point(fact.name, tau, speeds[fact.name].frames_per_s, ours=True))
    if UNTRAINED_READ in speeds:
        reads = speeds[UNTRAINED_READ].frames_per_s
        points += [Point(name, tau, reads, ours=True) for name, tau in UNTRAINED_TAU.items()]
    return Comparison(
        "Summaries",
        "agreement with people on TVSum, tau",
        "People agree with each other by .18; 0 is chance. The untrained methods take the time of "
        "the backbone that they read.",
        best_first(points),
    )


def _tau(facts: ModelFacts) -> float | None:
    try:
        return float(facts.metrics["rows"][TRAINED_ROW]["tau"]["mean"])
    except (KeyError, TypeError, ValueError):
        return None


def _reported(figures: Mapping[str, float], speeds: Mapping[str, Speed]) -> tuple[Point, ...]:
    return best_first(
        [
            Point(name, figure, speeds[name].frames_per_s, ours=False)
            for name, figure in figures.items()
            if name in speeds
        ]
    )


def best_first(points: Sequence[Point]) -> tuple[Point, ...]:
    """The fastest first; `best` where no other is at least as fast and better, or faster and as
    good."""

    def is_beaten(point: Point) -> bool:
        return any(
            other.frames_per_s >= point.frames_per_s
            and other.quality >= point.quality
            and (other.frames_per_s, other.quality) != (point.frames_per_s, point.quality)
            for other in points
        )

    ordered = sorted(points, key=lambda point: (-point.frames_per_s, -point.quality))
    return tuple(
        Point(one.name, one.quality, one.frames_per_s, one.ours, not is_beaten(one))
        for one in ordered
        if math.isfinite(one.quality) and one.frames_per_s > 0
    )


def _times(speeds: Speeds, name: str) -> str:
    speed = speeds.models.get(name)
    return "not timed" if speed is None else f"{speed.frames_per_s:,.0f} frames a second"
