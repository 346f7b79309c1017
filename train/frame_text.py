"""The frame-text encoder: words and frames to one space, on the features of a frozen backbone.

    python -m train.frame_text fit|test --config train/configs/compact.yaml [--resume]

Three stages, each a run of its own: `words` teaches the text side what a sentence encoder says of
captions, of pieces of them and of common words; `ceiling` joins it with the features of the
backbone's own teacher; `student` joins it with the backbone's features and follows the ceiling's
network on the same frames and texts. A stage that is complete is not run again, unless what it was
made from has changed: with a new backbone only `student` is.
"""

import dataclasses
import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from models.device import free_threads
from models.subwords import Subwords
from models.types import Floats
from train import fitting
from train.command import run_command
from train.data.captioned_features import CaptionedFeatures
from train.data.joint_batches import PieceReader
from train.data.joint_module import JointData, TextData
from train.frame_text_config import FrameTextConfig, StageConfig, load_config
from train.frame_text_learning import JointModule, WordsModule, watched
from train.frame_text_network import FrameTextNetwork
from train.frame_text_sources import open_sources
from train.retrieval import Embedded

LOG = logging.getLogger(__name__)

WORDS, CEILING, STUDENT = "words", "ceiling", "student"


class Rounds(Callback):
    """Threads of the coming round; a line for every round."""

    def __init__(self, run: fitting.RunConfig, stage: str) -> None:
        self._run, self._stage = run, stage

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
        if module.device.type == "cpu":
            torch.set_num_threads(self._run.threads or free_threads())

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        shown = " ".join(
            f"{name} {float(value):.3f}"
            for name, value in sorted(trainer.callback_metrics.items())
            if not name.endswith(("_step", "_epoch")) and not name.startswith("lr-")
        )
        LOG.info("%s, round %d: %s", self._stage, trainer.current_epoch, shown)


def stage_folder(config: FrameTextConfig, stage: str) -> Path:
    return Path(config.run.folder) / stage


def stage_state(config: FrameTextConfig, stage: str, *, best: bool) -> Path:
    return stage_folder(config, stage) / ("best.ckpt" if best else "last.ckpt")


def fingerprint(*parts: object) -> str:
    """Of everything that a stage is made from: equal ones make equal stages."""
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fit(config: FrameTextConfig, *, resume: bool) -> None:
    """Runs the stages that are not complete; `resume` goes on within one."""
    lightning.seed_everything(config.seed, verbose=False)
    sources = open_sources(config)
    words_key = fingerprint(config.seed, config.model, config.words, sources.texts_key)
    words = WordsModule(config, len(sources.subwords), words_key)
    _run_stage(config, WORDS, words, TextData(config, sources), config.words, resume)
    words = WordsModule.load(stage_state(config, WORDS, best=True), config, len(sources.subwords))
    joint_parts = (config.joint, config.joining, config.data.batch_size, words_key)
    ceiling_key = fingerprint(*joint_parts, sources.teacher.maker)
    ceiling = JointModule(
        config, sources.shape_for(sources.teacher), ceiling_key, sources.teacher.maker
    )
    ceiling.begin_from(words)
    data = JointData(config, sources, sources.teacher)
    _run_stage(config, CEILING, ceiling, data, config.joint, resume)
    ceiling = JointModule.load(stage_state(config, CEILING, best=True), config)
    if config.through == CEILING:
        return
    seen = sources.student
    student_key = fingerprint(ceiling_key, seen.maker, config.student)
    student = JointModule(config, sources.shape_for(seen), student_key, seen.maker, ceiling)
    student.begin_from(ceiling)
    data = JointData(config, sources, seen, guides=sources.teacher)
    _run_stage(config, STUDENT, student, data, student.plan, resume)


def _run_stage(
    config: FrameTextConfig,
    stage: str,
    module: WordsModule | JointModule,
    data: lightning.LightningDataModule,
    plan: StageConfig,
    resume: bool,
) -> None:
    last = stage_state(config, stage, best=False)
    goes_on = False
    if last.is_file():
        state = torch.load(last, map_location="cpu", weights_only=False)
        same = state["fingerprint"] == module.fingerprint
        if same and state["epoch"] + 1 >= plan.rounds:
            LOG.info("%s: complete", stage)
            return
        if resume and not same:
            raise ValueError(f"--resume: {last} was made from other data or another config")
        goes_on = resume
    run = dataclasses.replace(
        config.run, folder=str(stage_folder(config, stage)), max_rounds=plan.rounds
    )
    trainer = fitting.build_trainer(
        run, watch=watched(module), mode="max", callbacks=[Rounds(config.run, stage)]
    )
    trainer.fit(module, data, ckpt_path=last if goes_on else None, weights_only=False)


def network_embedded(
    network: FrameTextNetwork, subwords: Subwords, features: CaptionedFeatures
) -> Embedded:
    """A trained network over the captioned frames, as they are."""
    reader = PieceReader(subwords, network.shape.text_limit, 0.0)

    def encode(texts: Sequence[str]) -> Floats:
        with torch.inference_mode():
            return np.asarray(network.embed_texts(reader.read(texts)).numpy(), np.float32)

    with torch.inference_mode():
        frames = network.embed_features(torch.from_numpy(features.views[0]).float()).numpy()
    return Embedded(frames, encode)


def ceiling_embedded(config: FrameTextConfig) -> Embedded:
    """The ceiling's network, on the teacher's features."""
    best = stage_state(config, CEILING, best=True)
    if not best.is_file():
        raise ValueError(f"the ceiling needs {best}, which is not there: fit first")
    sources = open_sources(config)
    module = JointModule.load(best, config)
    return network_embedded(module.network, sources.subwords, sources.teacher)


def test(config: FrameTextConfig) -> dict[str, float]:
    """The figures of the student's best state on the chosen part."""
    best = stage_state(config, STUDENT, best=True)
    if not best.is_file():
        raise ValueError(f"test needs {best}, which is not there: fit first")
    sources = open_sources(config)
    student = JointModule.load(best, config)
    figures = student.chosen_figures(JointData(config, sources, sources.student).chosen())
    for name, value in figures.items():
        LOG.info("%s %.4f", name, value)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    return run_command("frame_text", arguments, load_config, fit, test)


if __name__ == "__main__":
    sys.exit(main())
