"""The CNN-RNN from training to the page's service, on squares whose way is their class."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from app.action_results import NONE_OF_THESE
from app.pipelines.recognizing import RecognizeRequest
from app.services import Services
from app.settings import Settings
from models import registry
from models.catalogue import model_facts
from models.class_quality import class_quality
from models.cnn_rnn import CnnRnnClassifier
from models.cnn_rnn_layers import CnnRnnShape, name_segments
from models.cnn_rnn_network import CnnRnn, FrameFeatures, trunk_dim
from models.errors import CheckpointError, RequestError
from models.local_checkpoints import LOCAL_VARIABLE
from models.types import VideoInfo
from models.video.source import VideoSource
from tests.real_media import gradio_media
from tests.unit.direction_toys import LABELS, moving, toy_config, write_ucf101, write_video
from train import analyze_actions, cnn_rnn, evaluate, export
from train.cnn_rnn_config import CnnRnnConfig, CnnRnnLearning, load_config
from train.cnn_rnn_export import export_cnn_rnn
from train.cnn_rnn_report import most_confused, read_curves

TRUNK = "test_resnet"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ucf101(tmp_path_factory.mktemp("ucf101"))


@pytest.fixture(scope="module")
def home(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained, tested and exported by the commands, once for all."""
    folder = tmp_path_factory.mktemp("cnn_rnn")
    config = str(toy_config(folder, data))
    assert cnn_rnn.main(["fit", "--config", config]) == 0
    assert cnn_rnn.main(["test", "--config", config]) == 0
    target = str(folder / "local" / "toy")
    assert export.main(["cnn_rnn", "--config", config, "--to", target]) == 0
    return folder


@pytest.fixture
def services(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv(LOCAL_VARIABLE, str(home / "local"))
    return Services(Settings(data_dir=tmp_path / "data", library=False))


def info_of(path: Path) -> VideoInfo:
    with VideoSource(path, content_hash="f" * 64) as source:
        return source.info


# -- the network -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attention": False},
        {"bidirectional": False},
        {"recurrent": False},
        {"recurrent": False, "attention": False},
        {"layers": 2},
    ],
    ids=str,
)
def test_every_variant_is_built_and_numpy_computes_the_same(changes: dict[str, bool]) -> None:
    torch.manual_seed(0)
    shape = CnnRnnShape(TRUNK, trunk_dim(TRUNK), 3, hidden=8, attention_dim=4, **changes)  # type: ignore[arg-type]
    network = CnnRnn(shape).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    frames = torch.randint(0, 255, (2, 5, 32, 32, 3), dtype=torch.uint8)
    folded = network.folded()
    with torch.inference_mode():
        wanted = network(frames)
        features = FrameFeatures(folded)(frames.flatten(0, 1)).unflatten(0, (2, 5))
        backwards = network(frames.flip(1))
    arrays = {name: tensor.numpy() for name, tensor in folded.state_dict().items()}
    assert set(shape.head_tensors()) == {name for name in arrays if not name.startswith("frames.")}
    logits, weights = name_segments(arrays, shape, features.numpy())
    assert np.allclose(logits, wanted.numpy(), atol=1e-5)
    assert weights.shape == (2, 5) and np.allclose(weights.sum(1), 1)
    order_matters = not torch.allclose(wanted, backwards, atol=1e-6)
    assert order_matters is shape.recurrent


