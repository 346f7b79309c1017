"""`python -m train.<model> fit|test`: the command that every trained model has."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

RESULTS_DIR = Path("train/results")  # where train.evaluate writes

Config = TypeVar("Config")


class Fit(Protocol):
    def __call__(self, config: Any, *, resume: bool) -> Any: ...


def run_command(
    name: str,
    arguments: Sequence[str] | None,
    load_config: Callable[[Path, Sequence[str]], Config],
    fit: Fit,
    test: Callable[[Config], Any],
) -> int:
    """0: done. 2: a flag, a config or a folder is wrong, said in one line before any training."""
    flags = parse_flags(name, arguments)
    try:
        config = load_config(flags.config, flags.settings)
        if flags.action == "fit":
            fit(config, resume=flags.resume)
        else:
            test(config)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parse_flags(name: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m train.{name}")
    parser.add_argument("action", choices=("fit", "test"))
    parser.add_argument("--config", type=Path, default=Path(f"train/configs/{name}.yaml"))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    return parser.parse_args(arguments)
