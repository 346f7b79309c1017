"""CLIP and SigLIP 2 by the real loading path, on tiny networks in folders laid out as the hub's."""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.pipelines.requests import SearchRequest
from app.progress import Done
from app.results import SearchResult
from app.services import Services
from app.settings import Settings
from models import gpu_calls, hub, registry
from models.certainty import COMPARED, OWN
from models.device import ZERO_GPU_VARIABLE
from models.errors import CheckpointError, ModelUnavailableError
from models.hub import HubModel
from models.image_text_encoder import ImageTextEncoder
from models.residency import Residents
from models.types import Pixels
from tests.real_media import gradio_media
from tests.unit import image_text_toys
from tests.unit.lent_gpu import LentGpu

BOTH = pytest.mark.parametrize("model", [hub.CLIP, hub.SIGLIP_2], ids=lambda model: model.name)
TEXTS = ["a dog", "a much longer text about a cat in a hat", "7 red cars"]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    root = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    image_text_toys.write_clip(root / hub.CLIP.name)
    # As the hub calls it, owner and all.
    image_text_toys.write_siglip2(root / hub.SIGLIP_2.repository)
    return root


@pytest.fixture(scope="module")
def kept() -> Residents:
    """What is loaded once is shared by the tests."""
    return Residents()


@pytest.fixture
def load(
    toys: Path, kept: Residents, monkeypatch: pytest.MonkeyPatch
) -> Callable[[HubModel], ImageTextEncoder]:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(toys))
    monkeypatch.setattr(registry, "_residents", kept)
    return lambda model: registry.load(model.name)


def frames(count: int, height: int = 50, width: int = 80) -> Pixels:
    return np.random.default_rng(0).integers(0, 255, (count, height, width, 3), np.uint8)


@BOTH
def test_frames_and_texts_come_into_one_space(model: HubModel, load: Any) -> None:
    encoder = load(model)
    assert isinstance(encoder, ImageTextEncoder)
    assert model.name in registry.names("frame_text_encoder")
    assert (encoder.name, encoder.index_encoder) == (model.name, model.name)
    assert encoder.weights_hash == hub.weights_hash(hub.fetch(model))
    seen, said = encoder.encode_frames(frames(5)), encoder.encode_texts(TEXTS)
    assert seen.shape == (5, encoder.dim) and said.shape == (3, encoder.dim)
    assert seen.dtype == said.dtype == np.float32
    for rows in (seen, said):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    # Each alone as among others, whatever the padding and the size of the batch.
    np.testing.assert_allclose(encoder.encode_frames(frames(5)[3:4])[0], seen[3], atol=0.02)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS[:1])[0], said[0], atol=1e-4)
    # The index holds half precision; what comes out of it has length one again.
    np.testing.assert_allclose(encoder.project(seen.astype(np.float16)), seen, atol=2e-3)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)
    assert encoder.encode_frames(frames(0)).shape == (0, encoder.dim)


