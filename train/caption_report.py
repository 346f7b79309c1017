"""Captions against what people said, beside what needs no captioner.

The rows: one constant caption, the best of the commonest on training videos; of each training
video's most agreed caption the one of the video that looks most alike, and the one that the
frame-text encoder finds to fit; the captioner on all frames and on the middle one alone; people,
each of whose captions is scored against the others of its video.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.captioner import Caption, Captioner
from models.subwords import words_of
from models.types import Floats
from train.caption_confidence import confidence_figures, share_used
from train.caption_metrics import CiderD, bleu, caption_figures, rouge_l, tokens_of
from train.captioner_config import CaptionerConfig
from train.data.caption_batches import CaptionSources, agreement_of, open_sources
from train.data.captions import CaptionedItem

FIGURES = ("cider_d", "bleu_4", "rouge_l")
TITLES = {
    "constant": "the same caption for all, chosen on training videos",
    "alike": "of the training video that looks most alike",
    "words": "of training videos' best captions the one that fits, by the frame-text encoder",
    "one_frame": "captioner, the middle frame alone",
    "unguarded": "captioner, whatever its confidence",
    "captioner": "captioner",
    "people": "people, each against the others",
}
CONSTANTS = 60
CONSTANT_ITEMS = 200
PEOPLE_TAKEN = 5  # captions of each video
PROTOCOL = (
    "CIDEr-D, BLEU-4 and ROUGE-L against all references of a video, document frequencies from the "
    "same references, words of letters without stemming. All frames that are there of a video, the "
    "mean over videos, BLEU of the corpus. Choices were made on training videos held out for that. "
    "Words used by people: the share of a caption's words of content that any reference has."
)


def make_report(config: CaptionerConfig, folder: Path) -> dict[str, Any]:
    """Raises ValueError where the folder's captioner was trained on another backbone."""
    sources = open_sources(config)
    captioner = Captioner(folder, Path(config.data.backbone).parent)
    made_by = {"backbone": captioner.backbone_hash, "frame_text": captioner.frame_text_hash}
    if made_by != sources.made_by:
        raise ValueError(f"{folder} was trained on {made_by}, not on {sources.made_by}")
    videos = sources.part("reported", "msrvtt")
    report: dict[str, Any] = {
        "protocol": PROTOCOL,
        "captioner": captioner.weights_hash,
        "made_by": sources.made_by,
        "videos": len(videos),
    }
    said = say_all(captioner, sources, videos)
    plain = {name: [caption.text for caption in found] for name, found in said.items()}
    plain |= without_captioner(sources, videos, Path(config.data.cache_dir))
    report["rows"] = {name: scored(plain[name], videos) for name in TITLES if name in plain}
    report["rows"]["people"] = people_scored(videos)
    report["confidence"] = confidence_of(said["captioner"], videos)
    report["gave_way"] = sum(
        a.text != b.text for a, b in zip(said["captioner"], said["unguarded"], strict=True)
    )
    photographs = sources.part("reported", "flickr8k")
    if photographs:
        texts = [c.text for c in say_all(captioner, sources, photographs)["captioner"]]
        report["flickr8k"] = {**scored(texts, photographs), "photographs": len(photographs)}
    report["captions"] = {
        item.name: {"text": one.text, "confidence": round(one.confidence, 3)}
        for item, one in zip(videos, said["captioner"], strict=True)
    }
    return report


