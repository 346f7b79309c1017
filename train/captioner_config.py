"""What a config of the captioner says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.caption_decoder import CaptionShape, SearchRules
from models.captioner import READS
from train import fitting


@dataclass(frozen=True, slots=True)
class CaptionerModel:
    """The shape of the network, as far as the data do not say it."""

    dim: int = 256
    heads: int = 4
    dropout: float = 0.3
    input_dropout: float = 0.3

    def shape(self, vocabulary: int, input_dim: int) -> CaptionShape:
        return CaptionShape(
            vocabulary=vocabulary,
            input_dim=input_dim,
            dim=self.dim,
            heads=self.heads,
            dropout=self.dropout,
            input_dropout=self.input_dropout,
        )


@dataclass(frozen=True, slots=True)
class CaptionerData:
    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    backbone: str = "checkpoints/backbone"
    frame_text: str = "checkpoints/compact"
    reads: str = "both"  # the backbone's features, what compact makes of them, or both
    least_count: int = 10  # a word that captions have less often is not learned
    batch_items: int = 64
    captions_per_item: int = 5  # in a step
    photographs: bool = True  # Flickr8k beside MSR-VTT

    def check(self) -> None:
        if self.reads not in READS:
            raise ValueError(f"data.reads is one of {', '.join(READS)}, received {self.reads!r}")
        for name in ("least_count", "batch_items", "captions_per_item"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} is at least 1, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class CaptionerLearning:
    """First words as people wrote them, then whole captions by what they score."""

    word_rounds: int = 15
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.05  # of the first part's steps
    final_share: float = 0.05  # of the learning rate, at the end of the cosine
    smoothing: float = 0.1
    consensus: float = 1.0  # how much oftener captions are shown that others agree with
    reward_rate: float = 1e-4  # learning rate of the second part, falling to 0
    samples: int = 5  # captions said for each item in a step of the second part
    temperature: float = 0.5  # at which they are drawn; at 1 most are too odd to learn from

    def check(self) -> None:
        for name in ("learning_rate", "reward_rate", "temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"learning.{name} is above 0, received {getattr(self, name)}")
        for name in ("weight_decay", "consensus"):
            if getattr(self, name) < 0:
                raise ValueError(f"learning.{name} is not negative, received {getattr(self, name)}")
        for name in ("warmup_share", "final_share", "smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"learning.{name} is from 0 to 1, received {getattr(self, name)}")
        if self.word_rounds < 1:
            raise ValueError(f"learning.word_rounds is at least 1, received {self.word_rounds}")
        if self.samples < 2:
            raise ValueError(f"learning.samples is at least 2, received {self.samples}")


@dataclass(frozen=True, slots=True)
class CaptionerConfig:
    """`run.max_rounds` counts both parts: those beyond learning.word_rounds are the second."""

    run: fitting.RunConfig
    model: CaptionerModel = field(default_factory=CaptionerModel)
    data: CaptionerData = field(default_factory=CaptionerData)
    learning: CaptionerLearning = field(default_factory=CaptionerLearning)
    search: SearchRules = field(default_factory=SearchRules)
    doubt_below: float = 0.5  # a less sure caption gives way to a surer, plainer one
    plain: list[str] = field(default_factory=list)  # what it may fall back on, where sayable
    seed: int = 0

    def check(self) -> None:
        self.run.check()
        self.data.check()
        self.learning.check()
        self.model.shape(1, 1)
        if not 0 <= self.doubt_below <= 1:
            raise ValueError(f"doubt_below is from 0 to 1, received {self.doubt_below}")


def load_config(path: Path, settings: Sequence[str] = ()) -> CaptionerConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(CaptionerConfig, values)
    config.check()
    return config
