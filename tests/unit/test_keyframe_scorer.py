"""The keyframe scorer: what its network looks at, how it is trained, and the folder it lives in."""

import dataclasses
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.errors import CheckpointError
from models.keyframe_network import ScorerNetwork, TimedAttention
from models.keyframe_scorer import (
    BRANCHES,
    MAX_KEYS,
    QUERY_BLOCK,
    KeyframeScorer,
    ScorerShape,
    score_logits,
)
from tests.unit import scorer_toys
from train import fitting, folds, keyframe_export, keyframe_scorer
from train.data.tvsum_folds import FOLDS, fold_of_each, load_scored_videos, parts_of
from train.keyframe_config import load_config

DIM = 24
WINDOW_S = 3.0
STOPPED_AT_ROUND = 5
LOADED_ALONE = """
import sys
from pathlib import Path
import numpy as np
from models.keyframe_scorer import KeyframeScorer
scores = KeyframeScorer(Path({folder!r})).score(np.ones((3, {dim}), np.float32), np.arange(3.0))
assert scores.shape == (3,)
sys.exit("torch" in sys.modules or "openvino" in sys.modules)
"""


def network(**changes: Any) -> ScorerNetwork:
    torch.manual_seed(0)
    shape = ScorerShape(input_dim=DIM, dim=32, heads=4, layers=1, window_s=WINDOW_S)
    return ScorerNetwork(dataclasses.replace(shape, **changes)).eval()


def frames(count: int, fps: float = 2.0) -> tuple[Tensor, Tensor]:
    rows = torch.randn(count, DIM, generator=torch.Generator().manual_seed(count))
    return torch.nn.functional.normalize(rows), torch.arange(count, dtype=torch.float64) / fps


def attention_pair() -> tuple[TimedAttention, TimedAttention]:
    """Local and global attention with the same weights."""
    torch.manual_seed(0)
    local, everywhere = (TimedAttention(DIM, 4, w).eval() for w in (WINDOW_S, None))
    everywhere.load_state_dict(local.state_dict())
    return local, everywhere


@torch.inference_mode()
def test_local_attention_is_not_the_global_one() -> None:
    local, everywhere = attention_pair()
    x, times_s = frames(60)
    assert (local(x, times_s) - everywhere(x, times_s)).abs().mean() > 1e-3
    # Within one window both see everything.
    few, few_s = frames(4)
    assert torch.allclose(local(few, few_s), everywhere(few, few_s), atol=1e-6)


@torch.inference_mode()
def test_local_attention_sees_its_window_and_nothing_else() -> None:
    local, everywhere = attention_pair()
    x, times_s = frames(60)
    changed = x.clone()
    changed[30] += 5
    moved = (local(x, times_s) - local(changed, times_s)).abs().amax(1) > 1e-7
    assert torch.equal(moved, (times_s - times_s[30]).abs() <= WINDOW_S)
    assert bool(((everywhere(x, times_s) - everywhere(changed, times_s)).abs().amax(1) > 0).all())


@torch.inference_mode()
def test_blocks_of_local_attention_equal_one_mask_over_everything() -> None:
    local, _ = attention_pair()
    x, times_s = frames(2 * QUERY_BLOCK + 7)
    times_s = times_s + torch.rand(len(times_s), generator=torch.Generator().manual_seed(1)) / 4
    query = local._rotated(local._by_head(local.query(x)), times_s)
    key, value = local._keys(x, times_s)
    near = (times_s[:, None] - times_s).abs() <= WINDOW_S + 1e-6
    whole = local._attend(query, key, value, near).transpose(0, 1).flatten(1)
    assert torch.allclose(local(x, times_s), local.out(whole), atol=1e-5)


@torch.inference_mode()
def test_branches_of_the_network_differ() -> None:
    x, times_s = frames(80)
    scored = {name: network(branches=name)(x, times_s) for name in ("local", "global", "both")}
    # One draw of weights for each single branch: only the window tells them apart.
    assert (scored["local"] - scored["global"]).abs().max() > 1e-4
    assert len(network(branches="both").branches) == 2


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 2, 5000])
def test_any_length(count: int) -> None:
    x, times_s = frames(count)
    scores = network()(x, times_s).sigmoid()
    assert scores.shape == (count,)
    assert bool(((scores >= 0) & (scores <= 1)).all())


@torch.inference_mode()
def test_positions_are_differences_of_seconds() -> None:
    x, times_s = frames(50)
    net = network(branches="global")  # the other one's window is in seconds anyway
    here = net(x, times_s)
    assert torch.allclose(here, net(x, times_s + 7200.3), atol=1e-5)
    assert (here - net(x, times_s * 3)).abs().max() > 1e-4
    assert (here - net(x.flip(0), times_s).flip(0)).abs().max() > 1e-4


