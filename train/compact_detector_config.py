"""What a config of the compact detector says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.compact_detector import STRIDE
from models.detector_network import DetectorShape
from train import fitting
from train.data.detection_batches import DetectionData
from train.data.detection_teacher import KINDS

COARSEST = 4 * STRIDE  # of the trunk's maps


@dataclass(frozen=True, slots=True)
class LearningConfig:
    learning_rate: float = 1e-3
    trunk_share: float = 0.4  # of the learning rate, for what begins trained
    weight_decay: float = 0.03
    warmup_steps: int = 100
    final_share: float = 0.01  # of the learning rate, at the end of the cosine
    sides_weight: float = 2.0
    average_decay: float = 0.995

    def check(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning.learning_rate is above 0, received {self.learning_rate}")
        for name in ("average_decay", "final_share"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {value}")
        for name in ("trunk_share", "weight_decay", "warmup_steps", "sides_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"learning.{name} is not negative, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    model: DetectorShape
    run: fitting.RunConfig
    data: DetectionData = field(default_factory=DetectionData)
    learning: LearningConfig = field(default_factory=LearningConfig)
    # (share of the schedule, side in pixels): small pictures first, for speed.
    sides_px: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 160)])
    validation_side_px: int = 160
    start_from: str = ""  # a backbone's folder; else the weights are random at first
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.data.check()
        self.learning.check()
        shares = [share for share, _ in self.sides_px]
        if not shares or shares[0] != 0 or shares != sorted(shares):
            raise ValueError(f"sides_px begins at 0 and rises, received {self.sides_px}")
        for side in (*(side for _, side in self.sides_px), self.validation_side_px):
            if side < COARSEST or side % COARSEST:
                raise ValueError(f"sides_px are multiples of {COARSEST}, received {side}")
        unknown = [kind for kind in self.model.kinds if kind not in KINDS]
        if unknown:
            raise ValueError(f"model.kinds are of {', '.join(KINDS)}, received {unknown[0]!r}")

    def side_px_at(self, progress: float) -> int:
        return [side for share, side in self.sides_px if share <= progress][-1]


def load_config(path: Path, settings: Sequence[str] = ()) -> DetectorConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(DetectorConfig, values)
    config.check()
    return config
