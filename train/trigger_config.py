"""What a config of the trigger detector says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.trigger_layers import TriggerShape
from train import fitting
from train.data.trigger_batches import Draws
from train.data.trigger_folds import FOLDS

KINDS = ("fight+", "fight-", "ut_interaction+", "ut_interaction-", "weizmann-", "tvsum-", "msrvtt-")


@dataclass(frozen=True, slots=True)
class TriggerData:
    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    backbone: str = "backbone"
    space: str | None = "checkpoints/compact"  # whose projection of the embeddings is read
    fold: int | None = None  # the fold that is held out; null trains on everything
    batch_size: int = 32
    batches_per_round: int = 50
    shares: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 1.0))
    slowest_fps: float = 1.0
    fastest_fps: float = 12.0
    join_share: float = 0.4
    same_place_share: float = 0.5
    back_and_forth_share: float = 0.5
    views: int = 6

    def check(self) -> None:
        if self.fold is not None and not 0 <= self.fold < FOLDS:
            raise ValueError(f"data.fold is from 0 to {FOLDS - 1} or null, received {self.fold}")
        for name in ("batch_size", "batches_per_round", "views"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")
        if not 0 < self.slowest_fps <= self.fastest_fps:
            raise ValueError(
                "data.slowest_fps is above 0 and not above fastest_fps, received "
                f"{self.slowest_fps} and {self.fastest_fps}"
            )
        for name in ("join_share", "same_place_share", "back_and_forth_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"data.{name} is from 0 to 1, received {getattr(self, name)}")
        unknown = sorted(set(self.shares) - set(KINDS))
        if unknown:
            raise ValueError(f"data.shares has {', '.join(KINDS)}, received {unknown[0]!r}")
        if min(self.shares.values(), default=0) < 0 or not sum(self.shares.values()):
            raise ValueError(f"data.shares are not negative, nor all 0, received {self.shares}")

    @property
    def draws(self) -> Draws:
        return Draws(
            self.shares,
            (self.slowest_fps, self.fastest_fps),
            self.join_share,
            self.same_place_share,
            self.back_and_forth_share,
            self.views,
        )


@dataclass(frozen=True, slots=True)
class TriggerLearning:
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.1  # of all steps
    final_share: float = 0.01  # of the learning rate, at the end of the cosine

    def check(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning.learning_rate is above 0, received {self.learning_rate}")
        if self.weight_decay < 0:
            raise ValueError(f"learning.weight_decay is not negative, received {self.weight_decay}")
        for name in ("warmup_share", "final_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class TriggerConfig:
    model: TriggerShape
    run: fitting.RunConfig
    data: TriggerData = field(default_factory=TriggerData)
    learning: TriggerLearning = field(default_factory=TriggerLearning)
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.data.check()
        self.learning.check()
        if bool(self.model.space_dim) != (self.data.space is not None):
            raise ValueError(
                "model.space_dim and data.space belong together, received "
                f"{self.model.space_dim} and {self.data.space}"
            )


def load_config(path: Path, settings: Sequence[str] = ()) -> TriggerConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(TriggerConfig, values)
    config.check()
    return config
