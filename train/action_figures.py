"""What is measured of one network on the parts that it did not learn from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.action_classifier import ActionCalibration, ActionClassifier, overall
from models.backbone_encoder import BackboneEncoder
from models.types import Floats
from models.video.source import VideoSource
from train.action_measures import (
    Logits,
    answers_of,
    best_threshold,
    calibration_answers,
    confusion,
    fit_calibration,
    joined,
    per_class,
    roc_auc,
    roc_curve,
    top,
)
from train.data.action_examples import Examples
from train.data.action_labels import LABELS, OF_CLASS

PHOTOGRAPHS = ("actions15", "sports22")
CLIPS = ("fight", "ut_interaction", "weizmann")
RATES = (1.0, 2.0, 4.0, 8.0, 12.0)
INDEX_FPS = 2.0
PROTOCOL = (
    "Photographs: those that neither this network nor the backbone learned from, shown for 8 s at "
    "2 frames a second, as they are or as a moving camera sees them. Clips: one person of "
    "weizmann, two sequences of ut_interaction and 8 % of the places of the fight clips, left out. "
    "Captioned: MSR-VTT's validation videos of which at least 6 of 20 captions say the action. "
    "Half of what is held out is `chosen`: settings, calibration and threshold come from there. "
    "Figures are of the other half; the table by class and the confusion matrix are of both."
)
OTHERS = (
    "Clips of none of the labels: `familiar` are of kinds that training has had (MSR-VTT "
    "validation videos whose captions name no action, people who stand or walk about before a "
    "camera that watches them), `new` are of none (pieces of 8 s of TVSum: tyres, grooming, "
    "bees). The threshold has seen other kinds: stuck vehicles, sandwiches, dog shows."
)


def classes37(labels: Sequence[str] = LABELS) -> list[int]:
    """Numbers of the labels that the photographs have."""
    own = {label for source, label in OF_CLASS.items() if source.split("/")[0] in PHOTOGRAPHS}
    return [number for number, label in enumerate(labels) if label in own]


def decide(
    logits: Logits, examples: Examples, labels: Sequence[str] = LABELS
) -> tuple[ActionCalibration, float]:
    """Calibration and threshold, both from the part called chosen."""
    answers = calibration_answers(logits, examples.part("chosen"), labels)
    calibration = fit_calibration(answers)
    known_from = best_threshold(
        calibration.known(answers.named.logits), calibration.known(answers.others.logits)
    )
    return calibration, known_from


def photograph_figures(
    logits: Logits, examples: Examples, part: str, labels: Sequence[str] = LABELS
) -> dict[str, Any]:
    """Still and filmed, among the 37 classes and among all labels."""
    stills = examples.part(part, *PHOTOGRAPHS)
    kept = classes37(labels)
    figures = {}
    for name, moved in (("still", False), ("filmed", True)):
        answers = answers_of(logits, stills, labels, INDEX_FPS, moved=moved)
        figures[f"{name}, 37 classes"] = top(answers.among(kept))
        figures[f"{name}, all labels"] = top(answers)
    return figures


def clip_figures(
    logits: Logits, examples: Examples, part: str, labels: Sequence[str] = LABELS
) -> dict[str, Any]:
    """Real clips at several numbers of frames a second, among all labels."""
    rows = {}
    for name, sources in (*((s, (s,)) for s in CLIPS), ("all clips", CLIPS)):
        clips = [e for e in examples.part(part, *sources) if e.label is not None]
        rows[name] = {
            f"{fps:g}": top(answers_of(logits, clips, labels, fps)) for fps in RATES if clips
        }
    captioned = [e for e in examples.part(part, "msrvtt") if e.label is not None]
    if captioned:
        rows["captioned"] = {"2": top(answers_of(logits, captioned, labels, INDEX_FPS))}
    return rows


def unknown_figures(
    logits: Logits,
    decision: tuple[ActionCalibration, float],
    examples: Examples,
    part: str = "reported",
    labels: Sequence[str] = LABELS,
) -> dict[str, Any]:
    """How well what has no label is told from what has one, at 2 frames a second."""
    calibration, known_from = decision
    answers = answers_of(logits, examples.part(part), labels, INDEX_FPS)
    known = calibration.known(answers.named.logits)
    figures: dict[str, Any] = {
        "known_from": round(known_from, 4),
        "labelled": {"examples": len(known), "kept": round(float((known >= known_from).mean()), 4)},
    }
    groups = {"familiar": ("msrvtt", "fight", "ut_interaction"), "new": ("tvsum",)}
    for name, sources in groups.items():
        others = [e for e in examples.part(part, *sources) if e.label is None]
        if not others:
            continue
        away = calibration.known(answers_of(logits, others, labels, INDEX_FPS).logits)
        figures[name] = {
            "examples": len(away),
            "auc": round(roc_auc(known, away), 4),
            "rejected": round(float((away < known_from).mean()), 4),
            "curve": roc_curve(known, away),
        }
    return figures


def tables(
    logits: Logits, examples: Examples, labels: Sequence[str] = LABELS
) -> tuple[dict[str, Any], npt.NDArray[np.int64]]:
    """By class, and the confusion matrix, over both held-out parts."""
    held = [e for part in ("chosen", "reported") for e in examples.part(part)]
    named = joined([answers_of(logits, held, labels, INDEX_FPS)]).named
    return per_class(named, labels), confusion(named)


def shipped_figures(
    logits: Logits, decision: tuple[ActionCalibration, float], examples: Examples
) -> dict[str, Any]:
    """All that a checkpoint's metrics say."""
    by_class, matrix = tables(logits, examples)
    return {
        "protocol": PROTOCOL,
        "photographs": photograph_figures(logits, examples, "reported"),
        "clips": clip_figures(logits, examples, "reported"),
        "unknown": unknown_figures(logits, decision, examples),
        "unknown_protocol": OTHERS,
        "labels": list(LABELS),
        "per_class": by_class,
        "confusion": matrix.tolist(),
    }


def read_video(
    path: Path, classifier: ActionClassifier, encoder: BackboneEncoder, fps: float = INDEX_FPS
) -> dict[str, Any]:
    """What a classifier from its folder says of a real video, as the application asks it."""
    rows: list[Floats] = []
    times = []
    with VideoSource(path, threads=1) as source:
        for batch in source.sample(fps, short_side_px=encoder.short_side_px):
            rows.append(encoder.encode_frames(batch.pixels))
            times.append(batch.times_s)
    windows = classifier.classify_windows(np.concatenate(rows), np.concatenate(times))
    whole = overall(windows)
    first = np.argsort(-whole)[:3]
    return {
        "top": [[classifier.labels[at], round(float(whole[at]), 3)] for at in first],
        "windows": len(windows),
        "known_windows": int((windows.known >= classifier.known_from).sum()),
        "known_highest": round(float(windows.known.max()), 3),
    }