@BOTH
def test_openvino_says_what_torch_says_and_torch_what_the_network_says(
    model: HubModel, load: Any, toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    fast = load(model)
    assert fast.engine == "openvino"
    monkeypatch.setenv("FRAMESCRY_ENGINE", "torch")
    plain = ImageTextEncoder(hub.fetch(model), model.name)
    assert plain.engine == "torch"
    wanted = plain.encode_frames(frames(3))
    assert ((fast.encode_frames(frames(3)) * wanted).sum(axis=1) > 0.999).all()
    processor, network = plain._model.processor, plain._model.network
    inputs = processor(images=list(frames(3)), return_tensors="pt")
    with torch.inference_mode():
        by_hand = network.get_image_features(**inputs).pooler_output.numpy()
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    np.testing.assert_allclose(wanted, by_hand, atol=1e-4)


def test_colours_are_red_green_blue(load: Any) -> None:
    """As the processor takes a picture from a file, which is RGB."""
    import torch
    from PIL import Image

    encoder = load(hub.SIGLIP_2)
    red = np.zeros((1, 40, 60, 3), np.uint8)
    red[..., 0] = 250
    inputs = encoder._model.processor(images=Image.fromarray(red[0]), return_tensors="pt")
    with torch.inference_mode():
        wanted = encoder._model.network.get_image_features(**inputs).pooler_output.numpy()[0]
    found = encoder.encode_frames(red)[0]
    assert found @ wanted / np.linalg.norm(wanted) > 0.999
    assert found @ encoder.encode_frames(red[..., ::-1].copy())[0] < 0.99


def test_siglip_reads_lower_case_padded_behind_the_end(load: Any) -> None:
    encoder = load(hub.SIGLIP_2)
    ids = encoder._read(["A Dog", "x" * 500])["input_ids"]
    assert ids.shape == (2, 64) and set(encoder._read(["a"])) == {"input_ids"}
    tokenizer = encoder._model.processor.tokenizer
    words = tokenizer("a dog", add_special_tokens=False)["input_ids"]
    end, padding = tokenizer.eos_token_id, tokenizer.pad_token_id
    assert ids[0].tolist() == [*words, end, *[padding] * (63 - len(words))]
    assert ids[1, -1] == end and (ids[1, :-1] != padding).all(), "what is too long is cut"
    np.testing.assert_allclose(*encoder.encode_texts(["A DOG", "a dog"]), atol=1e-6)


def test_siglips_probability_is_its_own_and_clip_gives_none(load: Any) -> None:
    import torch

    siglip, clip = load(hub.SIGLIP_2), load(hub.CLIP)
    assert (siglip.certainty, siglip.picture_certainty) == (OWN, COMPARED)
    assert (clip.certainty, clip.picture_certainty) == (COMPARED, COMPARED)
    pixels = torch.from_numpy(siglip._prepared(frames(2)))
    with torch.inference_mode():
        out = siglip._model.network(pixel_values=pixels, **siglip._read(TEXTS))
    wanted = torch.sigmoid(out.logits_per_text).numpy()
    cosines = out.text_embeds.numpy() @ out.image_embeds.numpy().T
    np.testing.assert_allclose(siglip.probability(cosines), wanted, atol=1e-4)
    np.testing.assert_array_equal(
        siglip.probability(cosines, searched=50), siglip.probability(cosines)
    )
    scores = np.asarray([0.3], np.float32)
    for ask in (clip.probability, clip.picture_probability, siglip.picture_probability):
        with pytest.raises(ValueError, match="gives no probability"):
            ask(scores)


@BOTH
def test_what_can_be_read(model: HubModel, load: Any) -> None:
    encoder = load(model)
    assert encoder.reads("a dog") and encoder.reads("7") and not encoder.reads(" ?!")


def test_long_texts_are_cut(load: Any) -> None:
    clip = load(hub.CLIP)
    ids = clip._read(["word " * 50])["input_ids"]
    assert ids.shape == (1, 20)
    assert ids[0, -1] == clip._model.processor.tokenizer.eos_token_id


def test_a_folder_of_something_else_is_refused(
    tmp_path: Path, toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setattr(registry, "_residents", Residents())
    folder = tmp_path / hub.CLIP.name
    image_text_toys.write_distilbert(folder)
    with pytest.raises(CheckpointError, match="clip-vit-b32"):
        registry.load(hub.CLIP.name)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailableError, match=r"has no model\.safetensors"):
        registry.load(hub.CLIP.name)


def test_weights_that_are_not_there_never_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    folder = image_text_toys.write_clip(tmp_path / "clip")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("visual_projection.weight")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"visual_projection\.weight"):
        ImageTextEncoder(folder, "clip")


