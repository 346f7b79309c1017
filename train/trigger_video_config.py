"""What a config of the trigger model says, in the published system's sections.

Its config.yaml is read as it is: every key of it is used, or said not to apply in one line. A key
that neither it nor we know is refused. Ours are `pretrained: hub | random | FILE`, `image_side_px`,
`use_proposed`, `flip` and what says where and how fast to train.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from models.trigger_layers import TriggerShape
from train import fitting

ENCODERS = {"resnet18": 512, "resnet50": 2048, "efficientnet_b0": 1280}
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
# Of keys that the published config.yaml has and that mean nothing here, and why.
NOT_APPLICABLE = {
    "data.clip_overlap": "every frame has a window of its own",
    "data.use_fiftyone": "annotations are read from JSON",
    "model.trigger_detector.input_dim": "it is the visual encoder's",
    "model.trigger_detector.threshold": "thresholds are set on the validation part",
    "model.time_aware_encoder.input_dim": "it is the trigger detector's",
    "model.time_aware_encoder.use_timestamps": "timestamps are always read",
    "model.llm": "the describer is chosen in the application",
    "freezing.llm_base": "the describer is not trained with it",
    "freezing.temporal_lstm": "there is none beside the time-aware encoder",
    "freezing.llm_projections": "the describer is not trained with it",
    "training.llm_loss_weight": "the describer is not trained with it",
    "training.log_dir": "logs are in the run's folder",
    "inference": "the application asks: threshold, length and describer are chosen there",
}


@dataclass(frozen=True, slots=True)
class VideoData:
    train_video_dir: str
    train_annotations: str
    val_video_dir: str | None = None
    val_annotations: str | None = None
    frame_sampling_rate: float = 3.0
    clip_window_size: int = 16  # frames that the time-aware encoder sees around each
    max_frames: int | None = 32  # of one piece of a video in training; null: two windows
    auto_split: bool = True
    val_ratio: float = 0.2  # of the videos, where there is no validation part
    split_seed: int = 42
    use_proposed: bool = False  # events that nobody has looked through
    image_side_px: int = 224
    flip: bool = True  # half of all pieces are mirrored, all frames of one alike
    cache_dir: str = ".cache/train/triggers"

    @property
    def piece_frames(self) -> int:
        return self.max_frames or 2 * self.clip_window_size

    def check(self) -> None:
        for name in ("clip_window_size", "image_side_px"):
            _need(getattr(self, name) >= 2, f"data.{name} is at least 2", getattr(self, name))
        _need(self.piece_frames >= 2, "data.max_frames is at least 2", self.max_frames)
        rate = self.frame_sampling_rate
        _need(0.05 <= rate <= 60, "data.frame_sampling_rate is from 0.05 to 60", rate)
        _need(0 < self.val_ratio < 1, "data.val_ratio is above 0 and below 1", self.val_ratio)


@dataclass(frozen=True, slots=True)
class VisualEncoder:
    type: str = "resnet18"
    pretrained: str = "hub"  # hub, random or a file; true and false are the first two
    feature_dim: int | None = None  # of a trained projection; null: the trunk's own

    @property
    def dim(self) -> int:
        return self.feature_dim or ENCODERS[self.type]

    def check(self) -> None:
        known = ", ".join(ENCODERS)
        _need(self.type in ENCODERS, f"model.visual_encoder.type is one of {known}", self.type)


@dataclass(frozen=True, slots=True)
class DetectorPart:
    hidden_dim: int = 256
    num_classes: int | None = None  # "no event" and every label; null: as the annotations have


@dataclass(frozen=True, slots=True)
class TimeAwareEncoder:
    type: str = "transformer"
    hidden_dim: int = 128
    num_layers: int = 2
    num_heads: int = 4
    dropout: float = 0.1


@dataclass(frozen=True, slots=True)
class Freezing:
    visual_backbone: bool = True
    visual_projection: bool = False
    trigger_detector: bool = False
    time_aware_encoder: bool = False

    def check(self) -> None:
        every = all(getattr(self, part.name) for part in fields(self))
        _need(not every, "freezing leaves something to train", "all parts frozen")


@dataclass(frozen=True, slots=True)
class ModelParts:
    visual_encoder: VisualEncoder = field(default_factory=VisualEncoder)
    trigger_detector: DetectorPart = field(default_factory=DetectorPart)
    time_aware_encoder: TimeAwareEncoder = field(default_factory=TimeAwareEncoder)


@dataclass(frozen=True, slots=True)
class Training:
    batch_size: int = 8
    num_epochs: int = 50
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    warmup_steps: int = 1000
    gradient_accumulation_steps: int = 1
    use_mixed_precision: bool = True
    max_grad_norm: float = 1.0
    save_dir: str = ".cache/train/trigger_video"
    save_every: int = 10
    eval_every: int = 1
    trigger_loss_weight: float = 1.0
    temporal_loss_weight: float = 0.0  # published with .5; here only between frames alike
    final_share: float = 1.0  # of the learning rate at the end; 1: constant, as published
    accelerator: str = "auto"
    threads: int | None = None
    seed: int = 0

    def check(self) -> None:
        for name in (
            "batch_size", "num_epochs", "gradient_accumulation_steps", "save_every", "eval_every",
        ):  # fmt: skip
            _need(getattr(self, name) >= 1, f"training.{name} is at least 1", getattr(self, name))
        for name in ("learning_rate", "max_grad_norm", "trigger_loss_weight"):
            _need(getattr(self, name) > 0, f"training.{name} is above 0", getattr(self, name))
        for name in ("weight_decay", "warmup_steps", "temporal_loss_weight"):
            value = getattr(self, name)
            _need(value >= 0, f"training.{name} is not negative", value)
        _need(0 <= self.final_share <= 1, "training.final_share is from 0 to 1", self.final_share)


@dataclass(frozen=True, slots=True)
class TriggerVideoConfig:
    data: VideoData
    model: ModelParts = field(default_factory=ModelParts)
    training: Training = field(default_factory=Training)
    freezing: Freezing = field(default_factory=Freezing)

    @property
    def run(self) -> fitting.RunConfig:
        training = self.training
        return fitting.RunConfig(
            folder=training.save_dir,
            max_rounds=training.num_epochs,
            accelerator=training.accelerator,
            precision="auto" if training.use_mixed_precision else "32-true",
            threads=training.threads,
            accumulate=training.gradient_accumulation_steps,
            clip_norm=training.max_grad_norm,
            rounds_per_validation=training.eval_every,
        )

    def shape(self, events: int) -> TriggerShape:
        """The network over the visual encoder's features, for so many events."""
        time = self.model.time_aware_encoder
        return TriggerShape(
            input_dim=self.model.visual_encoder.dim,
            space_dim=0,
            detector_dim=self.model.trigger_detector.hidden_dim,
            events=events,
            dim=time.hidden_dim,
            heads=time.num_heads,
            layers=time.num_layers,
            time_encoder=time.type,
            window_s=self.data.clip_window_size / 2 / self.data.frame_sampling_rate,
            dropout=time.dropout,
            input_dropout=0.0,
        )

    def check(self) -> None:
        self.data.check()
        self.model.visual_encoder.check()
        self.training.check()
        self.freezing.check()
        classes = self.model.trigger_detector.num_classes
        _need(
            classes is None or classes >= 2,
            "model.trigger_detector.num_classes is at least 2",
            classes,
        )
        self.run.check()
        self.shape(1)


