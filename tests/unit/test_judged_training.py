"""The scorer of features learns from SumMe and from a table, and is judged by SumMe's rules."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.unit import judged_toys
from tests.unit.judged_toys import FPS, FRAMES
from train import folds, keyframe_scorer
from train.data import community
from train.data.judged_sets import load_judged
from train.data.tvsum_features import SOURCE_FILE, features_place, unit_rows
from train.keyframe_config import load_config

NAMES = [f"video{number}" for number in range(6)]
DIM = 8


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SumMe whose features say what people chose, and the same as summe.h5."""
    folder = tmp_path_factory.mktemp("judged")
    judged_toys.write_summe(folder / "summe", NAMES)
    features = folder / features_place("toy", "summe")
    features.mkdir(parents=True)
    (features / SOURCE_FILE).write_text('{"name": "toy", "weights_hash": "abc", "fps": 2.0}')
    random = np.random.default_rng(0)
    times_s = np.arange(2 * FRAMES // FPS) / 2
    for video in load_judged("summe", folder):
        rows = random.standard_normal((len(times_s), DIM)) / 2
        rows[:, 0] += video.annotators_at(times_s).mean(axis=0)
        rows = unit_rows(rows.astype(np.float32)).astype(np.float16)
        np.savez(features / f"{video.name}.npz", features=rows, times_s=times_s, end_s=FRAMES / FPS)
    asked = ["--features", "toy", "--to", str(folder / "our_summe.h5"), "--dataset", "summe"]
    where = ["--data-dir", str(folder), "--cache-dir", str(folder)]
    assert community.main([*asked, *where]) == 0
    return folder


def config_of(toy: Path, dataset: str) -> Path:
    values = {
        "model": {"input_dim": DIM, "dim": 16, "heads": 2, "layers": 0, "dropout": 0.0,
                  "input_dropout": 0.0},
        "run": {"folder": str(toy / f"run_{Path(dataset).stem}"), "max_rounds": 10,
                "accelerator": "cpu", "devices": 1, "threads": 1},
        "data": {"dataset": dataset, "data_dir": str(toy), "cache_dir": str(toy),
                 "features": "toy", "fold": 0, "max_stride": 1, "crop_share": 1.0},
        "learning": {"learning_rate": 0.01},
    }  # fmt: skip
    path = toy / f"{Path(dataset).stem}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def dataset_of(toy: Path, kind: str) -> str:
    return str(toy / "our_summe.h5") if kind == "table" else "summe"


@pytest.mark.parametrize("kind", ["summe", "table"])
def test_it_learns_and_is_tested(toy: Path, kind: str) -> None:
    config = load_config(config_of(toy, dataset_of(toy, kind)))
    keyframe_scorer.fit(config, resume=False)
    assert keyframe_scorer.test(config)["val/tau"] > 0.2  # untrained: about 0


def test_a_table_and_its_source_are_judged_alike(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "VARIANTS", {folds.TRAINED: {}})
    reports: dict[str, dict[str, Any]] = {}
    for kind in ("summe", "table"):
        settings = ["run.max_rounds=2"]
        config = load_config(config_of(toy, dataset_of(toy, kind)), settings)
        report = folds.evaluate_keyframes(config, seeds=[0])
        path = folds.write_report(report, toy / "results")
        assert path.name == f"keyframes_toy_{Path(dataset_of(toy, kind)).stem}.json"
        reports[kind] = json.loads(path.read_text())
        table = path.with_suffix(".md").read_text()
        assert "tau, published rule" in table and "maximum over annotators" in table
    for row in ("human", "random"):
        one, other = (reports[kind]["rows"][row] for kind in ("summe", "table"))
        assert set(one) == {"tau", "rho", "f", "tau_published", "rho_published"}
        for figure, values in one.items():
            assert values["mean"] == pytest.approx(other[figure]["mean"], abs=0.02)
    assert reports["summe"]["rows"]["human"]["f"]["mean"] > 0.3


def test_a_set_that_is_not_known_is_named(toy: Path) -> None:
    with pytest.raises(ValueError, match=r"data.dataset is one of tvsum, summe, or a file .h5"):
        load_config(config_of(toy, "summe"), ["data.dataset=ucf101"])
