"""How the trigger detector is measured, decided and exported: by hand, and on a toy."""

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoint import Checkpoint, write_checkpoint
from models.errors import CheckpointError
from models.quality import quality_in_words
from models.trigger_detector import TriggerCalibration, TriggerDetector
from tests.unit import fight_toys
from train import trigger_detector as training
from train import trigger_export, trigger_folds
from train.data.trigger_folds import Recording
from train.fitting import last_checkpoint
from train.trigger_config import TriggerConfig, load_config
from train.trigger_decision import Decision, Scored, decide, event_figures, false_an_hour
from train.trigger_joined import joined_recordings
from train.trigger_measures import (
    average_precision,
    calibration_error,
    fit_calibration,
    matched,
    precision_and_recall,
)
from train.trigger_report import as_markdown, write_report

LOADED_ALONE = """
import pathlib, sys
import numpy as np
from models.trigger_detector import TriggerDetector
detector = TriggerDetector(pathlib.Path({folder!r}))
detector.score(np.zeros((4, {dim}), np.float32), np.arange(4.0))
sys.exit("torch" in sys.modules or "lightning" in sys.modules)
"""


def test_average_precision_by_hand() -> None:
    truth = np.array([1, 0, 1, 0])
    assert average_precision(truth, np.array([4, 3, 2, 1])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(truth, np.array([4, 1, 3, 2])) == 1.0
    assert average_precision(truth, np.zeros(4)) == 0.5, "no order among equals"
    assert average_precision(np.zeros(3), np.arange(3)) == 0.0


def test_precision_and_recall_by_hand() -> None:
    assert precision_and_recall(np.array([1, 1, 0]), np.array([1, 0, 1])) == (0.5, 0.5)
    assert precision_and_recall(np.array([1, 0]), np.array([0, 0])) == (1.0, 0.0)


def test_one_long_event_finds_one_fight() -> None:
    true = [(10.0, 12.0), (20.0, 22.0)]
    assert matched([(9.0, 11.0), (21.0, 25.0)], true, 0.0) == 2
    assert matched([(0.0, 60.0)], true, 0.0) == 1
    assert matched([(12.5, 13.0)], true, 0.0) == 0
    assert matched([(12.5, 13.0)], true, 1.0) == 1
    assert matched([], true, 1.0) == 0


def test_calibration_finds_the_curve_that_made_the_data() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, 20_000)
    truth = random.random(20_000) < 1 / (1 + np.exp(-(0.7 * logits - 1.0)))
    found = fit_calibration(logits, truth, np.ones(20_000))
    assert found.slope == pytest.approx(0.7, abs=0.05)
    assert found.offset == pytest.approx(-1.0, abs=0.05)
    said = found.probability(logits.astype(np.float32))
    assert calibration_error(said, truth, np.ones(20_000)) < 0.02
    assert calibration_error(np.full(10, 0.9), np.zeros(10), np.ones(10)) == pytest.approx(0.9)
    parted = fit_calibration(np.array([-5.0, 5.0]), np.array([0.0, 1.0]), np.ones(2))
    assert np.isfinite([parted.slope, parted.offset]).all() and parted.slope > 0


def scored(source: str, logits: list[float], fights: bool, **more: Any) -> Scored:
    times_s = np.asarray(np.arange(len(logits)) / 2.0, np.float64)
    return Scored(source, "a", fights, 0, 2.0, times_s, np.array(logits, np.float32), **more)


def test_thresholds_keep_ordinary_videos_quiet() -> None:
    quiet, loud = [-4.0] * 6, [4.0] * 4
    joined = scored("joined", quiet + loud + quiet, True, spans_s=((3.0, 5.0),))
    clips = [scored("fight", loud, True), scored("fight", quiet, False)]
    # Half an hour in which something like a fight, but less sure, happens every minute.
    video = scored("tvsum", ([-4.0] * 118 + [1.5, 1.5]) * 30, False)
    decision = decide([joined, *clips, video])
    assert false_an_hour([video], decision) == 0
    assert event_figures([joined], decision, 2.0) == {"precision": 1.0, "recall": 1.0, "f": 1.0}
    assert decision.stay_at <= decision.start_at
    low = Decision(TriggerCalibration(1.0, 0.0), start_at=0.3, stay_at=0.3)
    assert false_an_hour([video], low) == pytest.approx(60, rel=0.01)


def test_joined_recordings_hold_every_fight_once() -> None:
    rows = np.zeros((24, 4), np.float32)
    times_s = np.asarray(np.arange(24) / 12.0, np.float64)
    clips = [
        Recording("fight", f"{kind}{n}", kind == "f", f"{n}", (rows,), times_s)
        for n in range(9)
        for kind in "fn"
    ]
    slow, fast = joined_recordings(clips, 2.0), joined_recordings(clips[::-1], 8.0)
    assert sum(len(one.spans_s) for one in slow) == 9
    assert [len(one.spans_s) for one in slow] == [len(one.spans_s) for one in fast]
    for one in slow:
        assert (np.diff(one.times_s) > 0).all() and len(one.seen) == len(one.times_s)
        assert all(1.5 <= end - start <= 2.5 for start, end in one.spans_s)
        gaps = [b[0] - a[1] for a, b in zip(one.spans_s, one.spans_s[1:], strict=False)]
        assert all(gap > 4 for gap in gaps)
    assert joined_recordings([clip for clip in clips if clip.fights], 2.0) == []


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    fight_toys.write_toy(folder)
    return folder


