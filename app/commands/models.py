"""python -m app.cli models: what each model is, how good, how fast; adding those of others."""

import argparse
from pathlib import Path
from typing import Any

from app.commands.terminal import write_json
from app.model_service import as_row
from app.progress import Done
from app.results import SCHEMA_VERSION
from app.services import Services
from models.catalogue import ModelFacts
from models.speed import speed_of

HASH_SHOWN = 12
COLUMNS = ("name", "kind", "weights", "MB", "frames/s", "licence", "measured")


def add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="the models: weights, size, speed, quality")
    models.add_argument("--json", type=Path, metavar="OUT", help="instead of a table; - for stdout")
    models.add_argument(
        "--add", metavar="OWNER/REPO[@REVISION]", help="fetch a checkpoint from the model hub first"
    )
    models.set_defaults(command=models_command)


def models_command(options: argparse.Namespace, services: Services) -> None:
    if options.add is not None:
        for step in services.models.add(options.add):
            if isinstance(step, Done):
                print(f"{step.value} was added")
    facts = services.models.facts()
    if options.json is None:
        print(as_table(facts))
        return
    write_json(
        options.json,
        {"schema_version": SCHEMA_VERSION, "models": [as_row(fact) for fact in facts]},
    )


def as_table(facts: tuple[ModelFacts, ...]) -> str:
    rows = [COLUMNS, *(_row(fact) for fact in facts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(fact: ModelFacts) -> tuple[str, ...]:
    weights, said = fact.weights_hash, fact.quality.full
    if fact.problem is not None:
        shown, said = "unusable", fact.problem
    elif fact.place is not None:
        shown = fact.place.split(":")[0]
    else:
        shown = "no weights" if weights is None else weights[:HASH_SHOWN]
    size = "" if fact.megabytes is None else f"{fact.megabytes:.1f}"
    speed = speed_of(fact.name)
    fast = "" if speed is None else f"{speed.frames_per_s:g}"
    return fact.name, fact.kind, shown, size, fast, fact.licence, said
