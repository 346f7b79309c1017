"""The published trigger system trained end to end: what learns, what decides, what is held out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from app.pipelines.triggering import TriggerAsked, TriggerRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from models import registry
from models.annotations import Annotations, MarkedEvent, MarkedVideo, write_annotations
from models.local_checkpoints import LOCAL_VARIABLE
from models.trigger_events import find_events
from tests.real_media import gradio_media
from tests.unit.trigger_video_toys import EVENT, toy_values, write_config, write_set
from train import export, preprocess_triggers, trigger_video
from train.data.sampled_videos import SampledVideos
from train.data.trigger_videos import Pieces, read_parts
from train.trigger_video_config import load_config, read_published
from train.trigger_video_network import TriggerVideoNetwork, losses

PARTS = ("visual_backbone", "visual_projection", "trigger_detector", "time_aware_encoder")
PUBLISHED = """
data:
  train_video_dir: "data/raw_videos/video"
  train_annotations: "data/train/annotations.json"
  val_video_dir: "data/val/videos"
  val_annotations: "data/val/annotations.json"
  frame_sampling_rate: 3
  clip_window_size: 16
  clip_overlap: 4
  max_frames: 30
  use_fiftyone: false
  auto_split: true
  val_ratio: 0.2
  split_seed: 42
model:
  visual_encoder: {type: "resnet50", pretrained: true, feature_dim: 512}
  trigger_detector: {input_dim: 512, hidden_dim: 256, num_classes: 2, threshold: 0.3}
  time_aware_encoder:
    {type: "transformer", input_dim: 512, hidden_dim: 768, num_layers: 4, num_heads: 8,
     use_timestamps: true}
  llm: {use_llava: true, llava_model_name: "xtuner/llava-phi-3-mini-hf", dtype: "float16"}
  freeze:
    {visual_backbone: true, visual_projection: false, trigger_detector: false,
     time_aware_encoder: false, llm_base: true, temporal_lstm: false, llm_projections: false}
training:
  batch_size: 8
  num_epochs: 50
  learning_rate: 1e-4
  weight_decay: 1e-5
  warmup_steps: 1000
  gradient_accumulation_steps: 8
  use_mixed_precision: true
  save_dir: "checkpoints"
  log_dir: "logs"
  save_every: 10
  eval_every: 10
  trigger_loss_weight: 1.0
  llm_loss_weight: 1.0
  temporal_loss_weight: 0.5