@pytest.fixture(scope="module")
def config(toy: Path) -> TriggerConfig:
    settings = ["data.fold=null", "data.batches_per_round=5", "run.max_rounds=2"]
    return load_config(fight_toys.toy_config(toy), settings)


@pytest.fixture(scope="module")
def report_path(toy: Path, config: TriggerConfig) -> Path:
    return write_report(trigger_folds.evaluate_triggers(config, seeds=[0]), toy / "results")


def test_report_has_every_row(report_path: Path) -> None:
    report = json.loads(report_path.read_text())
    assert list(report["rows"]) == list(trigger_folds.VARIANTS)
    shipped = report["rows"][trigger_folds.TRAINED]
    assert {"false_an_hour", "recall_8", "event_recall_2", "never_shown_tvsum"} <= set(shipped)
    assert report["chance"] == pytest.approx(0.5)
    table = report_path.with_suffix(".md").read_text()
    assert all(f"| {row} |" in table for row in report["rows"])
    assert "distillation" in table  # what was seen before stands beside the figures


def test_decisions_come_from_folds_that_no_figure_is_of(
    config: TriggerConfig, report_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []

    def watched(given: list[Scored]) -> Decision:
        seen.append({one.fold for one in given})
        return decide(given)

    monkeypatch.setattr(trigger_folds, "decide", watched)
    # Everything is on disk from the report above: a broken evaluation goes on from there.
    monkeypatch.setattr(trigger_folds, "fit_quietly", lambda *_: pytest.fail("trained again"))
    trigger_folds.nested(config, training.open_source(config))
    assert seen == [set(range(5)) - {fold} for fold in range(5)]


def fake_backbone(folder: Path) -> Checkpoint:
    """Other weights each time."""
    described = {"kind": "backbone", "architecture": {}, "preprocessing": {}}
    network = torch.nn.Linear(2, 2)
    return write_checkpoint(folder, network, config=described, metrics={}, card="", half=False)


def test_exported_folder_scores_as_the_trained_network(
    toy: Path, config: TriggerConfig, report_path: Path
) -> None:
    model = training.fit(config, resume=False)
    beside = fake_backbone(toy / "checkpoints" / "toy")
    table = toy / "cache/features/triggers_toy/table.json"
    table.write_text(table.read_text().replace(f'"{fight_toys.HASH}"', f'"{beside.weights_hash}"'))
    report = json.loads(report_path.read_text())
    state, folder = last_checkpoint(config.run), toy / "checkpoints" / "toy_detector"
    with pytest.raises(ValueError, match="figures of"):
        trigger_export.export_detector(config, state, folder, report_path)
    report["origin"]["backbone_hash"] = beside.weights_hash
    report_path.write_text(json.dumps(report))
    checkpoint = trigger_export.export_detector(config, state, folder, report_path)
    detector = TriggerDetector(folder)
    found = (detector.name, detector.index_encoder, detector.event)
    assert found == ("toy_detector", "toy", trigger_export.EVENT)
    shipped = report["shipped"]
    assert (detector.start_at, detector.stay_at) == (shipped["start_at"], shipped["stay_at"])
    assert as_markdown(report) in (folder / "MODEL_CARD.md").read_text()
    words = quality_in_words(checkpoint.kind, checkpoint.metrics, checkpoint.config)
    assert "average precision" in words.short and "false events an hour" in words.full
    check_scores(detector, model)
    code = LOADED_ALONE.format(folder=str(folder), dim=detector.dim)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    fake_backbone(toy / "checkpoints" / "toy")
    with pytest.raises(CheckpointError, match="fetch both again"):
        TriggerDetector(folder)


def check_scores(detector: TriggerDetector, model: training.TriggerTraining) -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((20, fight_toys.DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    times_s = np.cumsum(random.random(20))
    seen = np.asarray(rows * np.sqrt(fight_toys.DIM), np.float32)
    wanted = detector.calibration.probability(model.logits(seen, times_s))
    found = detector.score(rows, times_s)
    assert found.dtype == np.float32 and np.abs(found - wanted).max() < 1e-2
    index = types.SimpleNamespace(embeddings=rows.astype(np.float16))
    assert np.abs(detector.score(index, times_s) - wanted).max() < 1e-2
    assert detector.score(rows[:0], times_s[:0]).shape == (0,)
    assert detector.score(rows[:1], times_s[:1]).shape == (1,)
    with pytest.raises(ValueError, match="embeddings are"):
        detector.score(rows[:, :-1], times_s)
    with pytest.raises(ValueError, match="one time a row"):
        detector.score(rows, times_s[:-1])
    with pytest.raises(ValueError, match="ascending"):
        detector.score(rows, times_s[::-1])
