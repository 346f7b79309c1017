"""What a config of the frame search by a trunk of timm and DistilBERT says, and what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from train import fitting
from train.data.captioned_sources import SOURCES


@dataclass(frozen=True, slots=True)
class FrameSearchModel:
    architecture: str = "resnet50"  # a trunk of timm
    pretrained: str = "hub"  # random, hub, or a file of the trunk's weights
    text: str = "hub"  # hub, or a folder with DistilBERT as the hub lays it out
    dim: int = 512
    dropout: float = 0.1
    text_limit: int = 64
    first_temperature: float = 0.2

    def check(self) -> None:
        for name in ("dim", "text_limit"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} is at least 1, received {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout is from 0 to 1, received {self.dropout}")
        if self.first_temperature <= 0:
            raise ValueError(
                f"model.first_temperature is above 0, received {self.first_temperature}"
            )


@dataclass(frozen=True, slots=True)
class FrameSearchData:
    source: str = "flickr8k"
    folder: str = "../shared/data/flickr8k"
    cache_dir: str = ".cache/train"
    side_px: int = 224
    batch_size: int = 64
    workers: int = 0
    frames_per_video: int = 8
    captions_per_item: int | None = None  # of each, in a round; None: all
    smallest_crop: float = 0.7  # of each side
    flip_share: float = 0.5

    def check(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(
                f"data.source is one of {', '.join(SOURCES)}, received {self.source!r}"
            )
        if self.batch_size < 2:
            raise ValueError(f"data.batch_size is at least 2, received {self.batch_size}")
        for name in ("side_px", "frames_per_video"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")
        if self.captions_per_item is not None and self.captions_per_item < 1:
            raise ValueError(
                f"data.captions_per_item is at least 1, received {self.captions_per_item}"
            )
        if self.workers < 0:
            raise ValueError(f"data.workers is not negative, received {self.workers}")
        if not 0 < self.smallest_crop <= 1:
            raise ValueError(f"data.smallest_crop is above 0 to 1, received {self.smallest_crop}")
        if not 0 <= self.flip_share <= 1:
            raise ValueError(f"data.flip_share is from 0 to 1, received {self.flip_share}")


@dataclass(frozen=True, slots=True)
class FrameSearchLearning:
    """Three rates, and the round from which each side learns.

    The heads learn from the first round on, by `learning_rate`.
    """

    learning_rate: float = 0.001
    image_rate: float = 0.0001
    text_rate: float = 0.00001
    image_from_round: int = 1
    text_from_round: int = 1
    weight_decay: float = 0.001
    warmup_share: float = 0.05
    final_share: float = 0.01

    def check(self) -> None:
        for name in ("learning_rate", "image_rate", "text_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"learning.{name} is above 0, received {getattr(self, name)}")
        for name in ("image_from_round", "text_from_round", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"learning.{name} is not negative, received {getattr(self, name)}")
        for name in ("warmup_share", "final_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class FrameSearchConfig:
    run: fitting.RunConfig
    model: FrameSearchModel = field(default_factory=FrameSearchModel)
    data: FrameSearchData = field(default_factory=FrameSearchData)
    learning: FrameSearchLearning = field(default_factory=FrameSearchLearning)
    seed: int = 0

    def check(self) -> None:
        for section in (self.run, self.model, self.data, self.learning):
            section.check()


def load_config(path: Path, settings: Sequence[str] = ()) -> FrameSearchConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(FrameSearchConfig, values)
    config.check()
    return config
