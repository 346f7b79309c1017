"""The action classifier: names what is done in a window, from features of a frozen backbone.

    python -m train.action_classifier fit|test --config train/configs/action_classifier.yaml
                                               [--resume]

Cross-entropy over the labels and "something else". How long to train is fixed in the config; what
is chosen is chosen on the part of that name, and the reported one is seen by `test` alone.
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

from models.action_classifier import window_logits, windows_over
from models.action_layers import look
from models.action_network import ActionNetwork
from models.checkpoint import read_checkpoint, stored_arrays
from models.numpy_layers import Arrays
from models.types import Floats, Times
from train import fitting
from train.action_config import ActionConfig, load_config
from train.command import run_command
from train.data.action_batches import ActionBatches, Batch, whole_window
from train.data.action_examples import Example, Examples, load_examples
from train.data.action_labels import LABELS
from train.round_report import Report
from train.schedules import warm_cosine

WATCHED = "val/top1"
INDEX_FPS = 2.0  # what the application's index holds


@dataclass(frozen=True, slots=True)
class ActionSource:
    """Everything there is to learn from, and whose projection it is read by."""

    examples: Examples
    space: Arrays  # weight and bias; empty where only the backbone is read
    space_hash: str | None


def open_space(config: ActionConfig) -> tuple[Arrays, str | None, str | None]:
    """The projection, its checkpoint's hash, and that of the backbone it was made for."""
    if config.model.reads == "backbone":
        return {}, None, None
    checkpoint = read_checkpoint(Path(config.data.space))
    stored = stored_arrays(checkpoint)
    space = {f"space.{part}": stored[f"image_out.{part}"] for part in ("weight", "bias")}
    return space, checkpoint.weights_hash, str(checkpoint.preprocessing["backbone_hash"])


def open_source(config: ActionConfig) -> ActionSource:
    """Raises ValueError or FileNotFoundError where features and config do not fit."""
    data = config.data
    space, space_hash, reads_hash = open_space(config)
    examples = load_examples(
        Path(data.data_dir),
        Path(data.cache_dir),
        Path(data.backbone),
        lambda rows: look(space, config.model, rows),
    )
    if reads_hash not in (None, examples.backbone_hash):
        raise ValueError(
            f"data.space reads another backbone than {examples.backbone} "
            f"{examples.backbone_hash[:12]}: train and export it again first"
        )
    return ActionSource(examples, space, space_hash)


class ActionDataModule(lightning.LightningDataModule):
    def __init__(
        self,
        config: ActionConfig,
        trained: Sequence[Example],
        held: Sequence[Example],
        labels: Sequence[str] = LABELS,
    ) -> None:
        super().__init__()
        self._config, self._trained, self._held = config, trained, held
        self._labels = labels

    def train_dataloader(self) -> DataLoader[Batch]:
        """Read again at every round: other windows, at other rates."""
        data, trainer = self._config.data, cast(Any, self.trainer)
        round_number = trainer.current_epoch if trainer is not None else 0
        batches = ActionBatches(
            self._trained,
            self._labels,
            data.draws,
            batch_size=data.batch_size,
            batches=data.batches_per_round,
            key=(self._config.seed, round_number),
        )
        return DataLoader(batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Example]:
        """The held-out examples that have a label, one at a time."""
        named = [example for example in self._held if example.label is not None]
        return DataLoader(cast(Any, named), batch_size=None, collate_fn=_as_it_is)

    test_dataloader = val_dataloader

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Examples are read in numpy, wherever the network is."""
        if isinstance(batch, Example):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)


def _as_it_is(item: Any) -> Any:
    return item


class ActionTraining(fitting.ValidatedModule):
    def __init__(self, config: ActionConfig, space: Arrays, labels: Sequence[str] = LABELS) -> None:
        super().__init__()
        if config.model.labels != len(labels):
            raise ValueError(
                f"model.labels is the number of labels, {len(labels)}, received "
                f"{config.model.labels}"
            )
        self.config = config
        self.labels = tuple(labels)
        self.network = ActionNetwork(config.model)
        if space:
            values = {name.split(".")[1]: torch.from_numpy(a) for name, a in space.items()}
            self.network.space.load_state_dict(values)
        self._arrays: Arrays = {}
        self._ranks: list[int] = []

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Dropout and noise of a step depend on its number alone, so that resuming is exact.
        torch.manual_seed(self.config.seed * 100_003 + self.current_epoch * 1009 + batch_idx)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        logits = self.network(batch["seen"], batch["times_s"], batch["valid"]).float()
        loss = functional.cross_entropy(
            logits, batch["labels"], label_smoothing=self.config.learning.label_smoothing
        )
        right = (logits.argmax(1) == batch["labels"]).float().mean()
        self.log_dict(
            {"train/loss": loss, "train/top1": right},
            on_step=False,
            on_epoch=True,
            batch_size=len(logits),
        )
        return loss

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        return warm_cosine(self.network.parameters(), self.config.learning, steps)

    def arrays(self) -> Arrays:
        """The weights, for what the application runs."""
        state = self.network.state_dict()
        return {name: tensor.float().cpu().numpy() for name, tensor in state.items()}

    def on_validation_epoch_start(self) -> None:
        self._arrays, self._ranks = self.arrays(), []

    def validation_step(self, batch: Example, number: int) -> None:
        seen, times_s = whole_window(batch, INDEX_FPS)
        logits = mean_logits(self._arrays, self.config, seen, times_s)[:-1]
        self._ranks.append(int((logits > logits[self.labels.index(cast(str, batch.label))]).sum()))

    def on_validation_epoch_end(self) -> None:
        if self._ranks:
            ranks = np.array(self._ranks)
            figures = {WATCHED: float((ranks < 1).mean()), "val/top5": float((ranks < 5).mean())}
            self.log_dict(figures, sync_dist=True)


def mean_logits(arrays: Arrays, config: ActionConfig, seen: Floats, times_s: Times) -> Floats:
    """[K + 1] of a whole recording: the mean over its windows, by what the application runs."""
    windows = windows_over(times_s)
    logits, _ = window_logits(arrays, config.model, seen, times_s, windows)
    return np.asarray(logits.mean(0), np.float32)


def fit(config: ActionConfig, *, resume: bool) -> ActionTraining:
    lightning.seed_everything(config.seed, verbose=False)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    source = open_source(config)
    model = ActionTraining(config, source.space)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Report()])
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    examples = source.examples
    data = ActionDataModule(config, examples.part("train"), examples.part("chosen"))
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def test(config: ActionConfig) -> dict[str, float]:
    """The figures of the last checkpoint on the reported part."""
    last = fitting.last_checkpoint(config.run)
    if not last.is_file():
        raise ValueError(f"test needs {last}, which is not there: fit first")
    source = open_source(config)
    model = ActionTraining(config, source.space)
    data = ActionDataModule(config, [], source.examples.part("reported"))
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max")
    results = trainer.test(model, data, ckpt_path=last, verbose=False, weights_only=False)
    return {name: float(value) for name, value in results[0].items()}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(
        "action_classifier", arguments, load_config, fit, lambda config: print(test(config))
    )


if __name__ == "__main__":
    sys.exit(main())
