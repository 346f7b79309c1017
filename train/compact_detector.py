"""The compact detector: a small network that learns to box what its teacher boxes.

    python -m train.compact_detector fit|test --config train/configs/compact_detector.yaml

It begins with the trunk of the shipped backbone and trains all of it: the detector keeps a trunk of
its own. Two losses: how likely each cell is the middle of a thing, towards the teacher's score and
most where both disagree, and how far the box of each middle lies from the teacher's (GIoU).
"""

import copy
import dataclasses
import itertools
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.nn import functional

from models.backbones import BackboneShape, CompactBackbone, as_input
from models.checkpoint import read_checkpoint
from models.compact_detector import FARTHEST, SETS_OF_SIDES, SIDES, USUAL_SIDE, CellReader
from models.detector_network import DetectorNetwork, PictureDetector
from models.device import free_threads
from train import fitting
from train.command import run_command
from train.compact_detector_config import DetectorConfig, load_config
from train.data.detection_batches import Batch, DetectionModule
from train.data.detection_teacher import KINDS
from train.detection_figures import LARGE, Agreement
from train.schedules import follow
from train.warm_start import warm_start

WATCHED = "val/mean_ap"
MEASURED_BATCHES = 6  # of whole pictures, for the statistics of a network that goes on
LEAST_COUNTED = 0.05  # score of a box, for the figures
BRIGHTNESS, CONTRAST, TINT = 0.15, 0.3, 0.1  # most that a picture is changed by


class Detection(fitting.ValidatedModule):
    """The student and a slow average of it, which is the one that is kept."""

    def __init__(
        self, config: DetectorConfig, data: DetectionModule, deadline_s: float | None = None
    ) -> None:
        super().__init__()
        self.config, self._data = config, data
        self.student = DetectorNetwork(config.model)
        cast(Any, self.student).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.student).requires_grad_(False).eval()
        self.deadline_s = deadline_s
        self.started_s = time.time()
        self.pictures_seen = 0
        kinds = tuple(config.model.kinds)
        self._reader = CellReader(kinds, (), "", dict.fromkeys(kinds, LEAST_COUNTED))
        self._agreements: dict[str, Agreement] = {}
        self._shipped: list[PictureDetector] = []  # in a list: no part of the state

    @property
    def progress(self) -> float:
        return self.progress_at(self.global_step)

    def progress_at(self, step: int) -> float:
        """How much of the schedule is over: by steps, or by the clock where that is further."""
        devices = self._trainer.world_size if self._trainer is not None else 1
        batches = self.config.data.batches_per_round
        steps_per_round = math.ceil(batches / devices / self.config.run.accumulate)
        done = step / (steps_per_round * self.config.run.max_rounds)
        if self.deadline_s is not None:
            spent_s = time.time() - self.started_s
            done = max(done, spent_s / max(self.deadline_s - self.started_s, 1.0))
        return min(done, 1.0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["started_s"] = self.started_s
        checkpoint["pictures_seen"] = self.pictures_seen
        checkpoint["detector_shape"] = dataclasses.asdict(self.config.model)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.started_s = checkpoint["started_s"]
        self.pictures_seen = checkpoint["pictures_seen"]

    def training_step(self, batch: Batch, number: int) -> Tensor:
        random = np.random.default_rng([self.config.seed, 11, self.global_step, self.global_rank])
        cells = self.student(recoloured(as_input(batch["pixels"]), random))
        middles, sides = losses(cells, batch)
        loss = middles + self.config.learning.sides_weight * sides
        figures = {"middles": middles, "sides": sides, "loss": loss}
        self.log_dict({f"train/{name}": value for name, value in figures.items()}, on_epoch=True)
        self.pictures_seen += len(cells) * self.trainer.world_size
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        most = self.config.learning.average_decay
        follow(self.average, self.student, self.global_step, most)

    def configure_optimizers(self) -> Any:
        learning = self.config.learning
        groups = []
        for trunk, decays in itertools.product((True, False), (True, False)):
            chosen = [
                parameter
                for name, parameter in self.student.named_parameters()
                if name.startswith("trunk.") is trunk and (parameter.ndim > 1) is decays
            ]
            share = learning.trunk_share if trunk and self.config.start_from else 1.0
            decay = learning.weight_decay if decays else 0.0
            rate = learning.learning_rate * share
            groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
        optimizer = torch.optim.AdamW(groups)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_share)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate_share(self, step: int) -> float:
        learning = self.config.learning
        warm = min(1.0, (step + 1) / max(learning.warmup_steps, 1))
        progress = self.progress if self._trainer is not None else 0.0
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        return warm * (learning.final_share + (1 - learning.final_share) * cosine)

    def on_validation_epoch_start(self) -> None:
        # One picture in a hundred makes a network without the limit of its activations explode.
        self._shipped = [PictureDetector(self.average)]
        self._agreements = {kind: Agreement() for kind in self.config.model.kinds}
        self._agreements["large person"] = Agreement(LARGE)

    def validation_step(self, batch: Batch, number: int) -> None:
        shipped = self._shipped[0]
        cells = shipped.network(as_input(batch["pixels"])).float().cpu().numpy()
        for place, cells_of_one in zip(batch["places"].tolist(), cells, strict=True):
            boxes, scores, labels = self._reader.boxes(cells_of_one)
            theirs = self._data.boxes.of(place)
            for name, agreement in self._agreements.items():
                kind = name.removeprefix("large ")
                ours = np.array([label == kind for label in labels], bool)
                of_kind = theirs.kinds == list(KINDS).index(kind)
                agreement.add(
                    boxes[ours], scores[ours], theirs.boxes[of_kind], theirs.scores[of_kind]
                )

    def on_validation_epoch_end(self) -> None:
        figures = {name: found.average_precision() for name, found in self._agreements.items()}
        measured = [figures[kind] for kind in self.config.model.kinds]
        figures["mean_ap"] = float(np.nanmean(measured)) if np.isfinite(measured).any() else 0.0
        self.log_dict({f"val/{name}": value for name, value in figures.items()})
        shown = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
        print(f"{_clock()} round {self.current_epoch} step {self.global_step} {shown}", flush=True)


