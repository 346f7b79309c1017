"""The table of models comes from what is in the folders, and says what is wrong with one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.commands.models import as_table
from app.tabs.models_view import told
from models import hub, registry
from models.catalogue import all_model_facts, data_in_words, model_facts
from models.checkpoint import file_hash
from models.local_checkpoints import KINDS
from models.quality import NOT_MEASURED, quality_in_words
from models.registry import ModelEntry

FIGURE = {"mean": 0.1764, "over_folds": 0.0231, "over_seeds": 0.001}
SCORER = {
    "rows": {
        "local and global": {"tau": FIGURE, "rho": {**FIGURE, "mean": 0.231}},
        "random": {"tau": {**FIGURE, "mean": -0.0004}, "rho": {**FIGURE, "mean": 0.012}},
        "human": {"tau": {**FIGURE, "mean": 0.181}, "rho": {**FIGURE, "mean": 0.208}},
    },
    "seeds": [0, 1, 2],
}
DATA = {"tvsum_videos": 40}


def unbuildable() -> Any:
    raise AssertionError("no model is loaded to say what it is")


ENTRY = ModelEntry("toy", "frame_scorer", "for a test", unbuildable, weights="shipped")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "CHECKPOINTS_DIR", tmp_path)
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"0" * 2_000_000)
    config = {
        "format_version": 1, "name": "toy", "kind": "keyframe_scorer", "architecture": {},
        "preprocessing": {}, "weights_sha256": file_hash(folder / "model.safetensors"),
        "data": DATA,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.json").write_text(json.dumps(SCORER))
    return folder


def test_what_is_known_without_loading_it(folder: Path) -> None:
    facts = model_facts(ENTRY)
    assert facts.problem is None
    assert facts.weights_hash == file_hash(folder / "model.safetensors")
    assert facts.megabytes == pytest.approx(2.0, abs=0.01)
    assert facts.data == "TVSum: 40 videos"
    assert facts.quality.short == "TVSum tau .18"
    for said in ("five folds", "3 seeds", ".18 ± .02", ".23", "20 people", "chance: .00 and .01"):
        assert said in facts.quality.full


def test_a_folder_that_does_not_fit_is_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"1")
    facts = model_facts(ENTRY)
    assert facts.problem is not None and "toy" in facts.problem and facts.problem.endswith(".")
    assert facts.weights_hash is None and facts.quality == NOT_MEASURED


@pytest.mark.parametrize("kind", ["keyframe_scorer", "frame_text_encoder", "backbone", "new"])
def test_figures_of_another_export_are_no_figures(kind: str) -> None:
    for metrics in ({}, {"rows": 3}, {"cosine": "?", "msrvtt_recall_10": None}):
        assert quality_in_words(kind, metrics, {}) == NOT_MEASURED


def test_retrieval_and_distillation_in_words() -> None:
    metrics = {
        "msrvtt_recall_10": 0.3, "msrvtt_gallery": 244, "msrvtt_median_rank": 27.0,
        "ece_1_searched": 0.0256,
    }  # fmt: skip
    found = quality_in_words("frame_text_encoder", metrics, {})
    assert found.short == "MSR-VTT recall@10 30%"
    assert "244" in found.full and "chance 4%" in found.full and "2.6 points" in found.full
    config = {"data": {"held_out": 3167}}
    backbone = quality_in_words("backbone", {"cosine": 0.43, "teacher_agreement": 0.155}, config)
    assert ".43" in backbone.full and "3,167" in backbone.full


def test_data_in_words() -> None:
    assert data_in_words({"pictures": {"flickr8k": 708, "x": 1}}) == "Pictures: Flickr8k 708, x 1"
    assert data_in_words({"items": {"train": {"msrvtt": 2988}}}) == "Captioned: MSR-VTT 2,988"
    assert data_in_words({}) == ""


def test_every_model_of_the_registry_has_a_row() -> None:
    assert [facts.name for facts in all_model_facts()] == list(registry.MODELS)


def test_public_models_are_listed_without_asking_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unasked(*_: Any) -> Any:
        raise AssertionError("the hub is not asked to say what a model is")

    monkeypatch.setattr(hub, "why_not_asked", unasked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(hub.MODELS_DIR_VARIABLE, raising=False)
    entry = replace(registry.MODELS["dfine-small"], build=unbuildable)
    facts = model_facts(entry)
    assert facts.place == "fetched on first use: ustc-community/dfine-small-coco"
    assert (facts.megabytes, facts.weights_hash, facts.problem) == (42, None, None)
    assert "its authors report AP .485" in facts.quality.full and "COCO" in facts.data
    assert ("Weights", f"42.0 MB, {facts.place}") in told(facts, None)["known"]
    assert "fetched on first use  42.0" in as_table((facts,))

    own = tmp_path / "own" / "dfine-small"
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}")
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(own.parent))
    broken = model_facts(entry)
    assert broken.problem is not None and "has no model.safetensors" in broken.problem
    assert "unusable" in as_table((broken,))
    (own / "model.safetensors").write_bytes(b"0" * 3_000_000)
    here = model_facts(entry)
    assert here.place == "on this machine" and here.megabytes == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    "nonsense", [None, 5, "x", [], [1], {}, True, {"events": {}}, {"person": {"large_ap50": "x"}}]
)
def test_nonsense_figures_are_not_measured_and_hide_no_other_model(
    kind: str, nonsense: object
) -> None:
    for name in ("rows", "validation", "held_out", "test", "photographs", "clips", "source"):
        found = quality_in_words(kind, {name: nonsense}, {"data": nonsense, "labels": []})
        assert found == NOT_MEASURED
