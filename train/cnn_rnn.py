"""The CNN-RNN: names the action in segments of 16 frames, from the pictures themselves.

    python -m train.cnn_rnn fit|test --config train/configs/ucf101_resnet18.yaml [--resume]
                                     [--set model.trunk=resnet34] [--set pretrained=random]

The trunk is frozen at first and opens from its end, one part after the other. What is validated on
is cut from the training part by group; the test part is read by `test` alone.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from models.cnn_rnn import probabilities_of
from models.cnn_rnn_network import CnnRnn, trunk_dim
from models.types import Floats
from train import fitting
from train.action_measures import Answers, confusion
from train.cnn_rnn_config import WHOLE_TRUNK, CnnRnnConfig, load_config
from train.command import run_command
from train.data.action_segments import HeldSegments, TrainedSegments
from train.data.ucf101 import LabelledVideo, VideoParts
from train.pretrained import load_trunk
from train.resuming import CheckingTrainer
from train.round_report import Report
from train.schedules import warm_cosine

WATCHED = "val/top1"
ANSWERS_FILE = "answers.npz"
SMALLEST = 1e-12

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

Batch = dict[str, Tensor]


class CnnRnnDataModule(lightning.LightningDataModule):
    def __init__(
        self,
        config: CnnRnnConfig,
        labels: Sequence[str],
        trained: Sequence[LabelledVideo],
        held: Sequence[LabelledVideo],
        windows: int,
    ) -> None:
        super().__init__()
        self._config, self._labels = config, labels
        self._trained, self._held, self._windows = trained, held, windows

    def train_dataloader(self) -> DataLoader[Any]:
        """Read again at every round: another order, other windows, other crops and lights."""
        data, trainer = self._config.data, cast(Any, self.trainer)
        segments = TrainedSegments(
            self._trained,
            self._labels,
            data.plan,
            data.seen,
            key=(self._config.seed, trainer.current_epoch if trainer is not None else 0),
            sided=data.sided_labels,
        )
        last_is_whole = len(segments) >= data.batch_size
        return DataLoader(
            segments, data.batch_size, num_workers=data.workers, drop_last=last_is_whole
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """One video at a time, by its segments."""
        data = self._config.data
        held = HeldSegments(self._held, self._labels, data.plan, data.seen, self._windows)
        return DataLoader(held, batch_size=None, num_workers=data.workers)

    test_dataloader = val_dataloader


class CnnRnnTraining(fitting.ValidatedModule):
    def __init__(self, config: CnnRnnConfig, labels: Sequence[str]) -> None:
        super().__init__()
        self.config, self.labels = config, tuple(labels)
        options = config.model.trunk_options
        dim = trunk_dim(config.model.trunk, options)
        self.network = CnnRnn(config.model.shape(dim, len(labels)))
        self._held: list[tuple[int, Floats]] = []  # of each video: its label, its segments' logits
        for part in config.learning.unfreeze:
            if not any(_is_of(name, part) for name, _ in self._trunk_parameters()):
                raise ValueError(f"learning.unfreeze names parts of the trunk, received {part!r}")
        self._open(config.learning.unfreeze)

    def begin_with(self, source: str) -> None:
        """The trunk's first weights. Raises ValueError where they cannot be had."""
        model = self.config.model
        trunk = load_trunk(model.trunk, source, **(model.trunk_options or {}))
        self.network.frames.trunk.load_state_dict(trunk.state_dict())

    # -- which parts learn -------------------------------------------------------------------------

    def _trunk_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.network.frames.trunk.named_parameters()

    def _open(self, parts: Sequence[str]) -> None:
        for name, parameter in self._trunk_parameters():
            parameter.requires_grad_(any(_is_of(name, part) for part in parts))

    def on_train_epoch_start(self) -> None:
        self._open(self.config.learning.open_at(self.current_epoch))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Dropout of a step depends on its number alone, so that resuming is exact.
        torch.manual_seed(self.config.seed * 100_003 + self.current_epoch * 1009 + batch_idx)
        learning = self.config.learning
        parts = learning.open_at(self.current_epoch) if learning.train_batch_norms else ()
        for name, module in self.network.frames.trunk.named_modules():
            if isinstance(module, NORMS):
                module.train(any(_is_of(name, part) for part in parts))

    # -- learning ----------------------------------------------------------------------------------

    def training_step(self, batch: Batch, number: int) -> Tensor:
        logits = self.network(batch["frames"]).float()
        smoothing = self.config.learning.label_smoothing
        loss = functional.cross_entropy(logits, batch["label"], label_smoothing=smoothing)
        right = (logits.argmax(1) == batch["label"]).float().mean()
        self.log_dict(
            {"train/loss": loss, "train/top1": right},
            on_step=False,
            on_epoch=True,
            batch_size=len(logits),
        )
        return loss

    def configure_optimizers(self) -> Any:
        """Over all that ever learns; what is not open yet has no gradient and stays as it is."""
        self._open(self.config.learning.unfreeze)
        steps = int(self.trainer.estimated_stepping_batches)
        return warm_cosine(self.network.parameters(), self.config.learning, steps)

    # -- measuring ---------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        self._held = []

    def validation_step(self, batch: dict[str, Any], number: int) -> None:
        logits = self.network(batch["frames"]).float()
        self._held.append((int(batch["label"]), logits.cpu().numpy()))

    def on_validation_epoch_end(self) -> None:
        answers = self.answers().named
        if len(answers):
            own = np.take_along_axis(answers.logits, answers.labels[:, None], axis=1)
            figures = {
                WATCHED: answers.top(1),
                "val/top5": answers.top(5),
                "val/loss": float(-own.mean()),
            }
            self.log_dict(figures, sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["labels"] = list(self.labels)

    def answers(self) -> Answers:
        """Of the videos seen last: logarithms of the mean probabilities over their segments."""
        return self._answers([np.log(_shares(logits).mean(0)) for _, logits in self._held])

    def segment_answers(self) -> Answers:
        """Of each of their segments by itself, as the application asks."""
        segments = [(label, row) for label, rows in self._held for row in rows]
        return self._answers([row for _, row in segments], [label for label, _ in segments])

    def _answers(self, rows: Sequence[Floats], expected: Sequence[int] | None = None) -> Answers:
        expected = [label for label, _ in self._held] if expected is None else expected
        return answers_of_rows(np.reshape(rows, (-1, len(self.labels))), expected)


def _shares(logits: Floats) -> Floats:
    return np.maximum(probabilities_of(logits, 1.0), SMALLEST)


def _is_of(name: str, part: str) -> bool:
    return part == WHOLE_TRUNK or name == part or name.startswith(f"{part}.")


def answers_of_rows(rows: Floats, labels: Sequence[int]) -> Answers:
    """With the column for "something else" that the measures expect and nobody here says.

    A label below 0 stands for something else.
    """
    never = np.full((len(rows), 1), -np.inf, np.float32)
    expected = np.asarray(labels, np.int64)
    expected = np.where(expected < 0, rows.shape[1], expected)
    return Answers(np.concatenate([rows.astype(np.float32), never], axis=1), expected)


def fit(config: CnnRnnConfig, *, resume: bool) -> CnnRnnTraining:
    lightning.seed_everything(config.seed, verbose=False)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    parts = config.data.parts()
    model = CnnRnnTraining(config, parts.labels)
    if not resume:  # a state has all weights
        model.begin_with(config.pretrained)
    (Path(config.run.folder) / ANSWERS_FILE).unlink(missing_ok=True)  # of a state before
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Report()])
    data = CnnRnnDataModule(config, parts.labels, parts.train, parts.held, config.data.held_windows)
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def best_checkpoint(config: CnnRnnConfig) -> Path:
    """Of the validation.

    Raises:
        ValueError: there is none.
    """
    best = Path(config.run.folder) / "best.ckpt"
    if not best.is_file():
        raise ValueError(f"{best} is not there: fit first")
    return best


