"""How the frame-text encoder learns: losses and schedules of its stages."""

import copy
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.frame_text_encoder import FrameTextShape
from train.data.joint_batches import Batch
from train.data.joint_module import ChosenPart, JointData
from train.data.sentences import SENTENCE_DIM
from train.frame_text_config import FrameTextConfig, StageConfig
from train.frame_text_network import FrameTextNetwork, TextTower
from train.retrieval import gallery_of, ranks_of, recall_figures

RELATION_TEMPERATURE = 0.05
SCALE_AT_MOST = 100.0
CHUNK_TEXTS = 512


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return -(target * functional.log_softmax(logits, dim=1)).sum(1).mean()


def schedule(optimizer: torch.optim.Optimizer, plan: StageConfig) -> dict[str, Any]:
    """Warm-up, then a cosine to nothing at the end of the stage."""
    steps = plan.rounds * plan.batches_per_round

    def share(step: int) -> float:
        warm = min(1.0, (step + 1) / max(plan.warmup_steps, 1))
        return warm * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))

    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}


def parameter_groups(module: nn.Module, decay: float, rate: float) -> list[dict[str, Any]]:
    trained = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay, "lr": rate},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0, "lr": rate},
    ]


class _Stage(lightning.LightningModule):
    """What it was made from is part of every state."""

    def __init__(self, config: FrameTextConfig, fingerprint: str) -> None:
        super().__init__()
        self.config, self.fingerprint = config, fingerprint

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["fingerprint"] = self.fingerprint

    def on_train_batch_start(self, batch: Batch, number: int) -> None:
        # Dropout depends on the step alone, so that a resumed run repeats it.
        torch.manual_seed(1_000_003 * self.config.seed + 101 * self.global_step + self.global_rank)


class WordsModule(_Stage):
    """The text side says what the sentence encoder says, and sees the same texts as alike."""

    watched = "val/cosine"

    def __init__(self, config: FrameTextConfig, vocabulary: int, fingerprint: str = "") -> None:
        super().__init__(config, fingerprint)
        shape = config.model.shape(vocabulary, 1)
        self.tower = TextTower(shape, config.joining.text_dropout)
        self.head = nn.Linear(shape.width, SENTENCE_DIM)

    @classmethod
    def load(cls, path: Path, config: FrameTextConfig, vocabulary: int) -> "WordsModule":
        state = torch.load(path, map_location="cpu", weights_only=False)
        module = cls(config, vocabulary, state["fingerprint"])
        module.load_state_dict(state["state_dict"])
        return module.eval()

    def training_step(self, batch: Batch, number: int) -> Tensor:
        said = functional.normalize(self.head(self.tower(batch["ids"])))
        wanted = batch["sentences"].float()
        angle = 1 - (said * wanted).sum(1).mean()
        likeness = (wanted @ wanted.T / RELATION_TEMPERATURE).softmax(1)
        relation = soft_cross_entropy(said @ wanted.T / RELATION_TEMPERATURE, likeness)
        figures = {"train/angle": angle, "train/relation": relation}
        self.log_dict(figures, on_epoch=True, batch_size=len(said))
        return angle + 0.2 * relation

    def validation_step(self, batch: Batch, number: int) -> None:
        said = functional.normalize(self.head(self.tower(batch["ids"])))
        wanted = batch["sentences"].float()
        nearest = (said @ wanted.T).argmax(1) == torch.arange(len(said), device=said.device)
        self.log("val/cosine", (said * wanted).sum(1).mean(), batch_size=len(said))
        self.log("val/found", nearest.float().mean(), batch_size=len(said))

    def configure_optimizers(self) -> Any:
        plan = self.config.words
        groups = parameter_groups(self, plan.weight_decay, plan.learning_rate)
        return schedule(torch.optim.AdamW(groups), plan)