def _need(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, received {received!r}")


def load_config(path: Path, settings: Sequence[str] = ()) -> TriggerVideoConfig:
    """Prints what of the file does not apply, a line each.

    Raises:
        ValueError: a key is unknown or has a value that cannot be.
    """
    values = fitting.set_keys(fitting.load_yaml(path), settings)
    config, remarks = read_published(values)
    for remark in remarks:
        print(remark, flush=True)
    return config


def read_published(values: dict[str, Any]) -> tuple[TriggerVideoConfig, list[str]]:
    """The config, and what does not apply, a line each."""
    remarks: list[str] = []
    kept = _applying(_freezing_on_top(values), "", remarks)
    config = fitting.read_config(TriggerVideoConfig, _read_numbers(kept))
    config.check()
    return config, remarks


def _freezing_on_top(values: dict[str, Any]) -> dict[str, Any]:
    """The published file has it within the model, its description beside it."""
    model = values.get("model")
    if not isinstance(model, dict) or "freeze" not in model:
        return values
    if "freezing" in values:
        raise ValueError("freezing stands in a section of its own or in model.freeze, not in both")
    inside = {name: part for name, part in model.items() if name != "freeze"}
    return {**values, "model": inside, "freezing": model["freeze"]}


def _applying(values: dict[str, Any], where: str, remarks: list[str]) -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        path = f"{where}{name}"
        if path in NOT_APPLICABLE:
            inside = f" ({', '.join(value)})" if isinstance(value, dict) else ""
            remarks.append(f"{path}{inside} does not apply: {NOT_APPLICABLE[path]}")
        else:
            deeper = isinstance(value, dict)
            kept[name] = _applying(value, f"{path}.", remarks) if deeper else value
    return kept


def _read_numbers(value: Any) -> Any:
    """YAML takes 1e-4 for a word, and the published file has true where a source is named."""
    if isinstance(value, dict):
        read = {name: _read_numbers(part) for name, part in value.items()}
        if isinstance(read.get("pretrained"), bool):
            read["pretrained"] = "hub" if read["pretrained"] else "random"
        return read
    if isinstance(value, str) and _EXPONENT.fullmatch(value.strip()):
        return float(value)
    return value