def losses(cells: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Of the middles and of the sides, [B, channels, S, S] against a batch's targets."""
    wanted = batch["middles"]
    logits = cells[:, : wanted.shape[1]]
    likely = torch.sigmoid(logits)
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    # Most cells are empty and soon known to be: what is off counts by its square.
    things = wanted.amax(dim=(2, 3)).sum().clamp(min=1.0)
    middles = ((likely - wanted).square() * entropy).sum() / things
    weights = batch["weights"]
    counted = weights > 0
    if not bool(counted.any()):
        return middles, cells[:, wanted.shape[1] :].sum() * 0
    sides = cells[:, wanted.shape[1] :].reshape(len(cells), SETS_OF_SIDES, SIDES, *cells.shape[2:])
    found = boxes_of(sides).permute(0, 1, 3, 4, 2)[counted]
    theirs = batch["boxes"].permute(0, 1, 3, 4, 2)[counted]
    off = (1 - giou(found, theirs)) * weights[counted]
    return middles, off.sum() / weights[counted].sum()


def boxes_of(sides: Tensor) -> Tensor:
    """[B, 2, 4, S, S] -> the same, as x0, y0, x1, y1; models.compact_detector.boxes_of_cells."""
    side = sides.shape[-1]
    away = USUAL_SIDE * sides.clamp(-6, FARTHEST).exp()
    middle = (torch.arange(side, device=sides.device) + 0.5) / side
    x, y = middle.view(1, 1, 1, side), middle.view(1, 1, side, 1)
    left, top, right, bottom = away.unbind(2)
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=2)


def giou(one: Tensor, other: Tensor) -> Tensor:
    """[N, 4] each -> [N] from -1 to 1: the overlap, less what lies between the two."""
    shared = (
        (torch.minimum(one[:, 2:], other[:, 2:]) - torch.maximum(one[:, :2], other[:, :2]))
        .clamp(min=0)
        .prod(dim=1)
    )
    together = (
        (one[:, 2:] - one[:, :2]).prod(dim=1) + (other[:, 2:] - other[:, :2]).prod(dim=1) - shared
    ).clamp(min=1e-9)
    around = (
        (torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2]))
        .prod(dim=1)
        .clamp(min=1e-9)
    )
    return shared / together - (around - together) / around


