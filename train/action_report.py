"""What `python -m train.evaluate actions` measures and writes: see PROTOCOLS for the rules."""

import dataclasses
import importlib.util
import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.action_classifier import ActionClassifier
from models.backbone_encoder import BackboneEncoder
from models.errors import UserFacingError
from models.numpy_layers import Arrays
from models.types import Floats, Times
from train import fitting
from train.action_classifier import ActionSource, mean_logits, open_source
from train.action_config import ActionConfig
from train.action_figures import read_video, shipped_figures
from train.action_protocols import (
    CLIPS_ALONE,
    VARIANTS,
    kept_on_disk,
    quiet,
    ut_sets,
    variant_figures,
    weizmann_people,
)

LOG = logging.getLogger(__name__)

PARTS = ("chosen", "reported")
CHOSEN_BY = ("reads the backbone", "reads compact", "reads both")
PROTOCOLS = {
    "weizmann": "Ten actions, each of nine people tested by a network that saw the other eight; "
    "mean over people, +- is the standard deviation over people. That network learns from these "
    f"clips alone, for {CLIPS_ALONE['max_rounds']} rounds fixed beforehand.",
    "ut_interaction": "Six interactions, trained on one set alone and tested on the other.",
    "variants": "Each trained as the shipped one is, mean over seeds; photographs among all "
    "labels, clips and captioned videos at 2 frames a second. What is read was chosen "
    "before, on the part called chosen and an earlier backbone; on this one, see the rows.",
}


