"""The trigger model on any trunk, end to end, from annotated videos.

    python -m train.trigger_video fit|test [--config FILE] [--resume] [--set section.key=value]

The config has the sections of the published system, whose own config.yaml is accepted too. `fit`
keeps the last state, the best by average precision over frames of the validation part, and one
every `save_every` rounds; `python -m train.export trigger_video` makes a model for the application
of it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from models.trigger_layers import event_logits, look
from models.types import Floats, Times
from train import fitting
from train.command import run_command
from train.data.trigger_videos import Batch, Pieces, TrainedVideo, VideoParts, read_parts
from train.round_report import Report
from train.schedules import warm_cosine
from train.trigger_measures import average_precision
from train.trigger_video_config import TriggerVideoConfig, load_config
from train.trigger_video_network import TriggerVideoNetwork, losses

WATCHED = "val/average_precision"
DEFAULT_CONFIG = "train/configs/triggers_resnet18.yaml"
FROZEN = "frozen"  # tag of kept features of a trunk; its weights are added


@dataclass(frozen=True, slots=True)
class Learning:
    """As train.schedules reads it."""

    learning_rate: float
    weight_decay: float
    warmup_share: float
    final_share: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One video of the validation part: what the network says, and what is true."""

    name: str
    times_s: Times
    logits: Floats  # [T, events]
    truth: Floats


class TriggerVideoTraining(fitting.ValidatedModule):
    def __init__(self, config: TriggerVideoConfig, parts: VideoParts, source: str) -> None:
        super().__init__()
        self.config, self.video_parts = config, parts
        torch.manual_seed(config.training.seed)
        self.network = TriggerVideoNetwork(config, len(parts.labels.events), source)
        self._measured: list[Measured] = []

    @property
    def reads_features(self) -> bool:
        """Whether the trunk says of a frame always the same, so that it is asked once."""
        return self.config.freezing.visual_backbone

    def features(self, video: TrainedVideo) -> Floats:
        tag = f"{FROZEN}-{self._trunk_hash()}"
        self.network.eval()
        return video.store.features(video.name, tag, self.network.pooled_array)

    def _trunk_hash(self) -> str:
        import hashlib

        digest = hashlib.sha256()
        for name, tensor in self.network.backbone.trunk.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Dropout of a step depends on its number alone, so that resuming is exact.
        seed = self.config.training.seed
        torch.manual_seed(seed * 100_003 + self.current_epoch * 1009 + batch_idx)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        training = self.config.training
        of_events, unrest = losses(self.network(batch), batch, training.temporal_loss_weight)
        loss = training.trigger_loss_weight * of_events + training.temporal_loss_weight * unrest
        size = len(batch["valid"])
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=size)
        return loss

    def configure_optimizers(self) -> Any:
        training, steps = self.config.training, int(self.trainer.estimated_stepping_batches)
        learning = Learning(
            training.learning_rate,
            training.weight_decay,
            min(1.0, training.warmup_steps / max(steps, 1)),
            training.final_share,
        )
        return warm_cosine(self.network.parameters(), learning, steps)

    def measure(self, video: TrainedVideo) -> Measured:
        """The whole video, by what the application runs."""
        self.network.eval()
        sampled = video.store.read(video.name)
        if self.reads_features:
            pooled = self.features(video)
        else:
            rows = range(0, len(sampled), 64)
            pixels = sampled.pixels
            pooled = np.concatenate(
                [self.network.pooled_array(np.asarray(pixels[at : at + 64])) for at in rows]
            )
        embeddings = self.network.embeddings_array(pooled)
        network = self.network.network
        arrays = {
            name: tensor.detach().float().cpu().numpy()
            for name, tensor in network.state_dict().items()
        }
        seen = look(arrays, network.shape, embeddings)
        logits = event_logits(arrays, network.shape, seen, sampled.times_s)
        return Measured(video.name, sampled.times_s, logits, video.truth(sampled.times_s))

    def on_validation_epoch_start(self) -> None:
        self._measured = []

    def validation_step(self, number: int, batch_number: int) -> None:
        self._measured.append(self.measure(self.video_parts.held[number]))

    def on_validation_epoch_end(self) -> None:
        if self._measured:
            self.log(WATCHED, mean_precision(self._measured), sync_dist=True)


