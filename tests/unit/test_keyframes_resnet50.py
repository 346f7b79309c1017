"""The published keyframe system at toy size: both stages, resuming, and what is exported."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models import registry
from tests.unit import two_stage_toys
from tests.unit.two_stage_toys import FROZEN_ROUNDS, ROUNDS, SIDE_PX
from train import evaluate, export, fitting, keyframes_resnet50
from train.data.judged_frames import JudgedFrames
from train.data.stretches import RoundOfStretches, Stretch, stretches_of
from train.keyframes_resnet50 import TwoStageTraining, load_parts
from train.keyframes_resnet50_config import load_config
from train.losses import importance_losses
from train.metrics import rank_correlations

CONFIG = Path("train/configs/keyframes_resnet50.yaml")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two_stage")
    two_stage_toys.write_data(folder)
    return folder


class KeepsStates(keyframes_resnet50.Report):
    """A copy of the last state after each round, and the trunk's weights at its start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        last = self.folder / "run" / "last.ckpt"
        if last.is_file():  # written after this hook: it is the state of the round before
            shutil.copy(last, self.folder / f"after_{trainer.current_epoch - 1}.ckpt")


@pytest.fixture(scope="module")
def trained(toy: Path) -> TwoStageTraining:
    config = load_config(two_stage_toys.write_config(toy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyframes_resnet50, "Report", lambda: KeepsStates(toy))
        return keyframes_resnet50.fit(config, resume=False)


def weights(state_path: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(state_path, weights_only=False)["state_dict"]
    return found


def changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    assert one.keys() == other.keys()
    return {name for name in one if not torch.equal(one[name], other[name])}


def test_stage_1_leaves_the_trunk_and_stage_2_changes_only_its_last_stage(
    toy: Path, trained: TwoStageTraining
) -> None:
    first, frozen_last = (
        weights(toy / "after_0.ckpt"),
        weights(toy / f"after_{FROZEN_ROUNDS - 1}.ckpt"),
    )
    moved = changed(first, frozen_last)
    assert moved and all(name.startswith("scorer.") for name in moved)
    moved = changed(frozen_last, trained.state_dict())
    of_trunk = {name for name in moved if name.startswith("trunk.")}
    assert of_trunk and all(name.startswith("trunk.network.trunk.layer4.") for name in of_trunk)
    assert not any("running_" in name or "num_batches" in name for name in moved)
    learned = {f"trunk.network.trunk.layer4.{n}" for n, _ in layer4(trained).named_parameters()}
    assert of_trunk == learned
    assert any(name.startswith("scorer.") for name in moved)


def layer4(model: TwoStageTraining) -> Any:
    trunk: Any = model.trunk.network.trunk
    return trunk.layer4


def test_rates_are_those_of_the_stages(toy: Path, trained: TwoStageTraining) -> None:
    rates = []
    for number in range(ROUNDS - 1):
        state = torch.load(toy / f"after_{number}.ckpt", weights_only=False)
        rates.append(state["lr_schedulers"][0]["_last_lr"][0])
    # Of the round that comes next.
    assert rates == pytest.approx([0.01, 0.001, 0.001])
    optimizer: Any = trained.optimizers(use_pl_optimizer=False)
    assert isinstance(optimizer, torch.optim.AdamW)


@pytest.mark.parametrize("after", [0, FROZEN_ROUNDS])
def test_resuming_continues_exactly_in_both_stages(
    toy: Path, trained: TwoStageTraining, after: int
) -> None:
    run = f"resumed_{after}"
    (toy / run).mkdir()
    shutil.copy(toy / f"after_{after}.ckpt", toy / run / "last.ckpt")
    # The first weights are in the state: they are not asked for again.
    path = two_stage_toys.write_config(toy, run, model={"pretrained": "nowhere.pth"})
    values = load_config(path)
    resumed = keyframes_resnet50.fit(values, resume=True)
    assert resumed.global_step == trained.global_step
    assert not changed(trained.state_dict(), resumed.state_dict())


def test_both_stages_run_in_half_width(toy: Path) -> None:
    """As on a GPU."""
    run = {"max_rounds": FROZEN_ROUNDS + 1, "precision": "bf16-mixed"}
    config = load_config(two_stage_toys.write_config(toy, "half", run=run))
    before = {
        name: values.clone() for name, values in TwoStageTraining(config).state_dict().items()
    }
    model = keyframes_resnet50.fit(config, resume=False)
    assert all(values.dtype == before[name].dtype for name, values in model.state_dict().items())
    assert all(bool(values.isfinite().all()) for values in model.state_dict().values())


def test_nobody_is_both_learned_from_and_held_out(toy: Path) -> None:
    tested: list[str] = []
    for fold in range(5):
        path = two_stage_toys.write_config(toy, "folds", data={"fold": fold})
        config = load_config(path, ["data.data_dir=" + str(toy)])
        outer = load_parts(load_config(path))
        learned, held = ({video.name for video in part} for part in outer)
        assert held and not learned & held
        tested += held
        inner_learned, inner_held = load_parts(load_config(path, ["data.inner=true"]))
        assert not held & {video.name for video in [*inner_learned, *inner_held]}
        assert config.data.fold == fold
    assert len(tested) == len(set(tested)) == two_stage_toys.VIDEOS + 1


def test_every_frame_of_a_round_once_and_no_stretch_too_long(toy: Path) -> None:
    videos, _ = load_parts(load_config(two_stage_toys.write_config(toy), ["data.fold=null"]))
    long = next(video for video in videos if video.name == "long")
    assert len(long) > 100
    rounds = [[*RoundOfStretches(videos, 50, 0, number)] for number in (0, 0, 1)]
    for stretches in rounds:
        seen = [n for one in stretches if one.video is long for n in range(len(long))[one.part]]
        assert sorted(seen) == list(range(len(long)))
        assert max(one.part.stop - one.part.start for one in stretches) <= 50
    first, again, second = ([(one.video.name, one.part) for one in made] for made in rounds)
    assert first == again != second


@pytest.mark.parametrize("count", [1, 49, 50, 51, 99, 1300])
def test_stretches_cover_everything(count: int) -> None:
    for seed in range(20):
        parts = stretches_of(count, 50, np.random.default_rng(seed))
        assert parts[0].start == 0 and parts[-1].stop == count
        assert all(a.stop == b.start for a, b in zip(parts, parts[1:], strict=False))
        assert all(0 < part.stop - part.start <= 50 for part in parts)


def a_video(count: int) -> JudgedFrames:
    random = np.random.default_rng(count)
    pixels = random.integers(0, 256, (count, SIDE_PX, SIDE_PX, 3), np.uint8)
    grades = random.integers(1, 6, (3, count))
    return JudgedFrames("x", "", pixels, np.arange(count) / 2, count / 2, grades)


@pytest.mark.parametrize("count", [1, 130])
def test_any_length_is_scored(toy: Path, count: int) -> None:
    model = TwoStageTraining(load_config(two_stage_toys.write_config(toy)))
    scores = model.scores(a_video(count))
    assert scores.shape == (count,) and ((scores >= 0) & (scores <= 1)).all()


def ranking_gradient(model: TwoStageTraining, video: JudgedFrames, features: Tensor) -> Tensor:
    """Of the tuned stage, from the ranking loss alone."""
    torch.manual_seed(0)
    model.zero_grad()
    logits = model.scorer(features, torch.from_numpy(video.times_s))
    annotators = Stretch(video, slice(0, len(video))).annotators(torch.device("cpu"))
    importance_losses(logits, annotators)[0].backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in layer4(model).parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients])


