"""Figures side by side: the ones on the page are those that were measured, and none is mixed in."""

import json
from pathlib import Path

import pytest

from app.tabs.models_view import advice, plots, protocols, published, table, told
from models import hub, registry, speed
from models.catalogue import all_model_facts, model_facts
from models.comparisons import (
    COCO_AP,
    KINETICS_400_TOP_1,
    UNTRAINED_TAU,
    Point,
    best_first,
    comparisons,
)
from models.published import PUBLISHED
from models.speed import Speed, Speeds, speeds

RESULTS = Path(__file__).resolve().parents[2] / "train" / "results"


def timed(**frames_per_s: float) -> Speeds:
    models = {
        name.replace("__", "-"): Speed(fps, fps / 10, False, "torch")
        for name, fps in frames_per_s.items()
    }
    return Speeds("2026-11-24", "a processor", "resnet50", 10.0, models)


def test_only_what_nothing_beats_is_on_the_line() -> None:
    points = [Point(name, quality, fps, ours=True) for name, quality, fps in (
        ("slow good", 0.9, 1), ("fast poor", 0.2, 100), ("slow poor", 0.1, 1), ("middle", 0.5, 10),
        ("as good, slower", 0.5, 5), ("as fast, worse", 0.1, 100),
    )]  # fmt: skip
    found = {point.name: point.best for point in best_first(points)}
    assert [name for name, best in found.items() if best] == ["fast poor", "middle", "slow good"]
    assert len(found) == len(points)


def test_twins_are_both_on_the_line() -> None:
    twins = [Point(name, 0.5, 10, ours=True) for name in "ab"]
    assert all(point.best for point in best_first(twins))


def test_a_picture_has_one_protocol_and_says_whose_figures() -> None:
    facts = all_model_facts()
    found = {one.task: one for one in comparisons(facts, timed(
        keyframe_scorer=60, backbone=200, compact_detector=500, action_classifier=60,
        **{"detr__resnet__50": 0.4, "dfine__small": 2, "timesformer__k400": 1, "videomae__base": 2},
    ))}  # fmt: skip
    assert not any(point.ours for point in found["Things in pictures"].points)
    assert {point.name for point in found["Things in pictures"].points} == set(COCO_AP)
    assert "compact_detector" in found["Things in pictures"].note
    assert "500 frames a second" in found["Things in pictures"].note
    assert all(point.ours for point in found["Summaries"].points)
    assert [p.name for p in found["Actions"].points if p.best] == ["videomae-base"]
    assert plots(list(found.values()))[0]["points"][0]["ours"] is True


def test_without_speeds_there_is_no_picture() -> None:
    assert comparisons(all_model_facts(), None) == ()
    assert comparisons(all_model_facts(), timed(backbone=1)) != ()  # four untrained methods
    assert [one.task for one in comparisons((), timed(**{"dfine__small": 2}))] == []


def test_figures_of_others_are_as_the_catalogue_has_them() -> None:
    for name, figure in COCO_AP.items():
        entry = registry.MODELS[name].hub
        assert entry is not None and f"{figure:.3f}".lstrip("0") in entry.reported
    for name, figure in KINETICS_400_TOP_1.items():
        entry = registry.MODELS[name].hub
        assert entry is not None and f"{figure} %" in entry.reported


def test_our_figures_are_those_that_were_written() -> None:
    rows = json.loads((RESULTS / "summaries.json").read_text())["rows"]["reported (even index)"]
    for name, tau in UNTRAINED_TAU.items():
        assert rows[name]["tau"]["mean"] == pytest.approx(tau, abs=6e-4)
    searched = (RESULTS / "retrieval.md").read_text()
    said = " ".join(f"{row.honest} {row.why}" for row in PUBLISHED)
    for figure, line in (
        ("9.8", "held out, whole gallery"), ("26.0", "held out, in batches"),
        ("54.9", "trained on, in batches"),
    ):  # fmt: skip
        assert f"{figure} %" in said
        assert f"| {figure} |" in next(row for row in searched.splitlines() if line in row)
    fights = model_facts(registry.MODELS["trigger_detector"]).metrics["rows"]["as shipped"]
    assert f"{fights['false_an_hour']['mean']:.0f} false events an hour" in said
    scorer = model_facts(registry.MODELS["keyframe_scorer"]).metrics["rows"]["local and global"]
    assert (
        f"tau {scorer['tau']['mean']:.2f}, rho {scorer['rho']['mean']:.2f}".replace("0.", ".")
        in said
    )


def test_the_speeds_that_ship_are_read_and_of_known_models() -> None:
    found = speeds()
    assert found is not None
    assert set(found.models) <= set(registry.MODELS)
    assert found.models["backbone"].real_weights and not found.models[hub.DETR.name].real_weights
    # Measured twice, by two commands: the backbone is many times as fast as what the demos ran.
    assert 20 < found.models["backbone"].ratio < 200 > found.models["compact_detector"].ratio
    assert found.models[hub.DETR.name].ratio < found.models[hub.D_FINE.name].ratio < 1


def test_no_speeds_or_nonsense_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("", "[]", '{"models": 3}', '{"models": {"a": 3}}'):
        path = tmp_path / "speed.json"
        path.write_text(text)
        monkeypatch.setattr(speed, "SPEED_PATH", path)
        speeds.cache_clear()
        assert speeds() is None
    speeds.cache_clear()
    assert "benchmarks.model_speed" in table(all_model_facts(), None)["note"]


def test_the_table_has_every_model_once_and_says_whose_figure_it_is() -> None:
    facts = all_model_facts()
    shown = table(facts, timed(**{"dfine__small": 2.04}))
    rows = {row["name"]: row for group in shown["groups"] for row in group["rows"]}
    assert len(rows) == len(facts)
    assert rows["keyframe_scorer"]["ours"] and rows["keyframe_scorer"]["speed"] == "not timed"
    small = rows["dfine-small"]
    assert not small["ours"] and small["random"] and small["speed"] == "2"
    assert ("Timed", "0.204 times ResNet50, by torch, random weights in its real shape") in (
        small["known"]
    )
    assert rows["siglip2-base"]["licence"] and rows["videomae-base"]["licence"] == "CC-BY-NC-4.0"
    broken = told(model_facts(registry.MODELS["colour"]), None)
    assert ("Weights", "none: nothing was learned, so nothing is promised") in broken["known"]


def test_advice_names_models_that_ship() -> None:
    for _, name, _ in advice():
        assert registry.MODELS[name].weights.startswith("shipped")
    assert len(published()["rows"]) == 5 and all(len(row) == 4 for row in published()["rows"])
    assert all(text.endswith(".") for _, _, text in protocols())
