"""The captioner: sentences about a few frames, from features of a frozen backbone.

    python -m train.captioner fit|test --config train/configs/captioner.yaml [--resume]

Two parts in one run. First each next word as people wrote it, captions that others agree with more
often than outliers. Then whole captions: it says several for each item, and those that score more
CIDEr-D against what people said than the item's others become likelier. How long to train is fixed
in the config; `test` scores the last state on the chosen part of the training videos.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from models.caption_decoder import CaptionShape
from models.caption_words import END_ID, FIRST_ID, START_ID
from train import fitting
from train.caption_metrics import CiderD, caption_figures, tokens_of
from train.caption_network import CaptionNetwork, sayable
from train.captioner_config import CaptionerConfig, load_config
from train.command import run_command
from train.data.caption_batches import (
    Batch,
    CaptionBatches,
    CaptionSources,
    agreement_of,
    frames_of,
    open_sources,
)
from train.data.captions import CaptionedItem
from train.round_report import Report
from train.schedules import decayed, rate_share

WATCHED = "val/cider_d"
END_TOKEN = "."  # no word: a caption's end scores like one, or captions would break off


class CaptionItems(lightning.LightningDataModule):
    """The training part in batches, and the chosen part's videos at once."""

    def __init__(self, config: CaptionerConfig, sources: CaptionSources) -> None:
        super().__init__()
        self._config, self._sources = config, sources
        self.items = sources.part("train")
        self._agreement = agreement_of(self.items, Path(config.data.cache_dir))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Read again at every round."""
        trainer = cast(Any, self.trainer)
        round_number = trainer.current_epoch if trainer is not None else 0
        batches = CaptionBatches(
            self._sources, self.items, self._agreement, self._config, round_number
        )
        return DataLoader(batches, batch_size=None, shuffle=False)

    def val_dataloader(self) -> DataLoader[Any]:
        """Videos only: that is what is reported."""
        numbers: Any = [torch.arange(len(chosen_videos(self._sources)))]
        return DataLoader(numbers, batch_size=None)

    test_dataloader = val_dataloader


def chosen_videos(sources: CaptionSources) -> list[CaptionedItem]:
    return sources.part("chosen", "msrvtt")


class CaptionTraining(fitting.ValidatedModule):
    def __init__(self, config: CaptionerConfig, sources: CaptionSources) -> None:
        super().__init__()
        self.config = config
        self.sources = sources
        self.made_by = sources.made_by
        self.shape = config.model.shape(len(sources.words), sources.views.shape[2])
        self.network = CaptionNetwork(self.shape)
        self.items = sources.part("train")
        self._batches = -(-len(self.items) // config.data.batch_items)
        self._cider: CiderD | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["made_by"] = self.made_by
        checkpoint["vocabulary"] = self.sources.words.words

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # What a step drops and says depends on its number alone, so that resuming is exact.
        torch.manual_seed(self.config.seed * 100_003 + self.current_epoch * 1009 + batch_idx)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        rewarded = self.current_epoch >= self.config.learning.word_rounds
        loss, figures = self._reward_loss(batch) if rewarded else self._word_loss(batch)
        self.log_dict(
            {f"train/{name}": value for name, value in figures.items()},
            on_step=False,
            on_epoch=True,
            batch_size=len(batch["items"]),
        )
        return loss

    def _word_loss(self, batch: Batch) -> tuple[Tensor, dict[str, Any]]:
        seen = self.network.look(batch["features"], batch["present"])
        words = batch["words"]
        following = words[:, 1:]
        wanted = sayable(following)
        logits = self.network(
            seen.repeated(self.config.data.captions_per_item), words[:, :-1], wanted
        )
        loss = functional.cross_entropy(
            logits, following[wanted], label_smoothing=self.config.learning.smoothing
        )
        return loss, {"loss": loss}

    def _reward_loss(self, batch: Batch) -> tuple[Tensor, dict[str, Any]]:
        learning, network = self.config.learning, self.network
        samples = learning.samples
        seen = network.look(batch["features"], batch["present"]).repeated(samples)
        generator = torch.Generator(seen.mean.device).manual_seed(torch.initial_seed() + 1)
        network.eval()  # said as it would be, learned with what is dropped in training
        said = network.speak(seen, self.config.search.longest, generator, learning.temperature)
        network.train()
        rewards = self._rewards(batch["items"].tolist(), said)
        # Better than the item's other captions: no second network is needed to compare with.
        baseline = (rewards.sum(1, keepdim=True) - rewards) / (samples - 1)
        advantage = (rewards - baseline).reshape(-1, 1).to(said.device)
        words = torch.cat([torch.full_like(said[:, :1], START_ID), said], dim=1)
        wanted = sayable(said)
        logits = network(seen, words[:, :-1], wanted)
        # Of the distribution that was drawn from.
        losses = functional.cross_entropy(
            logits / learning.temperature, said[wanted], reduction="none"
        )
        loss = (losses * advantage.expand_as(said)[wanted]).mean()
        return loss, {"reward": rewards.mean(), "spread": (rewards - baseline).abs().mean()}

    def _rewards(self, items: Sequence[int], said: Tensor) -> Tensor:
        """[items, samples]: CIDEr-D of each, where the end of a caption counts as a word."""
        if self._cider is None:
            self._cider = CiderD(
                [[[*tokens_of(c), END_TOKEN] for c in item.captions] for item in self.items]
            )
        samples = len(said) // len(items)
        names = self.sources.words.words
        scores = []
        for row, ids in enumerate(said.tolist()):
            words = [names[i - FIRST_ID] for i in ids if i >= FIRST_ID]
            ended = [END_TOKEN] if END_ID in ids else []
            scores.append(self._cider.score(items[row // samples], [*words, *ended]))
        return torch.tensor(scores).view(len(items), samples)

    def configure_optimizers(self) -> Any:
        learning = self.config.learning
        groups = decayed(self.network.parameters(), learning.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=learning.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate_share(self, step: int) -> float:
        learning = self.config.learning
        first = learning.word_rounds * self._batches
        if step >= first:
            rest = max(1, (self.config.run.max_rounds - learning.word_rounds) * self._batches)
            left = max(0.0, 1 - (step - first) / rest)
            return learning.reward_rate / learning.learning_rate * left
        return rate_share(step / first, learning)

    def captions(self, items: Sequence[CaptionedItem]) -> list[str]:
        """The likeliest words one after the other, without a beam: what a round costs little by."""
        self.network.eval()
        features, present = frames_of([self.sources.features(item) for item in items])
        features, present = features.to(self.device), present.to(self.device)
        with torch.inference_mode():
            seen = self.network.look(features, present)
            said = self.network.speak(seen, self.config.search.longest, None)
        return [self.sources.words.decode(ids) for ids in said.tolist()]

    def on_validation_epoch_start(self) -> None:
        pass

    def validation_step(self, batch: Tensor, number: int) -> None:
        every = chosen_videos(self.sources)
        items = [every[row] for row in batch.tolist()]
        found = caption_figures(self.captions(items), [item.captions for item in items])
        self.log_dict(
            {f"val/{name}": value for name, value in found.items()}, batch_size=len(batch)
        )

    def on_validation_epoch_end(self) -> None:
        pass


def fit(config: CaptionerConfig, *, resume: bool) -> CaptionTraining:
    lightning.seed_everything(config.seed, verbose=False)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    sources = open_sources(config)
    model, data = CaptionTraining(config, sources), CaptionItems(config, sources)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max", callbacks=[Report()])
    trainer.fit(model, data, ckpt_path=last if resume else None, weights_only=False)
    return model


def test(config: CaptionerConfig) -> dict[str, float]:
    """The figures of the last state on the chosen part's videos, said without a beam."""
    last = fitting.last_checkpoint(config.run)
    if not last.is_file():
        raise ValueError(f"test needs {last}, which is not there: fit first")
    sources = open_sources(config)
    model = CaptionTraining(config, sources)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max")
    results = trainer.test(
        model, CaptionItems(config, sources), ckpt_path=last, verbose=False, weights_only=False
    )
    return {name: float(value) for name, value in results[0].items()}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command("captioner", arguments, load_config, fit, lambda config: print(test(config)))


def shape_in(state: dict[str, Any], config: CaptionerConfig) -> CaptionShape:
    """Of the network that a state of training holds."""
    width = state["state_dict"]["network.frames.weight"].shape[1]
    return config.model.shape(FIRST_ID + len(state["vocabulary"]), width)


if __name__ == "__main__":
    sys.exit(main())
