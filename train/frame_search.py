"""The published frame search: a trunk of timm and DistilBERT, joined by contrast.

    python -m train.frame_search fit|test --config train/configs/resnet50_distilbert.yaml [--resume]

Pairs of a picture and its caption are told from the other pairs of the batch, both ways, with a
temperature that is learned. The heads begin alone; the trunk and DistilBERT follow from the rounds
that the config says. Sentences are pooled in one way, embeddings have length one, and the figures
are over the whole gallery of the part that is held out for choices.
"""

import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional

from models.backbones import BackboneShape, CompactBackbone, as_input
from models.bert_network import BertFrameTextNetwork, BertFrameTextShape, read_texts
from models.device import free_threads
from models.types import Floats
from train import fitting
from train.command import run_command
from train.data.caption_records import CHOSEN, REPORTED, TRAIN
from train.data.captioned_batches import Batch, CaptionedModule
from train.data.captioned_sources import CaptionedSet, open_captioned
from train.data.captions import CaptionedItem
from train.frame_search_config import FrameSearchConfig, load_config
from train.pretrained import load_trunk
from train.pretrained_text import PretrainedText, load_text
from train.retrieval import Embedded, find_all, in_batch_figures, unit
from train.schedules import rate_share

LOG = logging.getLogger(__name__)
SCALE_AT_MOST = 100.0
CHUNK_TEXTS = 256
WATCHED = "val/mrr"


