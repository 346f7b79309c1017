"""What a config of the frame-text encoder says, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.frame_text_encoder import FrameTextShape
from models.subwords import ALPHABET
from train import fitting


@dataclass(frozen=True, slots=True)
class TextSideConfig:
    """The shape of the network, as far as the data do not say it."""

    vocabulary: int = 8192
    dim: int = 256
    width: int = 192
    layers: int = 1
    heads: int = 4
    inner_width: int = 384
    text_limit: int = 40

    def check(self) -> None:
        if self.vocabulary < len(ALPHABET) + 2:
            raise ValueError(
                f"model.vocabulary is at least {len(ALPHABET) + 2}, received {self.vocabulary}"
            )
        self.shape(self.vocabulary, 1)

    def shape(self, vocabulary: int, feature_dim: int) -> FrameTextShape:
        return FrameTextShape(
            vocabulary=vocabulary,
            feature_dim=feature_dim,
            dim=self.dim,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            inner_width=self.inner_width,
            text_limit=self.text_limit,
        )


@dataclass(frozen=True, slots=True)
class FrameTextData:
    data_dir: str = "../shared/data"
    cache_dir: str = ".cache/train"
    backbone: str = "checkpoints/backbone"
    spans: int = 60_000  # pieces of captions that the text side reads beside whole ones
    batch_size: int = 512
    workers: int = 0

    def check(self) -> None:
        if self.batch_size < 2:
            raise ValueError(f"data.batch_size is at least 2, received {self.batch_size}")
        for name in ("spans", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"data.{name} is not negative, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class StageConfig:
    """How long a stage takes and how fast it learns."""

    rounds: int
    batches_per_round: int
    learning_rate: float
    warmup_steps: int = 50
    weight_decay: float = 0.05
    text_rate_share: float = 1.0  # of the learning rate, for the text tower learned before

    def check(self, name: str) -> None:
        for key in ("rounds", "batches_per_round"):
            if getattr(self, key) < 1:
                raise ValueError(f"{name}.{key} is at least 1, received {getattr(self, key)}")
        if self.learning_rate <= 0:
            raise ValueError(f"{name}.learning_rate is above 0, received {self.learning_rate}")
        for key in ("warmup_steps", "weight_decay", "text_rate_share"):
            if getattr(self, key) < 0:
                raise ValueError(f"{name}.{key} is not negative, received {getattr(self, key)}")


@dataclass(frozen=True, slots=True)
class JoiningConfig:
    """The losses with which both sides meet."""

    first_temperature: float = 0.07
    feature_dropout: float = 0.2
    text_dropout: float = 0.1
    loose_share: float = 0.2  # of words, shown in shorter pieces
    soft_share: float = 0.2  # of the target, spread over captions that mean much the same
    soft_temperature: float = 0.05
    sentence_weight: float = 0.5  # the tower goes on saying what the sentence encoder says
    joint_text_weight: float = 1.0  # student: texts where the ceiling's network puts them
    joint_frame_weight: float = 1.0  # student: frames where the ceiling's network puts them

    def check(self) -> None:
        for name in ("first_temperature", "soft_temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"joining.{name} is above 0, received {getattr(self, name)}")
        for name in ("feature_dropout", "text_dropout", "loose_share", "soft_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"joining.{name} is from 0 to 1, received {getattr(self, name)}")
        for name in ("sentence_weight", "joint_text_weight", "joint_frame_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"joining.{name} is not negative, received {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class FrameTextConfig:
    run: fitting.RunConfig
    words: StageConfig
    joint: StageConfig
    model: TextSideConfig = field(default_factory=TextSideConfig)
    data: FrameTextData = field(default_factory=FrameTextData)
    joining: JoiningConfig = field(default_factory=JoiningConfig)
    # Of the last stage, where it is another than joint: the ceiling is soon at its best.
    student: StageConfig | None = None
    # The backbone may learn from the ceiling, so that one can be fitted before there is a backbone.
    through: str = "student"
    seed: int = 0

    @property
    def student_plan(self) -> StageConfig:
        return self.student or self.joint

    def check(self) -> None:
        self.run.check()
        self.model.check()
        self.data.check()
        self.joining.check()
        if self.through not in ("ceiling", "student"):
            raise ValueError(f"through is ceiling or student, received {self.through!r}")
        self.words.check("words")
        self.joint.check("joint")
        self.student_plan.check("student")


def load_config(path: Path, settings: Sequence[str] = ()) -> FrameTextConfig:
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config = fitting.read_config(FrameTextConfig, values)
    config.check()
    return config
