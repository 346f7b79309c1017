"""Tables and pictures of the CNN-RNN: of one run, or of the variants that each lack a part.

    python -m train.analyze_actions run [--run FOLDER] [--out train/results]
    python -m train.analyze_actions ablation [--config FILE] [--set KEY=VALUE] [--only NAME ...]

`run` reads what training and `test` left in a run's folder: top-1, top-5, by class, the confusion
matrix, the most confused pairs, learning curves. `ablation` trains and tests every variant that has
not been, each in a folder beside the config's, and can be interrupted: it goes on where it was.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.cnn_rnn_network import CnnRnn, trunk_dim
from train import cnn_rnn, fitting
from train.action_measures import top
from train.cnn_rnn_config import CnnRnnConfig, load_config
from train.cnn_rnn_report import KeptAnswers, read_answers, write_report

# What each differs in from the config, which comes first.
VARIANTS: dict[str, dict[str, Any]] = {
    "as configured": {},
    "no attention": {"attention": False},
    "one direction": {"bidirectional": False},
    "mean of frames": {"recurrent": False, "attention": False},
    "resnet34": {"trunk": "resnet34"},
    "resnet50": {"trunk": "resnet50"},
}
DEFAULT_CONFIG = Path("train/configs/ucf101_resnet18.yaml")


def variant_of(config: CnnRnnConfig, name: str) -> CnnRnnConfig:
    """The same config but for one part, in a folder of its own."""
    changes = VARIANTS[name]
    folder = config.run.folder if not changes else f"{config.run.folder}_{name.replace(' ', '_')}"
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, **changes),
        run=dataclasses.replace(config.run, folder=folder),
    )


def measured(config: CnnRnnConfig) -> KeptAnswers:
    """Trained and tested now, unless it was."""
    folder = Path(config.run.folder)
    if not (folder / cnn_rnn.ANSWERS_FILE).is_file():
        cnn_rnn.fit(config, resume=fitting.last_checkpoint(config.run).is_file())
        cnn_rnn.test(config)
    return read_answers(folder)


def ablation(config: CnnRnnConfig, names: Sequence[str]) -> dict[str, Any]:
    rows = {}
    for name in names:
        variant = variant_of(config, name)
        kept = measured(variant)
        rows[name] = {**top(kept.answers), "parameters": _millions(variant, len(kept.labels))}
        print(f"{name}: {rows[name]}", flush=True)
    return {"protocol": kept.protocol, "rows": rows}


def _millions(config: CnnRnnConfig, labels: int) -> float:
    dim = trunk_dim(config.model.trunk, config.model.trunk_options)
    network = CnnRnn(config.model.shape(dim, labels))
    return round(sum(tensor.numel() for tensor in network.parameters()) / 1e6, 2)


def as_markdown(report: dict[str, Any]) -> str:
    first = next(iter(report["rows"].values()))
    lines = [
        report["protocol"],
        "",
        "| | top-1 | top-5 | top-1 beside the first | parameters, millions |",
        "|---|---|---|---|---|",
    ]
    for name, row in report["rows"].items():
        lines.append(
            f"| {name} | {row['top1']:.4f} | {row['top5']:.4f} | "
            f"{100 * (row['top1'] - first['top1']):+.2f} | {row['parameters']} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.analyze_actions", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="figures and pictures of one run")
    run.add_argument("--run", type=Path, help="default: the folder of the config's run")
    variants = commands.add_parser("ablation", help="every variant, trained where it was not")
    variants.add_argument(
        "--only", nargs="+", choices=tuple(VARIANTS), default=list(VARIANTS), metavar="NAME"
    )
    for command in (run, variants):
        command.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
        command.add_argument("--set", dest="settings", action="append", default=[])
        command.add_argument("--out", type=Path, default=Path("train/results"))
    given = parser.parse_args(arguments)
    try:
        config = load_config(given.config, given.settings)
        if given.command == "run":
            folder = given.run or Path(config.run.folder)
            text = write_report(folder, given.out, folder.name)
        else:
            report = ablation(config, given.only)
            text = as_markdown(report)
            given.out.mkdir(parents=True, exist_ok=True)
            name = f"{Path(config.run.folder).name}_ablation"
            (given.out / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
            (given.out / f"{name}.md").write_text(text)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