def test_the_ranking_loss_reaches_the_stage_that_is_tuned(toy: Path) -> None:
    model = TwoStageTraining(load_config(two_stage_toys.write_config(toy))).train()
    model.trunk.learn(True)
    video = a_video(40)  # more than two chunks
    features = model.trunk(video.pixels, torch.device("cpu"))
    in_chunks = ranking_gradient(model, video, features)
    assert float(in_chunks.abs().sum()) > 0
    trunk: Any = model.trunk.network.trunk
    assert trunk.conv1.weight.grad is None and trunk.layer3[0].conv1.weight.grad is None
    # Activations that are made anew, chunk by chunk, change nothing.
    pixels = torch.from_numpy(video.pixels).permute(0, 3, 1, 2) / 255
    whole = torch.nn.functional.normalize(model.trunk.network(pixels))
    assert torch.allclose(whole, features, atol=1e-5)
    assert torch.allclose(ranking_gradient(model, video, whole), in_chunks, atol=1e-6)


def test_figures_stand_beside_chance_and_people(toy: Path, trained: TwoStageTraining) -> None:
    report = keyframes_resnet50.test(load_config(two_stage_toys.write_config(toy)))
    assert set(report["rows"]) == {"scorer", "random", "human"}
    assert {"tau", "tau_published", "f", "mse", "precision_15"} <= set(report["rows"]["scorer"])
    assert report["step"] == trained.global_step and len(report["videos"]) >= 2
    kept = json.loads((toy / "run" / keyframes_resnet50.FIGURES_FILE).read_text())
    assert kept["rows"] == report["rows"]


@pytest.fixture(scope="module")
def exported(toy: Path, trained: TwoStageTraining) -> Path:
    """The folder of local checkpoints."""
    path = two_stage_toys.write_config(toy)
    keyframes_resnet50.test(load_config(path))
    folder = toy / "checkpoints"
    asked = ["keyframes_resnet50", "--config", str(path), "--to", str(folder / "toy_keyframes")]
    assert export.main(asked) == 0
    return folder


