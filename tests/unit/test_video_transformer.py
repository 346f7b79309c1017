"""Video transformers through the real loading path, on tiny networks laid out as the hub's are."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import hub, registry
from models.attention_rollout import rollout
from models.errors import CheckpointError, ModelUnavailableError
from models.residency import Residents
from models.types import Floats, Pixels
from models.video_transformer import TimeSformer, VideoTransformer
from tests.unit import video_transformer_toys as toys

PATH = [5, 6, 10, 9, 8, 12, 13, 14]  # one place a frame, none twice
MODELS = pytest.mark.parametrize(
    "name", [hub.TIMESFORMER_K400.name, hub.TIMESFORMER_K600.name, hub.VIDEO_MAE.name]
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    root = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    toys.write_timesformer(root / hub.TIMESFORMER_K400.name)
    toys.write_red_seeker(root / hub.TIMESFORMER_K600.name)
    # By the name that it has on the hub.
    toys.write_videomae(root / hub.VIDEO_MAE.repository)
    return root


Load = Callable[[str], Any]


@pytest.fixture
def load(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(folders))
    monkeypatch.setattr(registry, "_residents", Residents())
    return registry.load


def segments(count: int, seed: int = 0) -> Pixels:
    shape = (count, toys.FRAMES, 40, 56, 3)
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


@MODELS
def test_chances_of_actions(name: str, load: Load) -> None:
    model = load(name)
    assert isinstance(model, VideoTransformer)
    assert name in registry.names("segment_classifier")
    assert (name in registry.names("segment_encoder")) == isinstance(model, TimeSformer)
    assert model.labels == ("juggling", "diving", "baking")
    assert model.frames_per_segment == toys.FRAMES and model.short_side_px == toys.SIDE
    chances = model.classify_segments(segments(3))
    assert chances.shape == (3, 3) and chances.dtype == np.float32
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)
    assert model.classify_segments(segments(0)).shape == (0, 3)
    with pytest.raises(ValueError):
        model.classify_segments(segments(1)[:, :3])


@MODELS
def test_a_segment_is_seen_alike_alone_and_among_others(name: str, load: Load) -> None:
    """Five are more than a batch, and the last batch is not full."""
    model, many = load(name), segments(5)
    runs = [model.classify_segments]
    if isinstance(model, TimeSformer):
        runs.append(model.encode_segments)
    for run in runs:
        alone = np.concatenate([run(many[at : at + 1]) for at in range(5)])
        np.testing.assert_allclose(run(many), alone, atol=1e-5)
        assert np.abs(alone[0] - alone[1]).max() > 1e-4, "else nothing was compared"


def test_what_is_trained_on_segments_says_how_long_they_were(load: Load) -> None:
    assert load(hub.TIMESFORMER_K400.name).segment_s == pytest.approx(8 * 32 / 30)
    assert load(hub.VIDEO_MAE.name).segment_s == pytest.approx(toys.FRAMES * 4 / 30)


def test_every_bias_of_the_published_names_is_read(load: Load, folders: Path) -> None:
    from safetensors.torch import load_file

    network = load(hub.VIDEO_MAE.name)._model.network
    published = load_file(folders / hub.VIDEO_MAE.repository / "model.safetensors")
    for at, layer in enumerate(network.videomae.encoder.layer):
        inside = layer.attention.attention
        for name, bias in (("q_bias", inside.query.bias), ("v_bias", inside.value.bias)):
            kept = published[f"videomae.encoder.layer.{at}.attention.attention.{name}"]
            assert kept.abs().max() > 0.1 and (bias == kept).all()


def test_pictures_are_normalized_as_the_processor_says_and_in_rgb(load: Load) -> None:
    model = load(hub.TIMESFORMER_K600.name)
    red = np.zeros((1, toys.FRAMES, toys.SIDE, toys.SIDE, 3), np.uint8)
    red[..., 0] = 255
    inputs = model._inputs(red)["pixel_values"][0].numpy()
    assert inputs.shape == (toys.FRAMES, 3, toys.SIDE, toys.SIDE)
    np.testing.assert_allclose(inputs[:, 0], (1 - 0.45) / 0.225, atol=1e-4)
    np.testing.assert_allclose(inputs[:, 1:], -0.45 / 0.225, atol=1e-4)


def test_it_sees_the_middle_square(load: Load) -> None:
    """What lies left and right of it changes nothing; each picture is as high as the square."""
    model = load(hub.TIMESFORMER_K400.name)
    wide = segments(1)[:, :, :32].copy()
    other = wide.copy()
    other[..., :12, :] = 0
    other[..., -12:, :] = 255
    np.testing.assert_array_equal(model.encode_segments(wide), model.encode_segments(other))
    other[..., 12, :] = 0
    assert (model.encode_segments(wide) != model.encode_segments(other)).any()


# -- where it looked ------------------------------------------------------------------------------


def test_the_map_follows_a_patch_that_moves(load: Load) -> None:
    seen = load(hub.TIMESFORMER_K600.name).attend(toys.moving_square(PATH))
    assert seen.shape == (toys.FRAMES, toys.PLACES, toys.PLACES)
    assert seen.min() >= 0 and seen.max() == 1
    by_place = seen.reshape(toys.FRAMES, -1)
    assert by_place.argmax(axis=1).tolist() == PATH
    best_two = np.sort(by_place, axis=1)[:, -2:]
    assert (best_two[:, 1] > 2 * best_two[:, 0]).all(), "and clearly"


def test_in_the_precision_of_a_gpu_too(load: Load) -> None:
    import torch

    model = load(hub.TIMESFORMER_K600.name)
    moving = toys.moving_square(PATH)
    exact = model.encode_segments(moving[None])
    model._model.network.to(torch.bfloat16)
    assert model.attend(moving).reshape(toys.FRAMES, -1).argmax(axis=1).tolist() == PATH
    rough = model.encode_segments(moving[None])
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, exact, atol=0.1)
    np.testing.assert_allclose(model.classify_segments(moving[None]).sum(), 1.0, atol=1e-5)


def test_it_is_the_red_that_is_followed(load: Load) -> None:
    model = load(hub.TIMESFORMER_K600.name)
    both = toys.moving_square(PATH)
    for at, place in enumerate(PATH[::-1]):
        blue = toys.moving_square([place], (0, 0, 255))[0]
        is_blue = (blue == (0, 0, 255)).all(axis=-1)
        both[at][is_blue & (both[at, ..., 0] != 255)] = (0, 0, 255)
    by_place = model.attend(both).reshape(toys.FRAMES, -1)
    assert by_place.argmax(axis=1).tolist() == PATH
    swapped = model.attend(np.ascontiguousarray(both[..., ::-1])).reshape(toys.FRAMES, -1)
    assert swapped.argmax(axis=1).tolist() == PATH[::-1]


def test_without_the_attention_through_time_it_would_not_be_followed(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the test above tests the hook."""
    from models import video_transformer

    model = load(hub.TIMESFORMER_K600.name)
    of_heads = video_transformer._mean_of_heads

    def even(attention: Any) -> Floats:
        mean = of_heads(attention)
        through_time = mean.shape[-1] == toys.FRAMES
        return np.full_like(mean, 1 / toys.FRAMES) if through_time else mean

    monkeypatch.setattr(video_transformer, "_mean_of_heads", even)
    seen = model.attend(toys.moving_square(PATH)).reshape(toys.FRAMES, -1)
    assert seen.argmax(axis=1).tolist() != PATH


