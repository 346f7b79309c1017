"""Training the captioner on a toy: it learns, resumes exactly, is exported, loads and describes."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.backbone_encoder import BackboneEncoder
from models.caption_decoder import Said
from models.captioner import FRAMES_AT_MOST, Caption, Captioner
from models.errors import CheckpointError
from models.quality import quality_in_words
from models.types import FrameBatch
from tests.unit.captioner_toys import toy_config, write_toy
from train import caption_report, captioner, captioner_export, fitting
from train.caption_confidence import (
    Judged,
    confidence_figures,
    fit_confidence,
    share_used,
)
from train.captioner_config import load_config
from train.data.caption_batches import CaptionBatches, agreement_of

STOPPED_AT = (3, 8)  # one round of each part


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_toy(folder)
    return folder


@pytest.fixture(scope="module")
def trained(toy: Path) -> captioner.CaptionTraining:
    """A whole run; states in the midst of both parts are kept beside it."""

    class KeepsSome(captioner.Report):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            if trainer.current_epoch in STOPPED_AT:
                last = toy / "run" / "last.ckpt"
                shutil.copy(last, toy / f"at_{trainer.current_epoch}.ckpt")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captioner, "Report", KeepsSome)
        return captioner.fit(load_config(toy_config(toy)), resume=False)


@pytest.fixture(scope="module")
def folder(toy: Path, trained: captioner.CaptionTraining) -> Path:
    config = load_config(toy_config(toy))
    to = toy / "checkpoints" / "captioner"
    captioner_export.export_captioner(config, fitting.last_checkpoint(config.run), to)
    return to


def test_it_says_what_is_seen_in_frames_not_trained_on(toy: Path, trained: Any) -> None:
    figures = captioner.test(load_config(toy_config(toy)))
    sources = trained.sources
    chosen = captioner.chosen_videos(sources)
    same = caption_report.scored(["a big red dog"] * len(chosen), chosen)
    assert figures["val/cider_d"] > 2 * same["cider_d"]


@pytest.mark.parametrize("stopped_at", STOPPED_AT)
def test_resuming_continues_exactly(toy: Path, trained: Any, stopped_at: int) -> None:
    again = toy / f"again_{stopped_at}"
    again.mkdir()
    shutil.copy(toy / f"at_{stopped_at}.ckpt", again / "last.ckpt")
    resumed = captioner.fit(load_config(toy_config(toy, folder=str(again))), resume=True)
    assert resumed.global_step == trained.global_step
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, trained.state_dict()[name]), name


def test_captions_that_score_more_become_likelier(trained: captioner.CaptionTraining) -> None:
    """The second part's gradient: the better of an item's captions up, the worse down."""
    numbers = torch.arange(4)
    features, present = captioner.frames_of(
        [trained.sources.features(i) for i in trained.items[:4]]
    )
    batch = {"items": numbers, "features": features, "present": present}
    said: list[torch.Tensor] = []
    speak = trained.network.speak

    def kept(*arguments: Any) -> torch.Tensor:
        said.append(speak(*arguments))
        return said[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained.network, "speak", kept)
        patch.setattr(trained, "_rewards", lambda items, ids: torch.tensor([[1.0, 0.0, 0.0]] * 4))
        trained.network.zero_grad()
        torch.manual_seed(0)
        trained._reward_loss(batch)[0].backward()
    trained.network.eval()

    def liked() -> list[float]:
        decoder = captioner_export.CaptionDecoder(
            {n: t.detach().numpy() for n, t in trained.network.state_dict().items()},
            trained.shape,
        )
        rows = [ids[: ids.index(captioner.END_ID)] for ids in said[0].tolist()]
        return [
            decoder.probability_of(
                features[row // 3, present[row // 3]].numpy(), ids
            ).log_probability
            for row, ids in enumerate(rows)
        ]

    before = liked()
    with torch.no_grad():
        for weights in trained.network.parameters():
            if weights.grad is not None:
                weights -= 0.05 * weights.grad
        after = liked()
        for weights in trained.network.parameters():
            if weights.grad is not None:
                weights += 0.05 * weights.grad
    gained = np.array(after) - np.array(before)
    assert gained[0::3].mean() > max(gained[1::3].mean(), gained[2::3].mean())


def test_a_round_shows_every_item_once_and_depends_on_its_number_alone(trained: Any) -> None:
    sources, config = trained.sources, trained.config
    agreement = agreement_of(trained.items, Path(config.data.cache_dir))
    rounds = [
        [CaptionBatches(sources, trained.items, agreement, config, n)[i] for i in range(2)]
        for n in (0, 0, 1)
    ]
    assert torch.equal(rounds[0][1]["words"], rounds[1][1]["words"])
    assert not torch.equal(rounds[0][0]["items"], rounds[2][0]["items"])
    batches = list(CaptionBatches(sources, trained.items, agreement, config, 0))
    shown = torch.cat([batch["items"] for batch in batches])
    assert sorted(shown.tolist()) == list(range(len(trained.items)))


def test_the_folder_describes_as_the_state_does(folder: Path, trained: Any) -> None:
    loaded = Captioner(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["kind"] == "captioner" and config["weights_dtype"] == "float16"
    item = captioner.chosen_videos(trained.sources)[0]
    embeddings = trained.sources.backbone[item.rows]
    text, confidence = loaded.describe_features(embeddings)
    assert text and 0 <= confidence <= 1
    assert share_used(text, item.captions) >= 0.5
    assert loaded.describe_features(embeddings[:1])[0]
    many = np.repeat(embeddings, FRAMES_AT_MOST, axis=0)
    assert loaded.describe_features(many)[0] == text  # thinned evenly, the same frames
    with pytest.raises(ValueError, match="one row or more"):
        loaded.describe_features(embeddings[:0])


def test_frames_of_an_event_are_described(folder: Path, toy: Path) -> None:
    loaded = Captioner(folder)
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 30, 3)).astype(np.uint8)
    found = loaded.describe_event(FrameBatch(frames, np.arange(3.0)), "a fight")
    assert found.verdict is None  # it cannot judge
    assert found.confidence is not None and 0 <= found.confidence <= 1
    assert found.text == loaded.describe(frames)
    embedded = BackboneEncoder(toy / "checkpoints" / "backbone").encode_frames(frames)
    assert found.text == loaded.describe_features(embedded)[0]
    assert {*found.people, *found.objects} <= set(found.text.split())


def test_the_report_shows_what_needs_no_captioner(folder: Path, toy: Path) -> None:
    report = caption_report.make_report(load_config(toy_config(toy)), folder)
    assert set(report["rows"]) == set(caption_report.TITLES)
    assert report["rows"]["captioner"]["cider_d"] > report["rows"]["constant"]["cider_d"]
    assert len(report["captions"]) == report["videos"]
    written = caption_report.write_report(report, toy / "results")
    assert all(f"| {title} |" in written for title in caption_report.TITLES.values())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["cider_d"] == pytest.approx(report["rows"]["captioner"]["cider_d"], abs=1e-3)
    card = (folder / "MODEL_CARD.md").read_text().lower()
    assert "research data, see its owners' terms" in card
    said = quality_in_words("captioner", metrics, {})
    assert said.short.startswith("MSR-VTT CIDEr-D") and "people among each other" in said.full


@pytest.mark.parametrize("changed", ["compact", "backbone", "words.json", "confidence"])
def test_what_does_not_fit_is_said(changed: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder.parent, tmp_path / "checkpoints")
    beside = tmp_path / "checkpoints"
    own = beside / "captioner" / "config.json"
    values = json.loads(own.read_text())
    if changed == "compact":
        values["preprocessing"]["frame_text_hash"] = "0" * 64
    elif changed == "words.json":
        values["words_sha256"] = "0" * 64
    elif changed == "confidence":
        del values["confidence"]
    else:
        (beside / "backbone" / "model.safetensors").write_bytes(b"1")
    own.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=changed) as raised:
        Captioner(beside / "captioner")
    assert str(raised.value).count(". ") <= 1


def test_a_state_of_other_weights_is_not_exported(toy: Path, trained: Any, tmp_path: Path) -> None:
    config = load_config(toy_config(toy))
    state = torch.load(fitting.last_checkpoint(config.run), weights_only=False)
    state["made_by"] = {"backbone": "other", "frame_text": "other"}
    torch.save(state, tmp_path / "state.ckpt")
    with pytest.raises(ValueError, match="fit again"):
        captioner_export.export_captioner(config, tmp_path / "state.ckpt", tmp_path / "to")


def test_plain_sentences_that_it_can_say_are_considered(folder: Path, trained: Any) -> None:
    loaded = Captioner(folder)
    assert loaded.plain == ("the dog is here",)  # "somebody" is in no caption
    considered = loaded.considered(trained.sources.backbone[:2])
    assert considered[-1].text == "the dog is here"
    assert considered[0].text != considered[-1].text


def test_confidence_is_fitted_to_the_share_of_words_that_people_used(trained: Any) -> None:
    item, random = trained.items[0], np.random.default_rng(0)
    judged = []
    for _ in range(400):
        match = float(random.uniform(-1, 1))
        share = 1 / (1 + np.exp(-(3 * match + 0.5)))
        caption = Caption("a big dog", Said((5, 6), float(random.normal())), match, 0.0)
        judged.append(Judged(item, [caption], [float(random.random() < share)]))
    fitted = fit_confidence(judged)
    assert fitted.of(-1.0, 0.8, 2) > 0.85
    assert fitted.of(-1.0, -0.8, 2) < 0.25
    said = np.array(
        [fitted.of(j.considered[0].said.per_word, j.considered[0].match, 2) for j in judged]
    )
    figures = confidence_figures(said, np.array([j.shares[0] for j in judged]))
    assert figures["ece"] < 0.1
    assert figures["surer_half"] > figures["other_half"] + 0.3


def test_a_share_counts_words_of_content_alone() -> None:
    assert share_used("a man with a red hat", ["the man is here", "red car"]) == pytest.approx(
        2 / 3
    )
    assert share_used("there is a", ["a man"]) == 0.0


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("learning.samples=1", "learning.samples"),
        ("learning.reward_rate=0", "learning.reward_rate"),
        ("data.reads=pixels", "data.reads"),
        ("model.heads=5", "heads"),
        ("search.beams=0", "beams"),
        ("doubt_below=2", "doubt_below"),
    ],
)
def test_a_wrong_flag_is_named_before_any_data_is_read(
    setting: str, named: str, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["fit", "--config", str(toy_config(toy)), "--set", setting]
    assert captioner.main([*flags, "--set", "data.cache_dir=/nowhere"]) == 2
    message = capsys.readouterr().err
    assert named in message
    assert "nowhere" not in message