def test_frames_are_seen_where_a_gpu_is_lent(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There this process sees no frame and prepares for none; sentences are read here."""
    here = load(hub.SIGLIP_2)
    wanted = here.encode_frames(frames(3))
    library = LentGpu()
    monkeypatch.setitem(sys.modules, "spaces", library)
    monkeypatch.setenv(ZERO_GPU_VARIABLE, "true")
    monkeypatch.setattr(gpu_calls, "_lent", None)
    monkeypatch.setenv("FRAMESCRY_ENGINE", "torch")  # as on a GPU
    gpu_calls.prepare()
    try:
        away = ImageTextEncoder(hub.fetch(hub.SIGLIP_2), hub.SIGLIP_2.name)
        seen = away.encode_frames(frames(3))
        assert library.forks == 1 and away._built is None
        assert ((seen * wanted).sum(axis=1) > 0.999).all()
        np.testing.assert_allclose(away.encode_texts(TEXTS), here.encode_texts(TEXTS), atol=1e-4)
    finally:
        library.end()


# -- through the search -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return Services(Settings(data_dir=tmp_path_factory.mktemp("data"), library=False))


def found_by(services: Services, request: SearchRequest) -> tuple[SearchResult, list[str]]:
    steps = services.inspect_file(gradio_media("b.mp4"))
    video = [step for step in steps if isinstance(step, Done)][0].value
    said = []
    result = None
    for step in services.search(video, request):
        said.append(step.progress.stage)
        result = step.result or result
    assert result is not None and step.complete
    return result, said


@BOTH
def test_a_search_reads_the_video_once_for_each_encoder(
    model: HubModel, load: Any, services: Services
) -> None:
    load(model)
    request = SearchRequest(query="a planet", encoder=model.name, fps=1.0, top=3)
    first, said = found_by(services, request)
    assert "Reading every frame" in said and not first.timing.from_index
    assert first.model.name == model.name and first.model.hash is not None
    again, said = found_by(services, SearchRequest(query="blue water", encoder=model.name, fps=1.0))
    assert again.timing.from_index and "Reading every frame" not in said
    assert len(first.curve) == 5 and all(0 <= frame.score <= 1 for frame in first.curve)
    written = json.loads(json.dumps(first.to_json(), allow_nan=False))
    if model is hub.CLIP:
        assert (first.certainty, first.confident) == ("compared", None)
        assert first.moments and not first.below
        assert all(moment.probability is None for moment in first.moments)
        assert written["certainty"] == "compared" and written["confident"] is None
        assert first.moments[0].score == max(frame.score for frame in first.curve) == 1
    else:
        assert first.certainty == "own" and isinstance(first.confident, bool)
        assert all(isinstance(moment.probability, float) for moment in first.best)


def test_a_picture_is_only_compared(load: Any, services: Services) -> None:
    load(hub.SIGLIP_2)
    request = SearchRequest(at_s=2.0, encoder=hub.SIGLIP_2.name, fps=1.0)
    result, _ = found_by(services, request)
    assert result.certainty == "compared" and result.confident is None
    assert result.moments[0].start_s <= 2.0 <= result.moments[0].end_s


def test_what_is_not_loaded_is_not_loaded_while_typing(
    toys: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(toys))
    monkeypatch.setattr(registry, "_residents", Residents())
    steps = services.inspect_file(gradio_media("b.mp4"))
    video = [step for step in steps if isinstance(step, Done)][0].value
    request = SearchRequest(query="a planet", encoder=hub.CLIP.name, fps=1.0)
    assert not services.is_indexed(video, request)
    assert not registry.is_loaded(hub.CLIP.name)
    assert hub.CLIP.name in services.searchers and "compact" in services.searchers


def test_closing_a_search_ends_the_fetching(
    tmp_path: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_residents", Residents())
    ended = threading.Event()

    def fetch(_model: HubModel, report: hub.Report, _instead: str) -> Path:
        try:
            for share in range(1000):
                report("Fetching clip-vit-b32, 610 MB", share / 1000)
                time.sleep(0.01)
        finally:
            ended.set()
        return tmp_path

    monkeypatch.setattr(hub, "fetch", fetch)
    steps = services.inspect_file(gradio_media("b.mp4"))
    video = [step for step in steps if isinstance(step, Done)][0].value
    search = services.search(video, SearchRequest(query="a planet", encoder=hub.CLIP.name))
    said = next(step for step in search if step.progress.stage.startswith("Fetching"))
    assert said.progress.fraction is not None and not said.complete
    search.close()  # type: ignore[attr-defined]
    assert ended.wait(5.0)
