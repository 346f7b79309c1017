"""How fast each model was measured to be, from the file that benchmarks.model_speed writes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SPEED_PATH = Path(__file__).resolve().parent / "model_speed.json"


@dataclass(frozen=True, slots=True)
class Speed:
    """`ratio`: how often as fast as the reference. `real_weights`: False where only the shape is
    the model's own, which takes as long."""

    frames_per_s: float
    ratio: float
    real_weights: bool
    engine: str


@dataclass(frozen=True, slots=True)
class Speeds:
    """What was measured, when, on which processor, and beside what."""

    measured: str
    machine: str
    reference: str
    reference_frames_per_s: float
    models: Mapping[str, Speed]


@cache
def speeds() -> Speeds | None:
    """None where nothing was measured, or what is there is none of ours."""
    try:
        told = json.loads(SPEED_PATH.read_text(encoding="utf-8"))
        return Speeds(
            measured=str(told["measured"]),
            machine=str(told["machine"]),
            reference=str(told["reference"]["name"]),
            reference_frames_per_s=float(told["reference"]["frames_per_s"]),
            models={
                name: Speed(
                    frames_per_s=float(row["frames_per_s"]),
                    ratio=float(row["ratio"]),
                    real_weights=row["weights"] != "random",
                    engine=str(row["engine"]),
                )
                for name, row in told["models"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def speed_of(name: str) -> Speed | None:
    found = speeds()
    return None if found is None else found.models.get(name)