def say_all(
    captioner: Captioner, sources: CaptionSources, items: Sequence[CaptionedItem]
) -> dict[str, list[Caption]]:
    """As it is used, without its doubts, and from one frame."""
    said: dict[str, list[Caption]] = {"captioner": [], "unguarded": [], "one_frame": []}
    for item in items:
        considered = captioner.considered(sources.backbone[item.rows])
        said["captioner"].append(captioner.chosen(considered))
        said["unguarded"].append(considered[0])
        middle = item.rows[[len(item.rows) // 2]]
        said["one_frame"].append(captioner.chosen(captioner.considered(sources.backbone[middle])))
    return said


def scored(captions: Sequence[str], items: Sequence[CaptionedItem]) -> dict[str, float]:
    figures = caption_figures(captions, [item.captions for item in items])
    shares = [share_used(c, item.captions) for c, item in zip(captions, items, strict=True)]
    return {**figures, "words_used": float(np.mean(shares))}


def people_scored(items: Sequence[CaptionedItem]) -> dict[str, float]:
    """Mean over the first captions of each video, each against all but itself."""
    texts = [[tokens_of(caption) for caption in item.captions] for item in items]
    cider = CiderD(texts)
    taken = range(min(PEOPLE_TAKEN, *(len(every) for every in texts)))
    others = [[[*t[:k], *t[k + 1 :]] for t in texts] for k in taken]
    return {
        "cider_d": float(
            np.mean([cider.among_references(i)[: len(taken)] for i in range(len(texts))])
        ),
        "bleu_4": float(np.mean([bleu([t[k] for t in texts], others[k]) for k in taken])),
        "rouge_l": float(
            np.mean(
                [rouge_l(t[k], o) for k in taken for t, o in zip(texts, others[k], strict=True)]
            )
        ),
        "words_used": float(
            np.mean(
                [
                    share_used(item.captions[k], [c for j, c in enumerate(item.captions) if j != k])
                    for item in items
                    for k in taken
                ]
            )
        ),
    }


def without_captioner(
    sources: CaptionSources, items: Sequence[CaptionedItem], cache_dir: Path
) -> dict[str, list[str]]:
    every = sources.part("train")
    agreed = zip(every, agreement_of(every, cache_dir), strict=True)
    # Of each video the caption that the others agree with most.
    best = [(i, i.captions[int(a.argmax())]) for i, a in agreed if i.source == "msrvtt"]
    known, texts = [item for item, _ in best], [text for _, text in best]
    seen, wanted = (_means(sources, some) for some in (known, items))
    nearest = (wanted @ seen.T).argmax(axis=1)
    encoder = sources.frame_text
    fits = _unit(_projected(sources, items)) @ encoder.encode_texts(texts).T
    return {
        "constant": [constant_caption(known)] * len(items),
        "alike": [texts[n] for n in nearest.tolist()],
        "words": [texts[n] for n in fits.argmax(axis=1).tolist()],
    }


def constant_caption(items: Sequence[CaptionedItem]) -> str:
    """The best of the commonest captions for some of the items, by CIDEr-D."""
    counts = Counter(" ".join(words_of(c)) for item in items for c in item.captions)
    some = items[:: max(1, len(items) // CONSTANT_ITEMS)]
    cider = CiderD([[tokens_of(c) for c in item.captions] for item in some])
    common = [text for text, _ in counts.most_common(CONSTANTS)]
    means = [np.mean([cider.score(i, tokens_of(t)) for i in range(len(some))]) for t in common]
    return common[int(np.argmax(means))]


def _means(sources: CaptionSources, items: Sequence[CaptionedItem]) -> Floats:
    return _unit(
        np.stack([sources.backbone[i.rows].astype(np.float32).mean(axis=0) for i in items])
    )


def _projected(sources: CaptionSources, items: Sequence[CaptionedItem]) -> Floats:
    project = sources.frame_text.project
    return np.stack(
        [project(sources.backbone[i.rows].astype(np.float32)).mean(axis=0) for i in items]
    )


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)


def confidence_of(captions: Sequence[Caption], items: Sequence[CaptionedItem]) -> dict[str, Any]:
    shares = [share_used(c.text, i.captions) for c, i in zip(captions, items, strict=True)]
    said = np.asarray([caption.confidence for caption in captions], np.float64)
    return confidence_figures(said, np.asarray(shares, np.float64))


def as_markdown(report: dict[str, Any]) -> str:
    lines = [
        report["protocol"],
        "",
        f"| MSR-VTT validation, {report['videos']} videos, 20 references each "
        "| CIDEr-D | BLEU-4 | ROUGE-L | words used by people |",
        "|---|---|---|---|---|",
    ]
    for name, title in TITLES.items():
        lines.append(f"| {title} | {' | '.join(cells_of(report['rows'][name]))} |")
    sure = report["confidence"]
    lines += [
        "",
        f"Confidence, the share of words of content that people used too as it is estimated "
        f"beforehand: expected calibration error {sure['ece']:.3f}; true share of the surer half "
        f"{sure['surer_half']:.0%}, of the other {sure['other_half']:.0%}. "
        f"{report['gave_way']} of {report['videos']} captions gave way to a plainer one.",
    ]
    if "flickr8k" in report:
        found = report["flickr8k"]
        lines += [
            "",
            f"| Flickr8k dev, {found['photographs']} photographs, 5 references each "
            "| CIDEr-D | BLEU-4 | ROUGE-L | words used by people |",
            "|---|---|---|---|---|",
            f"| captioner | {' | '.join(cells_of(found))} |",
        ]
    return "\n".join(lines) + "\n"


def metrics_of(report: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint keeps of it."""
    rows = {
        name: {figure: round(value, 4) for figure, value in row.items()}
        for name, row in report["rows"].items()
    }
    sure = report["confidence"]
    return {
        **{name: rows["captioner"][name] for name in FIGURES},
        "words_used": rows["captioner"]["words_used"],
        "videos": report["videos"],
        "rows": rows,
        "confidence_ece": round(sure["ece"], 4),
        "confidence_surer_half": round(sure["surer_half"], 4),
        "confidence_other_half": round(sure["other_half"], 4),
        "gave_way": report["gave_way"],
    }


def cells_of(row: dict[str, float]) -> list[str]:
    """CIDEr-D as it is, the others in hundredths, as papers have them."""
    figures = [f"{row['cider_d']:.3f}", *(f"{100 * row[name]:.1f}" for name in FIGURES[1:])]
    return [*figures, f"{row['words_used']:.0%}"]


def write_report(report: dict[str, Any], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "captions.json").write_text(json.dumps(report, indent=1) + "\n")
    table = as_markdown(report)
    (folder / "captions.md").write_text(table)
    return table
