"""Writes the checkpoint folder of a trained frame-text encoder."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from models.frame_text_encoder import BACKBONE_KIND, KIND, VOCABULARY_FILE
from train import fitting, shipping
from train.data.captioned_features import CaptionedFeatures
from train.data.sentences import PIN
from train.frame_text import STUDENT, network_embedded, stage_state
from train.frame_text_config import FrameTextConfig
from train.frame_text_learning import JointModule
from train.frame_text_network import FrameTextNetwork
from train.frame_text_sources import Sources, open_sources
from train.retrieval import calibration_figures
from train.retrieval_report import (
    calibration_rows,
    fit_on_chosen,
    fit_pictures_on_chosen,
    picture_pairs,
    retrieval_rows,
)

HALF_TOLERANCE = 1e-4  # of the mean cosine distance between embeddings from both precisions
COMPARED_TEXTS = 1000

CARD = """# {name}

Frames and sentences in one space of {dim} dimensions, to search videos in English words. The image
side is a projection of the checkpoint `{backbone}` (weights {backbone_hash}), which must lie beside
this one; the text side reads pieces of words ({vocabulary:,} of them, learned from captions) with
{layers} Transformer layer(s) of width {width}. {parameters:.2f} million parameters, {megabytes:.1f}
MB as {dtype}.

Trained on two CPU cores: the text side first by distillation from a sentence encoder
(all-MiniLM-L6-v2, Apache-2.0), then both sides by contrast of captions with frames, following a
network that was trained in the same way on the features of the backbone's teacher.

## Data
Research data, see its owners' terms. {items}

## Figures on the official validation parts, whole galleries
| | R@1 | R@5 | R@10 | median rank |
|---|---|---|---|---|
{figures}

A score becomes a probability by a logistic curve, fitted on held-out training videos; expected
calibration error on the validation parts: {ece:.3f}.

## Limits
English only. It knows what 3,700 captioned web videos and photographs say; a probability supposes
that half of all searches are for something that is there. Code version {code}.
"""


def export_frame_text(config: FrameTextConfig, state_path: Path | None, folder: Path) -> Checkpoint:
    """Writes the best state of the student's stage, with its vocabulary and its calibration.

    Raises:
        ValueError: there is no such state, it was trained on another backbone, or it is too large.
    """
    state_path = fitting.existing_state(state_path or stage_state(config, STUDENT, best=True))
    sources = open_sources(config)
    module = JointModule.load(state_path, config)
    seen = sources.student
    if module.features_from != seen.maker:
        raise ValueError(
            f"{state_path} was trained on the backbone {module.features_from[:12]}, but "
            f"{config.data.backbone} is {seen.maker[:12]}: fit again"
        )
    network, half_distance = _rounded(module.network, sources, seen)
    half = half_distance <= HALF_TOLERANCE
    kept = network if half else module.network
    shipping.check_size(kept, half=half)
    embedded = network_embedded(kept, sources.subwords, seen)
    calibration = fit_on_chosen(sources.captioned, embedded)
    pictures = fit_pictures_on_chosen(sources.captioned, embedded)
    rows = retrieval_rows(sources.captioned, {"compact": embedded})
    reported = sources.captioned.part("reported")
    searched = calibration_rows(reported, embedded, calibration)
    metrics = {
        **{
            f"{source}_{name}": round(value, 4)
            for source, found in rows.items()
            for name, value in found["compact"].items()
        },
        **{f"ece_{count}_searched": round(row["ece"], 4) for count, row in searched.items()},
        **{f"auc_{count}_searched": round(row["auc"], 4) for count, row in searched.items()},
        **{
            f"picture_ece_{count}_searched": round(
                calibration_figures(pictures.probability(alike, count), matches)["ece"], 4
            )
            for count, (alike, matches) in picture_pairs(
                sources.captioned.part("reported", "msrvtt"), embedded
            ).items()
        },
        "half_precision_distance": half_distance,
    }
    vocabulary = sources.subwords.to_json()
    described = _describe(config, module, sources)
    described["calibration"] = dataclasses.asdict(calibration)
    described["picture_calibration"] = dataclasses.asdict(pictures)
    described["subwords_sha256"] = hashlib.sha256(vocabulary.encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VOCABULARY_FILE).write_text(vocabulary, encoding="utf-8")
    card = _card(folder.name, described, metrics, shipping.size_facts(kept, half=half))
    return write_checkpoint(folder, kept, config=described, metrics=metrics, card=card, half=half)


def _rounded(
    network: FrameTextNetwork, sources: Sources, seen: CaptionedFeatures
) -> tuple[FrameTextNetwork, float]:
    """The network with its weights in half precision, and how far its embeddings are."""
    rounded = shipping.in_half_precision(network)
    texts = sources.texts[:: max(1, len(sources.texts) // COMPARED_TEXTS)]
    distances = []
    full, half = (network_embedded(n, sources.subwords, seen) for n in (network, rounded))
    distances.append(1 - (full.encode(texts) * half.encode(texts)).sum(1))
    distances.append(1 - (full.frames * half.frames).sum(1))
    return rounded, max(0.0, float(np.concatenate(distances).mean()))


def _describe(config: FrameTextConfig, module: JointModule, sources: Sources) -> dict[str, Any]:
    backbone = read_checkpoint(Path(config.data.backbone), kind=BACKBONE_KIND)
    parts = ("train", "chosen", "reported")
    return {
        "kind": KIND,
        "architecture": dataclasses.asdict(module.shape),
        "preprocessing": {
            "backbone": backbone.name,
            "backbone_hash": backbone.weights_hash,
            "side_px": int(backbone.preprocessing["side_px"]),
            "text": "words of a-z in lower case without accents, single digits; pieces of them",
        },
        "sampling": "single frames",
        "labels": [],
        "data": {
            "items": {
                part: {
                    source: len(sources.captioned.part(part, source))
                    for source in ("msrvtt", "flickr8k")
                }
                for part in parts
            },
            "texts": len(sources.texts),
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "sentence_encoder": PIN,
            "teacher": sources.teacher.maker,
            "words": dataclasses.asdict(config.words),
            "joint": dataclasses.asdict(config.joint),
            "joining": dataclasses.asdict(config.joining),
            "batch_size": config.data.batch_size,
            "seed": config.seed,
        },
        **shipping.origin(),
    }


def _card(
    name: str, described: dict[str, Any], metrics: dict[str, Any], size: dict[str, Any]
) -> str:
    shape, preprocessing = described["architecture"], described["preprocessing"]
    items = described["data"]["items"]
    rows = []
    for source, title in (("msrvtt", "MSR-VTT validation"), ("flickr8k", "Flickr8k dev")):
        if f"{source}_recall_1" in metrics:
            cells = [f"{100 * metrics[f'{source}_recall_{k}']:.1f}" for k in (1, 5, 10)]
            rows.append(
                f"| {title} | {' | '.join(cells)} | {metrics[f'{source}_median_rank']:.0f} |"
            )
    return CARD.format(
        name=name,
        dim=shape["dim"],
        backbone=preprocessing["backbone"],
        backbone_hash=str(preprocessing["backbone_hash"])[:12],
        vocabulary=shape["vocabulary"],
        layers=shape["layers"],
        width=shape["width"],
        **size,
        items=". ".join(
            f"{part}: " + ", ".join(f"{source} {count:,}" for source, count in found.items())
            for part, found in items.items()
        ),
        figures="\n".join(rows),
        ece=metrics["ece_1_searched"],
        code=described["code_version"],
    )
