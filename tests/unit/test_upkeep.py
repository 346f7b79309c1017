"""What is done beside answering: old files go by themselves, models come early."""

import os
import time
from pathlib import Path

import pytest

from app import upkeep
from app.services import Services
from app.settings import Settings
from models import registry
from models.errors import CheckpointError


def test_everything_old_goes_whether_somebody_asks_or_not(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, library=False, file_age_s=3600)
    old = [
        settings.media_dir / ("a" * 64) / "meta.json",
        settings.index_dir / ("a" * 64) / "backbone-1-2fps-1" / "thumbnails.bin",
        settings.export_dir / "token" / "report.wav",
        tmp_path / "uploads" / "token" / "video.mp4",
    ]
    new = [path.parents[1] / "new" / path.parent.name / path.name for path in old[2:]]
    new.append(settings.media_dir / ("b" * 64) / "meta.json")
    new.append(settings.index_dir / ("b" * 64) / "backbone-1-2fps-1" / "thumbnails.bin")
    for path in (*old, *new):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    unfinished = tmp_path / "uploads" / "tmp1"  # where somebody left while it was on its way
    unfinished.write_text("half a video")
    old.append(unfinished)
    long_ago = time.time() - 3700
    for path in old:
        for place in (path, path.parent):
            os.utime(place, (long_ago, long_ago))
    upkeep.tidy(Services(settings))
    assert [path for path in old if path.exists()] == []
    assert not [path for path in old[:-1] if path.parent.exists()]
    assert [path for path in new if not path.exists()] == []


def test_a_library_keeps_its_indexes(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, library=True, file_age_s=3600)
    index = settings.index_dir / ("a" * 64) / "backbone-1-2fps-1"
    index.mkdir(parents=True)
    os.utime(index, (0, 0))
    upkeep.tidy(Services(settings))
    assert index.exists()


def test_by_the_clock(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, library=False, file_age_s=1)
    upkeep.look_after(Services(settings))
    written = settings.export_dir / "token" / "summary.json"
    written.parent.mkdir(parents=True)
    written.write_text("{}")
    deadline = time.monotonic() + 10
    while written.parent.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not written.parent.exists()


def test_models_come_early_where_that_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded: list[tuple[str, ...]] = []

    def preload(names: tuple[str, ...]) -> None:
        loaded.append(names)

    monkeypatch.setattr(upkeep, "preload", preload)
    upkeep.look_after(Services(Settings(data_dir=tmp_path, preload=False)))
    upkeep.look_after(Services(Settings(data_dir=tmp_path, preload=True)))
    deadline = time.monotonic() + 10
    while not loaded and time.monotonic() < deadline:
        time.sleep(0.02)
    assert loaded == [upkeep.shipped_models()]


def test_every_shipped_model_and_none_that_is_fetched() -> None:
    names = upkeep.shipped_models()
    assert {"backbone", "compact", "keyframe_scorer", "captioner", "compact_detector"} <= set(names)
    assert not any(registry.MODELS[name].hub for name in names)


def test_one_that_is_damaged_keeps_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def load(name: str) -> None:
        asked.append(name)
        if name == "a":
            raise CheckpointError("fetch it again.")

    monkeypatch.setattr(registry, "load", load)
    upkeep.preload(("a", "b"))
    assert asked == ["a", "b"] and "a was not loaded early: fetch it again." in caplog.text
