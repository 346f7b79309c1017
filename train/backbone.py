"""The compact backbone: a small network that learns to see what its teacher sees.

    python -m train.backbone fit|test --config train/configs/backbone.yaml [--resume]

The student sees the same crop as the teacher did; pairs are mixed (mixup), and the teacher's
answers with them. Five losses: the angle between student's and teacher's standardized pooled
features, the divergence of the classes that the teacher's own classifier reads from both, the
angle between local features, cell by cell, which tells where in the picture things are, and the
angle between both as sentences are compared with them (the image side that train.frame_text learned
from captions and the teacher's features): of all that the teacher sees, what people write about.
The fifth is for photographs with a label, and for whole ones only: a linear reading of the
features names their class.
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
from torch import Tensor, nn
from torch.nn import functional

from models.backbones import CompactBackbone, as_input
from models.device import free_threads
from train import fitting
from train.backbone_config import BackboneConfig, load_config
from train.command import run_command
from train.comparison import Comparison, TeacherReader, WordsReader
from train.data.distillation import Batch, DistillationModule
from train.data.teacher_views import TeacherSpace, open_teacher_space
from train.schedules import decayed, follow
from train.warm_start import warm_start

WATCHED = "val/cosine"
MEASURED_BATCHES = 12  # of whole pictures, for the statistics of a network that goes on


class Distillation(fitting.ValidatedModule):
    """The student, a slow average of it (the one that is kept), and the teacher's classifier."""

    def __init__(
        self,
        config: BackboneConfig,
        space: TeacherSpace,
        deadline_s: float | None = None,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.config = config
        self.student = CompactBackbone(config.model)
        cast(Any, self.student).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.student).requires_grad_(False).eval()
        self.map_head = nn.Conv2d(self.student.map_dim, space.map_basis.shape[1], 1)
        self.teacher = TeacherReader(space)
        self.words = WordsReader(Path(config.words_state)) if config.words_state else None
        self.label_head = nn.Linear(config.model.feature_dim, len(labels)) if labels else None
        self.deadline_s = deadline_s
        self.started_s = time.time()
        self.pictures_seen = 0
        self._comparison = Comparison(self.teacher)

    @property
    def progress(self) -> float:
        return self.progress_at(self.global_step)

    def progress_at(self, step: int) -> float:
        """How much of the schedule is over: by steps, or by the clock where that is further."""
        # Each device takes its share of a round's batches.
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
        checkpoint["backbone_shape"] = dataclasses.asdict(self.config.model)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.started_s = checkpoint["started_s"]
        self.pictures_seen = checkpoint["pictures_seen"]

    def training_step(self, batch: Batch, number: int) -> Tensor:
        learning = self.config.learning
        pixels = as_input(batch["pixels"])
        target, maps = self.teacher.standardized(batch), batch["maps"].float().permute(0, 3, 1, 2)
        random = np.random.default_rng([self.config.seed, 11, self.global_step, self.global_rank])
        mixed = random.random() < learning.mixup_share
        if mixed:
            share = float(random.uniform(0.0, 0.5))
            pixels, target, maps = (
                part.lerp(part.flip(0), share) for part in (pixels, target, maps)
            )
        trunk_map = self.student.forward_map(pixels)
        features = self.student.pool(trunk_map).float()
        angle = 1 - functional.cosine_similarity(features, target).mean()
        classes = self.class_divergence(features, target)
        cells = self.map_head(trunk_map).float()
        if cells.shape[-1] != maps.shape[-1]:
            maps = functional.interpolate(maps, cells.shape[-2:], mode="bilinear")
        local = 1 - functional.cosine_similarity(cells, maps).mean()
        loss = angle + learning.class_weight * classes + learning.map_weight * local
        figures = {"angle": angle, "classes": classes, "local": local}
        if self.words is not None:
            said = functional.cosine_similarity(self.words(features), self.words(target))
            figures["words"] = 1 - said.mean()
            loss = loss + learning.words_weight * figures["words"]
        if self.label_head is not None and not mixed and (batch["label"] >= 0).any():
            figures["label"] = self.naming(features, batch["label"])
            loss = loss + learning.label_weight * figures["label"]
        figures["loss"] = loss
        self.log_dict({f"train/{name}": value for name, value in figures.items()}, on_epoch=True)
        self.pictures_seen += len(pixels) * self.trainer.world_size
        return loss

    def naming(self, features: Tensor, labels: Tensor) -> Tensor:
        """Of those that have a label; readers of the features see their direction alone."""
        head, known = cast(nn.Linear, self.label_head), labels >= 0
        directions = functional.normalize(features[known]) * math.sqrt(features.shape[1])
        return functional.cross_entropy(head(directions), labels[known], label_smoothing=0.1)

    def class_divergence(self, features: Tensor, target: Tensor) -> Tensor:
        heat = self.config.learning.class_temperature
        ours = functional.log_softmax(self.teacher.logits(features) / heat, dim=1)
        theirs = functional.log_softmax(self.teacher.logits(target) / heat, dim=1)
        return heat * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        most = self.config.learning.average_decay
        follow(self.average, self.student, self.global_step, most)

    def configure_optimizers(self) -> Any:
        learning = self.config.learning
        groups = decayed(self.parameters(), learning.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=learning.learning_rate)
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
        self._comparison = Comparison(self.teacher)

    def validation_step(self, batch: Batch, number: int) -> None:
        self._comparison.add(self.average(as_input(batch["pixels"])).float(), batch)

    def on_validation_epoch_end(self) -> None:
        figures = self._comparison.figures()
        self.log_dict({f"val/{name}": value for name, value in figures.items()}, sync_dist=True)
        shown = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
        if self.trainer.is_global_zero:
            print(
                f"{time.strftime('%H:%M:%S', time.gmtime())} round {self.current_epoch} "
                f"step {self.global_step} progress {self.progress:.3f} {shown}",
                flush=True,
            )


