"""The ways to summarize that people choose from, by name."""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from models.errors import RequestError
from models.local_checkpoints import local_checkpoints
from models.segment_summarizers import (
    FrameScores,
    key_shots,
    kmeans,
    kmeans_of_segments,
    shots_of_scores,
    ssd_anchor,
    ssd_of_segments,
    ssd_previous,
)
from models.types import Floats, Times


class Run(Protocol):
    def __call__(
        self, embeddings: Floats, times_s: Times, end_s: float, ratio: float, seed: int = 0
    ) -> FrameScores: ...


class Score(Protocol):
    def __call__(self, embeddings: Floats, times_s: Times) -> Floats: ...


class RunOnSegments(Protocol):
    def __call__(
        self,
        features: Floats,
        starts_s: Times,
        end_s: float,
        ratio: float,
        threshold: float | None = None,
    ) -> FrameScores: ...


@dataclass(frozen=True, slots=True)
class Method:
    """One entry of the dropdown.

    `run` needs nothing but embeddings. A trained method has none: its importance is that of the
    model `scorer` of the registry.
    """

    name: str
    label: str
    help: str
    run: Run | None = None
    scorer: str | None = None

    def __post_init__(self) -> None:
        if (self.run is None) == (self.scorer is None):
            raise ValueError(f"a method has either a function or a scorer, received {self.name}")


def run_method(
    method: Method,
    score: Score | None,
    embeddings: Floats,
    times_s: Times,
    end_s: float,
    ratio: float,
) -> FrameScores:
    """What the method finds; `score` is that of its scorer, for those that have one."""
    if method.run is not None:
        return method.run(embeddings, times_s, end_s, ratio)
    if score is None:
        raise ValueError(f"{method.name} needs the scores of {method.scorer}, received none")
    return shots_of_scores(score(embeddings, times_s), embeddings, times_s, end_s, ratio)


UNTRAINED: dict[str, Run] = {
    "key_shots": key_shots,
    "kmeans": kmeans,
    "ssd_anchor": ssd_anchor,
    "ssd_previous": ssd_previous,
}

# Of segments whose features a video transformer gives, as the published system has them.
OF_SEGMENTS: dict[str, RunOnSegments] = {
    "kmeans": kmeans_of_segments,
    "ssd_anchor": partial(ssd_of_segments, from_anchor=True),
    "ssd_previous": partial(ssd_of_segments, from_anchor=False),
}
# How far apart, squared, two segments are between which the published system cuts.
PUBLISHED = {"small": 100.0, "average": 400.0, "large": 800.0}
PUBLISHED_DIM = 768  # numbers a segment had there


def threshold_for(published: float, dim: int) -> float:
    """The same for features of another size: a squared distance is a sum over all of them."""
    return published * dim / PUBLISHED_DIM


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "keyframe_scorer",
            "Learned from people",
            "Scores each moment as people who watched other videos did; shots from the cuts.",
            scorer="keyframe_scorer",
        ),
        Method(
            "key_shots",
            "Key shots",
            "Finds the cuts, then the shots where most happens; one telling picture of each.",
            UNTRAINED["key_shots"],
        ),
        Method(
            "kmeans",
            "Similar moments grouped (k-means)",
            "Groups moments that look alike, wherever they are, and keeps one of each group.",
            UNTRAINED["kmeans"],
        ),
        Method(
            "ssd_anchor",
            "Drift from the start of the shot",
            "A new shot once the picture is far from how the shot began; for slow pans.",
            UNTRAINED["ssd_anchor"],
        ),
        Method(
            "ssd_previous",
            "Change from the moment before",
            "A new shot where the picture suddenly changes; for hard cuts.",
            UNTRAINED["ssd_previous"],
        ),
    )
}


def methods() -> dict[str, Method]:
    """All there is to choose from: METHODS, and each scorer of this machine beside the shipped one.

    A scorer of this machine reads the index of its own encoder.
    """
    local = (
        Method(
            checkpoint.name,
            f"Learned from people, by {checkpoint.name}",
            "Scores each moment as people who watched other videos did, by a model of this "
            "machine; a video is looked at anew for it.",
            scorer=checkpoint.name,
        )
        for checkpoint in local_checkpoints()
        if checkpoint.kind.protocol == "frame_scorer"
    )
    return METHODS | {method.name: method for method in local if method.name not in METHODS}


def method_named(name: str) -> Method:
    """
    Raises:
        RequestError: there is none, or no longer.
    """
    known = METHODS if name in METHODS else methods()
    if name not in known:
        raise RequestError(
            f"There is no summary method {name!r}; choose one of {', '.join(known)}."
        )
    return known[name]