class JointModule(_Stage):
    """Words and frames meet; a guide is the network that the ceiling's features gave."""

    watched = "val/mrr"

    def __init__(
        self,
        config: FrameTextConfig,
        shape: FrameTextShape,
        fingerprint: str = "",
        features_from: str = "",
        guide: "JointModule | None" = None,
    ) -> None:
        super().__init__(config, fingerprint)
        self.shape, self.features_from = shape, features_from
        self.plan = config.joint if guide is None else config.student_plan
        self.network = FrameTextNetwork(shape, config.joining.text_dropout)
        self.sentence_head = nn.Linear(shape.width, SENTENCE_DIM)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.joining.first_temperature)))
        # Kept out of the module's own parts: it is in no state and learns nothing.
        self._guide = (
            None if guide is None else [copy.deepcopy(guide.network).eval().requires_grad_(False)]
        )

    @classmethod
    def load(cls, path: Path, config: FrameTextConfig) -> "JointModule":
        state = torch.load(path, map_location="cpu", weights_only=False)
        module = cls(
            config, FrameTextShape(**state["shape"]), state["fingerprint"], state["features_from"]
        )
        module.load_state_dict(state["state_dict"])
        return module.eval()

    def begin_from(self, other: "WordsModule | JointModule") -> None:
        """Takes over the text side, and from another joint network the space as well."""
        if isinstance(other, JointModule):
            self.network.load_state_dict(other.network.state_dict())
            self.sentence_head.load_state_dict(other.sentence_head.state_dict())
            self.log_scale.data.copy_(other.log_scale.data)
            return
        self.network.text.load_state_dict(other.tower.state_dict())
        self.sentence_head.load_state_dict(other.head.state_dict())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["shape"] = dataclasses.asdict(self.shape)
        checkpoint["features_from"] = self.features_from

    def training_step(self, batch: Batch, number: int) -> Tensor:
        joining, network = self.config.joining, self.network
        read = network.text(batch["ids"])
        texts = functional.normalize(network.text_out(read))
        features = batch["features"].float()
        dropped = functional.dropout(features, joining.feature_dropout, self.training)
        frames = network.embed_features(dropped)
        shown = torch.zeros(len(texts), frames.shape[1], device=frames.device)
        shown = functional.normalize(shown.index_add(0, batch["owners"], frames))
        sentences = batch["sentences"].float()
        scale = self.log_scale.exp().clamp(max=SCALE_AT_MOST)
        logits = scale * texts @ shown.T
        alike = (sentences @ sentences.T / joining.soft_temperature).softmax(1)
        same = torch.eye(len(texts), device=texts.device)
        target = same.lerp(alike, joining.soft_share)
        figures = {
            "match": (soft_cross_entropy(logits, target) + soft_cross_entropy(logits.T, target))
            / 2,
            "sentence": 1
            - functional.cosine_similarity(self.sentence_head(read), sentences).mean(),
        }
        loss = figures["match"] + joining.sentence_weight * figures["sentence"]
        if self._guide is not None:
            guide = self._guide[0].to(self.device)
            with torch.no_grad():
                wanted_texts = guide.embed_texts(batch["ids"])
                wanted_frames = guide.embed_features(batch["guides"].float())
            figures["text"] = 1 - (texts * wanted_texts).sum(1).mean()
            figures["frame"] = 1 - (frames * wanted_frames).sum(1).mean()
            loss = loss + joining.joint_text_weight * figures["text"]
            loss = loss + joining.joint_frame_weight * figures["frame"]
        shown_figures = {f"train/{name}": value for name, value in figures.items()}
        self.log_dict(shown_figures, on_epoch=True, batch_size=len(texts))
        return loss

    def embed_texts(self, ids: Tensor) -> Tensor:
        starts = range(0, len(ids), CHUNK_TEXTS)
        return torch.cat([self.network.embed_texts(ids[s : s + CHUNK_TEXTS]) for s in starts])

    def chosen_figures(self, parts: Sequence[ChosenPart]) -> dict[str, float]:
        """Recall and mean reciprocal rank over each part's whole gallery."""
        found: dict[str, float] = {}
        with torch.inference_mode():
            for part in parts:
                device = self.device
                queries = self.embed_texts(part.ids.to(device)).cpu().numpy()
                frames = self.network.embed_features(part.features.to(device).float()).cpu().numpy()
                ranks = ranks_of(queries, gallery_of(part.items, frames), part.truth)
                figures = recall_figures(ranks, len(part.items))
                found |= {f"{part.source}_{k}": figures[k] for k in ("recall_10", "mrr")}
        mrrs = [value for name, value in found.items() if name.endswith("_mrr")]
        return {**found, "mrr": float(np.mean(mrrs)) if mrrs else 0.0}

    def validation_step(self, number: int, batch_number: int) -> None:
        data = cast(JointData, cast(Any, self.trainer).datamodule)
        # The parts are batches to Lightning, which logs the mean over them.
        for name, value in self.chosen_figures([data.chosen()[number]]).items():
            self.log(f"val/{name}", value, batch_size=1)

    def configure_optimizers(self) -> Any:
        plan = self.plan
        text_rate = plan.learning_rate * plan.text_rate_share
        groups = [
            *parameter_groups(self.network.text, plan.weight_decay, text_rate),
            *parameter_groups(self.network.text_out, plan.weight_decay, plan.learning_rate),
            *parameter_groups(self.network.image_out, plan.weight_decay, plan.learning_rate),
            *parameter_groups(self.sentence_head, plan.weight_decay, text_rate),
            {"params": [self.log_scale], "weight_decay": 0.0, "lr": plan.learning_rate},
        ]
        return schedule(torch.optim.AdamW([g for g in groups if g["params"]]), plan)


def watched(module: WordsModule | JointModule) -> str:
    return module.watched
