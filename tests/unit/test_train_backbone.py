"""Training the backbone on a toy: it learns, resumes exactly, is exported and loads again."""

import copy
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.backbone_encoder import BackboneEncoder
from models.backbones import (
    BackboneShape,
    CompactBackbone,
    as_input,
    build_network,
    limit_activations,
)
from models.checkpoint import read_checkpoint
from models.squash import squash_all
from tests.unit.train_toys import CLASSES, toy_config, write_toy
from train import backbone, backbone_export, fitting
from train.backbone_config import BackboneConfig, load_config
from train.comparison import neighbour_accuracy
from train.data.distillation import DistillationData, ViewBatches, shuffled_draws
from train.data.frames import open_frame_store
from train.data.teacher import POOLED_DIM
from train.data.teacher_views import cut_view, open_view_sets, pictures_of_set
from train.warm_start import warm_start

STOPPED_AT_ROUND = 2
LOADED_ALONE = """
import pathlib, sys
import numpy as np
from models.backbone_encoder import BackboneEncoder
encoder = BackboneEncoder(pathlib.Path(sys.argv[1]))
encoder.encode_frames(np.zeros((2, 48, 70, 3), np.uint8))
sys.exit(encoder.engine == "openvino" and "torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_toy(folder)
    return folder


@pytest.fixture(scope="module")
def trained(toy: Path) -> tuple[BackboneConfig, backbone.Distillation]:
    """A whole run; the state at the beginning of round 2 is kept beside it."""

    class KeepsMiddle(backbone.Plan):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            super().on_train_epoch_start(trainer, module)
            if trainer.current_epoch == STOPPED_AT_ROUND:
                shutil.copy(toy / "run" / "last.ckpt", toy / "middle.ckpt")

    config = load_config(toy_config(toy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbone, "Plan", KeepsMiddle)
        return config, backbone.fit(config, resume=False)


def test_training_approaches_the_teacher(
    trained: tuple[BackboneConfig, backbone.Distillation],
) -> None:
    config, _ = trained
    figures = backbone.test(config)
    assert figures["val/cosine"] > 0.1  # an untrained student is at 0


def test_resuming_continues_exactly(
    toy: Path, trained: tuple[BackboneConfig, backbone.Distillation]
) -> None:
    _, whole_run = trained
    (toy / "second").mkdir()
    shutil.copy(toy / "middle.ckpt", toy / "second" / "last.ckpt")
    config = load_config(toy_config(toy, folder=str(toy / "second")))
    resumed = backbone.fit(config, resume=True)
    assert resumed.global_step == whole_run.global_step
    wanted = whole_run.state_dict()
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


def test_what_sentences_read_is_learned_first_where_it_weighs_most(toy: Path) -> None:
    random = np.random.default_rng(3)
    weight = torch.from_numpy(random.standard_normal((8, POOLED_DIM)).astype(np.float32)) / 36
    state = toy / "ceiling.ckpt"
    image_out = {"network.image_out.weight": weight, "network.image_out.bias": torch.zeros(8)}
    torch.save({"state_dict": image_out}, state)

    def agreement(words_weight: float) -> float:
        settings = [
            f"run.folder={toy / f'words_{words_weight:g}'}",
            f"words_state={state}",
            f"learning.words_weight={words_weight}",
        ]
        model = backbone.fit(load_config(toy_config(toy), settings), resume=False)
        assert model.words is not None
        batch = next(iter(model.trainer.datamodule.val_dataloader()))  # type: ignore[attr-defined]
        with torch.inference_mode():
            ours = model.words(model.average(as_input(batch["pixels"])))
            theirs = model.words(model.teacher.standardized(batch))
        return float((ours * theirs).sum(1).mean())

    assert agreement(20.0) > agreement(0.0) + 0.05


def test_only_labelled_pictures_are_named(
    toy: Path, trained: tuple[BackboneConfig, backbone.Distillation]
) -> None:
    _, model = trained
    features = torch.randn(4, POOLED_DIM, requires_grad=True)
    model.naming(features, torch.tensor([1, -1, 0, -1])).backward()
    assert features.grad is not None
    assert (features.grad.abs().sum(1) > 0).tolist() == [True, False, True, False]


def test_views_carry_the_labels_of_their_pictures(toy: Path) -> None:
    store, sets = open_frame_store(toy / "frames"), open_view_sets(toy / "views")
    config = DistillationData(batch_size=len(sets[0].pictures), batches_per_round=1)
    batch = ViewBatches(store, sets[:1], config, side_px=32, seed=0, round_number=0)[0]
    said = sorted(f"class{number}" for number in batch["label"].tolist())
    assert said == sorted(store.labels[sets[0].pictures].tolist())


def test_a_missing_words_state_is_named(toy: Path) -> None:
    config = load_config(toy_config(toy), ["words_state=nowhere.ckpt"])
    with pytest.raises(ValueError, match=r"words_state .* nowhere\.ckpt"):
        backbone.assemble(config)


def test_exported_folder_gives_the_trained_features(
    toy: Path,
    trained: tuple[BackboneConfig, backbone.Distillation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, model = trained
    folder = toy / "checkpoints" / "toy_backbone"
    state = fitting.last_checkpoint(config.run)
    checkpoint = backbone_export.export_backbone(config, state, folder)
    assert checkpoint.config["weights_dtype"] == "float16"
    assert "research data, see its owners' terms" in (folder / "MODEL_CARD.md").read_text().lower()

    said = [checkpoint.metrics.get(f"openvino_{name}_cosine", 0.0) for name in ("bf16", "f32")]
    assert max(said) >= 0.999
    frames = np.random.default_rng(1).integers(0, 255, (3, 48, 70, 3)).astype(np.uint8)
    pixels = as_input(torch.from_numpy(squash_all(frames, config.validation_side_px)))
    with torch.inference_mode():
        wanted = model.average(pixels).numpy()
    wanted_unit = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    for engine, cosine_at_least in (("openvino", 0.997), ("torch", 0.9995)):
        monkeypatch.setenv("FRAMESCRY_ENGINE", engine)
        encoder = BackboneEncoder(folder)
        assert encoder.engine == engine
        found = encoder.encode_frames(frames)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
        assert (found * wanted_unit).sum(axis=1).min() > cosine_at_least
    np.testing.assert_allclose(encoder.features(frames), wanted, atol=0.02)
    monkeypatch.delenv("FRAMESCRY_ENGINE")
    done = subprocess.run([sys.executable, "-c", LOADED_ALONE, str(folder)], check=False)
    assert done.returncode == 0


def test_training_goes_on_from_what_was_shipped(
    toy: Path, trained: tuple[BackboneConfig, backbone.Distillation]
) -> None:
    config, _ = trained
    folder = toy / "checkpoints" / "shipped"
    backbone_export.export_backbone(config, fitting.last_checkpoint(config.run), folder)
    settings = [f"start_from={folder}", f"run.folder={toy / 'third'}"]
    again, data, trainer = backbone.assemble(load_config(toy_config(toy), settings))
    backbone.begin_with(again, folder, data)
    pixels = next(iter(data.val_dataloader()))["pixels"]
    shipped = build_network(read_checkpoint(folder)).eval()
    with torch.inference_mode():
        wanted = shipped(pixels)
        for network in (again.student, again.average):
            limited = copy.deepcopy(network).eval()  # as shipped; training knows no limit
            limit_activations(limited, backbone_export.ACTIVATION_LIMIT)
            torch.testing.assert_close(limited(as_input(pixels)), wanted, rtol=1e-3, atol=1e-3)
        # Norms that know their inputs: with a batch's own statistics it sees about the same.
        found = again.student.train()(as_input(pixels))
        assert torch.nn.functional.cosine_similarity(found, wanted).mean() > 0.9


def test_another_shape_cannot_go_on(
    toy: Path, trained: tuple[BackboneConfig, backbone.Distillation]
) -> None:
    config, _ = trained
    folder = toy / "checkpoints" / "other"
    backbone_export.export_backbone(config, fitting.last_checkpoint(config.run), folder)
    shape = BackboneShape("mobilenetv4_conv_small_050", POOLED_DIM)
    with pytest.raises(ValueError, match=r"start_from holds .*_035"):
        warm_start(CompactBackbone(shape), folder, [])


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("learning.learning_rate=-1", "learning.learning_rate"),
        ("learning.learning_rat=1", "learning_rat"),
        ("data.batch_size=many", "data.batch_size"),
        ("run.precision=int3", "run.precision"),
        ("run.until=soon", "run.until"),
        ("sides_px=[[0.5, 64]]", "sides_px"),
    ],
)
def test_a_wrong_flag_is_named_before_any_data_is_read(
    setting: str, named: str, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["fit", "--config", str(toy_config(toy)), "--set", setting]
    # Were data read first, the missing folder would be named instead.
    assert backbone.main([*flags, "--set", "data.cache_dir=/nowhere"]) == 2
    message = capsys.readouterr().err
    assert named in message
    assert "nowhere" not in message


def test_resume_without_a_state_is_refused(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = toy_config(toy, folder=str(tmp_path))
    assert backbone.main(["fit", "--config", str(config), "--resume"]) == 2
    assert "--resume" in capsys.readouterr().err


def test_until_is_the_next_such_minute() -> None:
    now = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    assert fitting.parse_until("09:40", now) == datetime(2026, 11, 21, 9, 40, tzinfo=UTC)
    assert fitting.parse_until("07:00", now) == datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


def test_a_batch_shows_the_view_that_the_teacher_saw(toy: Path) -> None:
    store, view_sets = open_frame_store(toy / "frames"), open_view_sets(toy / "views")
    config = DistillationData(batch_size=16, batches_per_round=4)

    def batches(round_number: int) -> ViewBatches:
        return ViewBatches(store, view_sets, config, side_px=48, seed=1, round_number=round_number)

    batch, again, later = batches(0)[1], batches(0)[1], batches(1)[1]
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["pixels"], later["pixels"])
    views_seen = {
        cut_view(store.picture(int(picture)), box, 48).tobytes(): answer.tobytes()
        for views in view_sets
        for picture, box, answer in zip(views.pictures, views.boxes, views.pooled, strict=True)
    }
    flips: list[list[bool]] = []
    for part in (batch, later):
        flips.append([])
        for pixels, pooled in zip(part["pixels"].numpy(), part["pooled"].numpy(), strict=True):
            answers = [views_seen.get(seen.tobytes()) for seen in (pixels, pixels[:, ::-1])]
            assert pooled.tobytes() in answers
            flips[-1].append(answers[0] is None)
    assert flips[0] != flips[1]  # each round flips others


def test_every_view_is_drawn_once_a_pass() -> None:
    drawn = np.concatenate([shuffled_draws(10, place, 4, 0) for place in range(0, 20, 4)])
    assert sorted(drawn[:10]) == list(range(10))
    assert sorted(drawn[10:]) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_sets_hold_no_held_out_picture_and_cover_a_pass(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_frame_store(toy / "frames")
    trained = np.flatnonzero(~store.held_out)
    monkeypatch.setattr("train.data.teacher_views.SET_SIZE", len(trained) // 2 + 1)
    drawn = np.concatenate([pictures_of_set(store, number, 0) for number in range(2)])
    assert sorted(drawn[: len(trained)]) == trained.tolist()


def test_a_source_with_a_small_weight_is_drawn_less_often(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_frame_store(toy / "frames")
    trained = np.flatnonzero(~store.held_out)
    monkeypatch.setattr("train.data.teacher_views.SOURCE_WEIGHTS", {"toy": 0.5})
    monkeypatch.setattr("train.data.teacher_views.SET_SIZE", len(trained) // 2)
    drawn = pictures_of_set(store, 0, 0)
    assert len(set(drawn)) == len(trained) // 2  # half the pictures, none of them twice


def test_neighbours_vote_for_the_class() -> None:
    labels = torch.arange(60) % CLASSES
    features = torch.eye(CLASSES)[labels] + 0.1
    known = torch.arange(60) < 40
    assert neighbour_accuracy(features, labels, known, ~known) == 1.0
    shuffled = neighbour_accuracy(features, labels.roll(1), known, ~known)
    assert shuffled == 1.0  # only the names moved, for known and asked alike
    assert neighbour_accuracy(features, torch.where(known, labels, -labels), known, ~known) < 0.5
