"""Models in a list: a line that says what is known of each, loading with progress, and adding."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from app.model_service import LONGEST_FIGURE, NOT_HERE, ModelService, line, shortened
from app.progress import Done, Progress
from models import hub, registry
from models.catalogue import model_facts
from models.errors import CheckpointError, RequestError
from models.local_checkpoints import LOCAL_VARIABLE
from models.registry import ModelEntry
from models.residency import Residents


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path))
    monkeypatch.delenv(hub.MODELS_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(registry, "_residents", Residents())
    return tmp_path


def copied(local: Path, name: str) -> Path:
    return Path(shutil.copytree(registry.CHECKPOINTS_DIR / "keyframe_scorer", local / name))


def test_every_kind_of_place_is_said_with_what_is_known(local: Path) -> None:
    copied(local, "mine")
    (copied(local, "cut") / "model.safetensors").write_bytes(b"cut")
    service = ModelService(may_add=True)
    lines = {name: text for text, name in service.choices(["frame_scorer"])}
    assert lines["keyframe_scorer"].startswith("keyframe_scorer · shipped, 1.0 MB · TVSum: 40 vid")
    assert " · TVSum tau ." in lines["keyframe_scorer"]
    assert lines["mine"].startswith("mine · on this machine, 1.0 MB · TVSum: 40 videos")
    assert lines["cut"] == "cut · cannot be used"
    detectors = {name: text for text, name in service.choices(["object_detector"])}
    assert detectors["detr-resnet-50"] == (
        "detr-resnet-50 · fetched on first use, 167 MB · COCO 2017: 118,000 pictures · "
        "its authors: AP .420 on COCO's validation pictures"
    )
    assert line(model_facts(registry.MODELS["colour"])) == "colour · no weights"


@pytest.mark.parametrize("described", [{"data": {"actions": 5}}, {"architecture": 3}, {"graph": 1}])
def test_nonsense_in_a_folder_is_a_line_and_no_end_of_the_page(
    local: Path, described: dict[str, Any]
) -> None:
    path = copied(local, "odd") / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **described}))
    lines = [text for text, _ in ModelService(may_add=True).choices(["frame_scorer"])]
    assert "odd · cannot be used" in lines


def test_what_is_too_long_for_a_list_ends_with_a_word() -> None:
    text = "80.9 % of the validation videos are right, over 15 views of each"
    assert shortened(text) == "80.9 % of the validation videos are right, over…"
    assert len(shortened("x" * 90)) == LONGEST_FIGURE


def test_a_model_is_loaded_with_what_it_reads_and_problems_are_raised(local: Path) -> None:
    (copied(local, "cut") / "model.safetensors").write_bytes(b"cut")
    service = ModelService(may_add=True)
    steps = list(service.load("keyframe_scorer"))
    assert steps[-1] == Done("keyframe_scorer")
    assert registry.is_loaded("keyframe_scorer") and registry.is_loaded("compact")
    with pytest.raises(CheckpointError, match="weights of the checkpoint cut have the hash"):
        list(service.load("cut"))


def test_loading_can_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    def fetch(_model: Any, report: hub.Report, *_: Any) -> Path:
        for _ in range(200):
            report("Fetching slow, 10 MB", 0.5)
            heard.append("heard")
            time.sleep(0.02)
        return Path()

    model = hub.HubModel("slow", "somebody/slow", "a" * 40, 10, "toys", "nothing")
    row = ModelEntry("slow", "toy", "", object, hub=model)
    monkeypatch.setitem(registry.MODELS, "slow", row)
    monkeypatch.setattr(hub, "fetch", fetch)
    steps = ModelService(may_add=True).load("slow")
    while next(steps) != Progress("Fetching slow, 10 MB", 0.5):
        pass
    steps.close()  # type: ignore[attr-defined]
    time.sleep(0.1)
    before = len(heard)
    time.sleep(0.3)
    assert len(heard) == before < 200
    assert not registry.is_loaded("slow")


def test_visitors_add_nothing() -> None:
    with pytest.raises(RequestError) as refused:
        ModelService(may_add=False).add("somebody/thing")
    assert str(refused.value) == NOT_HERE
    with pytest.raises(RequestError, match="is no address"):
        ModelService(may_add=True).add("../..")