def mean_precision(measured: Sequence[Measured]) -> float:
    """Average precision over the frames of all videos, of every event, their mean."""
    logits = np.concatenate([one.logits for one in measured])
    truth = np.concatenate([one.truth for one in measured])
    each = [
        average_precision(truth[known, at], logits[known, at])
        for at in range(truth.shape[1])
        if (known := truth[:, at] >= 0).any()
    ]
    return float(np.mean(each)) if each else 0.0


class EverySoManyRounds(ModelCheckpoint):
    """Keeps all of its states; beside the one that keeps the last, which may be as frequent."""

    @property
    def state_key(self) -> str:
        return type(self).__name__


class TriggerVideoData(lightning.LightningDataModule):
    def __init__(self, model: TriggerVideoTraining) -> None:
        super().__init__()
        self._model = model
        self._features: dict[str, Floats] | None = None

    def setup(self, stage: str) -> None:
        """A frozen trunk is asked before training, once for every frame there is."""
        if stage == "fit" and self._model.reads_features:
            self._model.to(cast(Any, self.trainer).strategy.root_device)
            trained = self._model.video_parts.trained
            self._features = {video.name: self._model.features(video) for video in trained}

    def train_dataloader(self) -> DataLoader[Batch]:
        """Read again at every round: other pieces."""
        trainer = cast(Any, self.trainer)
        round_number = trainer.current_epoch if trainer is not None else 0
        config = self._model.config
        key = (config.training.seed, round_number)
        pieces = Pieces(self._model.video_parts.trained, config, key, self._features)
        return DataLoader(pieces, batch_size=None)

    def val_dataloader(self) -> DataLoader[int]:
        count = len(self._model.video_parts.held)
        return DataLoader(cast(Any, range(count)), batch_size=None)

    test_dataloader = val_dataloader


def fit(config: TriggerVideoConfig, *, resume: bool) -> TriggerVideoTraining:
    lightning.seed_everything(config.training.seed, verbose=False)
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    parts = read_parts(config)
    _say_parts(parts)
    # A state that is gone on from holds the trunk; it need not be had again.
    source = "random" if resume else config.model.visual_encoder.pretrained
    model = TriggerVideoTraining(config, parts, source)
    if resume:
        model.load_state_dict(_state_of(last)["state_dict"])  # before features are made of it
    every = EverySoManyRounds(
        config.training.save_dir,
        filename="round{epoch}",
        auto_insert_metric_name=False,
        every_n_epochs=config.training.save_every,
        save_top_k=-1,
        save_on_train_epoch_end=True,
    )
    callbacks = [Report(), every]
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=callbacks)
    data = TriggerVideoData(model)
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def _state_of(path: Any) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return state


def _say_parts(parts: VideoParts) -> None:
    print(f"{len(parts.trained)} videos to train on, {len(parts.held)} held out", flush=True)
    if parts.left_out:
        print(
            f"{parts.left_out} proposed events are not used: look them through with "
            "python -m app.annotate, or set data.use_proposed",
            flush=True,
        )


def load_trained(config: TriggerVideoConfig, state_path: Any) -> TriggerVideoTraining:
    """Raises ValueError where the state is not there or is of another network."""
    if not state_path.is_file():
        raise ValueError(f"a state written by training is needed, received {state_path}")
    from train.resuming import check_fits

    model = TriggerVideoTraining(config, read_parts(config), "random")
    check_fits(model, state_path)
    model.load_state_dict(_state_of(state_path)["state_dict"])
    return model


def test(config: TriggerVideoConfig) -> dict[str, float]:
    """The figures of the last state on the validation part."""
    model = load_trained(config, fitting.last_checkpoint(config.run))
    if not model.video_parts.held:
        raise ValueError("test needs a validation part: give data.val_annotations or more videos")
    measured = [model.measure(video) for video in model.video_parts.held]
    return {WATCHED: mean_precision(measured)}


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not any(one.startswith("--config") for one in given):
        given += ["--config", DEFAULT_CONFIG]
    return run_command("trigger_video", given, load_config, fit, lambda config: print(test(config)))


if __name__ == "__main__":
    sys.exit(main())
