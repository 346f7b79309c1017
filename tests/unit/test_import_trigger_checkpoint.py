"""A file of the published trigger system becomes a model that answers as the system did, or none.

The published network is built here as its authors describe it: torchvision's ResNet as a plain
sequence, a projection of two layers, an LSTM over frames and a classifier.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import registry
from models.local_checkpoints import LOCAL_VARIABLE
from train.import_trigger_checkpoint import main
from train.published_file import examine, read_file
from train.published_names import architecture_of, our_name

SIDE_PX = 32
FEATURES, HIDDEN = 24, 16
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class PublishedSystem(nn.Module):
    """The parts that have weights; `time_aware_encoder` and the describer never answered."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        import torchvision

        torch.manual_seed(0)
        resnet = torchvision.models.resnet18(weights=None)
        self.visual_encoder = nn.Module()
        self.visual_encoder.backbone = nn.Sequential(*list(resnet.children())[:-1])
        self.visual_encoder.projection = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, FEATURES), nn.ReLU(),
            nn.Dropout(0.1), nn.Linear(FEATURES, FEATURES),
        )  # fmt: skip
        detector = self.trigger_detector = nn.Module()
        detector.feature_projection = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Dropout(0.2), nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
        )  # fmt: skip
        detector.temporal_encoder = nn.LSTM(HIDDEN, HIDDEN, batch_first=True)
        detector.classifier = nn.Sequential(
            nn.Linear(HIDDEN, HIDDEN // 2), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(HIDDEN // 2, classes),
        )  # fmt: skip
        self.time_aware_encoder = nn.Linear(FEATURES, 8)
        self.temporal_llm = nn.Linear(8, 8)
        for tensor in self.trigger_detector.parameters():
            nn.init.normal_(tensor, std=0.8)  # so that answers differ from frame to frame

    @torch.inference_mode()
    def probabilities(self, frames: np.ndarray) -> Tensor:  # type: ignore[type-arg]
        """[T, classes], before the published clamp."""
        pixels = (torch.from_numpy(frames).float() / 255 - MEAN) / STD
        encoder, detector = self.visual_encoder, self.trigger_detector
        x = encoder.projection(encoder.backbone(pixels.permute(0, 3, 1, 2)))
        x, _ = detector.temporal_encoder(detector.feature_projection(x)[None])
        logits = detector.classifier(x)[0]
        return logits.sigmoid() if logits.shape[1] == 2 else logits.softmax(1)


def save(path: Path, system: nn.Module, **changes: Any) -> Path:
    state = {"epoch": 9, "model_state_dict": system.state_dict(), "loss": 0.1, **changes}
    torch.save(state, path)
    return path


def frames(count: int = 7) -> np.ndarray:  # type: ignore[type-arg]
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (count, 4, 4, 3), np.uint8)
    return coarse.repeat(SIDE_PX // 4, 1).repeat(SIDE_PX // 4, 2)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "local"
    monkeypatch.setenv(LOCAL_VARIABLE, str(folder))
    monkeypatch.setenv("FRAMESCRY_ENGINE", "torch")
    return folder


def imported(file: Path, *more: str) -> int:
    return main([str(file), "--side", str(SIDE_PX), *more])


def test_it_answers_as_the_published_system_did(tmp_path: Path, local: Path) -> None:
    system = PublishedSystem().eval()
    file = save(tmp_path / "theft.pt", system)
    assert imported(file, "--event", "a theft", "--threshold", "0.3") == 0
    model = registry.load("theft")
    assert (model.event, model.start_at) == ("a theft", 0.3)
    said = model.score(frames(), np.arange(7) / 3.0)
    wanted = system.probabilities(frames())[:, 1].numpy()
    assert np.ptp(wanted) > 0.05, "a test of equal answers needs answers that differ"
    np.testing.assert_allclose(said, wanted, atol=0.02)
    report = json.loads((local / "theft_report.json").read_text())
    assert report["usable"] and report["trunk"] == "resnet18"
    assert report["not_part_of_the_answer"]["time_aware_encoder"]["tensors"] == 2
    assert report["quality"].startswith("not measured")
    assert registry.names("trigger_scorer") == ("trigger_detector", "theft")


def test_several_classes_keep_their_softmax(tmp_path: Path, local: Path) -> None:
    system = PublishedSystem(classes=3).eval()
    file = save(tmp_path / "several.pt", system)
    assert imported(file, "--event", "a theft", "--event", "a fall") == 0
    model = registry.load("several")
    wanted = system.probabilities(frames())[:, 1:].numpy()
    np.testing.assert_allclose(model.score_events(frames(), np.arange(7) / 3.0), wanted, atol=0.02)
    assert [one.event for one in model.by_event] == ["a theft", "a fall"]


def test_what_is_missing_is_named_and_no_model_is_made(
    tmp_path: Path, local: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = PublishedSystem().state_dict()
    del state["trigger_detector.classifier.0.weight"]
    del state["visual_encoder.backbone.4.0.conv1.weight"]
    file = tmp_path / "torn.pt"
    torch.save({"model_state_dict": {**state, "something.else": torch.zeros(3)}}, file)
    assert imported(file) == 2
    assert "makes no model" in capsys.readouterr().err
    report = json.loads((local / "torn_report.json").read_text())
    assert report["missing"] == ["trunk.layer1.0.conv1.weight", "classifier.0.weight"]
    assert report["unexpected"] == ["something.else"]
    assert not report["usable"]
    assert not (local / "torn").exists() and not (local / "torn_backbone").exists()


class Harmful:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"import pathlib; pathlib.Path({str(self._mark)!r}).touch()",)


def test_pickled_code_is_refused_in_one_sentence(
    tmp_path: Path, local: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "it was run"
    file = save(tmp_path / "harmful.pt", PublishedSystem(), extra=Harmful(mark))
    assert imported(file) == 2
    said = capsys.readouterr().err
    assert "pickled code" in said and len(said.strip().splitlines()) == 1
    assert not mark.exists(), "and none of it was run"


def test_a_file_of_something_else_is_no_checkpoint(tmp_path: Path) -> None:
    text = tmp_path / "text.pt"
    text.write_text("no weights")
    with pytest.raises(ValueError, match="text.pt"):
        read_file(text)
    other = tmp_path / "other.pt"
    torch.save({"model_state_dict": {"a.weight": torch.zeros(2)}}, other)
    published = examine(read_file(other))
    assert published.architecture is None and not published.report.fits
    assert "a.weight" in published.report.unexpected


def test_torchvisions_names_of_every_trunk_are_timms() -> None:
    import timm
    import torchvision

    for name in ("resnet18", "resnet50", "efficientnet_b0"):
        network = getattr(torchvision.models, name)(weights=None)
        sequence = nn.Sequential(*list(network.children())[:-1])
        wanted = {n: tuple(t.shape) for n, t in
                  timm.create_model(name, num_classes=0).state_dict().items()}  # fmt: skip
        for prefix, module in (("visual_encoder.backbone.", sequence), ("backbone.", network)):
            found = {our_name(prefix + n).removeprefix("trunk."): tuple(t.shape)
                     for n, t in module.state_dict().items()}  # fmt: skip
            assert {n: found.get(n) for n in wanted} == wanted, (name, prefix)
            assert architecture_of({f"trunk.{n}": size for n, size in found.items()}) == name
