"""What a config of the keyframe scorer says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.keyframe_scorer import ScorerShape
from train import fitting
from train.data.community import is_table
from train.data.judged_sets import JUDGED_SETS, TVSUM
from train.data.tvsum_features import features_place
from train.data.tvsum_folds import FOLDS


@dataclass(frozen=True, slots=True)
class ScorerData:
    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    dataset: str = TVSUM  # or summe, or a table of the community with its own features: FILE.h5
    features: str = "backbone"  # the name of the backbone whose features are read
    fold: int | None = None  # the fold that is held out; null trains on every video
    inner: bool = False  # leave that fold out altogether and hold out the next one
    batch_videos: int = 4
    crop_share: float = 0.5  # the shortest part of a video that a step may see
    max_stride: int = 3  # a step sees every frame, every second, ... up to every one of so many

    def check(self) -> None:
        if self.dataset not in JUDGED_SETS and not is_table(self.dataset):
            raise ValueError(
                f"data.dataset is one of {', '.join(JUDGED_SETS)}, or a file .h5, "
                f"received {self.dataset!r}"
            )
        if self.fold is not None and not 0 <= self.fold < FOLDS:
            raise ValueError(f"data.fold is from 0 to {FOLDS - 1} or null, received {self.fold}")
        for name in ("batch_videos", "max_stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")
        if not 0 < self.crop_share <= 1:
            raise ValueError(f"data.crop_share is above 0, up to 1, received {self.crop_share}")

    @property
    def features_dir(self) -> Path:
        return Path(self.cache_dir) / features_place(self.features, self.dataset)


@dataclass(frozen=True, slots=True)
class ScorerLearning:
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    warmup_share: float = 0.1  # of all steps
    final_share: float = 0.01  # of the learning rate, at the end of the cosine
    ranking_weight: float = 1.0
    regression_weight: float = 1.0

    def check(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning.learning_rate is above 0, received {self.learning_rate}")
        for name in ("warmup_share", "final_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {getattr(self, name)}")
        for name in ("weight_decay", "ranking_weight", "regression_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"learning.{name} is not negative, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class ScorerConfig:
    model: ScorerShape
    run: fitting.RunConfig
    data: ScorerData = field(default_factory=ScorerData)
    learning: ScorerLearning = field(default_factory=ScorerLearning)
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.data.check()
        self.learning.check()


def load_config(path: Path, settings: Sequence[str] = ()) -> ScorerConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(ScorerConfig, values)
    config.check()
    return config
