"""Writes a trained frame search as two checkpoints: its backbone, and what reads its features.

The backbone makes the index of a video; the other folder, tied to its hash, answers every query
from that index.
"""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.backbone_encoder import BackboneEncoder
from models.bert_frame_text import KIND
from models.bert_network import BertFrameTextNetwork, read_texts
from models.certainty import MEASURED
from models.checkpoint import Checkpoint, write_checkpoint
from models.frame_text_encoder import Calibration, spread_likeness
from models.types import Floats
from train import fitting, shipping
from train.data.caption_records import CHOSEN, PARTS, REPORTED
from train.data.captioned_batches import GalleryPictures, gallery, training_view
from train.data.captioned_sources import Captioned, CaptionedSet, Reference
from train.data.captions import CaptionedItem
from train.frame_search import FrameSearchModule, best_state, open_data, retrieval_figures
from train.frame_search_config import FrameSearchConfig
from train.pretrained_text import load_text
from train.retrieval import (
    Bools,
    Embedded,
    by_frames,
    calibration_figures,
    fit_calibration,
    match_pairs,
)
from train.trunk_export import export_trunk

LOG = logging.getLogger(__name__)
HALF_TOLERANCE = 1e-4  # of the mean cosine distance between embeddings from both precisions
SEARCHED = (1, 4, 16, 64)
COMPARED_PICTURES = 64
COMPARED_TEXTS = 500
CROPS = 2  # of a photograph, which stand for two moments of one scene

CARD = """# {name}

Frames and English sentences in one space of {dim} dimensions. The frame side reads the features of
the checkpoint `{backbone}` (weights {backbone_hash}), which lies beside this one; the text side is
DistilBERT, its words pooled by their mean. Both end in a projection head. {parameters:.1f} million
parameters, {megabytes:.0f} MB as {dtype}, without the backbone.

## Data
Research data, see its owners' terms. {data}

## Figures
{part}: every caption is a query over the whole gallery.
In batches of 64, as such systems are often measured, the same embeddings seem better: that figure
says little about a search.

| | R@1 | R@5 | R@10 | median rank |
|---|---|---|---|---|
| whole gallery of {gallery} | {whole} | {median} |
| in batches of {batch} | {in_batch} | |

A score becomes a probability by a logistic curve fitted on the {chosen} items held out for choices;
expected calibration error {ece:.3f}, {ece_on}.

## Limits
English only. It knows what its captions say. Code version {code}.
"""


def export_frame_search(
    config: FrameSearchConfig, state_path: Path | None, folder: Path
) -> Checkpoint:
    """Writes `folder`, and beside it `<folder>_backbone`, which it names.

    Raises:
        ValueError: there is no such state, or a network is not what its stored form computes.
    """
    state_path = fitting.existing_state(state_path or best_state(config))
    data = open_data(config)
    module = FrameSearchModule.load(state_path, config)
    tokenizer = load_text(config.model.text).tokenizer
    said = _described_data(config, data)
    backbone = export_trunk(
        module.backbone,
        folder.parent / f"{folder.name}_backbone",
        _compared_pictures(config, data),
        {"data": said, "training": _training(config)},
        side_px=config.data.side_px,
        made=f"Fine-tuned with captions as the frame side of `{folder.name}`.",
        data=_in_words(said),
    )
    encoder = BackboneEncoder(backbone.folder)
    measuring = Measuring(config, data, encoder, tokenizer)
    network, distance = measuring.rounded(module.network)
    half = distance <= HALF_TOLERANCE
    kept = network if half else module.network
    calibration, pictures, metrics = measuring.figures(kept)
    described = {
        "kind": KIND,
        "architecture": kept.shape.to_json(),
        "preprocessing": {
            "encoder": backbone.name,
            "encoder_hash": backbone.weights_hash,
            "side_px": config.data.side_px,
            "text": "the tokenizer of DistilBERT, beside the weights; mean of the words",
        },
        "sampling": "single frames",
        "labels": [],
        "data": said,
        "training": _training(config),
        "certainty": MEASURED,
        "calibration": dataclasses.asdict(calibration),
        "picture_calibration": dataclasses.asdict(pictures),
        **shipping.origin(),
    }
    metrics["half_precision_distance"] = distance
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    card = _card(folder.name, described, metrics, shipping.size_facts(kept, half=half))
    return write_checkpoint(folder, kept, config=described, metrics=metrics, card=card, half=half)


