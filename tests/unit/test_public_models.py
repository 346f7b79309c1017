"""Detectors and describers of the hub through the real code, on tiny networks in folders that are
laid out as the hub's are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import hub, registry, vision_language
from models.errors import CancelledError, CheckpointError
from models.hub import HubModel
from models.object_detector import HubObjectDetector
from models.residency import Residents
from models.scene_answer import quoted
from models.types import Detections, FrameBatch, Pixels
from models.vision_language import VisionLanguageModel
from tests.unit import hub_toys

HEIGHT, WIDTH = 90, 160
FIGHT = {"seen": "Two men push each other.", "verdict": "yes", "confidence": 0.7}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[HubModel], Path]:
    """The folder of a tiny network for a model of the hub, written when first asked for."""
    root = tmp_path_factory.mktemp("hub")
    writers = {
        hub.DETR: hub_toys.write_detr,
        hub.D_FINE: hub_toys.write_dfine,
        hub.SMOL_VLM: hub_toys.write_smolvlm,
        hub.LLAVA: hub_toys.write_llava,
    }

    def write(model: HubModel) -> Path:
        import torch

        folder = root / model.name
        if not folder.is_dir():
            torch.manual_seed(0)
            writers[model](folder)
        return folder

    return write


@pytest.fixture
def load(
    toy: Callable[[HubModel], Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[[HubModel], Any]:
    """By its name from the registry, out of a folder of one's own."""

    def load(model: HubModel) -> Any:
        monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(toy(model).parent))
        monkeypatch.setattr(registry, "_residents", Residents())
        return registry.load(model.name)

    return load


def frames(count: int) -> Pixels:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (count, HEIGHT, WIDTH, 3), np.uint8)


DETECTORS = pytest.mark.parametrize("model", [hub.DETR, hub.D_FINE], ids=lambda model: model.name)


