"""Writes the checkpoint folder of a trained model.

    python -m train.export backbone [--run STATE.ckpt] [--to checkpoints/backbone]
    python -m train.export keyframe_scorer [--run STATE.ckpt] [--to checkpoints/keyframe_scorer]
    python -m train.export compact [--run STATE.ckpt] [--to checkpoints/compact]
    python -m train.export action_classifier [--run STATE.ckpt]
    python -m train.export captioner [--run STATE.ckpt] [--to checkpoints/captioner]
    python -m train.export compact_detector [--run STATE.ckpt] [--to checkpoints/compact_detector]
    python -m train.export frame_search [--run STATE.ckpt] [--to checkpoints/local/NAME]
    python -m train.export trigger_detector [--run STATE.ckpt] [--to checkpoints/trigger_detector]
    python -m train.export cnn_rnn [--config CONFIG] [--run STATE.ckpt] [--to FOLDER]
    python -m train.export trigger_video --config CONFIG [--run STATE.ckpt] [--to FOLDER]
    python -m train.export keyframes_resnet50 [--run STATE.ckpt] [--to checkpoints/local/NAME]

Without --run the last state of the config's run is taken, of cnn_rnn the best.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.checkpoint import Checkpoint
from models.local_checkpoints import local_dir
from train import fitting


def _backbone(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import backbone_config, backbone_export

    config = backbone_config.load_config(config_path, settings)
    return backbone_export.export_backbone(
        config, state_path or fitting.last_checkpoint(config.run), folder
    )


def _keyframe_scorer(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import keyframe_config, keyframe_export

    config = keyframe_config.load_config(config_path, settings)
    report = Path("train/results") / f"keyframes_{config.data.features}.json"
    return keyframe_export.export_scorer(
        config, state_path or fitting.last_checkpoint(config.run), report, folder
    )


def _compact(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import frame_text_config, frame_text_export

    config = frame_text_config.load_config(config_path, settings)
    return frame_text_export.export_frame_text(config, state_path, folder)


def _captioner(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import captioner_config, captioner_export

    config = captioner_config.load_config(config_path, settings)
    return captioner_export.export_captioner(
        config, state_path or fitting.last_checkpoint(config.run), folder
    )


def _compact_detector(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import compact_detector_config, compact_detector_export

    config = compact_detector_config.load_config(config_path, settings)
    return compact_detector_export.export_detector(
        config, state_path or fitting.last_checkpoint(config.run), folder
    )


def _trigger_detector(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import trigger_config, trigger_export

    config = trigger_config.load_config(config_path, settings)
    return trigger_export.export_detector(
        config,
        state_path or fitting.last_checkpoint(config.run),
        Path("train/results/triggers.json"),
        folder,
    )


def _action_classifier(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import action_config, action_export

    config = action_config.load_config(config_path, settings)
    return action_export.export_classifier(
        config, state_path or fitting.last_checkpoint(config.run), folder
    )


def _trigger_video(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import trigger_video_config, trigger_video_export

    config = trigger_video_config.load_config(config_path, settings)
    return trigger_video_export.export_trigger_video(
        config, state_path or fitting.last_checkpoint(config.run), folder
    )


def _frame_search(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import frame_search_config, frame_search_export

    config = frame_search_config.load_config(config_path, settings)
    return frame_search_export.export_frame_search(config, state_path, folder)


def _cnn_rnn(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import cnn_rnn, cnn_rnn_config, cnn_rnn_export

    config = cnn_rnn_config.load_config(config_path, settings)
    return cnn_rnn_export.export_cnn_rnn(
        config, state_path or cnn_rnn.best_checkpoint(config), folder
    )


def _keyframes_resnet50(
    config_path: Path, settings: Sequence[str], state_path: Path | None, folder: Path
) -> Checkpoint:
    from train import keyframes_resnet50_config, keyframes_resnet50_export

    config = keyframes_resnet50_config.load_config(config_path, settings)
    return keyframes_resnet50_export.export_two_stage(config, state_path, folder)


Export = Callable[[Path, Sequence[str], Path | None, Path], Checkpoint]
EXPORTS: dict[str, Export] = {
    "frame_search": _frame_search,
    "action_classifier": _action_classifier,
    "backbone": _backbone,
    "keyframe_scorer": _keyframe_scorer,
    "keyframes_resnet50": _keyframes_resnet50,
    "compact": _compact,
    "captioner": _captioner,
    "compact_detector": _compact_detector,
    "trigger_detector": _trigger_detector,
    "trigger_video": _trigger_video,
    "cnn_rnn": _cnn_rnn,
}
# What is not named as its config, and what does not ship: that goes where local models are.
CONFIGS = {
    "trigger_video": "triggers_resnet18",
    "frame_search": "resnet50_distilbert",
    "cnn_rnn": "ucf101_resnet18",
}
LOCAL = ("trigger_video", "frame_search", "cnn_rnn", "keyframes_resnet50")


def _default_folder(model: str, config_path: Path) -> Path:
    return local_dir() / config_path.stem if model in LOCAL else Path("checkpoints") / model


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.export")
    parser.add_argument("model", choices=tuple(EXPORTS))
    parser.add_argument("--config", type=Path, help="default: train/configs/MODEL.yaml")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--run", type=Path, help="default: the last state of the config's run")
    parser.add_argument("--to", type=Path, help="default: checkpoints/MODEL or local/CONFIG")
    flags = parser.parse_args(arguments)
    name = CONFIGS.get(flags.model, flags.model)
    config_path = flags.config or Path(f"train/configs/{name}.yaml")
    folder = flags.to or _default_folder(flags.model, config_path)
    try:
        checkpoint = EXPORTS[flags.model](config_path, flags.settings, flags.run, folder)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{checkpoint.folder}: {checkpoint.weights_path.stat().st_size / 1e6:.2f} MB")
    for name, value in checkpoint.metrics.items():
        print(f"  {name} {value:.4g}" if isinstance(value, (int, float)) else f"  {name} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