def test_rollout_agrees_with_all_matrices_multiplied_out(load: Load) -> None:
    """Of a network with random weights, whose attentions are taken from its own modules."""
    import torch

    model = load(hub.TIMESFORMER_K400.name)
    frames = segments(1, seed=4)[0]
    layers = model._model.network.timesformer.encoder.layer
    given: list[Any] = []

    def asking(attend: Callable[..., Any]) -> Callable[..., Any]:
        def attending(hidden: Any, _: bool = False) -> Any:
            seen = attend(hidden, True)
            given.append(seen[1])
            return seen[:1]

        return attending

    with torch.inference_mode(), pytest.MonkeyPatch.context() as patched:
        for layer in layers:
            inner = layer.temporal_attention.attention
            patched.setattr(inner, "forward", asking(inner.forward))
        handed = model._inputs(frames[None])
        spatial = model._model.network.timesformer(**handed, output_attentions=True).attentions
    in_space = np.stack([each.mean(1).numpy() for each in spatial])
    in_time = np.stack([each.mean(1).numpy() for each in given])
    expected = _multiplied_out(in_space, in_time)
    assert expected.std() > 0.02, "else everything would agree"
    np.testing.assert_allclose(model.attend(frames).reshape(toys.FRAMES, -1), expected, atol=1e-5)
    np.testing.assert_allclose(rollout(in_space, in_time), expected, atol=1e-5)


def _multiplied_out(in_space: Floats, in_time: Floats) -> Floats:
    """One matrix over all tokens for each attention, filled number by number."""
    blocks, frames, tokens, _ = in_space.shape
    places = tokens - 1
    count = 1 + places * frames

    def number(place: int, frame: int) -> int:
        return 1 + place * frames + frame

    rolled = np.eye(count)
    for block in range(blocks):
        through_time = np.zeros((count, count))
        through_time[0, 0] = 1.0
        for place, one, other in product(range(places), range(frames), range(frames)):
            through_time[number(place, one), number(place, other)] = in_time[
                block, place, one, other
            ]
        across = np.zeros((count, count))
        for frame in range(frames):
            seen = in_space[block, frame]
            across[0, 0] += seen[0, 0] / frames
            for place in range(places):
                across[0, number(place, frame)] += seen[0, 1 + place] / frames
                across[number(place, frame), 0] = seen[1 + place, 0]
                for other in range(places):
                    across[number(place, frame), number(other, frame)] = seen[1 + place, 1 + other]
        for step in (through_time, across):
            np.testing.assert_allclose(step.sum(axis=1), 1.0, atol=1e-5)
            rolled = (0.5 * np.eye(count) + 0.5 * step) @ rolled
    share = rolled[0, 1:].reshape(places, frames).T
    return np.asarray(share / share.max(), np.float32)


def test_rollout_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError):
        rollout(np.ones((1, 4, 5, 5), np.float32), np.ones((1, 5, 4, 4), np.float32))


# -- what cannot be used --------------------------------------------------------------------------


def test_weights_that_lack_something_are_refused(folders: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "lacking"
    shutil.copytree(folders / hub.TIMESFORMER_K400.name, folder)
    weights = load_file(folder / "model.safetensors")
    weights.pop("timesformer.encoder.layer.1.temporal_dense.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="temporal_dense"):
        TimeSformer(folder, "lacking", stride=32)
    with pytest.raises(CheckpointError, match="divided attention"):
        TimeSformer(folders / hub.VIDEO_MAE.repository, "other", stride=32)


@MODELS
def test_where_it_cannot_be_had_one_sentence_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setattr(registry, "_residents", Residents())
    monkeypatch.setattr(hub, "_reachable", lambda _: False)
    with pytest.raises(ModelUnavailableError) as refused:
        registry.load(name)
    said = str(refused.value)
    assert said.startswith(name) and said.count(". ") == 0 and said.endswith("instead.")
    assert ("cannot be reached" in said) == (name != hub.TIMESFORMER_K600.name)
