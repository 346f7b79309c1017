"""The compact detector on a toy: it learns, resumes exactly, is exported, and finds things."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.boxes import overlaps
from models.compact_detector import CellReader, CompactDetector, boxes_of_cells
from models.detector_network import DetectorShape
from models.errors import CheckpointError
from models.quality import quality_in_words
from tests.unit import detector_toys
from tests.unit.detector_toys import LABELS, boxes_of_teacher, toy_config, toy_picture
from train import compact_detector, compact_detector_export, objects_report
from train.compact_detector_config import DetectorConfig, load_config
from train.data.detection_batches import CutBatches, TargetMaker, held_out_places, seen_in_cut
from train.data.detection_teacher import decoded

STOPPED_AT_ROUND = 2
SHAPE = DetectorShape("", ["person", "animal", "chair"], ["dog", "cat"], "animal")

Trained = tuple[DetectorConfig, compact_detector.Detection]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    detector_toys.write_toy(folder)
    return folder


@pytest.fixture(scope="module")
def trained(toy: Path) -> Trained:
    """A whole run, of which the state after some rounds is kept."""

    class KeepsMiddle(compact_detector.Plan):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            super().on_train_epoch_start(trainer, module)
            if trainer.current_epoch == STOPPED_AT_ROUND:
                shutil.copy(toy / "run" / "last.ckpt", toy / "middle.ckpt")

    config = load_config(toy_config(toy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact_detector, "Plan", KeepsMiddle)
        return config, compact_detector.fit(config, resume=False)


@pytest.fixture(scope="module")
def exported(toy: Path, trained: Trained) -> Path:
    folder = toy / "compact_detector"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects_report, "LEAST_WANTED", 5)  # the toy holds few out
        compact_detector_export.export_detector(trained[0], toy / "run" / "last.ckpt", folder)
    return folder


def test_training_finds_what_the_teacher_boxes(trained: Trained) -> None:
    assert compact_detector.test(trained[0])["val/person"] > 0.5


def test_resuming_continues_exactly(toy: Path, trained: Trained) -> None:
    _, whole_run = trained
    (toy / "second").mkdir()
    shutil.copy(toy / "middle.ckpt", toy / "second" / "last.ckpt")
    config = load_config(toy_config(toy, folder=str(toy / "second")))
    resumed = compact_detector.fit(config, resume=True)
    assert resumed.global_step == whole_run.global_step
    wanted = whole_run.state_dict()
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


def test_resume_without_a_state_is_refused(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = toy_config(toy, folder=str(tmp_path))
    assert compact_detector.main(["fit", "--config", str(config), "--resume"]) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("sides_px=[[0.0, 100]]", "sides_px"),
        ("model.kinds=[person, unicorn]", "unicorn"),
        ("model.named=chairs", "named"),
        ("learning.learning_rate=0", "learning.learning_rate"),
        ("data.batch_size=0", "data.batch_size"),
    ],
)
def test_a_wrong_setting_is_named(
    setting: str, named: str, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["fit", "--config", str(toy_config(toy)), "--set", setting]
    assert compact_detector.main(flags) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_an_exported_detector_finds_things(
    engine: str, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMESCRY_ENGINE", engine)
    detector = CompactDetector(exported)
    assert detector.engine == engine
    random, right = np.random.default_rng(99), 0
    for _ in range(20):
        picture, answer = toy_picture(random)
        (found,) = detector.detect(picture[None])
        if not len(found):
            continue
        assert list(found.scores) == sorted(found.scores, reverse=True)
        box = answer.boxes * np.array([80, 64, 80, 64], np.float32)
        fits = overlaps(found.boxes_px[:1], box)[0, 0] >= 0.5
        right += fits and found.labels[0] == LABELS[int(answer.members[0])]
    assert right >= 12


def test_both_engines_say_the_same(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.stack([toy_picture(np.random.default_rng(seed))[0] for seed in range(5)])
    cells = []
    for engine in ("openvino", "torch"):
        monkeypatch.setenv("FRAMESCRY_ENGINE", engine)
        cells.append(CompactDetector(exported).cells(pictures))
    assert np.abs(cells[0] - cells[1]).mean() < 0.05 * np.abs(cells[1]).mean()


def test_kinds_without_examples_are_not_shown(exported: Path) -> None:
    detector = CompactDetector(exported)
    assert "chair" not in detector.labels
    assert {"person", "animal", "dog"} <= set(detector.labels)
    assert "cat" not in detector.labels  # which the toy never shows


def test_a_folder_that_does_not_say_what_it_finds_is_refused(
    exported: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(exported, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["least_scores"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="what it finds"):
        CompactDetector(folder)


def test_frames_of_another_kind_are_refused(exported: Path) -> None:
    with pytest.raises(ValueError, match="u8"):
        CompactDetector(exported).detect(np.zeros((64, 64, 3), np.uint8))
    assert CompactDetector(exported).detect(np.zeros((0, 64, 64, 3), np.uint8)) == []


def test_a_report_has_a_row_for_each_label(toy: Path, exported: Path, tmp_path: Path) -> None:
    held = objects_report.open_held_out(toy, toy)
    report = objects_report.evaluate_objects(held, exported)
    measured = json.loads((exported / "metrics.json").read_text())["rows"]  # by torch, float32
    assert list(report["rows"]) == list(measured)
    for label, row in report["rows"].items():
        assert row["wanted"] == measured[label]["wanted"]
        assert row["wanted"] == 0 or abs(row["ap50"] - measured[label]["ap50"]) < 0.1
    table = objects_report.write_report(report, tmp_path)
    assert all(f"| {label} |" in table for label in CompactDetector(exported).labels)
    objects_report.write_sheet(held, exported, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_its_quality_is_said_in_words(exported: Path) -> None:
    metrics, config = (
        json.loads((exported / f"{name}.json").read_text()) for name in ("metrics", "config")
    )
    said = quality_in_words("compact_detector", metrics, config)
    person = metrics["rows"]["person"]
    assert f"person {person['large_ap50']:.2f}".replace(" 0.", " .") in said.full
    assert "not the truth" in said.full
    assert said.short.startswith("AP50 of large people")


def test_targets_are_boxes_that_the_reader_reads() -> None:
    """What a network would say that learned its targets perfectly is what the teacher said."""
    seen = boxes_of_teacher(
        np.array([[0.1, 0.1, 0.4, 0.9], [0.15, 0.3, 0.45, 0.9], [0.6, 0.5, 0.9, 0.8]]),
        ["person", "dog", "cat"],
        [0.8, 0.7, 0.6],
    )
    middles, boxes, weights = TargetMaker(SHAPE, list(LABELS)).targets(seen, 20)
    assert middles.max(axis=(1, 2)) == pytest.approx([1, 1, 0, 1, 0.75])
    assert (weights > 0).any(axis=(1, 2)).all()
    centre = (np.arange(20, dtype=np.float32) + 0.5) / 20
    here = np.stack(np.broadcast_arrays(centre[None, :], centre[:, None]))
    away = np.concatenate([here - boxes[:, :2], boxes[:, 2:] - here], axis=1)
    sides = np.log(np.maximum(away, 1e-3) / 0.15).reshape(8, 20, 20)
    logits = np.log(np.clip(middles, 1e-4, 1 - 1e-4) / np.clip(1 - middles, 1e-4, 1))
    reader = CellReader(("person", "animal", "chair"), ("dog", "cat"), "animal",
                        {"person": 0.5, "animal": 0.5, "dog": 0.5, "cat": 0.5})  # fmt: skip
    found, scores, labels = reader.boxes(np.concatenate([logits, sides]))
    assert sorted(labels) == ["cat", "dog", "person"]
    for label, box in zip(labels, found, strict=True):
        place = ["person", "dog", "cat"].index(label)
        assert box == pytest.approx(seen.boxes[place], abs=0.01)
    assert reader.labels == ("person", "animal", "dog", "cat")


def test_an_animal_of_no_clear_kind_is_an_animal() -> None:
    least = {"animal": 0.5, "cat": 0.5}  # dogs are not told apart well enough
    reader = CellReader(("person", "animal"), ("dog", "cat"), "animal", least)
    cells = np.full((12, 4, 4), -9.0, np.float32)
    cells[1, 2, 2], cells[2, 2, 2], cells[3, 2, 2] = 3.0, -2.0, -1.0
    assert reader.boxes(cells)[2] == ("animal",)
    cells[3, 2, 2] = 1.0
    assert reader.boxes(cells)[2] == ("cat",)
    cells[2, 2, 2] = 4.0
    assert reader.boxes(cells)[2] == ("animal",)
    cells[2, 2, 2] = -2.0
    cells[0, 1, 1] = 5.0  # people are not good enough to be shown
    assert reader.boxes(cells)[2] == ("cat",)


def test_boxes_stay_inside_the_picture() -> None:
    boxes = boxes_of_cells(np.full((8, 4, 4), 50.0, np.float32))
    assert boxes.shape == (2, 16, 4)
    assert np.array_equal(np.unique(boxes), [0, 1])


def test_a_cut_moves_its_boxes() -> None:
    seen = boxes_of_teacher(
        np.array([[0.5, 0.5, 0.75, 1.0], [0.0, 0.0, 0.55, 0.5]]), ["person", "car"], [0.8, 0.8]
    )
    cut = np.array([0.5, 0, 1, 1], np.float32)
    inside = seen_in_cut(seen, cut, flip=False)
    assert inside.boxes == pytest.approx(np.array([[0, 0.5, 0.5, 1]]))  # the car is nearly outside
    assert seen_in_cut(seen, cut, flip=True).boxes == pytest.approx(np.array([[0.5, 0.5, 1, 1]]))


def test_held_out_pictures_are_never_drawn(toy: Path, trained: Trained) -> None:
    config, model = trained
    data = model._data
    batches = CutBatches(
        data.store, data.boxes, data.maker, config.data, side_px=64, seed=0, round_number=0
    )
    drawn = np.searchsorted(batches._edges, np.linspace(0, batches._edges[-1], 999), side="right")
    held_out = set(held_out_places(data.store, data.boxes).tolist())
    assert held_out and not held_out & set(drawn[:-1].tolist())


def test_a_teachers_box_is_decoded_as_ssd_encodes_it() -> None:
    anchors = np.array([[0.5, 0.4, 0.2, 0.1]], np.float32)  # centre y, centre x, height, width
    encoded = np.array([[1.0, -1.0, 5 * np.log(2), 0.0]], np.float32)
    # Centre (.52, .39), height .4, width .1.
    assert decoded(encoded, anchors) == pytest.approx(np.array([[0.34, 0.32, 0.44, 0.72]]))
