"""The published frame search as a toy: trained, resumed, exported, loaded, and asked."""

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from app.pipelines.requests import SearchRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from models import registry
from models.bert_frame_text import BertFrameText
from models.bert_network import BertFrameTextNetwork, BertFrameTextShape, mean_of_words, read_texts
from models.catalogue import model_facts
from models.errors import CheckpointError
from models.local_checkpoints import LOCAL_VARIABLE
from models.residency import Residents
from tests.unit import frame_search_toys as toys
from train import export, frame_search
from train.data.captioned_batches import CaptionedBatches
from train.frame_search import FrameSearchModule, symmetric_contrast
from train.frame_search_config import load_config
from train.pretrained_text import load_text

ROUNDS = 5


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("toy")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    toys.write_toy(root, max_rounds=ROUNDS)
    return root


@pytest.fixture(scope="module")
def trained(toy: Path) -> Path:
    """The folder of a complete run; `middle.ckpt` in it is the state after two rounds."""
    config = load_config(toys.write_config(toy, max_rounds=ROUNDS, save_every=2))
    frame_search.fit(config, resume=False)
    return toy / "run"


@pytest.fixture(scope="module")
def exported(toy: Path, trained: Path) -> Path:
    """The folder of local checkpoints."""
    folder = toy / "local" / "toy_search"
    flags = ["frame_search", "--config", str(toy / "toy_distilbert.yaml"), "--to", str(folder)]
    assert export.main(flags) == 0
    return folder.parent


@pytest.fixture
def local(exported: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOCAL_VARIABLE, str(exported))
    monkeypatch.setattr(registry, "_residents", Residents())
    return exported


def test_it_learns_to_find_pictures_that_it_never_saw(toy: Path, trained: Path) -> None:
    figures = frame_search.test(load_config(toy / "toy_distilbert.yaml"))
    assert figures["gallery"] == 16 and figures["queries"] == 32
    assert figures["recall_1"] > 0.5, "by chance a sixteenth"
    assert {"in_batch_recall_1", "in_batch_recall_10", "median_rank"} <= set(figures)


def test_resuming_continues_exactly(toy: Path, trained: Path) -> None:
    second = toy / "second"
    second.mkdir()
    shutil.copy(trained / "round-0001.ckpt", second / "last.ckpt")
    config = load_config(
        toy / "toy_distilbert.yaml", [f"run.folder={second}", "run.save_every=null"]
    )
    frame_search.fit(config, resume=True)
    found, wanted = (
        torch.load(folder / "last.ckpt", weights_only=False) for folder in (second, trained)
    )
    assert found["global_step"] == wanted["global_step"]
    for name, tensor in found["state_dict"].items():
        assert torch.equal(tensor, wanted["state_dict"][name]), name


