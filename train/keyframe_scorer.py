"""The keyframe scorer: which frames people find important, from features of a frozen backbone.

    python -m train.keyframe_scorer fit|test --config train/configs/keyframe_scorer.yaml [--resume]

Two losses: the order of pairs of frames as each annotator sees it, and the distance of the score
to the annotators' mean. How long to train is fixed in the config; no test fold chooses it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.keyframe_network import ScorerNetwork
from models.types import Floats
from train import fitting
from train.command import run_command
from train.data.judged import LEVELS, ScoredVideo
from train.data.tvsum_folds import Parts, load_scored_videos, parts_of
from train.keyframe_config import ScorerConfig, ScorerData, load_config
from train.losses import importance_losses
from train.metrics import rank_correlations
from train.round_report import Report
from train.schedules import warm_cosine

WATCHED = "val/tau"

Sample = dict[str, Tensor]  # features [T, D], times_s [T], annotators [A, T] in [0, 1]


def sample_of(video: ScoredVideo, part: slice = slice(None)) -> Sample:
    annotators = (video.annotators[:, part].astype(np.float32) - 1) / (LEVELS - 1)
    return {
        "features": torch.from_numpy(video.features[part]),
        "times_s": torch.from_numpy(video.times_s[part]),
        "annotators": torch.from_numpy(annotators),
    }


class VideoParts(Dataset[Sample]):
    """One random part of each video, in random order; both depend on seed and round alone.

    A shuffling loader would go on from a generator's state, and resuming would not be exact.
    """

    def __init__(
        self, videos: Sequence[ScoredVideo], data: ScorerData, seed: int, round_number: int
    ) -> None:
        self._videos = videos
        self._data = data
        self._key = (seed, round_number)
        self._order = np.random.default_rng(self._key).permutation(len(videos))

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, index: int) -> Sample:
        number = int(self._order[index])
        video = self._videos[number]
        count = len(video.times_s)
        random = np.random.default_rng([*self._key, number])
        length = max(1, round(count * random.uniform(self._data.crop_share, 1.0)))
        start = int(random.integers(count - length + 1))
        stride = int(random.integers(1, self._data.max_stride + 1))
        return sample_of(video, slice(start, start + length, stride))


class ScorerVideos(lightning.LightningDataModule):
    def __init__(self, config: ScorerConfig, parts: Parts[ScoredVideo]) -> None:
        super().__init__()
        self._config = config
        self._parts = parts

    def train_dataloader(self) -> DataLoader[Sample]:
        """Read again at every round: other parts, in another order."""
        data, trainer = self._config.data, cast(Any, self.trainer)
        round_number = trainer.current_epoch if trainer is not None else 0
        videos = VideoParts(self._parts.trained, data, self._config.seed, round_number)
        return DataLoader(videos, batch_size=data.batch_videos, collate_fn=list)

    def val_dataloader(self) -> DataLoader[Sample]:
        """The held-out videos, whole, one at a time."""
        samples: Any = [sample_of(video) for video in self._parts.held]
        return DataLoader(samples, batch_size=None)

    test_dataloader = val_dataloader


class KeyframeTraining(fitting.ValidatedModule):
    def __init__(self, config: ScorerConfig) -> None:
        super().__init__()
        self.config = config
        self.network = ScorerNetwork(config.model)
        self._correlations: list[tuple[float, float]] = []

    def on_train_batch_start(self, batch: list[Sample], batch_idx: int) -> None:
        # Dropout and pairs of a step depend on its number alone, so that resuming is exact.
        torch.manual_seed(self.config.seed * 100_003 + self.current_epoch * 1009 + batch_idx)

    def training_step(self, batch: list[Sample], number: int) -> Tensor:
        learning = self.config.learning
        losses = []
        for sample in batch:
            logits_T = self.network(sample["features"], sample["times_s"]).float()
            losses.append(torch.stack(importance_losses(logits_T, sample["annotators"])))
        order, distance = torch.stack(losses).mean(dim=0)
        loss: Tensor = learning.ranking_weight * order + learning.regression_weight * distance
        figures = {"loss": loss, "ranking": order, "regression": distance}
        self.log_dict(
            {f"train/{name}": value for name, value in figures.items()},
            on_step=False,
            on_epoch=True,
            batch_size=len(batch),
        )
        return loss

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        return warm_cosine(self.network.parameters(), self.config.learning, steps)

    def scores(self, features: Tensor, times_s: Tensor) -> Floats:
        """float32 [T] in [0, 1] of a whole video."""
        self.network.eval()
        with torch.inference_mode():
            logits_T = self.network(features.to(self.device), times_s.to(self.device))
        return np.asarray(logits_T.float().sigmoid().cpu().numpy(), np.float32)

    def on_validation_epoch_start(self) -> None:
        self._correlations = []

    def validation_step(self, batch: Sample, number: int) -> None:
        scores = self.scores(batch["features"], batch["times_s"])
        self._correlations.append(rank_correlations(scores, batch["annotators"].cpu().numpy()))

    def on_validation_epoch_end(self) -> None:
        tau, rho = np.mean(self._correlations, axis=0).tolist()
        self.log_dict({"val/tau": tau, "val/rho": rho}, sync_dist=True)


def load_parts(config: ScorerConfig) -> Parts[ScoredVideo]:
    """Raises ValueError where the features are not those the network is made for."""
    data = config.data
    videos = load_scored_videos(Path(data.data_dir), data.features_dir, data.dataset)
    found = videos[0].features.shape[1]
    if found != config.model.input_dim:
        raise ValueError(
            f"model.input_dim is the number of features, {found}, received {config.model.input_dim}"
        )
    return parts_of(videos, data.fold, inner=data.inner)


def fit(config: ScorerConfig, *, resume: bool) -> KeyframeTraining:
    lightning.seed_everything(config.seed, verbose=False)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    model, data = KeyframeTraining(config), ScorerVideos(config, load_parts(config))
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Report()])
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def test(config: ScorerConfig) -> dict[str, float]:
    """The figures of the last checkpoint on the videos that were held out."""
    last = fitting.last_checkpoint(config.run)
    if not last.is_file():
        raise ValueError(f"test needs {last}, which is not there: fit first")
    parts = load_parts(config)
    if not parts.held:
        raise ValueError("test needs data.fold: with null no video was held out")
    model, data = KeyframeTraining(config), ScorerVideos(config, parts)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max")
    results = trainer.test(model, data, ckpt_path=last, verbose=False, weights_only=False)
    return {name: float(value) for name, value in results[0].items()}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(
        "keyframe_scorer", arguments, load_config, fit, lambda config: print(test(config))
    )


if __name__ == "__main__":
    sys.exit(main())