@torch.inference_mode()
def test_long_videos_are_averaged_for_global_attention_only() -> None:
    _, everywhere = attention_pair()
    x, times_s = frames(2 * MAX_KEYS)
    doubled, doubled_s = x.repeat_interleave(2, 0), times_s.repeat_interleave(2)
    # Pairs of equal frames average to themselves, so twice as many say the same.
    once = everywhere(x[:MAX_KEYS], times_s[:MAX_KEYS])
    twice = everywhere(doubled[: 2 * MAX_KEYS], doubled_s[: 2 * MAX_KEYS])
    assert torch.allclose(twice[::2], once, atol=1e-5)


@pytest.mark.parametrize("branches", BRANCHES)
@pytest.mark.parametrize("count", [1, 2, QUERY_BLOCK + 3, 2 * MAX_KEYS + 5])
@torch.inference_mode()
def test_numpy_computes_what_torch_does(branches: str, count: int) -> None:
    net = network(branches=branches, layers=2)
    for weights in net.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    arrays = {name: values.numpy() for name, values in net.state_dict().items()}
    assert {name: values.shape for name, values in arrays.items()} == net.shape.tensors()
    x, _ = frames(count)
    times_s = np.cumsum(np.random.default_rng(count).random(count)) + 3600
    wanted = net(x, torch.from_numpy(times_s)).numpy()
    found = score_logits(arrays, net.shape, x.numpy(), times_s)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1.0, np.abs(wanted).max()))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    scorer_toys.write_toy(folder)
    return folder


