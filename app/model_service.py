"""Models as page and command line choose them: what is known of each, and loading with progress."""

from collections.abc import Iterator, Sequence
from typing import Any

from app.progress import Done, Progress, Report, Stop, check_stop, run_reporting
from models import registry
from models.catalogue import ModelFacts, all_model_facts, model_facts
from models.errors import RequestError
from models.hub_checkpoints import add_checkpoint, read_address
from models.speed import speed_of

LONGEST_FIGURE = 48
NOT_HERE = (
    "Checkpoints are added by whoever runs this program, not by visitors: run it on your own "
    "machine, or set FRAMESCRY_ADD_MODELS=1."
)


class ModelService:
    """Stateless but for what is on disk and in memory."""

    def __init__(self, *, may_add: bool) -> None:
        self.may_add = may_add

    def facts(self) -> tuple[ModelFacts, ...]:
        """What is known of every model; none is loaded."""
        return all_model_facts()

    def choices(self, kinds: Sequence[str]) -> list[tuple[str, str]]:
        """The models of these kinds, as they are now: a line of facts, and the name."""
        entries = registry.entries().values()
        return [
            (line(model_facts(entry)), entry.name)
            for entry in entries
            if not {entry.kind, *entry.also}.isdisjoint(kinds)
        ]

    def load(self, name: str) -> Iterator[Progress | Done[str]]:
        """Fetches the model where it is not here, and loads it with what it reads; its name last.

        Closing it stops fetching. Whoever asks for another model meanwhile does not wait.

        Raises:
            ModelUnavailableError, CheckpointError: it cannot be used, and why.
        """

        def work(report: Report, stop: Stop) -> str:
            def hear(words: str, share: float | None) -> None:
                check_stop(stop)
                report(Progress(words, share))

            hear(f"Loading {name}", None)
            model = registry.load(name, hear)
            reads = getattr(model, "index_encoder", None)
            if reads is not None and reads != name:
                registry.load(reads, hear)
            return name

        return run_reporting(work)

    def add(self, text: str) -> Iterator[Progress | Done[str]]:
        """Fetches a checkpoint from the hub by owner/repo[@revision]; the name of its model last.

        Raises:
            RequestError: that is no address, or nobody may add any here.
            ModelUnavailableError, CheckpointError: it cannot be had or used, and why.
        """
        if not self.may_add:
            raise RequestError(NOT_HERE)
        address = read_address(text)

        def work(report: Report, stop: Stop) -> str:
            def hear(words: str, share: float | None) -> None:
                check_stop(stop)
                report(Progress(words, share))

            return add_checkpoint(address, hear)

        return run_reporting(work)


def line(facts: ModelFacts) -> str:
    """One model in a list: keyframe_scorer · shipped, 1.1 MB · TVSum: 40 videos · TVSum tau .18."""
    if facts.problem is not None:
        return f"{facts.name} · cannot be used"
    parts = [", ".join(filter(None, (where(facts), size(facts.megabytes))))]
    if facts.data:
        parts.append(shortened(facts.data))
    if facts.reported is not None:
        parts.append(f"its authors: {shortened(facts.reported)}")
    elif facts.quality.short:
        parts.append(facts.quality.short)
    return " · ".join([facts.name, *parts])


def where(facts: ModelFacts) -> str:
    if facts.place is None:
        return "shipped" if facts.weights_hash is not None else "no weights"
    if facts.place.startswith("from the hub"):
        return "added from the hub"
    return facts.place.split(":")[0]


def size(megabytes: float | None) -> str:
    if megabytes is None:
        return ""
    return f"{megabytes:,.0f} MB" if megabytes >= 100 else f"{megabytes:.1f} MB"


def shortened(text: str) -> str:
    """Up to its first pause, and no longer than a list is wide."""
    first = text
    for pause in (";", " (") if len(text) > LONGEST_FIGURE else ():
        first = first.split(pause)[0]
    if len(first) <= LONGEST_FIGURE:
        return first
    cut = first[:LONGEST_FIGURE]
    return (cut.rpartition(" ")[0] or cut[:-1]).rstrip(" ,") + "…"


def as_row(facts: ModelFacts) -> dict[str, Any]:
    """For programs."""
    speed = speed_of(facts.name)
    return {
        "name": facts.name,
        "kind": facts.kind,
        "purpose": facts.purpose,
        "hash": facts.weights_hash,
        "megabytes": None if facts.megabytes is None else round(facts.megabytes, 3),
        "licence": facts.licence,
        "frames_per_s": None if speed is None else speed.frames_per_s,
        "data": facts.data,
        "quality": facts.quality.full,
        "metrics": dict(facts.metrics),
        "problem": facts.problem,
        "place": facts.place,
    }
