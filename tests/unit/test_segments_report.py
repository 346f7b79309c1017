"""Summaries of segments on both published sets, in their exact layouts, by a tiny TimeSformer."""

import json
from pathlib import Path

import numpy as np
import pytest

from models import hub, registry
from models.residency import Residents
from models.segment_parts import SEGMENT_S
from tests.unit import judged_toys
from tests.unit import video_transformer_toys as toys
from train import evaluate
from train.data.judged_sets import load_judged
from train.segments_report import segmented

ENCODER = hub.TIMESFORMER_K400.name


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    root = tmp_path_factory.mktemp("data")
    torch.manual_seed(0)
    toys.write_timesformer(root / "models" / ENCODER)
    names = ["Jumps", "Saving dolphines"]
    judged_toys.write_summe(root / "summe", names)
    judged_toys.write_tvsum_table(root / "tvsum", ["one", "two"])
    return root


@pytest.fixture(autouse=True)
def models(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(root / "models"))
    monkeypatch.setattr(registry, "_residents", Residents())


@pytest.mark.parametrize("dataset", ["summe", "tvsum"])
def test_all_methods_beside_random_and_people(
    dataset: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main([
        "segments", "--dataset", dataset, "--data-dir", str(root), "--out", str(tmp_path),
        "--threshold", "400",
    ])  # fmt: skip
    said = capsys.readouterr().out
    report = json.loads((tmp_path / f"segments_{ENCODER}_{dataset}.json").read_text())
    rows = report["rows"]
    assert list(rows) == ["kmeans", "ssd_anchor", "ssd_previous", "random", "human"]
    assert ("tau_published" in rows["kmeans"]) == (dataset == "summe")
    for row in rows.values():
        assert 0 <= row["f"]["mean"] <= 1 and -1 <= row["tau"]["mean"] <= 1
    assert report["encoder"]["hash"] and len(report["videos"]) == 2
    for part in (ENCODER, "400, as published", "kmeans", "maximum" if dataset == "summe" else "F"):
        assert part in said


def test_every_judged_moment_is_in_its_segment(root: Path) -> None:
    """Six seconds are three segments; the bright second half is unlike the dark first one."""
    video = load_judged("summe", root)[0]
    seen = segmented(video, registry.load(ENCODER))
    assert len(seen.features) == 3 and SEGMENT_S == 2.0
    assert seen.segment_of.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert seen.video.times_s.tolist() == [n / 2 for n in range(12)]
    lengths = np.linalg.norm(seen.video.features, axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)
    near, far = ((seen.features[0] - seen.features[n]) ** 2 for n in (1, 2))
    assert far.sum() > near.sum()


def test_what_is_not_there_is_said_in_a_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_reachable", lambda _: False)
    for arguments, said in (
        (["--encoder", "backbone"], "--encoder is one of"),
        (["--dataset", "ucf101"], "dataset is one of"),
        (["--encoder", hub.TIMESFORMER_K600.name], "is not fetched"),
    ):
        with pytest.raises(SystemExit) as ended:
            evaluate.main(["segments", *arguments, "--data-dir", str(root), "--out", str(tmp_path)])
        assert ended.value.code == 2 and said in capsys.readouterr().err