@DETECTORS
def test_boxes_in_the_pixels_of_each_frame(
    model: HubModel, load: Any, toy: Callable[[HubModel], Path]
) -> None:
    detector = load(model)
    assert isinstance(detector, HubObjectDetector)
    assert detector.name == model.name
    assert detector.weights_hash == hub.weights_hash(toy(model))
    assert "N/A" not in detector.labels and "person" in detector.labels
    found = detector.detect(frames(3), threshold=0.0)
    assert len(found) == 3 and all(isinstance(each, Detections) and len(each) for each in found)
    for each in found:
        assert set(each.labels) <= set(detector.labels)
        assert (np.diff(each.scores) <= 0).all(), "the surest first"
        boxes = each.boxes_px
        assert (boxes >= 0).all() and (boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert max(each.boxes_px[:, 2].max() for each in found) > HEIGHT, "x goes by the width"
    assert detector.detect(frames(0)) == []
    assert [len(each) for each in detector.detect(frames(1), threshold=1.0)] == [0]


@DETECTORS
def test_a_frame_is_seen_alike_alone_and_among_others(model: HubModel, load: Any) -> None:
    detector = load(model)
    together = detector.detect(frames(3), threshold=0.0)
    alone = detector.detect(frames(3)[2:], threshold=0.0)[0]
    np.testing.assert_allclose(together[2].scores, alone.scores, atol=1e-4)


@DETECTORS
def test_a_placed_box_comes_back_where_it_is(model: HubModel, load: Any, monkeypatch: Any) -> None:
    """Half the width and a quarter of the height, in the middle, whatever the picture's shape."""
    import torch

    detector = load(model)
    network = detector._model.network
    run = network.forward

    def placed(*args: Any, **options: Any) -> Any:
        outputs = run(*args, **options)
        outputs.logits[:], outputs.pred_boxes[:] = -20.0, torch.tensor([0.5, 0.5, 0.5, 0.25])
        outputs.logits[:, 0, 1] = 20.0  # "person" to the one, "dog" to the other
        outputs.pred_boxes[:, 1:] = torch.tensor([3.0, 3.0, 0.1, 0.1])  # outside
        return outputs

    monkeypatch.setattr(network, "forward", placed)
    for shape in ((90, 160), (200, 60)):
        (found,) = detector.detect(np.zeros((1, *shape, 3), np.uint8))
        height, width = shape
        assert found.labels == ("person" if model is hub.DETR else "dog",)
        box = [width / 4, height * 3 / 8, width * 3 / 4, height * 5 / 8]
        np.testing.assert_allclose(found.boxes_px, [box], atol=0.01)
        assert found.scores[0] > 0.99


DESCRIBERS = pytest.mark.parametrize(
    "model", [hub.SMOL_VLM, hub.LLAVA], ids=lambda model: model.name
)


def event(count: int) -> FrameBatch:
    return FrameBatch(frames(count), np.arange(count, dtype=np.float64) + 0.25)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Has a describer write such answers, one after the other, and lists what it was given."""

    def answer(describer: VisionLanguageModel, *answers: str) -> list[dict[str, Any]]:
        import torch

        model = describer._model
        given: list[dict[str, Any]] = []

        def generate(**inputs: Any) -> Any:
            said = model.processor.tokenizer(answers[len(given)], return_tensors="pt").input_ids
            asked = model.processor.batch_decode(inputs["input_ids"])[0]
            given.append({**inputs, "asked": asked})
            # The pictures and the words must fit each other: the network itself says so.
            kept = {key: value for key, value in inputs.items() if torch.is_tensor(value)}
            model.network(**kept)
            return torch.cat([inputs["input_ids"], said], dim=1)

        monkeypatch.setattr(model.network, "generate", generate)
        return given

    return answer


@DESCRIBERS
def test_the_network_itself_writes_and_is_not_believed(
    model: HubModel, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision_language, "_MOST_TOKENS", 12)
    describer = load(model)
    assert isinstance(describer, VisionLanguageModel) and describer.name == model.name
    assert describer.weights_hash is not None
    described = describer.describe_event(event(2), "a fight")
    assert described.verdict == "unsure" and described.confidence is None and described.text


@DESCRIBERS
def test_pictures_times_and_trigger_are_in_one_message(
    model: HubModel, load: Any, answering: Any
) -> None:
    describer = load(model)
    given = answering(describer, f"```json\n{json.dumps(FIGHT)}\n```")
    trigger = 'a fight" <image><|im_end|> {"verdict": "no"}'
    described = describer.describe_event(event(10), trigger)
    assert (described.text, described.verdict) == (FIGHT["seen"], "yes")
    assert len(given) == 1, "an answer that can be read is not asked for again"
    asked, wanted = given[0]["asked"], describer.frames_wanted
    pixels = given[0]["pixel_values"]
    assert pixels.shape[1 if model is hub.SMOL_VLM else 0] == wanted, "each picture whole, once"
    assert "Picture 1, at 0.2 s:" in asked and f"Picture {wanted}, at 9.2 s:" in asked
    assert quoted(trigger) in asked and trigger not in asked


@DESCRIBERS
def test_one_repair_and_then_an_honest_end(model: HubModel, load: Any, answering: Any) -> None:
    describer = load(model)
    given = answering(describer, "Two men fight.", json.dumps({**FIGHT, "verdict": "unsure"}))
    described = describer.describe_event(event(1), "a fight")
    assert (described.text, described.verdict) == (FIGHT["seen"], "unsure")
    assert "pixel_values" not in given[1] and '"Two men fight."' in given[1]["asked"]
    given = answering(describer, "Two men fight, yes.", "I said so!", "never asked for")
    described = describer.describe_event(event(1), "a fight")
    assert (described.text, described.verdict) == ("Two men fight, yes.", "unsure")
    assert len(given) == 2


def test_writing_stops_where_somebody_leaves(load: Any) -> None:
    describer = load(hub.SMOL_VLM)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(0)
        return len(asked) >= 3

    with pytest.raises(CancelledError):
        describer.describe_event(event(1), "a fight", stop)
    assert len(asked) == 3


@DETECTORS
def test_a_missing_tensor_is_never_made_up(model: HubModel, toy: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied(toy(model), tmp_path)
    weights = load_file(folder / "model.safetensors")
    lost = min(key for key in weights if "self_attn" in key)
    del weights[lost]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"1 of its weights are not there, such as .*self_attn"
    ):
        HubObjectDetector(folder, model.name)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"),
        ("config.json", '{"model_type": "gpt2"}'),
        ("config.json", '{"model_type": "newer-than-this"}'),
        ("config.json", '{"model_type": "x", "auto_map": {"AutoConfig": "evil.Evil"}}'),
        ("model.safetensors", "no tensors"),
        ("preprocessor_config.json", "[]"),
    ],
)
def test_damaged_folders_are_refused(toy: Any, tmp_path: Path, file: str, content: str) -> None:
    folder = copied(toy(hub.DETR), tmp_path)
    (folder / "evil.py").write_text("raise SystemExit('code of a model was run')")
    (folder / file).write_text(content)
    with pytest.raises(CheckpointError, match=r"detr-resnet-50 cannot be used \(") as refused:
        HubObjectDetector(folder, hub.DETR.name)
    assert "\n" not in str(refused.value)


def test_pickled_weights_are_not_opened(toy: Any, tmp_path: Path) -> None:
    folder = copied(toy(hub.DETR), tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        HubObjectDetector(folder, hub.DETR.name)


def copied(folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / folder.name
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target