def test_sides_join_when_the_config_says(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ["learning.image_from_round=2", "learning.text_from_round=1"]
    config = load_config(toy / "toy_distilbert.yaml", settings)
    module = FrameSearchModule.begin(config, load_text(config.model.text))
    learning = []
    for current in range(3):
        monkeypatch.setattr(FrameSearchModule, "current_epoch", current)
        module.train()
        module.on_train_epoch_start()
        sides = (module.network.text_head, module.network.text, module.backbone)
        learning.append([all(p.requires_grad for p in side.parameters()) for side in sides])
        norms = [m for m in module.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert norms and not any(norm.training for norm in norms)
    assert learning == [[True, False, False], [True, True, False], [True, True, True]]


def test_one_pooling_for_training_and_retrieval(
    local: Path, toy: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean of the words, without padding; not the first token's state."""
    config = load_config(toy / "toy_distilbert.yaml")
    module = FrameSearchModule.load(frame_search.best_state(config), config)
    tokenizer = load_text(config.model.text).tokenizer
    texts = ["a red wall at the left", "blue"]
    ids, present = read_texts(tokenizer, texts, 16)
    encoder: BertFrameText = registry.load("toy_search")
    with torch.inference_mode():
        trained_texts = module.network.embed_texts(ids, present).numpy()
        states = module.network.text(input_ids=ids, attention_mask=present).last_hidden_state
        second = states[1, : int(present[1].sum())].mean(dim=0)
        by_hand = torch.nn.functional.normalize(module.network.text_head(second[None])).numpy()[0]
    np.testing.assert_allclose(encoder.encode_texts(texts), trained_texts, atol=2e-3)
    np.testing.assert_allclose(trained_texts[1], by_hand, atol=1e-5)
    assert abs(states[1, 0] - second).max() > 0.01, "the first token's state is another"
    # What stands in padding has no say.
    spoilt = states.clone()
    spoilt[1, int(present[1].sum()) :] = 99.0
    np.testing.assert_allclose(mean_of_words(spoilt, present)[1], second, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(trained_texts, axis=1), 1, atol=1e-5)


def test_no_batch_holds_two_captions_of_one_picture(toy: Path) -> None:
    config = load_config(toy / "toy_distilbert.yaml")
    data = frame_search.open_data(config)
    tokenizer = load_text(config.model.text).tokenizer
    first, again, other = (
        CaptionedBatches(data, config.data, tokenizer, 16, (0, number)) for number in (0, 0, 1)
    )
    seen = [pair for batch in first._batches for pair in batch]
    trained_on = data.part("train")
    assert len(seen) == len(set(seen)) == sum(len(item.captions) for item in trained_on)
    for batch in first._batches:
        assert len({item for item, _ in batch}) == len(batch)
    assert first._batches == again._batches != other._batches
    one, same = first[1], again[1]
    assert torch.equal(one["pixels"], same["pixels"]) and torch.equal(one["ids"], same["ids"])
    assert one["pixels"].dtype == torch.uint8 and one["pixels"].shape[1:] == (32, 32, 3)


def test_the_loss_is_of_both_directions_and_knows_the_temperature() -> None:
    eye = torch.eye(4)
    sure, unsure = (symmetric_contrast(eye, eye, torch.tensor(s)) for s in (50.0, 1.0))
    assert sure < 1e-6 < unsure
    texts, frames = torch.eye(3), torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1.0]])
    both = symmetric_contrast(texts, frames, torch.tensor(5.0))
    assert torch.isclose(both, symmetric_contrast(frames, texts, torch.tensor(5.0)))
    scale = torch.tensor(2.0, requires_grad=True)
    symmetric_contrast(eye, eye, scale).backward()
    assert scale.grad is not None and scale.grad < 0


def test_the_pair_of_checkpoints(local: Path) -> None:
    described = json.loads((local / "toy_search" / "config.json").read_text())
    assert described["kind"] == "bert_frame_text"
    backbone = json.loads((local / "toy_search_backbone" / "config.json").read_text())
    assert described["preprocessing"]["encoder"] == "toy_search_backbone"
    assert described["preprocessing"]["encoder_hash"] == backbone["weights_sha256"]
    assert backbone["architecture"]["head"] is False
    assert {"tokenizer.json", "tokenizer_config.json"} <= {
        file.name for file in (local / "toy_search").iterdir()
    }
    facts = model_facts(registry.entry_of("toy_search"))
    assert facts.problem is None and "flickr8k recall@10" in facts.quality.short
    card = (local / "toy_search" / "MODEL_CARD.md").read_text()
    assert "whole gallery of 16" in card and "in batches of 16" in card
    metrics = json.loads((local / "toy_search" / "metrics.json").read_text())
    assert metrics["flickr8k_recall_1"] > 0.5 and metrics["part"] == "reported"
    encoder = registry.load("toy_search")
    # Probabilities fitted on pairs held out: a match is likely, what is not there is not.
    seen = encoder.encode_frames(np.stack([toys.picture("red", "left", 900)]))
    said = encoder.encode_texts(["a red wall at the left", "a blue wall at the right"])
    right, wrong = encoder.probability(seen @ said.T)[0]
    assert right > 0.5 > wrong


def test_another_backbone_is_refused(local: Path, tmp_path: Path) -> None:
    shutil.copytree(local / "toy_search", tmp_path / "toy_search")
    with pytest.raises(CheckpointError, match="toy_search_backbone"):
        BertFrameText(tmp_path / "toy_search")
    other = tmp_path / "toy_search_backbone"
    shutil.copytree(local / "toy_search_backbone", other)
    described = json.loads((tmp_path / "toy_search" / "config.json").read_text())
    described["preprocessing"]["encoder_hash"] = "0" * 64
    (tmp_path / "toy_search" / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="was trained on a toy_search_backbone with the hash"):
        BertFrameText(tmp_path / "toy_search")
    (tmp_path / "toy_search" / "tokenizer.json").unlink()
    described["preprocessing"]["encoder_hash"] = json.loads((other / "config.json").read_text())[
        "weights_sha256"
    ]
    (tmp_path / "toy_search" / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match=r"has no tokenizer\.json"):
        BertFrameText(tmp_path / "toy_search")


