"""python -m app.cli models: what each model is, and what was measured of it."""

import argparse
from pathlib import Path
from typing import Any

from app.commands.terminal import write_json
from app.results import SCHEMA_VERSION
from app.services import Services
from models.catalogue import ModelFacts, all_model_facts

HASH_SHOWN = 12
COLUMNS = ("name", "kind", "weights", "MB", "measured")


def add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="the models: kind, weights, size, quality")
    models.add_argument("--json", type=Path, metavar="OUT", help="instead of a table; - for stdout")
    models.set_defaults(command=models_command)


def models_command(options: argparse.Namespace, _: Services) -> None:
    facts = all_model_facts()
    if options.json is None:
        print(as_table(facts))
        return
    rows = [_as_json(fact) for fact in facts]
    write_json(options.json, {"schema_version": SCHEMA_VERSION, "models": rows})


def as_table(facts: tuple[ModelFacts, ...]) -> str:
    rows = [COLUMNS, *(_row(fact) for fact in facts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(fact: ModelFacts) -> tuple[str, ...]:
    weights = "no weights" if fact.weights_hash is None else fact.weights_hash[:HASH_SHOWN]
    size = "" if fact.megabytes is None else f"{fact.megabytes:.1f}"
    if fact.problem is not None:
        return fact.name, fact.kind, "unusable", size, fact.problem
    if fact.place is not None:
        return fact.name, fact.kind, fact.place.split(":")[0], size, fact.quality.full
    return fact.name, fact.kind, weights, size, fact.quality.full


def _as_json(fact: ModelFacts) -> dict[str, Any]:
    return {
        "name": fact.name,
        "kind": fact.kind,
        "purpose": fact.purpose,
        "hash": fact.weights_hash,
        "megabytes": None if fact.megabytes is None else round(fact.megabytes, 3),
        "licence": fact.licence,
        "data": fact.data,
        "quality": fact.quality.full,
        "metrics": dict(fact.metrics),
        "problem": fact.problem,
        "place": fact.place,
    }
