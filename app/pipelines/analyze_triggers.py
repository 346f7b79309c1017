"""Which events a video shows, and what is seen in each."""

from dataclasses import dataclass

from app.progress import Progress
from app.results import Performance
from app.trigger_results import TriggerResult


@dataclass(frozen=True, slots=True)
class TriggerStep:
    """One report of the work: how far, how fast, and a result whenever there is a better one."""

    progress: Progress
    performance: Performance
    known_until_s: float
    result: TriggerResult | None = None
    complete: bool = False