def write_film(path: Path) -> Path:
    """Four seconds of each: red at the left, blue at the top, green at the bottom."""
    shown = (("red", "left"), ("blue", "top"), ("green", "bottom"))
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 120, 80, "yuv420p"
        for number, (colour, place) in enumerate(shown):
            for frame in range(20):
                pixels = toys.picture(colour, place, 1000 * number + frame, 80, 120)
                for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                    container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_the_search_finds_moments_of_a_video_with_it(local: Path, tmp_path: Path) -> None:
    services = Services(Settings(data_dir=tmp_path / "data", library=False))
    assert "toy_search" in services.searchers
    film = write_film(tmp_path / "film.mp4")
    steps = services.inspect_file(film)
    video = [step for step in steps if isinstance(step, Done)][0].value
    spans = {"red wall at the left": 0, "blue wall at the top": 4, "green wall at the bottom": 8}
    for turn, (query, start_s) in enumerate(spans.items()):
        request = SearchRequest(query=f"a {query}", encoder="toy_search")
        *_, last = services.search(video, request)
        assert last.complete and last.result is not None
        result = last.result
        assert result.timing.from_index == (turn > 0), "read once, then answered from the index"
        assert result.certainty == "measured" and result.model.name == "toy_search"
        best = result.best[0]
        assert start_s <= best.time_s < start_s + 4
        assert best.probability is not None and 0 <= best.probability <= 1
    assert services.is_indexed(video, SearchRequest(query="red", encoder="toy_search"))


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("data.source=flickr9k", "data.source"),
        ("data.batch_size=1", "data.batch_size"),
        ("learning.learning_rate=0", "learning.learning_rate"),
        ("model.dropout=1", "model.dropout"),
        ("model.archtecture=resnet50", "archtecture"),
        ("data.smallest_crop=0", "data.smallest_crop"),
    ],
)
def test_a_wrong_flag_is_named_before_any_data_is_read(
    setting: str, named: str, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["fit", "--config", str(toy / "toy_distilbert.yaml"), "--set", setting]
    assert frame_search.main([*flags, "--set", "data.folder=/nowhere"]) == 2
    message = capsys.readouterr().err
    assert named in message and "nowhere" not in message


def test_first_weights_that_cannot_be_had_are_named(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.hub.why_not_asked", lambda: "the model hub cannot be reached")
    config = ["--config", str(toy / "toy_distilbert.yaml"), "--set", f"run.folder={toy / 'new'}"]
    assert frame_search.main(["fit", *config, "--set", "model.text=hub"]) == 2
    assert "model.text is hub" in capsys.readouterr().err
    assert frame_search.main(["fit", *config, "--resume"]) == 2
    assert "--resume needs" in capsys.readouterr().err
    assert frame_search.main(["test", *config]) == 2
    assert "fit first" in capsys.readouterr().err


def test_the_published_shape_has_the_published_size() -> None:
    """Its description counts 66.4 million parameters of DistilBERT and 25.5 of ResNet50."""
    from models.backbones import BackboneShape, CompactBackbone

    config = load_config(Path("train/configs/resnet50_distilbert.yaml"))
    assert (config.run.max_rounds, config.model.dim, config.model.dropout) == (25, 512, 0.1)
    with torch.device("meta"):
        network = BertFrameTextNetwork(BertFrameTextShape(2048, {}, config.model.dim))
        trunk = CompactBackbone(
            BackboneShape("resnet50", 2048, normalisation="imagenet", head=False)
        )
    sizes = {
        "text": network.text, "head": network.text_head, "picture head": network.image_head,
        "trunk": trunk,
    }  # fmt: skip
    millions = {
        name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in sizes.items()
    }
    assert millions["text"] == pytest.approx(66.36, abs=0.01)
    assert millions["trunk"] == pytest.approx(23.51, abs=0.01), "25.5 less its classifier"
    assert millions["head"] < 0.7 and millions["picture head"] < 1.4
