"""Writes the checkpoint folder of a trained model.

    python -m train.export MODEL [--config CONFIG] [--run STATE.ckpt] [--to FOLDER]

Without --run the state that the config's run ended with is taken, or its best one where a training
says so. Models that ship go to checkpoints/MODEL, others to checkpoints/local.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from models.checkpoint import SHIPPED_DIR, Checkpoint
from models.local_checkpoints import local_dir


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where a model's config is read and its folder is written, as modules of train.

    `function` is called with the config, the state or None, and the folder. `config_name`: of its
    config, where that is not the model's own. What does not `ship` goes where local models are.
    """

    config_module: str
    export_module: str
    function: str
    config_name: str = ""
    ships: bool = True

    def export(
        self, config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
    ) -> Checkpoint:
        config = _module(self.config_module).load_config(config_path, settings)
        export = getattr(_module(self.export_module), self.function)
        return cast(Checkpoint, export(config, state_path, folder))


def _module(name: str) -> Any:
    return importlib.import_module(f"train.{name}")


EXPORTS = {
    "backbone": Recipe("backbone_config", "backbone_export", "export_backbone"),
    "compact": Recipe("frame_text_config", "frame_text_export", "export_frame_text"),
    "keyframe_scorer": Recipe("keyframe_config", "keyframe_export", "export_scorer"),
    "action_classifier": Recipe("action_config", "action_export", "export_classifier"),
    "trigger_detector": Recipe("trigger_config", "trigger_export", "export_detector"),
    "captioner": Recipe("captioner_config", "captioner_export", "export_captioner"),
    "compact_detector": Recipe(
        "compact_detector_config", "compact_detector_export", "export_detector"
    ),
    "keyframes_resnet50": Recipe(
        "keyframes_resnet50_config", "keyframes_resnet50_export", "export_two_stage", ships=False
    ),
    "frame_search": Recipe(
        "frame_search_config",
        "frame_search_export",
        "export_frame_search",
        "resnet50_distilbert",
        ships=False,
    ),
    "cnn_rnn": Recipe(
        "cnn_rnn_config", "cnn_rnn_export", "export_cnn_rnn", "ucf101_resnet18", ships=False
    ),
    "trigger_video": Recipe(
        "trigger_video_config",
        "trigger_video_export",
        "export_trigger_video",
        "triggers_resnet18",
        ships=False,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.export")
    parser.add_argument("model", choices=tuple(EXPORTS))
    parser.add_argument("--config", type=Path, help="default: the model's in train/configs")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--run", type=Path, help="default: a state of the config's run")
    parser.add_argument("--to", type=Path, help="default: checkpoints/MODEL or local/CONFIG")
    flags = parser.parse_args(arguments)
    recipe = EXPORTS[flags.model]
    name = recipe.config_name or flags.model
    config_path = flags.config or Path(f"train/configs/{name}.yaml")
    own = SHIPPED_DIR / flags.model if recipe.ships else local_dir() / config_path.stem
    try:
        checkpoint = recipe.export(config_path, flags.settings, flags.run, flags.to or own)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{checkpoint.folder}: {checkpoint.weights_path.stat().st_size / 1e6:.2f} MB")
    for name, value in checkpoint.metrics.items():
        print(f"  {name} {value:.4g}" if isinstance(value, (int, float)) else f"  {name} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