class Measuring:
    """A network over the features that the exported backbone gives, as the application has them."""

    def __init__(
        self,
        config: FrameSearchConfig,
        data: CaptionedSet,
        encoder: BackboneEncoder,
        tokenizer: Any,
    ) -> None:
        self._config, self._data = config, data
        self._encoder, self._tokenizer = encoder, tokenizer
        self.part = REPORTED if len(data.part(REPORTED)) > 1 else CHOSEN
        self._chosen = self._gallery(CHOSEN)
        self._shown = self._chosen if self.part == CHOSEN else self._gallery(REPORTED)
        self._alike = self._scenes(data.part(CHOSEN))

    def rounded(self, network: BertFrameTextNetwork) -> tuple[BertFrameTextNetwork, float]:
        """The network with its weights in half precision, and how far its embeddings are."""
        half = shipping.in_half_precision(network)
        items, features = self._chosen
        texts = [caption for item in items for caption in item.captions][:COMPARED_TEXTS]
        distances = []
        full_embedded, half_embedded = (self._embedded(n, features) for n in (network, half))
        distances.append(1 - (full_embedded.encode(texts) * half_embedded.encode(texts)).sum(1))
        distances.append(1 - (full_embedded.frames * half_embedded.frames).sum(1))
        return half, max(0.0, float(np.concatenate(distances).mean()))

    def figures(
        self, network: BertFrameTextNetwork
    ) -> tuple[Calibration, Calibration, dict[str, Any]]:
        """Both calibrations, fitted on the items held out for choices, and what was measured."""
        items, features = self._chosen
        chosen = self._embedded(network, features)
        pairs = {n: match_pairs(items, chosen, searched=n) for n in SEARCHED}
        calibration = fit_calibration(pairs)
        scenes, seen = self._alike
        alike = self._embedded(network, seen)
        picture_pairs = dict[int, tuple[Floats, Bools]]()
        for count in SEARCHED:
            cosines, matches = match_pairs(scenes, alike, by_frames(alike), searched=count)
            picture_pairs[count] = spread_likeness(cosines), matches
        shown_items, shown_features = self._shown
        shown = self._embedded(network, shown_features)
        if self.part != CHOSEN:
            pairs = {n: match_pairs(shown_items, shown, searched=n) for n in SEARCHED}
        errors = {
            f"ece_{n}_searched": round(
                calibration_figures(calibration.probability(scores, n), matches)["ece"], 4
            )
            for n, (scores, matches) in pairs.items()
        }
        source = self._config.data.source
        found = retrieval_figures(shown_items, shown)
        named = {f"{source}_{name}": round(value, 4) for name, value in found.items()}
        metrics = {"source": source, "part": self.part, **named, **errors}
        return calibration, fit_calibration(picture_pairs), metrics

    def _gallery(self, part: str) -> tuple[list[CaptionedItem], Floats]:
        items, references = gallery(self._data.part(part))
        return items, self._features(references)

    def _features(self, references: Sequence[Reference]) -> Floats:
        batches = GalleryPictures(self._data, references, self._config.data.side_px)
        parts = [
            self._encoder.encode_frames(batches[number]["pixels"].numpy())
            for number in range(len(batches))
        ]
        return np.concatenate(parts)

    def _scenes(self, items: Sequence[Captioned]) -> tuple[list[CaptionedItem], Floats]:
        """Frames of one video are one scene; of a photograph, parts of it are taken instead."""
        random = np.random.default_rng([self._config.seed, 7])
        made, views = list[CaptionedItem](), list[Floats]()
        for item in items:
            pictures = [self._data.picture(frame) for frame in item.frames]
            if len(pictures) == 1:
                pictures = [
                    training_view(pictures[0], self._config.data, random) for _ in range(CROPS)
                ]
            rows = np.arange(len(views), len(views) + len(pictures), dtype=np.int64)
            views += [self._encoder.encode_frames(picture[None])[0] for picture in pictures]
            made.append(CaptionedItem(item.source, item.name, item.part, item.captions, rows))
        return made, np.stack(views)

    def _embedded(self, network: BertFrameTextNetwork, features: Floats) -> Embedded:
        network.eval()

        def encode(texts: Sequence[str]) -> Floats:
            found = []
            for start in range(0, len(texts), COMPARED_PICTURES):
                chunk = list(texts[start : start + COMPARED_PICTURES])
                read = read_texts(self._tokenizer, chunk, network.shape.text_limit)
                with torch.inference_mode():
                    found.append(network.embed_texts(*read).numpy())
            return np.concatenate(found)

        with torch.inference_mode():
            frames = network.embed_features(torch.from_numpy(features)).numpy()
        return Embedded(frames, encode)


def _compared_pictures(config: FrameSearchConfig, data: CaptionedSet) -> list[Tensor]:
    """Some pictures that nothing was learned from, on which precisions are compared."""
    _, references = gallery(data.part(CHOSEN))
    step = max(1, len(references) // COMPARED_PICTURES)
    batches = GalleryPictures(data, references[::step][:COMPARED_PICTURES], config.data.side_px)
    return [batches[number]["pixels"] for number in range(len(batches))]


def _described_data(config: FrameSearchConfig, data: CaptionedSet) -> dict[str, Any]:
    return {
        "items": {part: {config.data.source: len(data.part(part))} for part in PARTS},
        "terms": "research data, see its owners' terms",
    }


def _training(config: FrameSearchConfig) -> dict[str, Any]:
    return {
        "model": dataclasses.asdict(config.model),
        "learning": dataclasses.asdict(config.learning),
        "batch_size": config.data.batch_size * config.run.accumulate,
        "seed": config.seed,
    }


def _in_words(said: dict[str, Any]) -> str:
    parts = (
        f"{part}: " + ", ".join(f"{source} {count:,}" for source, count in found.items())
        for part, found in said["items"].items()
    )
    return ". ".join(parts) + "."


def _card(
    name: str, described: dict[str, Any], metrics: dict[str, Any], size: dict[str, Any]
) -> str:
    source, part = metrics["source"], metrics["part"]

    def cells(prefix: str) -> str:
        return " | ".join(
            f"{100 * metrics[f'{source}_{prefix}recall_{k}']:.1f}" for k in (1, 5, 10)
        )

    gallery_size = metrics[f"{source}_gallery"]
    return CARD.format(
        name=name,
        dim=described["architecture"]["dim"],
        backbone=described["preprocessing"]["encoder"],
        backbone_hash=str(described["preprocessing"]["encoder_hash"])[:12],
        **size,
        data=_in_words(described["data"]),
        part=f"{source}, the part that is {part}",
        gallery=gallery_size,
        batch=min(64, gallery_size),
        whole=cells(""),
        in_batch=cells("in_batch_"),
        median=f"{metrics[f'{source}_median_rank']:.0f}",
        chosen=described["data"]["items"][CHOSEN][source],
        ece=metrics["ece_1_searched"],
        ece_on="on the same items" if part == CHOSEN else "on the items of the table",
        code=described["code_version"],
    )
