"""Training the frame-text encoder on a toy: it learns, resumes exactly, is exported and loads."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.frame_text_encoder import FrameTextEncoder
from models.subwords import count_words, learn_subwords
from tests.unit.frame_text_toys import toy_config, toy_sentence, write_toy
from train import frame_text, frame_text_export, retrieval_report
from train.data.captions import training_texts
from train.data.joint_batches import PieceReader
from train.frame_text_config import FrameTextConfig, load_config

STOPPED_AT_ROUND = 2


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_toy(folder)
    return folder


@pytest.fixture(scope="module")
def trained(toy: Path) -> FrameTextConfig:
    """A whole run; the student's state at the beginning of round 2 is kept beside it."""

    class KeepsMiddle(frame_text.Rounds):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            super().on_train_epoch_start(trainer, module)
            student = toy / "run" / frame_text.STUDENT / "last.ckpt"
            if trainer.current_epoch == STOPPED_AT_ROUND and student.is_file():
                shutil.copy(student, toy / "middle.ckpt")

    config = load_config(toy_config(toy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_text, "Rounds", KeepsMiddle)
        patch.setattr("train.data.sentences._ask", toy_sentence)
        frame_text.fit(config, resume=False)
    return config


def test_words_find_frames_that_were_not_trained_on(trained: FrameTextConfig) -> None:
    figures = frame_text.test(trained)
    assert figures["msrvtt_mrr"] > 0.6  # by chance .2 to .3 among the dozen held out


def test_the_report_shows_chance_compact_and_ceiling(toy: Path, trained: FrameTextConfig) -> None:
    folder = toy / "checkpoints" / "compact"
    checkpoint = frame_text_export.export_frame_text(trained, None, folder)
    report = retrieval_report.make_report(trained, folder)
    rows = report["galleries"]["msrvtt"]
    assert rows["chance"]["recall_1"] < 0.1
    assert rows["compact"]["recall_1"] > 3 * rows["chance"]["recall_1"]
    assert rows["ceiling"]["recall_1"] > 3 * rows["chance"]["recall_1"]
    # The export measures in torch, the report what the application runs.
    for name in ("recall_1", "recall_10", "mrr"):
        assert checkpoint.metrics[f"msrvtt_{name}"] == pytest.approx(
            rows["compact"][name], abs=0.02
        )
    written = retrieval_report.write_report(report, toy / "results")
    assert "| compact |" in written
    assert (toy / "results" / "retrieval_calibration.png").stat().st_size > 1000
    card = (folder / "MODEL_CARD.md").read_text().lower()
    assert "research data, see its owners' terms" in card


def test_the_exported_folder_gives_the_trained_embeddings(
    toy: Path, trained: FrameTextConfig
) -> None:
    folder = toy / "checkpoints" / "again"
    frame_text_export.export_frame_text(trained, None, folder)
    encoder = FrameTextEncoder(folder)
    best = frame_text.stage_state(trained, frame_text.STUDENT, best=True)
    module = frame_text.JointModule.load(best, trained)
    features = np.random.default_rng(0).standard_normal((4, encoder.shape.feature_dim))
    features = features.astype(np.float32)
    with torch.inference_mode():
        wanted = module.network.embed_features(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(encoder.project(features), wanted, atol=0.01)
    assert encoder.encode_frames(np.zeros((2, 40, 30, 3), np.uint8)).shape == (2, 16)
    said = encoder.encode_texts(["a big red dog", "the big red dog is here", "a small blue fish"])
    assert said[0] @ said[1] > said[0] @ said[2]


def test_resuming_continues_exactly(toy: Path, trained: FrameTextConfig) -> None:
    wanted = torch.load(toy / "run" / "student" / "last.ckpt", weights_only=False)
    shutil.copytree(toy / "run", toy / "second")
    shutil.copy(toy / "middle.ckpt", toy / "second" / "student" / "last.ckpt")
    config = load_config(toy_config(toy, folder=str(toy / "second")))
    frame_text.fit(config, resume=True)
    found = torch.load(toy / "second" / "student" / "last.ckpt", weights_only=False)
    assert found["global_step"] == wanted["global_step"]
    for name, tensor in found["state_dict"].items():
        assert torch.equal(tensor, wanted["state_dict"][name]), name


def test_the_ceiling_needs_no_backbone(
    toy: Path, trained: FrameTextConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(
        "train.fitting.build_trainer", lambda run, **_: ran.append(Path(run.folder).name) or _Idle()
    )
    settings = ["through=ceiling", "data.backbone=nowhere", "joint.weight_decay=0.2"]
    frame_text.fit(load_config(toy_config(toy), settings), resume=False)
    assert ran == ["ceiling"]


def test_complete_stages_are_kept_and_changed_ones_run_again(
    toy: Path, trained: FrameTextConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(
        "train.fitting.build_trainer", lambda run, **_: ran.append(Path(run.folder).name) or _Idle()
    )
    frame_text.fit(trained, resume=False)
    assert ran == []
    changed = load_config(toy_config(toy), ["joint.weight_decay=0.3"])
    frame_text.fit(changed, resume=False)
    assert ran == [frame_text.CEILING, frame_text.STUDENT]


class _Idle:
    def fit(self, *_: object, **__: object) -> None:
        pass


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("joint.learning_rate=-1", "joint.learning_rate"),
        ("joining.soft_shar=1", "soft_shar"),
        ("data.batch_size=many", "data.batch_size"),
        ("model.heads=5", "heads"),
        ("model.vocabulary=7", "model.vocabulary"),
        ("run.precision=int3", "run.precision"),
    ],
)
def test_a_wrong_flag_is_named_before_any_data_is_read(
    setting: str, named: str, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["fit", "--config", str(toy_config(toy)), "--set", setting]
    assert frame_text.main([*flags, "--set", "data.cache_dir=/nowhere"]) == 2
    message = capsys.readouterr().err
    assert named in message
    assert "nowhere" not in message


def test_texts_hold_every_caption_every_word_and_spans() -> None:
    captions = ["a man rides a brown horse", "two dogs play"]
    words = ["zebra", "lion", "tiger", "whale", "otter", "panda"]
    texts = training_texts(captions, words, 30, seed=0)
    assert {*captions, *words} <= set(texts)
    spans = set(texts) - {*captions, *words}
    mixed = [span for span in spans if set(words) & set(span.split())]
    assert mixed
    inside = [span for span in spans if span not in mixed]
    assert inside
    assert all(any(f" {span} " in f" {caption} " for caption in captions) for span in inside)


def test_words_are_shown_in_shorter_pieces_now_and_then() -> None:
    subwords = learn_subwords(count_words(["elephant"] * 3), 200)
    reader = PieceReader(subwords, 40, loose_share=0.5)
    plain = reader.read(["elephant elephant"])
    assert plain.shape == (1, 2)
    random = np.random.default_rng(0)
    lengths = {reader.read(["elephant elephant"], random).shape[1] for _ in range(20)}
    assert min(lengths) == 2
    assert max(lengths) > 4
