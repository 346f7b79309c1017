"""What the Models tab shows, as plain data: a table, pictures of quality against speed, advice."""

from collections.abc import Sequence
from typing import Any

from app.model_service import size, where
from models.catalogue import ModelFacts
from models.comparisons import Comparison
from models.published import ADVICE, PROTOCOLS, PUBLISHED
from models.registry import UNKNOWN_LICENCE
from models.speed import Speed, Speeds

TASKS = {
    "frame_scorer": "Summaries",
    "frame_text_encoder": "Search",
    "action_classifier": "Actions",
    "segment_classifier": "Actions",
    "segment_encoder": "Actions",
    "trigger_scorer": "Events",
    "object_detector": "Boxes",
    "scene_describer": "Descriptions",
    "frame_encoder": "What the others read",
}
NOT_TIMED = "not timed"
SEE_CARD = "see its card"


def table(facts: Sequence[ModelFacts], speeds: Speeds | None) -> dict[str, Any]:
    """Groups by task, in the order of the tabs; in each, what ships comes first."""
    timed = {} if speeds is None else speeds.models
    groups: dict[str, list[dict[str, Any]]] = {task: [] for task in TASKS.values()}
    for fact in facts:
        row = told(fact, timed.get(fact.name))
        groups.setdefault(TASKS.get(fact.kind, fact.kind), []).append(row)
    return {
        "groups": [{"task": task, "rows": rows} for task, rows in groups.items() if rows],
        "note": speed_note(speeds),
    }


def told(facts: ModelFacts, speed: Speed | None) -> dict[str, Any]:
    """One row; `known` is folded away below its name."""
    known = [("For", facts.purpose)]
    if facts.problem is not None:
        known.append(("Problem", facts.problem))
    elif facts.weights_hash is None and facts.place is None:
        known.append(("Weights", "none: nothing was learned, so nothing is promised"))
    else:
        known += [("Measured", facts.quality.full), ("Trained on", facts.data)]
        known.append(("Weights", weights(facts)))
    if speed is not None:
        kind = "its own weights" if speed.real_weights else "random weights in its real shape"
        known.append(("Timed", f"{speed.ratio:g} times ResNet50, by {speed.engine}, {kind}"))
    return {
        "name": facts.name,
        "problem": facts.problem is not None,
        "known": [pair for pair in known if pair[1]],
        "quality": facts.reported or facts.quality.short or "",
        "ours": facts.reported is None,
        "speed": NOT_TIMED if speed is None else per_second(speed.frames_per_s),
        "random": speed is not None and not speed.real_weights,
        "size": size(facts.megabytes),
        "licence": SEE_CARD if facts.licence == UNKNOWN_LICENCE else facts.licence,
        "where": where(facts),
    }


def weights(facts: ModelFacts) -> str:
    parts = [size(facts.megabytes), facts.place, (facts.weights_hash or "")[:12]]
    return ", ".join(part for part in parts if part)


def per_second(frames: float) -> str:
    return f"{frames:,.0f}" if frames >= 10 else f"{frames:.2g}"


def speed_note(speeds: Speeds | None) -> str:
    if speeds is None:
        return "Nothing was timed yet: python -m benchmarks.model_speed --write"
    return (
        f"Frames a second of one core ({speeds.machine}), {speeds.measured}; ResNet50 in torch, as "
        f"the published systems run it, does {speeds.reference_frames_per_s:.0f}. "
        "○ says what its authors report, or a network timed with random weights."
    )


def plots(made: Sequence[Comparison]) -> list[dict[str, Any]]:
    return [
        {
            "task": one.task,
            "measure": one.measure,
            "note": one.note,
            "points": [
                {
                    "name": point.name,
                    "quality": point.quality,
                    "speed": point.frames_per_s,
                    "ours": point.ours,
                    "best": point.best,
                }
                for point in one.points
            ],
        }
        for one in made
    ]


def advice() -> list[tuple[str, str, str]]:
    return list(ADVICE)


def published() -> dict[str, Any]:
    return {
        "columns": ["Published system", "It says", "Measured as it is meant", "Why they differ"],
        "rows": [[row.system, row.says, row.honest, row.why] for row in PUBLISHED],
    }


def protocols() -> list[tuple[str, str, str]]:
    return [(task, "", text) for task, text in PROTOCOLS]