def symmetric_contrast(texts: Tensor, frames: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of the right picture among all, and of the right text; rows belong together."""
    logits = scale * texts @ frames.T
    own = torch.arange(len(texts), device=texts.device)
    both = functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)
    return both / 2


class FrameSearchModule(fitting.ValidatedModule):
    """The trunk, both heads and the text side, and how they learn."""

    def __init__(
        self, config: FrameSearchConfig, shape: BertFrameTextShape, backbone: BackboneShape
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = CompactBackbone(backbone)
        self.network = BertFrameTextNetwork(shape, config.model.dropout)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.model.first_temperature)))
        self._seen: list[tuple[Tensor, Tensor]] = []

    @classmethod
    def begin(cls, config: FrameSearchConfig, text: PretrainedText) -> "FrameSearchModule":
        """With first weights from where the config says.

        Raises:
            ValueError: they cannot be had.
        """
        trunk: Any = load_trunk(config.model.architecture, config.model.pretrained)
        backbone = BackboneShape(
            config.model.architecture,
            int(trunk.head_hidden_size),
            normalisation="imagenet",
            head=False,
        )
        shape = BertFrameTextShape(
            backbone.feature_dim, text.described, config.model.dim, config.model.text_limit
        )
        module = cls(config, shape, backbone)
        module.backbone.trunk.load_state_dict(trunk.state_dict())
        module.network.text.load_state_dict(text.network.state_dict())
        return module

    @classmethod
    def load(cls, path: Path, config: FrameSearchConfig) -> "FrameSearchModule":
        state = torch.load(path, map_location="cpu", weights_only=False)
        shape = BertFrameTextShape(**state["text_shape"])
        module = cls(config, shape, BackboneShape(**state["backbone_shape"]))
        module.load_state_dict(state["state_dict"])
        return module.eval()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        shape = self.backbone.shape
        checkpoint["text_shape"] = self.network.shape.to_json()
        checkpoint["backbone_shape"] = {name: getattr(shape, name) for name in shape.__slots__}

    # -- learning ---------------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        """Who learns in this round; what does not keeps the statistics that it came with."""
        learning = self.config.learning
        self.train()
        for side, begins in (
            (self.backbone, learning.image_from_round),
            (self.network.text, learning.text_from_round),
        ):
            learns = self.current_epoch >= begins
            side.requires_grad_(learns)
            side.train(learns)
        # Batches of 64 crops say less of pictures than the statistics that the trunk came with.
        for part in self.backbone.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()

    def on_train_batch_start(self, batch: Batch, number: int) -> None:
        # Dropout depends on the step alone, so that a resumed run repeats it.
        torch.manual_seed(1_000_003 * self.config.seed + 101 * self.global_step + self.global_rank)

    def training_step(self, batch: Batch, number: int) -> Tensor:
        frames = self.network.embed_features(self.backbone(as_input(batch["pixels"])))
        texts = self.network.embed_texts(batch["ids"], batch["present"])
        scale = self.log_scale.exp().clamp(max=SCALE_AT_MOST)
        loss = symmetric_contrast(texts.float(), frames.float(), scale)
        size = len(texts)
        self.log("train/loss", loss, on_epoch=True, batch_size=size)
        self.log("train/temperature", 1 / scale.detach(), batch_size=size)
        return loss

    def configure_optimizers(self) -> Any:
        learning = self.config.learning
        heads = [*self.network.image_head.parameters(), *self.network.text_head.parameters()]
        rates = (
            ([*heads, self.log_scale], learning.learning_rate),
            (list(self.backbone.parameters()), learning.image_rate),
            (list(self.network.text.parameters()), learning.text_rate),
        )
        groups = []
        for members, rate in rates:
            plain = [p for p in members if p.ndim <= 1]
            decayed = [p for p in members if p.ndim > 1]
            groups.append({"params": decayed, "lr": rate, "weight_decay": learning.weight_decay})
            groups.append({"params": plain, "lr": rate, "weight_decay": 0.0})
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_share(step / steps, learning)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    # -- measuring --------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        self._seen = []

    def validation_step(self, batch: Batch, number: int) -> None:
        frames = self.network.embed_features(self.backbone(as_input(batch["pixels"])))
        self._seen.append((batch["rows"], frames.float()))

    def on_validation_epoch_end(self) -> None:
        data = cast(CaptionedModule, cast(Any, self.trainer).datamodule)
        filled = torch.zeros(data.frames, self.network.shape.dim, device=self.device)
        for rows, frames in self._seen:
            filled[rows] = frames
        # Each process saw some of the frames; a frame that two saw keeps its direction.
        filled = cast(Tensor, self.trainer.strategy.reduce(filled, reduce_op="sum"))
        embedded = self.embedded(unit(filled.cpu().numpy()), data.tokenizer)
        for name, value in retrieval_figures(data.measured, embedded).items():
            self.log(f"val/{name}", value)

    def embedded(self, frames: Floats, tokenizer: Any) -> Embedded:
        def encode(texts: Sequence[str]) -> Floats:
            found = []
            with torch.inference_mode():
                for start in range(0, len(texts), CHUNK_TEXTS):
                    chunk = list(texts[start : start + CHUNK_TEXTS])
                    ids, present = read_texts(tokenizer, chunk, self.network.shape.text_limit)
                    made = self.network.embed_texts(ids.to(self.device), present.to(self.device))
                    found.append(made.float().cpu().numpy())
            return np.concatenate(found)

        return Embedded(frames, encode)


def retrieval_figures(items: Sequence[CaptionedItem], embedded: Embedded) -> dict[str, float]:
    """Over the whole gallery; beside it the in-batch figures, under names that say so."""
    in_batch = in_batch_figures(items, embedded)
    return {
        **find_all(items, embedded),
        **{f"in_batch_{name}": in_batch[name] for name in ("recall_1", "recall_5", "recall_10")},
    }


class Rounds(Callback):
    """Threads of the coming round; a line for every round."""

    def __init__(self, run: fitting.RunConfig) -> None:
        self._run = run

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        if module.device.type == "cpu":
            torch.set_num_threads(self._run.threads or free_threads())

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        shown = " ".join(
            f"{name} {float(value):.3f}"
            for name, value in sorted(trainer.callback_metrics.items())
            if not name.endswith(("_step", "_epoch")) and not name.startswith("lr-")
        )
        LOG.info("round %d: %s", trainer.current_epoch, shown)


def open_data(config: FrameSearchConfig) -> CaptionedSet:
    """Raises FileNotFoundError or ValueError where the files of the source cannot be used."""
    data = config.data
    found = open_captioned(
        data.source, Path(data.folder), Path(data.cache_dir), data.frames_per_video
    )
    for part in (TRAIN, CHOSEN):
        if len(found.part(part)) < 2:
            raise ValueError(f"{data.folder} has at least two items to {part}, found fewer")
    return found


def data_module(config: FrameSearchConfig, data: CaptionedSet, tokenizer: Any) -> CaptionedModule:
    return CaptionedModule(data, config.data, tokenizer, config.model.text_limit, config.seed)


def fit(config: FrameSearchConfig, *, resume: bool) -> FrameSearchModule:
    """Trains; `resume` goes on from the last state.

    Raises:
        ValueError: first weights cannot be had, or there is nothing to go on from.
    """
    lightning.seed_everything(config.seed, verbose=False)
    last = fitting.last_checkpoint(config.run)
    if resume and not last.is_file():
        raise ValueError(f"--resume needs {last}, which is not there")
    text = load_text(config.model.text)
    data = open_data(config)
    LOG.info("%s: %d items to train on", config.data.source, len(data.part(TRAIN)))
    module = (
        FrameSearchModule.load(last, config) if resume else FrameSearchModule.begin(config, text)
    )
    trainer = fitting.build_trainer(
        config.run, watch=WATCHED, mode="max", callbacks=[Rounds(config.run)]
    )
    trainer.fit(
        module,
        data_module(config, data, text.tokenizer),
        ckpt_path=last if resume else None,
        weights_only=False,
    )
    return module


def best_state(config: FrameSearchConfig) -> Path:
    return Path(config.run.folder) / "best.ckpt"


def test(config: FrameSearchConfig) -> dict[str, float]:
    """The figures of the best state on the reported part."""
    best = best_state(config)
    if not best.is_file():
        raise ValueError(f"test needs {best}, which is not there: fit first")
    data = open_data(config)
    if not data.part(REPORTED):
        raise ValueError(f"{config.data.folder} has no part to report on")
    module = FrameSearchModule.load(best, config)
    trainer = fitting.build_trainer(config.run, watch=WATCHED, mode="max")
    tokenizer = load_text(config.model.text).tokenizer
    (found,) = trainer.test(module, data_module(config, data, tokenizer), verbose=False)
    figures = {name.removeprefix("val/"): float(value) for name, value in found.items()}
    for name, value in figures.items():
        LOG.info("%s %.4f", name, value)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    return run_command("frame_search", arguments, load_config, fit, test)


if __name__ == "__main__":
    sys.exit(main())