def evaluate_actions(config: ActionConfig, folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """The report. Raises CheckpointError where the folder does not fit what is measured."""
    quiet()
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    backbone = Path(config.data.backbone)
    classifier = ActionClassifier(folder, backbone)
    source = open_source(config)
    report: dict[str, Any] = {
        "checkpoint": {"name": classifier.name, "hash": classifier.weights_hash},
        "backbone": {"name": source.examples.backbone, "hash": source.examples.backbone_hash},
        "code_version": fitting.code_version(),
        "protocols": PROTOCOLS,
        "seeds": list(seeds),
        "shipped": _shipped(config, classifier, source),
        "media": _media(Path(config.data.data_dir) / "media", classifier, backbone),
        "wheel": _media(_wheel(), classifier, backbone),
    }
    report["weizmann"] = _over_seeds(config, source, "weizmann", seeds)
    report["ut_interaction"] = _over_seeds(config, source, "ut_interaction", seeds)
    report["variants"] = _variants(config, seeds)
    return report


def _shipped(
    config: ActionConfig, classifier: ActionClassifier, source: ActionSource
) -> dict[str, Any]:
    arrays: Arrays = classifier.arrays

    def logits(seen: Floats, times_s: Times) -> Floats:
        return mean_logits(arrays, config, seen, times_s)

    decision = (classifier.calibration, classifier.known_from)
    return shipped_figures(logits, decision, source.examples)


def _wheel() -> Path:
    """Videos of a rotating Earth that come with Gradio: certainly none of the labels."""
    package = importlib.util.find_spec("gradio")
    if package is None or package.origin is None:
        raise FileNotFoundError("gradio is not installed")
    return Path(package.origin).parent / "media_assets" / "videos"


def _media(folder: Path, classifier: ActionClassifier, backbone: Path) -> dict[str, Any]:
    """What it says of real videos; nobody has labelled them."""
    encoder = BackboneEncoder(backbone)
    said = {}
    for path in sorted(folder.glob("*.*")) if folder.is_dir() else []:
        if path.suffix == ".md":
            continue
        try:
            said[path.name] = read_video(path, classifier, encoder)
        except UserFacingError as error:
            LOG.info("%s: %s", path.name, error)
    return said


def _over_seeds(
    config: ActionConfig, source: ActionSource, name: str, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    compute = {"weizmann": weizmann_people, "ut_interaction": ut_sets}[name]
    found = []
    for seed in seeds:
        seeded = dataclasses.replace(config, seed=seed)
        found.append(kept_on_disk(seeded, source, name, partial(compute, seeded, source)))
    return found


def _variants(config: ActionConfig, seeds: Sequence[int]) -> dict[str, Any]:
    """Figures of the reported part, and of the chosen one for what was chosen there."""
    rows: dict[str, Any] = {}
    sources: dict[str, ActionSource] = {}
    for name, changes in VARIANTS.items():
        model = dataclasses.replace(config.model, **changes)
        changed = dataclasses.replace(config, model=model)
        if name in CHOSEN_BY and model == config.model:
            continue  # it is the one that ships
        if model.reads not in sources:
            sources.clear()  # one reading of everything is enough for memory
            sources[model.reads] = open_source(changed)
        source = sources[model.reads]
        rows[name] = {}
        for part in PARTS:
            rows[name][part] = [
                _variant(dataclasses.replace(changed, seed=seed), source, part) for seed in seeds
            ]
    return rows


def _variant(config: ActionConfig, source: ActionSource, part: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = kept_on_disk(
        config, source, "variant", partial(variant_figures, config, source, PARTS)
    )
    return found[part]


def write_report(report: dict[str, Any], folder: Path) -> str:
    """actions.json and .md; returns the latter's text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "actions.json").write_text(json.dumps(report, indent=1) + "\n")
    text = as_markdown(report)
    (folder / "actions.md").write_text(text)
    return text


def as_markdown(report: dict[str, Any]) -> str:
    shipped = report["shipped"]
    lines = [shipped["protocol"], "", "| | examples | top-1 | top-5 |", "|---|---|---|---|"]
    for name, row in shipped["photographs"].items():
        lines.append(_top_row(f"photographs, {name}", row))
    if "captioned" in shipped["clips"]:
        lines.append(_top_row("captioned videos, all labels", shipped["clips"]["captioned"]["2"]))
    lines += ["", *_rates(shipped["clips"])]
    lines += ["", report["protocols"]["weizmann"], "", *_weizmann(report["weizmann"])]
    lines += ["", report["protocols"]["ut_interaction"], "", *_ut(report["ut_interaction"])]
    lines += ["", shipped["unknown_protocol"], "", *_unknown(shipped["unknown"])]
    lines += ["", report["protocols"]["variants"], "", *_variant_rows(report["variants"])]
    lines += ["", "Photographs, clips and captioned videos, by label:", ""]
    lines += ["| | tested | top-1 | top-5 |", "|---|---|---|---|"]
    by_class = sorted(shipped["per_class"].items(), key=lambda item: -item[1]["top1"])
    lines += [_top_row(name, row) for name, row in by_class]
    lines += ["", "Real videos, which nobody labelled: the first three for the whole, and in how "]
    lines[-1] += "many windows any label is recognized."
    lines += ["", "| | first | second | third | windows recognized |", "|---|---|---|---|---|"]
    lines += [_video_row(n, v) for n, v in (report["media"] | report["wheel"]).items()]
    return "\n".join(lines) + "\n"


def _top_row(name: str, row: dict[str, Any]) -> str:
    return f"| {name} | {row['examples']} | {row['top1']:.3f} | {row['top5']:.3f} |"


def _rates(clips: dict[str, Any]) -> list[str]:
    """Top-1 of clips for each number of frames a second."""
    rows = {name: by for name, by in clips.items() if name != "captioned" and by}
    rates = list(next(iter(rows.values()), {}))
    lines = [f"| top-1 of clips, frames a second | examples | {' | '.join(rates)} |"]
    lines.append("|---" * (len(rates) + 2) + "|")
    for name, by in rows.items():
        cells = " | ".join(f"{by[rate]['top1']:.3f}" for rate in rates)
        lines.append(f"| {name} | {by[rates[0]]['examples']} | {cells} |")
    return lines


def _weizmann(runs: list[dict[str, Any]]) -> list[str]:
    lines = ["| frames a second | top-1 |", "|---|---|"]
    for rate in runs[0]:
        mean = np.mean([run[rate]["top1"] for run in runs])
        spread = np.mean([run[rate]["over_people"] for run in runs])
        lines.append(f"| {rate} | {mean:.3f} +- {spread:.3f} |")
    return lines


def _ut(runs: list[dict[str, Any]]) -> list[str]:
    rates = list(next(iter(runs[0].values())))
    lines = [f"| top-1, frames a second | examples | {' | '.join(rates)} |"]
    lines.append("|---" * (len(rates) + 2) + "|")
    for way in runs[0]:
        cells = [f"{np.mean([run[way][rate]['top1'] for run in runs]):.3f}" for rate in rates]
        lines.append(f"| {way} | {runs[0][way][rates[0]]['examples']} | {' | '.join(cells)} |")
    return lines


def _unknown(figures: dict[str, Any]) -> list[str]:
    kept = figures["labelled"]
    lines = [
        f"At the shipped threshold {kept['kept']:.0%} of {kept['examples']} with a label are kept.",
        "",
        "| none of the labels | examples | AUC | turned away |",
        "|---|---|---|---|",
    ]
    for name in ("familiar", "new"):
        if name in figures:
            row = figures[name]
            lines.append(
                f"| {name} | {row['examples']} | {row['auc']:.3f} | {row['rejected']:.3f} |"
            )
    return lines


def _variant_rows(variants: dict[str, Any]) -> list[str]:
    lines = [
        "| | photographs filmed | captioned | clips | AUC new | chosen part: filmed, captioned, "
        "clips |",
        "|---|---|---|---|---|---|",
    ]
    for name, parts in variants.items():
        own = [_variant_cells(runs) for runs in (parts["reported"], parts["chosen"])]
        auc = np.mean([r["unknown"].get("new", {}).get("auc", np.nan) for r in parts["reported"]])
        lines.append(f"| {name} | {' | '.join(own[0])} | {auc:.3f} | {', '.join(own[1])} |")
    return lines


def _variant_cells(runs: list[dict[str, Any]]) -> list[str]:
    each = {
        "filmed": [run["photographs"]["filmed, all labels"]["top1"] for run in runs],
        "captioned": [run["clips"]["captioned"]["2"]["top1"] for run in runs],
        "clips": [run["clips"]["all clips"]["2"]["top1"] for run in runs],
    }
    return [f"{np.mean(values):.3f}" for values in each.values()]


def _video_row(name: str, said: dict[str, Any]) -> str:
    first = [f"{label} {share:.2f}" for label, share in said["top"]]
    return f"| {name} | {' | '.join(first)} | {said['known_windows']} of {said['windows']} |"