def test_the_trunk_opens_from_its_end(data: Path, tmp_path: Path) -> None:
    learning = CnnRnnLearning(frozen_rounds=5, rounds_between=3)
    opened = [learning.open_at(number) for number in (0, 4, 5, 7, 8, 40)]
    assert opened == [(), (), ("layer4",), ("layer4",), *[("layer4", "layer3")] * 2]
    staged = {"frozen_rounds": 1, "rounds_between": 1, "unfreeze": ["layer4", "layer3"]}
    path = toy_config(
        tmp_path, data, learning={**staged, "train_batch_norms": False}, run={"max_rounds": 2}
    )
    began = timm.create_model(TRUNK, pretrained=False, num_classes=0).state_dict()
    save_file(began, tmp_path / "trunk.safetensors")
    config = load_config(path, [f"pretrained={tmp_path / 'trunk.safetensors'}"])
    ended = cnn_rnn.fit(config, resume=False).network.frames.trunk.state_dict()
    moved = {name.split(".")[0] for name in began if not torch.equal(began[name], ended[name])}
    assert moved == {"layer4"}, "the second round opens one part, and no norm counts on"
    with pytest.raises(ValueError, match="layer9"):
        load = load_config(toy_config(tmp_path, data, learning={"unfreeze": ["layer9"]}))
        cnn_rnn.CnnRnnTraining(load, LABELS)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("model.dropout=1.5", "model.dropout"),
        ("data.kind=hmdb", "data.kind"),
        ("data.side_px=500", "short_side_px"),
        ("data.held_share=0", "held_share"),
        ("learning.frozen_rounds=-1", "frozen_rounds"),
        ("model.trunk=resnet1", "resnet1"),
        ("data.split=3", "trainlist03"),
        ("model.attentoin=false", "attentoin"),
    ],
)
def test_a_wrong_flag_is_named_before_any_training(
    setting: str, said: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(toy_config(tmp_path, data))
    assert cnn_rnn.main(["fit", "--config", config, "--set", setting]) == 2
    assert said in capsys.readouterr().err


def test_the_published_config_is_the_published_recipe() -> None:
    config = load_config(Path("train/configs/ucf101_resnet18.yaml"))
    assert (config.model.trunk, config.data.frames, config.data.stride) == ("resnet18", 16, 2)
    assert (config.data.side_px, config.data.batch_size, config.run.accumulate) == (144, 4, 2)
    assert config.run.max_rounds == 45 and config.run.patience == 8
    assert config.learning.warmup_share * 45 == pytest.approx(5, abs=0.01)
    assert config.learning.frozen_rounds == 5 and config.pretrained == "hub"
    for trunk in ("resnet34", "resnet50"):
        changed = load_config(Path("train/configs/ucf101_resnet18.yaml"), [f"model.trunk={trunk}"])
        assert trunk_dim(changed.model.trunk) == (2048 if trunk == "resnet50" else 512)


# -- trained ---------------------------------------------------------------------------------------


def test_it_learns_which_way_and_the_run_is_analyzed(home: Path, tmp_path: Path) -> None:
    config = str(home / "toy.yaml")
    assert analyze_actions.main(["run", "--config", config, "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["test"]["examples"] == 8 and report["test"]["top1"] >= 0.8
    assert np.sum(report["confusion"]) == 8 and set(report["per_class"]) == set(LABELS)
    assert len(report["curves"]["val/top1"]) == len(report["curves"]["train/loss"]) == 6
    for picture in ("run_confusion.png", "run_curves.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "run.md").read_text()
    assert "8 test videos" in text and "| MoveLeft | 4 |" in text
    evaluate.main(["cnn_rnn", "--config", config, "--run", str(home / "run"), "--out",
                   str(tmp_path / "again")])  # fmt: skip
    assert json.loads((tmp_path / "again" / "run.json").read_text())["test"] == report["test"]


def test_most_confused_pairs_come_first() -> None:
    matrix = np.array([[5, 1, 0], [3, 2, 0], [0, 0, 0]])
    pairs = most_confused(matrix, ("a", "b", "c"))
    assert [(p["shown"], p["said"], p["count"], p["of"]) for p in pairs] == [
        ("b", "a", 3, 5), ("a", "b", 1, 6),
    ]  # fmt: skip


def test_training_goes_on_as_if_it_had_not_stopped(data: Path, tmp_path: Path) -> None:
    def state(folder: str, stops: tuple[int, ...]) -> dict[str, torch.Tensor]:
        (tmp_path / folder).mkdir()
        for number, rounds in enumerate(stops):
            config = load_config(
                toy_config(tmp_path / folder, data, run={"max_rounds": rounds},
                           learning={"warmup_share": 0.0, "final_share": 1.0})
            )  # fmt: skip
            model = cnn_rnn.fit(config, resume=number > 0)
        assert len(read_curves(tmp_path / folder / "run")["train/loss"]) == stops[-1]
        return model.network.state_dict()

    whole, stopped = state("whole", (2,)), state("stopped", (1, 2))
    for name, tensor in whole.items():
        assert torch.allclose(tensor.float(), stopped[name].float(), atol=1e-5), name
    config = str(tmp_path / "toy.yaml")
    toy_config(tmp_path, data, run={"folder": str(tmp_path / "nothing")})
    assert cnn_rnn.main(["fit", "--config", config, "--resume"]) == 2


def test_the_test_part_is_not_read_while_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    from train.data import action_segments

    whole = action_segments.read_segments

    def watched(path: Path, *rest: object) -> np.ndarray:  # type: ignore[type-arg]
        read.append(path)
        return whole(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(action_segments, "read_segments", watched)
    config = load_config(toy_config(tmp_path, data, run={"max_rounds": 1}))
    cnn_rnn.fit(config, resume=False)
    tested = {video.path for video in config.data.parts().test}
    assert read and not tested & set(read)


def test_ablations_by_one_command(home: Path, data: Path, tmp_path: Path) -> None:
    """Without an order nothing can be told of the way; what was trained is not trained again."""
    names = ["as configured", "mean of frames"]
    command = ["ablation", "--config", str(home / "toy.yaml"), "--out", str(tmp_path), "--only"]
    assert analyze_actions.main([*command, *names]) == 0
    rows = json.loads((tmp_path / "run_ablation.json").read_text())["rows"]
    assert list(rows) == names
    assert rows["as configured"]["top1"] >= 0.8 > 0.7 >= rows["mean of frames"]["top1"]
    assert "| mean of frames |" in (tmp_path / "run_ablation.md").read_text()
    for name in analyze_actions.VARIANTS:
        config = analyze_actions.variant_of(load_config(home / "toy.yaml"), name)
        assert isinstance(config, CnnRnnConfig)
        config.check()
    folders = {
        analyze_actions.variant_of(load_config(home / "toy.yaml"), name).run.folder
        for name in analyze_actions.VARIANTS
    }
    assert len(folders) == len(analyze_actions.VARIANTS)


# -- exported --------------------------------------------------------------------------------------


def test_the_checkpoint_says_all_of_itself(home: Path) -> None:
    config = json.loads((home / "local" / "toy" / "config.json").read_text())
    assert config["kind"] == "segment_classifier" and config["labels"] == list(LABELS)
    assert config["preprocessing"]["segment_s"] == pytest.approx(8 * 3 / 25)
    assert config["decision"]["known_from"] is None and config["decision"]["temperature"] > 0
    metrics = json.loads((home / "local" / "toy" / "metrics.json").read_text())
    assert metrics["test"]["top1"] >= 0.8 and metrics["validation"]["examples"] > 0
    quality = class_quality(metrics)
    assert quality is not None and quality.labels == LABELS and "8 test videos" in quality.protocol
    assert "whatever it is shown" in (home / "local" / "toy" / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_both_engines_name_the_way(
    engine: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMESCRY_ENGINE", engine)
    model = CnnRnnClassifier(home / "local" / "toy")
    assert model.engine == engine
    frames = np.stack([moving(label, 77, model.frames_per_segment) for label in LABELS])
    shares = model.classify_segments(frames)
    assert shares.shape == (2, 2) and np.allclose(shares.sum(1), 1, atol=1e-5)
    assert [LABELS[at] for at in shares.argmax(1)] == list(LABELS)
    reversed_ = model.classify_segments(frames[:, ::-1])
    assert [LABELS[at] for at in reversed_.argmax(1)] == list(LABELS[::-1])
    with pytest.raises(ValueError, match="segments are u8"):
        model.classify_segments(frames[0])


def test_others_set_from_when_on_it_names_none(home: Path, tmp_path: Path, data: Path) -> None:
    for number in range(4):
        still = np.repeat(moving("MoveLeft", number)[12:13], 24, axis=0)
        write_video(tmp_path / "others" / f"still{number}.avi", still)
    settings = [f"data.others={tmp_path / 'others'}"]
    config = load_config(home / "toy.yaml", settings)
    made = export_cnn_rnn(config, home / "run" / "best.ckpt", tmp_path / "toy")
    known_from = made.config["decision"]["known_from"]
    assert 0 <= known_from <= 1 and made.metrics["unknown"]["examples"] > 0
    assert CnnRnnClassifier(tmp_path / "toy").known_from == pytest.approx(known_from)


def test_nothing_untrained_and_nothing_damaged_answers(
    home: Path, data: Path, tmp_path: Path
) -> None:
    config = load_config(toy_config(tmp_path, data))
    with pytest.raises(ValueError, match="fit first"):
        cnn_rnn.best_checkpoint(config)
    with pytest.raises(ValueError, match="--run"):
        export_cnn_rnn(config, tmp_path / "none.ckpt", tmp_path / "made")
    assert not (tmp_path / "made").exists()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in (home / "local" / "toy").iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="damaged has no model.safetensors"):
        CnnRnnClassifier(damaged)
    described = json.loads((home / "local" / "toy" / "config.json").read_text())
    (damaged / "model.safetensors").write_bytes(
        (home / "local" / "toy" / "model.safetensors").read_bytes()
    )
    described["architecture"]["hidden"] = 12
    (damaged / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="do not fit its architecture"):
        CnnRnnClassifier(damaged)


# -- asked by the application ----------------------------------------------------------------------


def test_the_service_offers_it_and_names_a_real_video(services: Services) -> None:
    assert "toy" in services.actions.checkpoints
    assert services.actions.checkpoints[0] == "action_classifier"
    assert services.actions.looks_at_segments("toy")
    facts = model_facts(registry.entry_of("toy"))
    assert facts.problem is None and facts.quality.short.startswith("right for ")
    assert services.actions.class_quality("toy") is not None
    video = info_of(gradio_media("b.mp4"))
    steps = list(services.actions.recognize(video, RecognizeRequest("toy", every_s=2.0)))
    assert steps[-1].complete and steps[-1].result is not None
    result = steps[-1].result
    assert result.model.name == "toy" and result.every_s == 2.0 and not result.zero_shot
    assert result.windows[0].start_s == pytest.approx(video.start_s)
    assert result.windows[-1].end_s == pytest.approx(video.end_s, abs=2.0)
    assert result.stretches[-1].end_s <= video.end_s + 1e-6
    assert NONE_OF_THESE not in {window.label for window in result.windows}
    assert result.to_json()["every_s"] == 2.0


def two_ways(folder: Path) -> VideoInfo:
    """Three times to the right, then three times to the left."""
    each = 24
    parts = [moving(label, 50 + at, each) for label in LABELS[::-1] for at in range(3)]
    return info_of(write_video(folder / "ways.mp4", np.concatenate(parts), codec="libx264"))


def test_actions_change_over_time_and_are_kept(services: Services, tmp_path: Path) -> None:
    video = two_ways(tmp_path)
    request = RecognizeRequest("toy")
    steps = list(services.actions.recognize(video, request))
    result = steps[-1].result
    assert result is not None
    assert [s.label for s in result.stretches] == ["MoveRight", "MoveLeft"]
    assert abs(result.stretches[0].end_s - 2.88) < 0.3
    assert result.stretches[-1].end_s == pytest.approx(video.end_s)
    assert any(step.result is not None and not step.complete for step in steps)
    assert not result.timing.from_index and result.sampling.frames == 8 * len(result.windows)
    pictures = services.actions.pictures(
        result, [frame.time_s for frame in result.stretches[0].looked_at]
    )
    assert pictures and all(jpeg[:2] == b"\xff\xd8" for jpeg in pictures)
    (again,) = [s for s in services.actions.recognize(video, request) if s.result is not None]
    assert again.complete and again.result is not None and again.result.timing.from_index
    assert [w.top for w in again.result.windows] == [w.top for w in result.windows]
    closer = list(services.actions.recognize(video, RecognizeRequest("toy", every_s=0.5)))[-1]
    assert closer.result is not None and not closer.result.timing.from_index
    assert len(closer.result.windows) > len(result.windows)


def test_it_stops_when_it_is_closed(services: Services, tmp_path: Path) -> None:
    steps: Iterator[object] = services.actions.recognize(
        two_ways(tmp_path), RecognizeRequest("toy")
    )
    for step in steps:
        if getattr(step, "result", None) is not None:
            break
    steps.close()  # type: ignore[attr-defined]
    again = list(services.actions.recognize(two_ways(tmp_path), RecognizeRequest("toy")))
    assert again[-1].complete and again[-1].result is not None
    assert not again[-1].result.timing.from_index, "what was half done is not kept"


@pytest.mark.parametrize("every_s", [0.0, -1.0, float("nan"), 1e6])
def test_odd_distances_are_refused(every_s: float) -> None:
    with pytest.raises(RequestError, match="Segments begin"):
        RecognizeRequest("toy", every_s=every_s)


def test_a_checkpoint_that_is_not_there_is_named(services: Services, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no_such.*action_classifier.*toy"):
        list(services.actions.recognize(two_ways(tmp_path), RecognizeRequest("no_such")))
