"""Writes the checkpoint folder of a trained captioner, with its words and how sure it may be."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.caption_decoder import CaptionDecoder
from models.caption_words import START_ID, UNKNOWN_ID, CaptionWords
from models.captioner import KIND, WORDS_FILE, Captioner, Confidence
from models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from train import caption_report, fitting, shipping
from train.caption_confidence import fit_confidence, judge
from train.caption_network import CaptionNetwork
from train.captioner import shape_in
from train.captioner_config import CaptionerConfig
from train.data.caption_batches import CaptionSources, frames_of, open_sources
from train.data.captions import PARTS, SOURCES, CaptionedItem

HALF_TOLERANCE = 0.02  # of the mean difference between logarithms of probability of words
NUMPY_TOLERANCE = 1e-3  # of the largest such difference between numpy and torch
COMPARED_ITEMS = 40

CARD = """# {name}

A sentence about one or more frames: {parameters:.2f} million parameters, {megabytes:.1f} MB as
{dtype}. It reads embeddings of the checkpoint `{backbone}` (weights {backbone_hash}) and what
`{frame_text}` (weights {frame_text_hash}) makes of them; both must lie beside it. Frames are a set:
it does not see their order, and hears nothing.

Attention over the frames for each word, a gated recurrent unit of width {dim}, {vocabulary:,} whole
words, a beam of {beams}. Trained on two CPU cores, {learned}.

## Data
Research data, see its owners' terms. {items}

## Figures
{figures}

Confidence is an estimate of the share of a caption's words (articles and the like left out) that
people who saw the same frames used too, fitted on held-out training videos. Below
{doubt_below:.0%} it says the surest of what it considered, plain sentences among it: {plain}.

## Limits
English. It knows what {videos:,} web videos of about 2015 show: men talking, cooking, sports,
games, music. It names who and what is seen with the likeliest word and is often wrong about it: men
for women, songs for talks. It cannot judge whether an event happened. Code version {code}.
"""


def export_captioner(config: CaptionerConfig, state_path: Path | None, folder: Path) -> Checkpoint:
    """Writes the folder.

    Raises:
        ValueError: there is no such state, it was trained on other weights, it is too large, or
            what runs in the application computes something else.
    """
    state_path = fitting.existing_state(state_path or fitting.last_checkpoint(config.run))
    state = torch.load(state_path, map_location="cpu", weights_only=False)
    sources = open_sources(config)
    if state["made_by"] != sources.made_by:
        raise ValueError(
            f"{state_path} was trained on {state['made_by']}, but the folders are "
            f"{sources.made_by}: fit again"
        )
    network = CaptionNetwork(shape_in(state, config)).eval()
    prefix = "network."
    network.load_state_dict(
        {key.removeprefix(prefix): value for key, value in state["state_dict"].items()}
    )
    words = CaptionWords(tuple(state["vocabulary"]))
    chosen = sources.part("chosen")
    rounded = shipping.in_half_precision(network)
    some = chosen[:COMPARED_ITEMS]
    half_difference = float(
        np.mean(
            np.abs(logs_of(network, sources, some, words) - logs_of(rounded, sources, some, words))
        )
    )
    half = half_difference <= HALF_TOLERANCE
    kept = rounded if half else network
    shipping.check_size(kept, half=half)
    metrics: dict[str, Any] = {
        "half_precision_difference": half_difference,
        "numpy_difference": numpy_difference(kept, sources, some, words),
    }
    described = _describe(config, state, sources, kept, words)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WORDS_FILE).write_text(words.to_json(), encoding="utf-8")
    # It is asked as it will be used, first for what its confidence is fitted on, then for figures.
    write_checkpoint(folder, kept, config=described, metrics={}, card="", half=half)
    captioner = Captioner(folder, Path(config.data.backbone).parent)
    described["confidence"] = dataclasses.asdict(fit_confidence(judge(captioner, sources, chosen)))
    write_checkpoint(folder, kept, config=described, metrics={}, card="", half=half)
    report = caption_report.make_report(config, folder)
    metrics |= caption_report.metrics_of(report)
    card = _card(folder.name, described, report, shipping.size_facts(kept, half=half))
    return write_checkpoint(folder, kept, config=described, metrics=metrics, card=card, half=half)


@torch.inference_mode()
def logs_of(
    network: CaptionNetwork,
    sources: CaptionSources,
    items: Sequence[CaptionedItem],
    words: CaptionWords,
) -> Any:
    """Logarithms of probability of every word after each word of the items' first captions."""
    found = []
    for item in items:
        features, present = frames_of([sources.features(item)])
        ids = torch.tensor([[START_ID, *words.encode(item.captions[0])]])
        seen = network.look(features, present)
        logits = network(seen, ids, torch.ones_like(ids, dtype=torch.bool))
        found.append(logits.log_softmax(1).numpy())
    return np.concatenate(found)


