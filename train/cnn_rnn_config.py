"""What a config of the CNN-RNN says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.cnn_rnn_layers import CnnRnnShape
from models.video.segments import SegmentPlan
from train import fitting
from train.data.action_segments import Seen
from train.data.ucf101 import VideoParts, read_folders, read_ucf101

KINDS = ("ucf101", "folders")
WHOLE_TRUNK = "all"


@dataclass(frozen=True, slots=True)
class CnnRnnModel:
    trunk: str = "resnet18"
    hidden: int = 256
    layers: int = 1
    bidirectional: bool = True
    recurrent: bool = True
    attention: bool = True
    attention_dim: int = 256
    dropout: float = 0.3
    trunk_options: dict[str, Any] | None = None

    def shape(self, feature_dim: int, labels: int) -> CnnRnnShape:
        own = {name: getattr(self, name) for name in self.__slots__}
        return CnnRnnShape(feature_dim=feature_dim, labels=labels, **own)

    def check(self) -> None:
        try:
            self.shape(1, 1)
        except ValueError as error:
            raise ValueError(f"model.{error}") from None


@dataclass(frozen=True, slots=True)
class CnnRnnData:
    videos: str
    kind: str = "ucf101"
    lists: str = ""  # of UCF101: the folder of classInd.txt and the lists
    split: int = 1
    group_pattern: str = ""  # of a folder's file names; without a match every file is a group
    test_share: float = 0.2  # of a folder's groups; UCF101 has its own
    held_share: float = 0.1  # of the training groups, to choose on
    sided_labels: list[str] = field(default_factory=list)  # never mirrored, beside left and right
    others: str = ""  # a folder of videos that show none of the labels, to tell them from the rest
    frames: int = 16
    stride: int = 2
    video_fps: float = 25.0  # that the stride counts in
    short_side_px: int = 160
    side_px: int = 144
    batch_size: int = 4
    held_windows: int = 3  # a video, where choices are made
    test_windows: int = 10
    workers: int = 0
    split_seed: int = 0

    def check(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"data.kind is one of {', '.join(KINDS)}, received {self.kind!r}")
        least = ("frames", "stride", "batch_size", "held_windows", "test_windows", "side_px")
        for name in least:
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")
        if self.workers < 0:
            raise ValueError(f"data.workers is not negative, received {self.workers}")
        if self.video_fps <= 0:
            raise ValueError(f"data.video_fps is above 0, received {self.video_fps}")
        if self.short_side_px < self.side_px:
            raise ValueError(
                f"data.short_side_px is at least side_px, received {self.short_side_px} and "
                f"{self.side_px}"
            )
        for name in ("test_share", "held_share"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"data.{name} is between 0 and 1, received {getattr(self, name)}")

    @property
    def plan(self) -> SegmentPlan:
        segment_s = self.frames * self.stride / self.video_fps
        return SegmentPlan(self.frames, segment_s, segment_s)

    @property
    def seen(self) -> Seen:
        return Seen(self.short_side_px, self.side_px)

    def parts(self) -> VideoParts:
        """Raises ValueError where the videos or the lists are not as they should be."""
        videos, seed = Path(self.videos), self.split_seed
        if self.kind == "ucf101":
            return read_ucf101(videos, Path(self.lists), self.split, self.held_share, seed)
        return read_folders(videos, self.held_share, self.test_share, seed, self.group_pattern)


@dataclass(frozen=True, slots=True)
class CnnRnnLearning:
    """The trunk opens from its end: nothing at first, then one of `unfreeze` after the other."""

    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    warmup_share: float = 5 / 45  # of all rounds
    final_share: float = 0.01  # of the learning rate, at the end of the cosine
    label_smoothing: float = 0.1
    frozen_rounds: int = 5
    rounds_between: int = 5
    unfreeze: list[str] = field(default_factory=lambda: ["layer4", "layer3"])
    train_batch_norms: bool = False

    def check(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning.learning_rate is above 0, received {self.learning_rate}")
        for name in ("weight_decay", "frozen_rounds", "rounds_between"):
            if getattr(self, name) < 0:
                raise ValueError(f"learning.{name} is not negative, received {getattr(self, name)}")
        for name in ("warmup_share", "final_share", "label_smoothing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {getattr(self, name)}")

    def open_at(self, round_number: int) -> tuple[str, ...]:
        """Which parts of the trunk learn in that round."""
        if round_number < self.frozen_rounds:
            return ()
        since = round_number - self.frozen_rounds
        count = len(self.unfreeze) if not self.rounds_between else 1 + since // self.rounds_between
        return tuple(self.unfreeze[:count])


@dataclass(frozen=True, slots=True)
class CnnRnnConfig:
    run: fitting.RunConfig
    data: CnnRnnData
    model: CnnRnnModel = field(default_factory=CnnRnnModel)
    learning: CnnRnnLearning = field(default_factory=CnnRnnLearning)
    pretrained: str = "hub"  # random, hub, or a file of the trunk's weights
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.data.check()
        self.model.check()
        self.learning.check()


def load_config(path: Path, settings: Sequence[str] = ()) -> CnnRnnConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(CnnRnnConfig, values)
    config.check()
    return config