def recoloured(pixels: Tensor, random: np.random.Generator) -> Tensor:
    """Brightness, contrast and tint of each picture, changed by a little."""
    count = len(pixels)
    gain = 1 + random.uniform(-CONTRAST, CONTRAST, (count, 1, 1, 1))
    gain = gain * (1 + random.uniform(-TINT, TINT, (count, 3, 1, 1)))
    shift = random.uniform(-BRIGHTNESS, BRIGHTNESS, (count, 1, 1, 1))
    scale, offset = (
        torch.as_tensor(values, dtype=pixels.dtype, device=pixels.device)
        for values in (gain, 0.5 - 0.5 * gain + shift)
    )
    return (pixels * scale + offset).clamp(0, 1)


class Plan(Callback):
    """Sets resolution and threads of the coming round; ends the run when the schedule is over."""

    def __init__(self) -> None:
        self._round_started_s = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        run = cast(Detection, module).config.run
        if module.device.type == "cpu":
            torch.set_num_threads(run.threads or free_threads())
        self._round_started_s = time.time()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        model, data = cast(Detection, module), cast(Any, trainer).datamodule
        data.side_px = model.config.side_px_at(model.progress)
        pictures = model.config.data.batch_size * model.config.data.batches_per_round
        rate = pictures / (time.time() - self._round_started_s)
        if trainer.is_global_zero:
            losses = " ".join(
                f"{name} {float(trainer.callback_metrics[f'train/{name}']):.3f}"
                for name in ("loss", "middles", "sides")
            )
            print(
                f"{_clock()} round {trainer.current_epoch} progress {model.progress:.3f} "
                f"{losses} {rate:.0f} pictures/s",
                flush=True,
            )
        if model.progress >= 1.0:
            trainer.should_stop = True


def _clock() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())


def fit(config: DetectorConfig, *, resume: bool) -> Detection:
    lightning.seed_everything(config.seed, verbose=False)
    model, data, trainer = assemble(config)
    last = fitting.last_checkpoint(config.run)
    if resume:
        if not last.is_file():
            raise ValueError(f"--resume needs {last}, which is not there")
        state = torch.load(last, map_location="cpu", weights_only=False)
        model.started_s = state["started_s"]
        data.side_px = config.side_px_at(model.progress_at(state["global_step"]))
    elif config.start_from:
        begin_with(model, Path(config.start_from), data)
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def begin_with(model: Detection, folder: Path, data: DetectionModule) -> None:
    """The trunk of a shipped backbone, its batch norms put back."""
    described = read_checkpoint(folder).architecture
    backbone = CompactBackbone(BackboneShape(**{**described, "activation_limit": None}))
    batches = itertools.islice(data.val_dataloader(), MEASURED_BATCHES)
    warm_start(backbone, folder, (as_input(batch["pixels"]) for batch in batches))
    trained = backbone.trunk.state_dict()
    own = model.student.trunk.state_dict()
    if not own.keys() <= trained.keys():
        raise ValueError(f"start_from holds {described['architecture']}, which is another trunk")
    model.student.trunk.load_state_dict({name: trained[name] for name in own})
    model.average.load_state_dict(model.student.state_dict())


def assemble(
    config: DetectorConfig,
) -> tuple[Detection, DetectionModule, lightning.Trainer]:
    data = DetectionModule(
        config.data,
        config.model,
        seed=config.seed,
        side_px=config.side_px_at(0.0),
        validation_side_px=config.validation_side_px,
    )
    model = Detection(config, data, fitting.deadline_s(config.run))
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Plan()])
    return model, data, trainer


def test(config: DetectorConfig) -> dict[str, float]:
    """The validation figures of the last checkpoint."""
    model, data, trainer = assemble(config)
    last = fitting.last_checkpoint(config.run)
    if not last.is_file():
        raise ValueError(f"test needs {last}, which is not there: fit first")
    results = trainer.test(model, data, ckpt_path=last, verbose=False, weights_only=False)
    return {name: float(value) for name, value in results[0].items()}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command("compact_detector", arguments, load_config, fit, test)


if __name__ == "__main__":
    sys.exit(main())
