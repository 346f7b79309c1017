"""What a config of the two-stage keyframe training says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.backbones import BackboneShape
from models.keyframe_scorer import ScorerShape
from train import fitting
from train.data.community import is_table
from train.data.judged_sets import JUDGED_SETS, TVSUM
from train.data.tvsum_folds import FOLDS


@dataclass(frozen=True, slots=True)
class TwoStageModel:
    trunk: BackboneShape
    scorer: ScorerShape
    pretrained: str = "hub"  # or random, or a file of timm's weights
    tuned: str = "layer4"  # the stage of the trunk that is fine-tuned
    side_px: int = 224

    def check(self) -> None:
        if self.trunk.feature_dim != self.scorer.input_dim:
            raise ValueError(
                f"model.scorer.input_dim is the trunk's feature_dim, {self.trunk.feature_dim}, "
                f"received {self.scorer.input_dim}"
            )
        if self.side_px < 32:
            raise ValueError(f"model.side_px is at least 32, received {self.side_px}")


@dataclass(frozen=True, slots=True)
class TwoStageData:
    dataset: str = TVSUM  # or summe: a folder of that name in data_dir
    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    fold: int | None = 0  # the fold that is held out; null trains on every video
    inner: bool = False  # leave that fold out altogether and hold out the next one
    batch_videos: int = 4  # stretches of videos in a step
    stretch_frames: int = 240  # two minutes: longer videos are cut, so that memory is bounded
    chunk_frames: int = 64  # frames that go through the trunk at once

    def check(self) -> None:
        if is_table(self.dataset):
            raise ValueError(
                "data.dataset: a table of features has no frames to train a trunk on; "
                "use python -m train.keyframe_scorer"
            )
        if self.dataset not in JUDGED_SETS:
            raise ValueError(
                f"data.dataset is one of {', '.join(JUDGED_SETS)}, received {self.dataset!r}"
            )
        if self.fold is not None and not 0 <= self.fold < FOLDS:
            raise ValueError(f"data.fold is from 0 to {FOLDS - 1} or null, received {self.fold}")
        for name in ("batch_videos", "stretch_frames", "chunk_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")

    def frames_dir(self, side_px: int) -> Path:
        return Path(self.cache_dir) / f"sampled_{side_px}" / self.dataset


@dataclass(frozen=True, slots=True)
class TwoStageLearning:
    frozen_rounds: int = 10  # stage 1: the trunk stays as it is
    frozen_rate: float = 1e-4
    tuned_rate: float = 1e-5  # stage 2: everything above and the trunk's last stage
    weight_decay: float = 0.01
    ranking_weight: float = 1.0
    regression_weight: float = 1.0

    def check(self) -> None:
        for name in ("frozen_rate", "tuned_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"learning.{name} is above 0, received {getattr(self, name)}")
        for name in ("frozen_rounds", "weight_decay", "ranking_weight", "regression_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"learning.{name} is not negative, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class TwoStageConfig:
    model: TwoStageModel
    run: fitting.RunConfig
    data: TwoStageData = field(default_factory=TwoStageData)
    learning: TwoStageLearning = field(default_factory=TwoStageLearning)
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.model.check()
        self.data.check()
        self.learning.check()


def load_config(path: Path, settings: Sequence[str] = ()) -> TwoStageConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(TwoStageConfig, values)
    config.check()
    return config
