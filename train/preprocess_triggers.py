"""Samples the videos of a trigger config once, so that training reads them at random.

    python -m train.preprocess_triggers [--config FILE] [--set section.key=value] [--features]

Frames are written to data.cache_dir, at data.frame_sampling_rate and data.image_side_px. Broken
off, it goes on where it stopped. With --features also what a frozen trunk makes of them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.errors import UserFacingError
from train.data.sampled_videos import sample_all
from train.data.trigger_videos import read_parts
from train.trigger_video_config import TriggerVideoConfig, load_config


def preprocess(config: TriggerVideoConfig, *, features: bool) -> int:
    """How many videos were new.

    Raises:
        ValueError: data and config do not fit; or features are asked of a trunk that is trained.
        VideoOpenError: a video cannot be decoded.
    """
    if features and not config.freezing.visual_backbone:
        raise ValueError("--features needs freezing.visual_backbone: a trunk that learns changes")
    parts = read_parts(config)
    videos = [*parts.trained, *parts.held]
    new = 0
    for part in (parts.trained, parts.held):
        if part:
            names = [video.name for video in part]
            new += sample_all(part[0].store, names, lambda line: print(line, flush=True))
    if features:
        from train.trigger_video import TriggerVideoTraining

        model = TriggerVideoTraining(config, parts, config.model.visual_encoder.pretrained)
        for video in videos:
            model.features(video)
    print(f"{len(videos)} videos, {new} of them new")
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.preprocess_triggers")
    parser.add_argument("--config", type=Path, default=Path("train/configs/triggers_resnet18.yaml"))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--features", action="store_true")
    flags = parser.parse_args(arguments)
    try:
        preprocess(load_config(flags.config, flags.settings), features=flags.features)
    except (ValueError, UserFacingError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