def numpy_difference(
    network: CaptionNetwork,
    sources: CaptionSources,
    items: Sequence[CaptionedItem],
    words: CaptionWords,
) -> float:
    """The largest difference between what the application runs, and torch.

    Raises:
        ValueError: it is more than rounding.
    """
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    decoder, found = CaptionDecoder(arrays, network.shape), []
    for item in items:
        seen = decoder.look(sources.features(item))
        hidden = seen.hidden[None]
        for word in [START_ID, *words.encode(item.captions[0])]:
            logs, hidden = decoder.step(seen, hidden, np.array([word]))
            found.append(logs)
    largest = float(np.abs(np.concatenate(found) - logs_of(network, sources, items, words)).max())
    if largest > NUMPY_TOLERANCE:
        raise ValueError(f"numpy and torch differ by {largest:.2g}, which is more than rounding")
    return largest


def _describe(
    config: CaptionerConfig,
    state: dict[str, Any],
    sources: CaptionSources,
    network: CaptionNetwork,
    words: CaptionWords,
) -> dict[str, Any]:
    backbone = read_checkpoint(Path(config.data.backbone))
    frame_text = sources.frame_text
    return {
        "kind": KIND,
        "architecture": dataclasses.asdict(network.shape),
        "preprocessing": {
            "backbone": backbone.name,
            "backbone_hash": frame_text.backbone_hash,
            "frame_text": frame_text.name,
            "frame_text_hash": frame_text.weights_hash,
            "reads": config.data.reads,
            "side_px": int(backbone.preprocessing["side_px"]),
            "text": "words of a-z in lower case without accents, single digits",
        },
        "sampling": "one or more frames, as a set",
        "labels": [],
        "data": {
            "items": {
                part: {source: len(sources.part(part, source)) for source in SOURCES}
                for part in PARTS
            },
            "terms": "research data, see its owners' terms",
        },
        "training": {
            "rounds": int(state["epoch"]) + 1,
            "learning": dataclasses.asdict(config.learning),
            "seed": config.seed,
        },
        "search": dataclasses.asdict(config.search),
        "doubt_below": config.doubt_below,
        "plain": [text for text in config.plain if UNKNOWN_ID not in words.encode(text)],
        "confidence": dataclasses.asdict(Confidence(0.0, 0.0, 0.0, 0.0)),
        "words_sha256": hashlib.sha256(words.to_json().encode()).hexdigest(),
        **shipping.origin(),
    }


def _learned(training: dict[str, Any]) -> str:
    words = min(training["rounds"], training["learning"]["word_rounds"])
    said = f"{words} rounds on words as people wrote them"
    rest = training["rounds"] - words
    return f"{said}, {rest} on whole captions by their CIDEr-D" if rest else said


def _card(
    name: str, described: dict[str, Any], report: dict[str, Any], size: dict[str, Any]
) -> str:
    preprocessing, items = described["preprocessing"], described["data"]["items"]
    return CARD.format(
        name=name,
        **size,
        backbone=preprocessing["backbone"],
        backbone_hash=preprocessing["backbone_hash"][:12],
        frame_text=preprocessing["frame_text"],
        frame_text_hash=preprocessing["frame_text_hash"][:12],
        dim=described["architecture"]["dim"],
        vocabulary=described["architecture"]["vocabulary"],
        beams=described["search"]["beams"],
        learned=_learned(described["training"]),
        items=". ".join(
            f"{part}: " + ", ".join(f"{source} {count:,}" for source, count in found.items())
            for part, found in items.items()
        ),
        figures=caption_report.as_markdown(report).rstrip(),
        doubt_below=described["doubt_below"],
        plain="; ".join(described["plain"]) or "none here",
        videos=items["train"]["msrvtt"],
        code=described["code_version"],
    )