def test_exported_it_is_loaded_by_name_and_scores_the_same(
    toy: Path, trained: TwoStageTraining, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(two_stage_toys.write_config(toy))
    local = exported
    monkeypatch.setenv("FRAMESCRY_CHECKPOINTS_DIR", str(local))
    assert "toy_keyframes" in registry.names("frame_scorer")
    assert "toy_keyframes_backbone" in registry.names("frame_encoder")
    scorer = registry.load("toy_keyframes")
    encoder = registry.load(scorer.index_encoder)
    assert scorer.encoder_hash == encoder.weights_hash
    assert "held_out" in scorer.metrics
    _, held = load_parts(config)
    for video in held:
        wanted = trained.scores(video)
        found = scorer.score(encoder.encode_frames(np.asarray(video.pixels)), video.times_s)
        assert np.abs(found - wanted).max() < 0.02
    described = json.loads((local / "toy_keyframes" / "config.json").read_text())
    assert not set(described["data"]["trained_on"]) & {video.name for video in held}
    card = (local / "toy_keyframes" / "MODEL_CARD.md").read_text()
    assert "| scorer |" in card and "| human |" in card


def test_the_report_is_of_videos_that_were_not_learned_from(
    toy: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMESCRY_CHECKPOINTS_DIR", str(exported))
    described = json.loads((exported / "toy_keyframes" / "config.json").read_text())["data"]
    asked = ["scorer", "--model", "toy_keyframes", "--dataset", "summe", "--data-dir", str(toy)]
    drawings = toy / "drawings"
    evaluate.main([*asked, "--drawings", str(drawings), "--out", str(toy / "results")])
    report = json.loads((toy / "results" / "scorer_toy_keyframes_summe.json").read_text())
    assert sorted(report["videos"]) == described["held_out"]
    kept = json.loads((toy / "run" / keyframes_resnet50.FIGURES_FILE).read_text())
    for figure in ("tau", "rho", "mse"):  # what is exported is what was tested
        found, wanted = (made["rows"]["scorer"][figure]["mean"] for made in (report, kept))
        assert found == pytest.approx(wanted, abs=0.02)
    for name in report["videos"]:
        assert (drawings / name / "importance_curve.png").stat().st_size > 5000
    # Of one that does not say from which videos, none is known to be new.
    del described["trained_on"]
    blank = toy / "blank"
    shutil.copytree(exported, blank)
    config = json.loads((blank / "toy_keyframes" / "config.json").read_text())
    config["data"] = described
    (blank / "toy_keyframes" / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("FRAMESCRY_CHECKPOINTS_DIR", str(blank))
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(asked)


def test_it_learns_what_people_chose(toy: Path, trained: TwoStageTraining) -> None:
    _, held = load_parts(load_config(two_stage_toys.write_config(toy)))
    taus = [rank_correlations(trained.scores(video), video.annotators)[0] for video in held]
    assert np.mean(taus) > 0.15  # the bright half; untrained: about 0


def test_the_config_is_the_published_one() -> None:
    config = load_config(CONFIG)
    learning, scorer = config.learning, config.model.scorer
    assert (learning.frozen_rounds, config.run.max_rounds) == (10, 30)
    assert (learning.frozen_rate, learning.tuned_rate) == (1e-4, 1e-5)
    assert learning.weight_decay > 0 and config.run.clip_norm == 1.0
    assert (scorer.layers, scorer.heads, scorer.dim, scorer.hidden_dim) == (3, 8, 512, 2048)
    assert scorer.branches == "both" and config.data.batch_videos == 4
    assert config.model.trunk.architecture == "resnet50" and config.model.tuned == "layer4"


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("data.dataset=x.h5", "train.keyframe_scorer"),
        ("data.dataset=ucf", "data.dataset is one of"),
        ("data.fold=7", "data.fold"),
        ("learning.tuned_rate=0", "learning.tuned_rate"),
        ("model.side_px=8", "model.side_px"),
    ],
)
def test_wrong_settings_are_named(setting: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        load_config(CONFIG, [setting])


def test_a_stage_that_is_not_there_is_named(toy: Path) -> None:
    config = load_config(two_stage_toys.write_config(toy, model={"tuned": "layer9"}))
    with pytest.raises(ValueError, match="layer9"):
        TwoStageTraining(config)


def test_without_a_state_nothing_is_resumed_or_tested(toy: Path) -> None:
    config = load_config(two_stage_toys.write_config(toy, "nothing"))
    assert not fitting.last_checkpoint(config.run).is_file()
    with pytest.raises(ValueError, match="--resume needs"):
        keyframes_resnet50.fit(config, resume=True)
    with pytest.raises(ValueError, match="fit first"):
        keyframes_resnet50.test(config)
