"""The trigger detector: whether a fight is going on, from features of a frozen backbone.

    python -m train.trigger_detector fit|test [--config FILE] [--resume]

Binary cross-entropy on the logits of every frame. How long to train is fixed in the config; no fold
that is reported chooses it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from models.checkpoint import read_checkpoint, stored_arrays
from models.numpy_layers import Arrays
from models.trigger_layers import look
from models.trigger_network import TriggerNetwork
from models.types import Floats, Times
from train import fitting
from train.command import run_command
from train.data.trigger_batches import Batch, TriggerBatches
from train.data.trigger_features import load_trigger_features
from train.data.trigger_folds import Parts, Recording, parts_of, recordings_of, shown_at
from train.round_report import Report
from train.schedules import warm_cosine
from train.trigger_config import TriggerConfig, load_config
from train.trigger_measures import average_precision

WATCHED = "val/average_precision"
INDEX_FPS = 2.0  # what the application's index holds


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose features are read: names and hashes."""

    backbone: str
    backbone_hash: str
    space: str | None
    space_hash: str | None


@dataclass(frozen=True, slots=True)
class TriggerSource:
    """Everything there is to train on and to measure with."""

    recordings: list[Recording]
    space: Arrays  # weight and bias of the projection; empty where there is none
    origin: Origin


def open_source(config: TriggerConfig) -> TriggerSource:
    """Raises ValueError or FileNotFoundError where features and config do not fit."""
    features = load_trigger_features(Path(config.data.cache_dir), config.data.backbone)
    space, name, weights_hash = {}, None, None
    if config.data.space is not None:
        checkpoint = read_checkpoint(Path(config.data.space))
        if checkpoint.preprocessing["backbone_hash"] != features.backbone_hash:
            raise ValueError(
                f"data.space reads another backbone than {features.backbone} "
                f"{features.backbone_hash[:12]}: train and export {checkpoint.name} first"
            )
        stored = stored_arrays(checkpoint)
        space = {f"space.{part}": stored[f"image_out.{part}"] for part in ("weight", "bias")}
        name, weights_hash = checkpoint.name, checkpoint.weights_hash
    shape = config.model
    if features.rows.shape[1] != shape.input_dim:
        raise ValueError(f"model.input_dim is {features.rows.shape[1]}, received {shape.input_dim}")
    recordings = recordings_of(features, lambda rows: look(space, shape, rows))
    origin = Origin(features.backbone, features.backbone_hash, name, weights_hash)
    return TriggerSource(recordings, space, origin)


class TriggerDataModule(lightning.LightningDataModule):
    def __init__(self, config: TriggerConfig, parts: Parts) -> None:
        super().__init__()
        self._config, self._parts = config, parts

    def train_dataloader(self) -> DataLoader[Batch]:
        """Read again at every round: other pieces, at other rates."""
        data, trainer = self._config.data, cast(Any, self.trainer)
        round_number = trainer.current_epoch if trainer is not None else 0
        batches = TriggerBatches(
            self._parts.trained,
            data.draws,
            batch_size=data.batch_size,
            batches=data.batches_per_round,
            key=(self._config.seed, round_number),
        )
        return DataLoader(batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The held-out clips of surveillance cameras, whole, one at a time."""
        clips = [recording for recording in self._parts.held if recording.source == "fight"]
        return DataLoader(cast(Any, [_whole(clip) for clip in clips]), batch_size=None)

    test_dataloader = val_dataloader


def _whole(clip: Recording) -> Batch:
    seen, times_s = shown_at(clip, INDEX_FPS)
    fights = torch.full((len(seen),), float(clip.fights))
    return {
        "seen": torch.from_numpy(seen),
        "times_s": torch.from_numpy(times_s),
        "fights": fights,
    }


class TriggerTraining(fitting.ValidatedModule):
    def __init__(self, config: TriggerConfig, space: Arrays) -> None:
        super().__init__()
        self.config = config
        self.network = TriggerNetwork(config.model)
        if space:
            values = {name.split(".")[1]: torch.from_numpy(a) for name, a in space.items()}
            self.network.space.load_state_dict(values)
        self._held: list[tuple[bool, float]] = []

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Dropout of a step depends on its number alone, so that resuming is exact.
        torch.manual_seed(self.config.seed * 100_003 + self.current_epoch * 1009 + batch_idx)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        logits = self.network(batch["seen"], batch["times_s"], batch["valid"])
        each = functional.binary_cross_entropy_with_logits(
            logits.float(), batch["fights"], reduction="none"
        )
        valid = batch["valid"]
        # Every sequence counts alike: fast ones have many frames that show the same.
        loss = ((each * valid).sum(1) / valid.sum(1)).mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(valid))
        return loss

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        return warm_cosine(self.network.parameters(), self.config.learning, steps)

    def logits(self, seen: Floats, times_s: Times) -> Floats:
        """float32 [T] of one recording."""
        self.network.eval()
        found = self._logits(torch.from_numpy(seen), torch.from_numpy(times_s))
        return np.asarray(found.float().cpu().numpy(), np.float32)

    @torch.inference_mode()
    def _logits(self, seen: Tensor, times_s: Tensor) -> Tensor:
        times = times_s[None].to(self.device)
        valid = torch.ones_like(times, dtype=torch.bool)
        return cast(Tensor, self.network(seen[None].to(self.device), times, valid)[0])

    def on_validation_epoch_start(self) -> None:
        self._held = []

    def validation_step(self, batch: Batch, number: int) -> None:
        highest = float(self._logits(batch["seen"], batch["times_s"]).max())
        self._held.append((bool(batch["fights"][0] > 0), highest))

    def on_validation_epoch_end(self) -> None:
        if self._held:
            fights, scores = (np.array(column) for column in zip(*self._held, strict=True))
            self.log(WATCHED, average_precision(fights, scores), sync_dist=True)


def _parts(config: TriggerConfig, source: TriggerSource) -> Parts:
    fold = config.data.fold
    return parts_of(source.recordings, [] if fold is None else [fold])


def fit(config: TriggerConfig, *, resume: bool) -> TriggerTraining:
    lightning.seed_everything(config.seed, verbose=False)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    source = open_source(config)
    model = TriggerTraining(config, source.space)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Report()])
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    data = TriggerDataModule(config, _parts(config, source))
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def test(config: TriggerConfig) -> dict[str, float]:
    """The figures of the last checkpoint on the recordings that were held out."""
    last = fitting.last_checkpoint(config.run)
    if not last.is_file():
        raise ValueError(f"test needs {last}, which is not there: fit first")
    source = open_source(config)
    parts = _parts(config, source)
    if not parts.held:
        raise ValueError("test needs data.fold: with null nothing was held out")
    model, data = TriggerTraining(config, source.space), TriggerDataModule(config, parts)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max")
    results = trainer.test(model, data, ckpt_path=last, verbose=False, weights_only=False)
    return {name: float(value) for name, value in results[0].items()}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(
        "trigger_detector", arguments, load_config, fit, lambda config: print(test(config))
    )


if __name__ == "__main__":
    sys.exit(main())
