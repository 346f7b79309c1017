"""The published keyframe system: importance from frames, through a trunk that is fine-tuned.

    python -m train.keyframes_resnet50 fit|test --config train/configs/keyframes_resnet50.yaml
        [--resume] [--set KEY=VALUE]

Stage 1 leaves the trunk as it came: its features are computed once, and the Transformer with its
local and global attention learns from them. Stage 2 also learns the trunk's last stage, at a tenth
of the rate. Batch norms keep the statistics they came with, in both: a stretch of one video says
little about pictures. How long both last is fixed in the config; no test fold chooses it.

Two things differ from what was published, because they could not work: the ranking loss has a
gradient, and local attention is local. And a video of any length is read, two frames a second.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor

from models.keyframe_network import ScorerNetwork
from models.types import Floats
from train import fitting, round_report
from train.command import run_command
from train.data.judged import ScoredVideo
from train.data.judged_frames import JudgedFrames, open_judged_frames
from train.data.judged_sets import load_judged
from train.data.stretches import Stretch, StretchData
from train.data.tvsum_folds import parts_of
from train.held_out import as_markdown, measured
from train.keyframes_resnet50_config import TwoStageConfig, load_config
from train.losses import importance_losses
from train.metrics import rank_correlations
from train.pretrained import load_trunk
from train.resuming import check_fits
from train.schedules import decayed
from train.summary_rules import judge_of, rule_of
from train.tuned_trunk import TunedTrunk

WATCHED = "val/tau"
FIGURES_FILE = "held_out.json"


class TwoStageTraining(fitting.ValidatedModule):
    def __init__(self, config: TwoStageConfig) -> None:
        super().__init__()
        self.config = config
        model = config.model
        self.trunk = TunedTrunk(model.trunk, model.tuned, config.data.chunk_frames)
        self.scorer = ScorerNetwork(config.model.scorer)
        self._frozen_features: dict[str, Tensor] = {}
        self._measured: list[tuple[float, ...]] = []

    @property
    def tunes(self) -> bool:
        """Whether this is stage 2."""
        return self.current_epoch >= self.config.learning.frozen_rounds

    def start_from(self, source: str) -> None:
        """`source`: as train.pretrained has it."""
        shape = self.config.model.trunk
        trunk = load_trunk(shape.architecture, source, **(shape.trunk_options or {}))
        self.trunk.network.trunk.load_state_dict(trunk.state_dict())

    def on_train_epoch_start(self) -> None:
        self.trunk.learn(self.tunes)
        if self.tunes:
            self._frozen_features.clear()

    def on_train_batch_start(self, batch: list[Stretch], batch_idx: int) -> None:
        # Dropout and pairs of a step depend on its number alone, so that resuming is exact.
        torch.manual_seed(self.config.seed * 100_003 + self.current_epoch * 1009 + batch_idx)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, number: int) -> Any:
        return batch  # pictures go there chunk by chunk

    def logits(self, stretch: Stretch) -> Tensor:
        """[T], with a gradient for whatever learns."""
        times_s = torch.from_numpy(stretch.video.times_s[stretch.part]).to(self.device)
        return cast(Tensor, self.scorer(self.features(stretch), times_s)).float()

    def features(self, stretch: Stretch) -> Tensor:
        """float32 [T, D] of length one; of a trunk that does not learn, each frame's once."""
        video, part = stretch.video, stretch.part
        if self.tunes:
            return cast(Tensor, self.trunk(video.pixels[part], self.device))
        if video.name not in self._frozen_features:
            with torch.no_grad():
                self._frozen_features[video.name] = self.trunk(video.pixels, self.device)
        return self._frozen_features[video.name][part]

    def training_step(self, batch: list[Stretch], number: int) -> Tensor:
        losses = [
            torch.stack(importance_losses(self.logits(one), one.annotators(self.device)))
            for one in batch
        ]
        ranking, regression = torch.stack(losses).mean(dim=0)
        loss = self._weighted(ranking, regression)
        figures = {"loss": loss, "ranking": ranking, "regression": regression}
        self.log_dict(
            {f"train/{name}": value for name, value in figures.items()},
            on_step=False,
            on_epoch=True,
            batch_size=len(batch),
        )
        return loss

    def _weighted(self, ranking: Tensor, regression: Tensor) -> Tensor:
        learning = self.config.learning
        return learning.ranking_weight * ranking + learning.regression_weight * regression

    def configure_optimizers(self) -> Any:
        """One optimizer for both stages: in the first the trunk has no gradient and stays."""
        learning = self.config.learning
        tuned = self.trunk.tuned_parameters
        # Those of the trunk are asked for before they learn.
        for parameter in tuned:
            parameter.requires_grad_(True)
        groups = decayed([*self.scorer.parameters(), *tuned], learning.weight_decay)
        self.trunk.learn(self.tunes)
        optimizer = torch.optim.AdamW(groups, lr=learning.frozen_rate)
        ratio = learning.tuned_rate / learning.frozen_rate
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda number: 1.0 if number < learning.frozen_rounds else ratio
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "epoch"},
        }

    def scores(self, video: JudgedFrames) -> Floats:
        """float32 [T] in [0, 1] of a whole video."""
        self.eval()
        with torch.inference_mode():
            logits_T = self.logits(Stretch(video, slice(0, len(video))))
        return np.asarray(logits_T.sigmoid().cpu().numpy(), np.float32)

    def scored(self, video: JudgedFrames) -> ScoredVideo:
        """The video as features, from which its shots are found."""
        with torch.inference_mode():
            features_TD = self.features(Stretch(video, slice(0, len(video)))).cpu().numpy()
        return ScoredVideo(
            video.name, video.category, features_TD, video.times_s, video.end_s, video.annotators
        )

    def on_validation_epoch_start(self) -> None:
        self._measured = []

    def validation_step(self, batch: Stretch, number: int) -> None:
        logits_T = self.logits(batch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)  # the same pairs in every round
            losses = importance_losses(logits_T, batch.annotators(self.device))
        scores = logits_T.sigmoid().cpu().numpy()
        correlations = rank_correlations(scores, batch.video.annotators)
        loss = self._weighted(*losses)
        self._measured.append((*correlations, *(float(value) for value in (loss, *losses))))

    def on_validation_epoch_end(self) -> None:
        names = ("tau", "rho", "loss", "ranking", "regression")
        means = np.mean(self._measured, axis=0).tolist()
        self.log_dict({f"val/{n}": v for n, v in zip(names, means, strict=True)}, sync_dist=True)


