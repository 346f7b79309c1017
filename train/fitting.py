"""What every trained model shares: configs that are checked, and the Lightning trainer.

A config is one YAML file whose sections are dataclasses. Every key is checked before any data is
read; a wrong one is named, with what was received.
"""

import dataclasses
import subprocess
import time
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from train.resuming import CheckingTrainer

T = TypeVar("T")

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How a model is fitted, whatever the model."""

    folder: str
    max_rounds: int = 100
    until: str | None = None  # HH:MM UTC, or a full ISO time: the schedule ends then at the latest
    max_hours: float | None = None
    accelerator: str = "auto"
    devices: int | str = "auto"
    strategy: str = "auto"
    precision: str = "auto"
    threads: int | None = None  # of a CPU; None measures before each round what is free
    accumulate: int = 1
    clip_norm: float = 1.0
    rounds_per_validation: int = 1
    patience: int | None = None  # validations without a better figure before stopping
    save_every: int | None = None  # rounds between states that are kept beside the last and best
    progress_bar: bool = False

    def check(self) -> None:
        for name in ("max_rounds", "accumulate", "rounds_per_validation"):
            _need(getattr(self, name) >= 1, f"run.{name} is at least 1", getattr(self, name))
        _need(self.threads is None or self.threads >= 1, "run.threads is at least 1", self.threads)
        _need(self.clip_norm > 0, "run.clip_norm is above 0", self.clip_norm)
        _need(
            self.precision in PRECISIONS,
            f"run.precision is one of {', '.join(PRECISIONS)}",
            self.precision,
        )
        _need(
            self.max_hours is None or self.max_hours > 0,
            "run.max_hours is above 0",
            self.max_hours,
        )
        _need(
            self.patience is None or self.patience >= 1, "run.patience is at least 1", self.patience
        )
        _need(
            self.save_every is None or self.save_every >= 1,
            "run.save_every is at least 1",
            self.save_every,
        )
        if self.until is not None:
            parse_until(self.until, datetime.now(UTC))


def _need(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, received {received!r}")


def parse_until(text: str, now: datetime) -> datetime:
    """HH:MM is the next such minute, UTC; anything else an ISO time."""
    try:
        if len(text) == 5:
            clock = datetime.strptime(text, "%H:%M").time()
            moment = datetime.combine(now.date(), clock, UTC)
            return moment if moment > now else moment + timedelta(days=1)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"run.until is HH:MM or an ISO time, received {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def deadline_s(run: RunConfig) -> float | None:
    """Seconds since the epoch at which the schedule must have ended, or None."""
    ends = []
    if run.until is not None:
        ends.append(parse_until(run.until, datetime.now(UTC)).timestamp())
    if run.max_hours is not None:
        ends.append(time.time() + run.max_hours * 3600)
    return min(ends, default=None)


def read_config(kind: type[T], values: object, where: str = "config") -> T:
    """Builds the dataclass from plain values.

    Raises:
        ValueError: a key is unknown or missing, or a value has the wrong type; it names the key.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{where} is a mapping, received {values!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ValueError(f"{where} has no key {unknown[0]!r}; it has {', '.join(fields)}")
    wanted = typing.get_type_hints(kind)
    made = {
        name: _read_value(wanted[name], value, f"{where}.{name}") for name, value in values.items()
    }
    try:
        return kind(**made)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _read_value(wanted: Any, value: object, where: str) -> Any:
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return read_config(wanted, value, where)
    origin, inside = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        plain = [kind for kind in inside if kind is not type(None)]
        if value is None and len(plain) < len(inside):
            return None
        if len(plain) == 1:
            return _read_value(plain[0], value, where)
        wanted_types: Any = tuple(plain)
    elif origin is list and isinstance(value, list):
        return [_read_value(inside[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    elif origin is tuple and isinstance(value, list) and len(value) == len(inside):
        return tuple(
            _read_value(kind, item, f"{where}[{i}]")
            for i, (kind, item) in enumerate(zip(inside, value, strict=True))
        )
    elif origin is dict and isinstance(value, dict):
        return {str(key): _read_value(inside[1], item, where) for key, item in value.items()}
    else:
        wanted_types = origin or wanted
    if wanted_types is Any:
        return value
    if wanted_types is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted_types) or (
        isinstance(value, bool) and wanted_types is not bool
    ):
        raise ValueError(f"{where} is {wanted}, received {value!r}")
    return value


def load_yaml(path: Path) -> dict[str, Any]:
    """Raises ValueError naming --config where the file cannot be used."""
    if not path.is_file():
        raise ValueError(f"--config is a YAML file, received {path}")
    values = yaml.safe_load(path.read_text())
    if not isinstance(values, dict):
        raise ValueError(f"--config holds a mapping, received {type(values).__name__} in {path}")
    return values


def set_keys(values: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Applies --set section.key=value, the value in YAML."""
    for setting in settings:
        name, equals, text = setting.partition("=")
        section, dot, key = name.partition(".")
        if not equals:
            raise ValueError(f"--set is key=value, received {setting!r}")
        if not dot:
            values[section] = yaml.safe_load(text)
            continue
        part = values.setdefault(section, {})
        if not isinstance(part, dict):
            raise ValueError(f"--set {name}: {section} has no keys")
        part[key] = yaml.safe_load(text)
    return values


def code_version() -> str:
    """The commit that the code is at, with + where it was changed since."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def pick_precision(run: RunConfig) -> str:
    """Half width on a GPU. On a CPU bf16 makes the forward pass faster and the backward slower.

    Measured with AVX-512 bf16, mobilenetv4_conv_small, 96 px, one thread: 308 pictures a second in
    fp32, 218 in bf16, although the forward pass alone took 38 and 24 ms.
    """
    if run.precision != "auto":
        return run.precision
    if torch.cuda.is_available() and run.accelerator in ("auto", "gpu", "cuda"):
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "32-true"


def last_checkpoint(run: RunConfig) -> Path:
    return Path(run.folder) / "last.ckpt"


def existing_state(path: Path) -> Path:
    """
    Raises:
        ValueError: there is no such file to export.
    """
    if not path.is_file():
        raise ValueError(f"--run is a state written by training, received {path}")
    return path


def build_trainer(
    run: RunConfig, *, watch: str, mode: str, callbacks: Sequence[Callback] = ()
) -> lightning.Trainer:
    """Logs to CSV and TensorBoard; keeps the last state, the best by `watch`, and every so many."""
    folder = Path(run.folder)
    loggers: list[Logger] = [CSVLogger(folder, name="logs")]
    try:
        loggers.append(TensorBoardLogger(folder, name="tensorboard"))
    except ModuleNotFoundError:  # an optional package; the CSV has the same figures
        print("tensorboard is not installed: figures go to CSV only", flush=True)
    last = ModelCheckpoint(
        folder,
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    best = ModelCheckpoint(
        folder,
        filename="best",
        monitor=watch,
        mode=mode,
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=False,
    )
    kept = [best, last, *([] if run.save_every is None else [_every_so_many(run)])]
    every: list[Callback] = [*kept, LearningRateMonitor("step"), *callbacks]
    if run.progress_bar:
        every.append(TQDMProgressBar(refresh_rate=10))
    if run.patience is not None:
        every.append(EarlyStopping(watch, mode=mode, patience=run.patience))
    return CheckingTrainer(
        accelerator=run.accelerator,
        devices=run.devices,
        strategy=run.strategy,
        precision=typing.cast(Any, pick_precision(run)),
        max_epochs=run.max_rounds,
        accumulate_grad_batches=run.accumulate,
        gradient_clip_val=run.clip_norm,
        check_val_every_n_epoch=run.rounds_per_validation,
        # Every round is a new piece of an endless order of pictures.
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        enable_progress_bar=run.progress_bar,
        enable_model_summary=False,
        use_distributed_sampler=True,
        logger=loggers,
        callbacks=every,
        default_root_dir=folder,
    )


def _every_so_many(run: RunConfig) -> ModelCheckpoint:
    """Keeps round-0009.ckpt, round-0019.ckpt and so on, numbered from 0 as the log does."""
    return ModelCheckpoint(
        run.folder,
        filename="round-{epoch:04d}",
        auto_insert_metric_name=False,
        every_n_epochs=run.save_every,
        save_top_k=-1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


class ValidatedModule(lightning.LightningModule):
    """A module whose test is its validation, on whatever state is given."""

    def on_test_epoch_start(self) -> None:
        self.on_validation_epoch_start()

    def test_step(self, batch: Any, number: int) -> None:
        self.validation_step(batch, number)

    def on_test_epoch_end(self) -> None:
        self.on_validation_epoch_end()