def asked(
    config: CnnRnnConfig, labels: Sequence[str], state: Path, videos: Sequence[LabelledVideo]
) -> CnnRnnTraining:
    """A state that was asked about videos, by as many segments of each as tests have."""
    model = CnnRnnTraining(config, labels)
    trainer = CheckingTrainer(
        accelerator=config.run.accelerator,
        devices=1,  # each video once, in order
        precision=cast(Any, fitting.pick_precision(config.run)),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=config.run.progress_bar,
        enable_model_summary=False,
    )
    data = CnnRnnDataModule(config, labels, [], videos, config.data.test_windows)
    trainer.test(model, data, ckpt_path=state, verbose=False, weights_only=False)
    return model


def test(config: CnnRnnConfig) -> dict[str, float]:
    """The best state on the test part; its answers stay in the run's folder for the analysis."""
    parts = config.data.parts()
    state = best_checkpoint(config)
    answers = asked(config, parts.labels, state, parts.test).answers()
    folder = Path(config.run.folder)
    np.savez(
        folder / ANSWERS_FILE,
        logits=answers.logits[:, :-1],
        expected=answers.labels,
        labels=np.array(parts.labels),
        videos=np.array([f"{video.label}/{video.path.name}" for video in parts.test]),
        state=np.array(state_name(state)),
        protocol=np.array(protocol_of(config, parts)),
    )
    right = confusion(answers).diagonal().sum()
    figures = {"top1": answers.top(1), "top5": answers.top(5)}
    print(
        f"{right} of {len(answers)} test videos right, by {config.data.test_windows} segments each"
    )
    return figures


def protocol_of(config: CnnRnnConfig, parts: VideoParts) -> str:
    data = config.data
    what = f"UCF101, split {data.split}" if data.kind == "ucf101" else "A folder of class folders"
    return (
        f"{what}: {len(parts.test)} test videos, of recordings that nothing was trained on. "
        f"Each by {data.test_windows} segments of {data.frames} frames spread over all of it, by "
        f"the mean of their probabilities. The state was best on {len(parts.held)} videos, "
        f"whole recordings of the training part that were left out of training; "
        f"{len(parts.train)} videos were trained on."
    )


def state_name(path: Path) -> str:
    """Which of a run's states it is."""
    state = torch.load(path, map_location="cpu", mmap=True, weights_only=False)
    return f"round {int(state['epoch'])}, step {int(state['global_step'])}"


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not any(word.startswith("--config") for word in given):
        given += ["--config", "train/configs/ucf101_resnet18.yaml"]
    return run_command("cnn_rnn", given, load_config, fit, lambda config: print(test(config)))


if __name__ == "__main__":
    sys.exit(main())