class Report(round_report.Report):
    """With the stage that the round is of."""

    def place(self, trainer: lightning.Trainer, module: Any) -> str:
        return f"{trainer.current_epoch} stage {2 if module.tunes else 1}"


def load_parts(config: TwoStageConfig) -> tuple[list[JudgedFrames], list[JudgedFrames]]:
    """Who trains and who is held out."""
    data, side_px = config.data, config.model.side_px
    videos = load_judged(data.dataset, Path(data.data_dir))
    parts = parts_of(videos, data.fold, inner=data.inner)
    folder = data.frames_dir(side_px)
    return open_judged_frames(folder, parts.trained, side_px), open_judged_frames(
        folder, parts.held, side_px
    )


def fit(config: TwoStageConfig, *, resume: bool) -> TwoStageTraining:
    lightning.seed_everything(config.seed, verbose=False)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    model = TwoStageTraining(config)
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    if not resume:
        model.start_from(config.model.pretrained)
    trained, held = load_parts(config)
    data = StretchData(config.data, config.seed, trained, held)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Report()])
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def load_trained(config: TwoStageConfig, state_path: Path) -> TwoStageTraining:
    """The network of a state.

    Raises:
        ValueError: there is no such state, or it is of another network.
    """
    if not state_path.is_file():
        raise ValueError(f"{state_path} is not there: fit first")
    model = TwoStageTraining(config).eval()
    check_fits(model, state_path)
    state = torch.load(state_path, map_location="cpu", mmap=True, weights_only=False)
    model.load_state_dict(state["state_dict"])
    return model


def test(config: TwoStageConfig) -> dict[str, Any]:
    """The last state on the videos that were held out, by the rules of the data set."""
    last = fitting.last_checkpoint(config.run)
    _, held = load_parts(config)
    if not held:
        raise ValueError("test needs data.fold: with null no video was held out")
    model = load_trained(config, last)
    state = torch.load(last, map_location="cpu", mmap=True, weights_only=False)
    scores = {video.name: model.scores(video) for video in held}
    judges = {
        video.name: judge_of(model.scored(video), rule_of(config.data.dataset)) for video in held
    }
    report = {
        "step": int(state["global_step"]),
        "dataset": config.data.dataset,
        "fold": config.data.fold,
        "inner": config.data.inner,
        **measured(judges, scores),
    }
    (Path(config.run.folder) / FIGURES_FILE).write_text(json.dumps(report, indent=1) + "\n")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(
        "keyframes_resnet50",
        arguments,
        load_config,
        fit,
        lambda config: print(as_markdown(test(config), "held-out videos")),
    )


if __name__ == "__main__":
    sys.exit(main())
