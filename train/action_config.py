"""What a config of the action classifier says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.action_layers import ActionShape
from train import fitting
from train.data.action_batches import Draws

KINDS = ("stills", "clips", "captioned", "other")


@dataclass(frozen=True, slots=True)
class ActionData:
    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    backbone: str = "checkpoints/backbone"
    space: str = "checkpoints/compact"  # whose projection of the embeddings may be read
    batch_size: int = 64
    batches_per_round: int = 100
    shares: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 1.0))
    slowest_fps: float = 1.0
    fastest_fps: float = 12.0
    back_and_forth_share: float = 0.4

    def check(self) -> None:
        for name in ("batch_size", "batches_per_round"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")
        if not 0 < self.slowest_fps <= self.fastest_fps:
            raise ValueError(
                "data.slowest_fps is above 0 and not above fastest_fps, received "
                f"{self.slowest_fps} and {self.fastest_fps}"
            )
        if not 0 <= self.back_and_forth_share <= 1:
            raise ValueError(
                f"data.back_and_forth_share is from 0 to 1, received {self.back_and_forth_share}"
            )
        unknown = sorted(set(self.shares) - set(KINDS))
        if unknown:
            raise ValueError(f"data.shares has {', '.join(KINDS)}, received {unknown[0]!r}")
        if min(self.shares.values(), default=0) < 0 or not sum(self.shares.values()):
            raise ValueError(f"data.shares are not negative, nor all 0, received {self.shares}")

    @property
    def draws(self) -> Draws:
        return Draws(self.shares, (self.slowest_fps, self.fastest_fps), self.back_and_forth_share)


@dataclass(frozen=True, slots=True)
class ActionLearning:
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.1  # of all steps
    final_share: float = 0.01  # of the learning rate, at the end of the cosine
    label_smoothing: float = 0.1

    def check(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning.learning_rate is above 0, received {self.learning_rate}")
        if self.weight_decay < 0:
            raise ValueError(f"learning.weight_decay is not negative, received {self.weight_decay}")
        for name in ("warmup_share", "final_share", "label_smoothing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class ActionConfig:
    model: ActionShape
    run: fitting.RunConfig
    data: ActionData = field(default_factory=ActionData)
    learning: ActionLearning = field(default_factory=ActionLearning)
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.data.check()
        self.learning.check()


def load_config(path: Path, settings: Sequence[str] = ()) -> ActionConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(ActionConfig, values)
    config.check()
    return config
