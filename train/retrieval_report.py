"""Frame search by the protocol: whole galleries, every caption a query, beside chance and ceiling.

python -m train.evaluate retrieval [--config FILE] [--folder FOLDER] [--also MODEL]...

Beside them stand the figures of the same embeddings in batches of 64, as frame search was published
with, which says why they are not comparable.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models import registry
from models.frame_text_encoder import Calibration, FrameTextEncoder, spread_likeness
from models.types import Floats
from train.data.captioned_features import student_features, teacher_features
from train.data.captions import SOURCES, CaptionedData, CaptionedItem, load_captions
from train.data.frames import open_frame_store
from train.frame_text import ceiling_embedded
from train.frame_text_config import FrameTextConfig
from train.retrieval import (
    Bools,
    Embedded,
    by_frames,
    calibration_figures,
    chance_figures,
    find_all,
    fit_calibration,
    in_batch_figures,
    match_pairs,
)

SEARCHED = (1, 4, 16, 64)
SHOWN = ("recall_1", "recall_5", "recall_10", "median_rank")
GALLERIES = {"msrvtt": "MSR-VTT validation", "flickr8k": "Flickr8k dev"}
PROTOCOL = (
    "Every caption is a query over the whole gallery; a video is the mean of its frames' "
    "embeddings. Ceiling: the same text side joined with the features of the backbone's teacher "
    "in the same way. Choices were made on training videos and photographs held out for that."
)


def embedded_by_folder(config: FrameTextConfig, folder: Path) -> Embedded:
    """The exported encoder, as the application runs it."""
    backbone = Path(config.data.backbone)
    encoder = FrameTextEncoder(folder, backbone)
    features = student_features(backbone, Path(config.data.cache_dir))
    return Embedded(encoder.project(features.views[0].astype(np.float32)), encoder.encode_texts)


def embedded_by_name(
    config: FrameTextConfig, name: str, items: Sequence[CaptionedItem]
) -> Embedded:
    """Any model that searches, as the application loads it; of the frames only those of the items.

    They are kept with a short side of 128 pixels, which is less than large models are made for.

    Raises:
        ModelUnavailableError, CheckpointError: it cannot be had.
    """
    encoder = registry.load(name)
    cache = Path(config.data.cache_dir)
    store = open_frame_store(cache / "frames")
    pictures = teacher_features(Path(config.data.data_dir), cache).pictures
    frames = np.zeros((len(pictures), encoder.dim), np.float32)
    for item in items:
        for row in item.rows:
            frames[row] = encoder.encode_frames(store.picture(int(pictures[row]))[None])[0]
    return Embedded(frames, encoder.encode_texts)


def captioned_data(config: FrameTextConfig) -> CaptionedData:
    cache, data = Path(config.data.cache_dir), Path(config.data.data_dir)
    pictures = teacher_features(data, cache).pictures
    return load_captions(data, open_frame_store(cache / "frames"), pictures.tolist())


def fit_on_chosen(captioned: CaptionedData, embedded: Embedded) -> Calibration:
    items = captioned.part("chosen")
    return fit_calibration(
        {searched: match_pairs(items, embedded, searched=searched) for searched in SEARCHED}
    )


def fit_pictures_on_chosen(captioned: CaptionedData, embedded: Embedded) -> Calibration:
    """From how alike two frames are to the probability that one video shows both."""
    return fit_calibration(picture_pairs(captioned.part("chosen", "msrvtt"), embedded))


def picture_pairs(
    items: list[CaptionedItem], embedded: Embedded
) -> dict[int, tuple[Floats, Bools]]:
    """By the number searched, what picture_calibration takes and whether it was right."""
    pairs = dict[int, tuple[Floats, Bools]]()
    for searched in SEARCHED:
        cosines, matches = match_pairs(items, embedded, by_frames(embedded), searched=searched)
        pairs[searched] = spread_likeness(cosines), matches
    return pairs


def in_batch_rows(
    captioned: CaptionedData, embedded: Embedded
) -> dict[str, dict[str, dict[str, float]]]:
    """Gallery -> what was looked among -> figures: the same embeddings, by four ways of counting.

    The first is what a search does. The last is how the published frame search was measured: in
    batches of 64, among what it was trained on.
    """
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for source in SOURCES:
        reported, trained = (captioned.part(part, source) for part in ("reported", "train"))
        if not reported or not trained:
            continue
        # One caption of each: there are tens of thousands.
        asked = [dataclasses.replace(item, captions=item.captions[:1]) for item in trained]
        rows[source] = {
            "held out, whole gallery": find_all(reported, embedded),
            "held out, in batches of 64": in_batch_figures(reported, embedded),
            "trained on, whole gallery": find_all(asked, embedded),
            "trained on, in batches of 64": in_batch_figures(trained, embedded, rounds=1),
        }
    return rows


def retrieval_rows(
    captioned: CaptionedData, networks: dict[str, Embedded], part: str = "reported"
) -> dict[str, dict[str, dict[str, float]]]:
    """Gallery -> row -> figures."""
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for source in SOURCES:
        items = captioned.part(part, source)
        if items:
            rows[source] = {"chance": chance_figures(len(items))}
            for name, embedded in networks.items():
                rows[source][name] = find_all(items, embedded)
    return rows


def calibration_rows(
    items: list[CaptionedItem], embedded: Embedded, calibration: Calibration
) -> dict[str, dict[str, Any]]:
    """By how many frames a search goes over; searches for what is there and what is not."""
    rows = {}
    for searched in SEARCHED:
        scores, matches = match_pairs(items, embedded, searched=searched)
        said = calibration.probability(scores, searched)
        # Searches come in twos: first one for something that is there, then one that is not.
        absent = np.arange(len(said)) % 2 == 1
        rows[str(searched)] = {
            **calibration_figures(said, matches),
            "absent_said_absent": float((said[absent] < 0.5).mean()),
            "present_found_confidently": float((said[~absent & matches] >= 0.5).mean()),
            "confident_and_right": float(matches[said >= 0.5].mean()) if (said >= 0.5).any() else 0,
        }
    return rows


def make_report(config: FrameTextConfig, folder: Path, also: Sequence[str] = ()) -> dict[str, Any]:
    """`also`: other models by their names, on the same galleries."""
    captioned = captioned_data(config)
    compact = embedded_by_folder(config, folder)
    encoder = FrameTextEncoder(folder, Path(config.data.backbone))
    networks = {"compact": compact, "ceiling": ceiling_embedded(config)}
    reported = captioned.part("reported")
    networks |= {name: embedded_by_name(config, name, reported) for name in also}
    rows = retrieval_rows(captioned, networks)
    shares = {
        source: found["compact"]["recall_10"] / max(found["ceiling"]["recall_10"], 1e-9)
        for source, found in rows.items()
    }
    return {
        "protocol": PROTOCOL,
        "encoder": {"name": encoder.name, "hash": encoder.weights_hash},
        "backbone": {"hash": encoder.backbone_hash},
        "galleries": rows,
        "share_of_ceiling_recall_10": shares,
        "in_batch": in_batch_rows(captioned, compact),
        "calibration": {
            "fitted": dataclasses.asdict(encoder.calibration),
            "searched": calibration_rows(reported, compact, encoder.calibration),
        },
    }


def as_markdown(report: dict[str, Any]) -> str:
    lines = [report["protocol"], ""]
    for source, rows in report["galleries"].items():
        found = rows["compact"]
        title = (
            f"{GALLERIES[source]}, {found['gallery']} in the gallery, {found['queries']} queries"
        )
        lines += [f"| {title} | R@1 | R@5 | R@10 | median rank |", "|---|---|---|---|---|"]
        for name, figures in rows.items():
            cells = [f"{100 * figures[key]:.1f}" for key in SHOWN[:3]]
            lines.append(f"| {name} | {' | '.join(cells)} | {figures['median_rank']:.0f} |")
        share = report["share_of_ceiling_recall_10"][source]
        lines += ["", f"Share of the ceiling's recall@10: {100 * share:.0f} %.", ""]
    lines += _in_batch_lines(report.get("in_batch", {}))
    lines += [
        "Probabilities, fitted on the chosen part, measured on both validation parts. Half of the "
        "searches are for something that is not among the frames searched; a search matches where "
        "its best frame is the right one.",
        "",
        "| frames searched | ECE | AUC | absent: said so | confident: right |",
        "|---|---|---|---|---|",
    ]
    for searched, row in report["calibration"]["searched"].items():
        lines.append(
            f"| {searched} | {row['ece']:.3f} | {row['auc']:.3f} | "
            f"{100 * row['absent_said_absent']:.0f} % | {100 * row['confident_and_right']:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def _in_batch_lines(sources: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Why recall inside a batch says little of a search."""
    if not sources:
        return []
    lines = ["The same embeddings of `compact`, counted in four ways.", ""]
    for source, rows in sources.items():
        title = f"{GALLERIES[source]} and what was trained on"
        lines += [f"| {title} | looked among | R@1 | R@5 | R@10 |", "|---|---|---|---|---|"]
        for name, figures in rows.items():
            cells = " | ".join(f"{100 * figures[key]:.1f}" for key in SHOWN[:3])
            lines.append(f"| {name} | {figures['gallery']:,.0f} | {cells} |")
        lines.append("")
    return lines


def draw_calibration(report: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for searched, row in report["calibration"]["searched"].items():
        said, true = ([point[key] for point in row["curve"]] for key in ("said", "true"))
        axes.plot(said, true, marker="o", label=f"{searched} searched, ECE {row['ece']:.3f}")
    axes.set_xlabel("probability said")
    axes.set_ylabel("share that matched")
    axes.legend()
    figure.savefig(path)


def write_report(report: dict[str, Any], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "retrieval.json").write_text(json.dumps(report, indent=1) + "\n")
    table = as_markdown(report)
    (folder / "retrieval.md").write_text(table)
    draw_calibration(report, folder / "retrieval_calibration.png")
    return table
