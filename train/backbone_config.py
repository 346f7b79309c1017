"""What a config of the backbone says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.backbones import BackboneShape
from train import fitting
from train.data.distillation import DistillationData


@dataclass(frozen=True, slots=True)
class LearningConfig:
    learning_rate: float = 2e-3
    weight_decay: float = 0.03
    warmup_steps: int = 300
    final_share: float = 0.01  # of the learning rate, at the end of the cosine
    class_weight: float = 0.5
    class_temperature: float = 2.0
    map_weight: float = 0.5
    words_weight: float = 0.0
    label_weight: float = 0.0
    mixup_share: float = 0.5  # of the batches
    average_decay: float = 0.998

    def check(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning.learning_rate is above 0, received {self.learning_rate}")
        for name in ("mixup_share", "average_decay", "final_share"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {value}")
        weights = ("class_weight", "map_weight", "words_weight", "label_weight", "weight_decay")
        for name in (*weights, "warmup_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"learning.{name} is not negative, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class BackboneConfig:
    model: BackboneShape
    run: fitting.RunConfig
    data: DistillationData = field(default_factory=DistillationData)
    learning: LearningConfig = field(default_factory=LearningConfig)
    # (share of the schedule, side in pixels): small pictures first, for speed.
    sides_px: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 128)])
    validation_side_px: int = 128
    start_from: str = ""  # a checkpoint's folder; else the weights are random at first
    words_state: str = ""  # of train.frame_text's ceiling; needed where words_weight is not 0
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.data.check()
        self.learning.check()
        shares = [share for share, _ in self.sides_px]
        if not shares or shares[0] != 0 or shares != sorted(shares):
            raise ValueError(f"sides_px begins at 0 and rises, received {self.sides_px}")
        if any(side < 32 for _, side in self.sides_px) or self.validation_side_px < 32:
            raise ValueError(f"sides_px are at least 32 px, received {self.sides_px}")

    def side_px_at(self, progress: float) -> int:
        return [side for share, side in self.sides_px if share <= progress][-1]


def load_config(path: Path, settings: Sequence[str] = ()) -> BackboneConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(BackboneConfig, values)
    config.check()
    return config