class Plan(Callback):
    """Sets resolution and threads of the coming round; ends the run when the schedule is over."""

    def __init__(self) -> None:
        self._round_started_s = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        run = cast(Distillation, module).config.run
        if module.device.type == "cpu":
            torch.set_num_threads(run.threads or free_threads())
        self._round_started_s = time.time()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        model, data = cast(Distillation, module), cast(Any, trainer).datamodule
        data.side_px = model.config.side_px_at(model.progress)
        taken_s = time.time() - self._round_started_s
        pictures = model.config.data.batch_size * model.config.data.batches_per_round
        model.log("train/pictures_per_s", pictures / taken_s)
        if trainer.is_global_zero:
            print(
                f"{time.strftime('%H:%M:%S', time.gmtime())} round {trainer.current_epoch} "
                f"step {trainer.global_step} progress {model.progress:.3f} "
                f"loss {float(trainer.callback_metrics['train/loss']):.3f} "
                f"angle {float(trainer.callback_metrics['train/angle']):.3f} "
                f"words {float(trainer.callback_metrics.get('train/words', 0.0)):.3f} "
                f"{pictures / taken_s:.0f} pictures/s, {torch.get_num_threads()} threads",
                flush=True,
            )
        if model.progress >= 1.0:
            trainer.should_stop = True


def fit(config: BackboneConfig, *, resume: bool) -> Distillation:
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


def begin_with(model: Distillation, folder: Path, data: DistillationModule) -> None:
    """The student and its average as they were shipped."""
    batches = itertools.islice(data.val_dataloader(), MEASURED_BATCHES)
    pixels = (as_input(batch["pixels"]) for batch in batches)
    shipped = warm_start(model.student, folder, pixels)
    model.pictures_seen = int(shipped.metrics.get("pictures_seen", 0))
    model.average.load_state_dict(model.student.state_dict())


def assemble(
    config: BackboneConfig,
) -> tuple[Distillation, DistillationModule, lightning.Trainer]:
    teacher = open_teacher_space(Path(config.data.cache_dir) / "views")
    data = DistillationModule(
        config.data,
        seed=config.seed,
        side_px=config.side_px_at(0.0),
        validation_side_px=config.validation_side_px,
    )
    labels = data.labels if config.learning.label_weight > 0 else ()
    model = Distillation(config, teacher, fitting.deadline_s(config.run), labels)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Plan()])
    return model, data, trainer


def test(config: BackboneConfig) -> dict[str, float]:
    """The validation figures of the last checkpoint."""
    model, data, trainer = assemble(config)
    last = fitting.last_checkpoint(config.run)
    if not last.is_file():
        raise ValueError(f"test needs {last}, which is not there: fit first")
    results = trainer.test(model, data, ckpt_path=last, verbose=False, weights_only=False)
    return {name: float(value) for name, value in results[0].items()}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command("backbone", arguments, load_config, fit, test)


if __name__ == "__main__":
    sys.exit(main())