inference: {trigger_threshold: 0.3, llava_image_size: [336, 336]}
"""


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    write_set(folder)
    return folder


def toy_config(folder: Path, **changes: dict[str, Any]) -> Any:
    return read_published(toy_values(folder, **changes))[0]


def batch(count: int = 6, size: int = 2) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return {
        "features": torch.rand(size, count, 512, generator=random),
        "times_s": torch.arange(count, dtype=torch.float64).repeat(size, 1) / 3,
        "valid": torch.ones(size, count, dtype=torch.bool),
        "truth": torch.randint(0, 2, (size, count, 1), generator=random).float(),
    }


# -- the config ----------------------------------------------------------------------------------


def test_the_published_config_is_accepted_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(PUBLISHED)
    config = load_config(path)
    said = capsys.readouterr().out
    assert config.training.learning_rate == 1e-4, "which YAML takes for a word"
    assert config.model.visual_encoder.pretrained == "hub"
    assert config.freezing.visual_backbone and not config.freezing.time_aware_encoder
    assert config.shape(1).window_s == pytest.approx(16 / 2 / 3)
    assert (config.shape(1).dim, config.shape(1).layers, config.shape(1).input_dim) == (768, 4, 512)
    assert config.run.accumulate == 8 and config.training.save_every == 10
    for key in ("clip_overlap", "use_fiftyone", "detector.threshold", "llm (use_llava", "llm_base",
                "freezing.temporal_lstm", "llm_loss_weight", "log_dir",
                "inference (trigger_threshold", "use_timestamps"):  # fmt: skip
        lines = [line for line in said.splitlines() if key in line]
        assert len(lines) == 1 and "does not apply" in lines[0], key


def test_a_key_that_nobody_knows_is_refused(toys: Path) -> None:
    with pytest.raises(ValueError, match="no key 'epochs'"):
        toy_config(toys, training={"epochs": 3})
    with pytest.raises(ValueError, match="resnet18, resnet50, efficientnet_b0"):
        toy_config(toys, model={"visual_encoder": {"type": "vgg", "pretrained": "random"}})
    with pytest.raises(ValueError, match="something to train"):
        toy_config(toys, freezing=dict.fromkeys(PARTS, True))


def test_the_shipped_config_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(Path("train/configs/triggers_resnet18.yaml"))
    assert config.model.visual_encoder.type == "resnet18"
    assert "the describer is chosen in the application" in capsys.readouterr().out


# -- the network ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_the_time_aware_encoder_gets_a_gradient_and_changes_the_answer(
    toys: Path, kind: str
) -> None:
    time = {"type": kind, "hidden_dim": 16, "num_layers": 1, "num_heads": 2}
    values = toy_values(toys)
    config = toy_config(toys, model={**values["model"], "time_aware_encoder": time})
    network = TriggerVideoNetwork(config, 1, "random")
    given = batch()
    losses(network(given), given, 0.1)[0].backward()
    for name, weights in network.network.time.named_parameters():
        assert weights.grad is not None and bool((weights.grad != 0).any()), name
    network.eval()
    before = network(given)
    slower = network({**given, "times_s": given["times_s"] * 4})
    assert not torch.allclose(before, slower, atol=1e-4), "timestamps are read"
    with torch.no_grad():
        for weights in network.network.time.parameters():
            weights.zero_()
    assert not torch.allclose(before, network(given), atol=1e-4), "and it decides"


@pytest.mark.parametrize("part", PARTS)
def test_what_is_frozen_stays_as_it_is(toys: Path, part: str) -> None:
    values = toy_values(toys)
    encoder = {"type": "resnet18", "pretrained": "random", "feature_dim": 8}
    config = toy_config(
        toys, model={**values["model"], "visual_encoder": encoder},
        freezing={**dict.fromkeys(PARTS, False), part: True},
    )  # fmt: skip
    network = TriggerVideoNetwork(config, 1, "random").train()
    frozen = network.parts()[part]
    kept = [{n: t.clone() for n, t in module.state_dict().items()} for module in frozen]
    others = {n: p.clone() for n, p in network.named_parameters() if p.requires_grad}
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    given = batch(4)
    del given["features"]
    given["pixels"] = torch.randint(0, 255, (2, 4, 32, 32, 3), dtype=torch.uint8)
    optimizer = torch.optim.AdamW(trained, lr=0.1, weight_decay=0.1)
    losses(network(given), given, 0.0)[0].backward()
    optimizer.step()
    for module, before in zip(frozen, kept, strict=True):
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, before[name]), f"{part}: {name}, batch norms included"
    now = dict(network.named_parameters())
    learned = [name for name, before in others.items() if not torch.equal(now[name], before)]
    for other, prefix in zip(PARTS, ("backbone.trunk", "backbone.head", "network.score",
                                     "network.time"), strict=True):  # fmt: skip
        assert any(name.startswith(prefix) for name in learned) is (other != part), other


def test_the_loss_is_on_logits_and_asks_nothing_of_what_nobody_knows() -> None:
    given = batch()
    logits = torch.full((2, 6, 1), 30.0, requires_grad=True)
    given["truth"][:] = 0
    given["truth"][:, :2] = -1
    of_events, unrest = losses(logits, given, 0.5)
    assert of_events.item() == pytest.approx(30.0), "a sure mistake costs its logit, unclamped"
    of_events.backward()
    gradient = logits.grad
    assert gradient is not None
    assert bool((gradient[:, :2] == 0).all()) and bool((gradient[:, 2:] > 0).all())
    assert unrest.item() == 0


# -- the data ------------------------------------------------------------------------------------


def test_validation_is_by_video_and_has_all_labels(toys: Path) -> None:
    parts = read_parts(toy_config(toys))
    trained = {video.name for video in parts.trained}
    held = {video.name for video in parts.held}
    assert not trained & held and len(trained | held) == 8
    assert any(any(video.spans_s) for video in parts.held)
    assert any(not any(video.spans_s) for video in parts.held)


def test_a_video_that_is_trained_on_is_not_measured_on(toys: Path) -> None:
    """Neither by the same folder under another name."""
    for folder in (None, str(toys / "videos" / ".." / "videos")):
        values = {"val_annotations": str(toys / "annotations.json"), "val_video_dir": folder}
        with pytest.raises(ValueError, match="has videos that are trained on, 8 of them"):
            read_parts(load_config(write_config(toys, data=values)))


def test_proposed_events_are_neither_events_nor_none(toys: Path, tmp_path: Path) -> None:
    events = (
        MarkedEvent(EVENT, 1.0, 2.0, 1.5),
        MarkedEvent(EVENT, 3.0, 4.0, 3.5, "query", "proposed", 0.9),
        MarkedEvent(EVENT, 5.0, 5.5, 5.2, "query", "rejected", 0.9),
    )
    videos = (MarkedVideo("0.mp4", events), MarkedVideo("1.mp4", events))
    path = write_annotations(tmp_path / "some.json", Annotations(videos, (EVENT,)))
    config = toy_config(toys, data={"train_annotations": str(path)})
    parts = read_parts(config)
    times_s = np.arange(18) / 3
    truth = parts.trained[0].truth(times_s)[:, 0]
    assert truth[np.abs(times_s - 1.5).argmin()] == 1
    assert truth[np.abs(times_s - 3.5).argmin()] == -1 and parts.left_out == 2
    assert truth[np.abs(times_s - 5.2).argmin()] == 0, "rejected ones are none"
    used = read_parts(toy_config(toys, data={"train_annotations": str(path), "use_proposed": True}))
    assert used.trained[0].truth(times_s)[np.abs(times_s - 3.5).argmin(), 0] == 1


def test_pieces_show_events_and_depend_on_their_number_alone(toys: Path) -> None:
    config = toy_config(toys)
    parts = read_parts(config)
    first = Pieces(parts.trained, config, (0, 1))[3]
    again = Pieces(parts.trained, config, (0, 1))[3]
    other = Pieces(parts.trained, config, (0, 2))[3]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["pixels"], other["pixels"])
    seen = [Pieces(parts.trained, config, (0, at))[0] for at in range(6)]
    with_events = [bool(one["truth"][row].max() > 0) for one in seen for row in range(4)]
    assert 0.4 < np.mean(with_events) < 1


def test_preprocessing_goes_on_where_it_stopped(
    toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(toys, data={"cache_dir": str(tmp_path / "cache")})
    real, written = SampledVideos.write, []

    def breaks(self: SampledVideos, name: str) -> bool:
        if len(written) == 3:
            raise ValueError("the power went out")
        written.append(name)
        return real(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(SampledVideos, "write", breaks)
        assert preprocess_triggers.main(["--config", str(path)]) == 2
    capsys.readouterr()
    assert preprocess_triggers.main(["--config", str(path), "--features"]) == 0
    said = capsys.readouterr().out
    assert "8 videos, 5 of them new" in said
    assert not any(f" {name}" in said for name in written)
    assert len(list((tmp_path / "cache").rglob("*.features.npy"))) == 8
    assert preprocess_triggers.main(["--config", str(path)]) == 0
    assert "0 of them new" in capsys.readouterr().out


# -- all of it -----------------------------------------------------------------------------------


def test_trained_resumed_exported_and_asked_in_the_application(
    toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path / "local"))
    run = {"save_dir": str(tmp_path / "run"), "num_epochs": 3}
    path = write_config(toys, training=run, freezing={"visual_backbone": False})
    asked = ["fit", "--config", str(path)]
    assert trigger_video.main(asked) == 0
    assert trigger_video.main([*asked, "--resume", "--set", "training.num_epochs=6"]) == 0
    state = torch.load(tmp_path / "run" / "last.ckpt", map_location="cpu", weights_only=False)
    assert state["epoch"] == 5
    assert {"round0.ckpt", "round2.ckpt"} <= {p.name for p in (tmp_path / "run").iterdir()}
    assert export.main(["trigger_video", "--config", str(path), "--to",
                        str(tmp_path / "local" / "red")]) == 0  # fmt: skip
    model = registry.load("red")
    assert model.event == EVENT and model.index_encoder == "red_backbone"
    measured = json.loads((tmp_path / "local" / "red" / "metrics.json").read_text())
    figures = measured["validation"]["events"][EVENT]
    assert figures["average_precision"] > figures["chance"]
    nothing_is_clamped(toys, model)
    answers_in_the_application(tmp_path)


def nothing_is_clamped(toys: Path, model: Any) -> None:
    """At the lowest threshold not every frame is an event; the published one could say no less."""
    parts = read_parts(toy_config(toys))
    scores = []
    for video in parts.held:
        sampled = video.store.read(video.name)
        found = model.score(np.asarray(sampled.pixels), sampled.times_s)
        scores.append(found)
        assert found.min() < 0.1
        events = find_events(found, sampled.times_s, 0.1, 0.1)
        assert sum(event.last - event.first + 1 for event in events) < len(found)
    assert np.ptp(np.concatenate(scores)) > 0.05


def answers_in_the_application(folder: Path) -> None:
    services = Services(replace(Settings(), data_dir=folder / "data"))
    assert "red" in services.triggers.events and services.triggers.event_of("red") == EVENT
    opened = None
    for step in services.open_file(gradio_media("b.mp4"), "b.mp4"):
        opened = step.value if isinstance(step, Done) else opened
    assert opened is not None
    request = TriggerRequest(
        triggers=(TriggerAsked(event="red"), TriggerAsked(change="change of scene")),
        describer=None, detector=None, fps=1.0,
    )  # fmt: skip
    result = list(services.triggers.analyze(opened.info, request))[-1].result
    assert result is not None
    looked = result.looked_for[0]
    assert (looked.name, looked.kind) == (EVENT, "event")
    assert looked.model is not None and looked.model.name == "red"
    assert looked.highest > 0 and len(looked.curve) == result.sampling.frames == 5


def test_several_events_are_learned_side_by_side(tmp_path: Path) -> None:
    write_set(tmp_path, 4, ("a red square", "another"))
    config = toy_config(
        tmp_path, model={**toy_values(tmp_path)["model"], "trigger_detector": {"hidden_dim": 8}}
    )
    parts = read_parts(config)
    assert parts.labels.events == ("a red square", "another")
    network = TriggerVideoNetwork(config, 2, "random")
    given = Pieces(parts.trained, config, (0, 0))[0]
    assert given["truth"].shape[2] == 2
    logits = network(given)
    assert logits.shape == given["truth"].shape
    losses(logits, given, 0.1)[0].backward()
    with pytest.raises(ValueError, match="2, or 3 for a red square, another"):
        read_parts(config_with_five_classes(tmp_path))


def config_with_five_classes(folder: Path) -> Any:
    detector = {"trigger_detector": {"num_classes": 5}}
    return toy_config(folder, model={**toy_values(folder)["model"], **detector})


def test_a_folder_or_a_file_that_is_missing_is_said_before_training(
    toys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = toys / "other.yaml"
    path.write_text(yaml.safe_dump(toy_values(toys, data={"train_annotations": "gone.json"})))
    assert trigger_video.main(["fit", "--config", str(path)]) == 2
    assert "data.train_annotations" in capsys.readouterr().err
    assert trigger_video.main(["fit", "--resume", "--config", str(path)]) == 2