@pytest.fixture(scope="module")
def trained(toy: Path) -> keyframe_scorer.KeyframeTraining:
    """A whole run with fold 0 held out; the state before round 5 is kept beside it."""

    class KeepsMiddle(keyframe_scorer.Report):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if trainer.current_epoch == STOPPED_AT_ROUND:
                shutil.copy(toy / "run" / "last.ckpt", toy / "middle.ckpt")

    config = load_config(scorer_toys.toy_config(toy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyframe_scorer, "Report", KeepsMiddle)
        return keyframe_scorer.fit(config, resume=False)


def test_training_finds_what_matters(toy: Path, trained: Any) -> None:
    figures = keyframe_scorer.test(load_config(scorer_toys.toy_config(toy)))
    assert figures["val/tau"] > 0.4  # untrained: about 0


def test_resuming_continues_exactly(toy: Path, trained: Any) -> None:
    (toy / "second").mkdir()
    shutil.copy(toy / "middle.ckpt", toy / "second" / "last.ckpt")
    config = load_config(scorer_toys.toy_config(toy, run={"folder": str(toy / "second")}))
    resumed = keyframe_scorer.fit(config, resume=True)
    assert resumed.global_step == trained.global_step
    wanted = trained.state_dict()
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


@pytest.fixture(scope="module")
def report_path(toy: Path) -> Path:
    config = load_config(scorer_toys.toy_config(toy, run={"max_rounds": 2}))
    report = folds.evaluate_keyframes(config, seeds=[0, 1])
    return folds.write_report(report, toy / "results")


def test_report_has_every_row_and_every_video(report_path: Path) -> None:
    report = json.loads(report_path.read_text())
    assert list(report["rows"]) == ["random", *folds.VARIANTS, "human"]
    assert len(report["videos"]) == scorer_toys.VIDEOS
    videos = report["videos"].values()
    for row, runs in (("random", 2), (folds.TRAINED, 2), ("human", 1)):
        assert all(len(of[row]) == runs for of in videos)
    assert abs(report["rows"]["random"]["tau"]["mean"]) < 0.1
    assert report["rows"]["human"]["tau"]["mean"] > 0.3
    table = report_path.with_suffix(".md").read_text()
    assert all(f"| {row} |" in table for row in report["rows"])
    assert "distillation" in table  # what was seen before stands beside the figures


def test_a_broken_evaluation_goes_on(
    toy: Path, report_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> dict[str, Any]:
        raise InterruptedError

    monkeypatch.setattr(folds, "held_out_scores", refuse)
    config = load_config(scorer_toys.toy_config(toy, run={"max_rounds": 2}))
    again = folds.evaluate_keyframes(config, seeds=[0, 1])
    report = json.loads(report_path.read_text())
    assert again["rows"] == report["rows"]
    with pytest.raises(InterruptedError):
        folds.evaluate_keyframes(dataclasses.replace(config, seed=0), seeds=[2])


def test_summary_is_over_videos_then_folds_then_seeds() -> None:
    fold_of = {"a": 0, "b": 0, "c": 1}
    runs: list[dict[str, folds.Row]] = [
        {"a": (0.0, 0, 0), "b": (0.2, 0, 0), "c": (0.5, 0, 0)},
        {"a": (0.2, 0, 0), "b": (0.4, 0, 0), "c": (0.7, 0, 0)},
    ]
    tau = folds.summarized(runs, fold_of)["tau"]
    assert tau["mean"] == pytest.approx(0.4)  # (.1 + .5) / 2 and (.3 + .7) / 2
    assert tau["over_folds"] == pytest.approx(np.std([0.2, 0.6], ddof=1), abs=1e-4)
    assert tau["over_seeds"] == pytest.approx(np.std([0.3, 0.5], ddof=1), abs=1e-4)


def test_exported_folder_scores_as_the_trained_network(
    toy: Path, trained: Any, report_path: Path
) -> None:
    config = load_config(scorer_toys.toy_config(toy))
    folder = toy / "checkpoints" / "toy_scorer"
    state = fitting.last_checkpoint(config.run)
    checkpoint = keyframe_export.export_scorer(config, state, folder, report_path)
    assert checkpoint.config["weights_dtype"] == "float16"
    scorer = KeyframeScorer(folder)
    assert (scorer.name, scorer.index_encoder, scorer.encoder_hash) == ("toy_scorer", "toy", "abc")
    assert scorer.weights_hash == checkpoint.weights_hash
    assert "tau-b" in (folder / "MODEL_CARD.md").read_text()
    video = load_scored_videos(toy / "data", config.data.features_dir)[0]
    wanted = trained.scores(torch.from_numpy(video.features), torch.from_numpy(video.times_s))
    found = scorer.score(video.features, video.times_s)
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 5e-3
    index = types.SimpleNamespace(embeddings=video.features.astype(np.float16))
    assert np.abs(scorer.score(index, video.times_s) - wanted).max() < 5e-3
    code = LOADED_ALONE.format(folder=str(folder), dim=scorer.dim)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert scorer.score(video.features[:0], video.times_s[:0]).shape == (0,)
    assert scorer.score(video.features[:1], video.times_s[:1]).shape == (1,)
    with pytest.raises(ValueError, match="embeddings are"):
        scorer.score(video.features[:, :-1], video.times_s)
    with pytest.raises(ValueError, match="one time a row"):
        scorer.score(video.features, video.times_s[:-1])
    with pytest.raises(ValueError, match="ascending"):
        scorer.score(video.features, video.times_s[::-1])
    described = json.loads((folder / "config.json").read_text())
    described["architecture"]["branches"] = "neither"
    (folder / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="cannot be built"):
        KeyframeScorer(folder)


def test_export_refuses_figures_of_other_features(
    toy: Path, trained: Any, report_path: Path
) -> None:
    config = load_config(scorer_toys.toy_config(toy))
    report = json.loads(report_path.read_text())
    report["backbone"]["weights_hash"] = "other"
    other = toy / "other.json"
    other.write_text(json.dumps(report))
    state = fitting.last_checkpoint(config.run)
    with pytest.raises(ValueError, match="figures of"):
        keyframe_export.export_scorer(config, state, toy / "refused", other)


def test_every_video_is_tested_once(toy: Path) -> None:
    videos = load_scored_videos(toy / "data", toy / "cache/features/toy")
    tested = [video.name for fold in range(FOLDS) for video in parts_of(videos, fold).held]
    assert sorted(tested) == [video.name for video in videos]
    by_name = dict(zip([v.name for v in videos], fold_of_each(videos), strict=True))
    backwards = videos[::-1]
    assert [by_name[v.name] for v in backwards] == fold_of_each(backwards)
    for fold in range(FOLDS):
        outer, inner = parts_of(videos, fold), parts_of(videos, fold, inner=True)
        names = {video.name for video in outer.held}
        assert not names & {v.name for v in [*inner.trained, *inner.held, *outer.trained]}


@pytest.mark.parametrize(
    ("section", "key", "value", "named"),
    [
        ("data", "fold", 5, "data.fold"),
        ("data", "crop_share", 0.0, "data.crop_share"),
        ("model", "branches", "none", "branches"),
        ("model", "heads", 3, "dim is an even number"),
        ("learning", "ranking_weight", -1.0, "learning.ranking_weight"),
    ],
)
def test_wrong_settings_are_named(
    toy: Path, section: str, key: str, value: object, named: str
) -> None:
    path = scorer_toys.toy_config(toy)
    with pytest.raises(ValueError, match=named):
        load_config(path, [f"{section}.{key}={value}"])
