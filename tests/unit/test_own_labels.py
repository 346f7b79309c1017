"""Labels that people type, told apart by a model whose directions have names."""

import numpy as np
import pytest

from app.pipelines.own_labels import STEP_S, WINDOW_S, OwnLabels
from models.errors import RequestError
from models.types import Floats
from tests.unit.library_toys import ToyModel, direction


def scene(word: str, frames: int) -> Floats:
    return np.repeat(direction(word)[None], frames, axis=0)


def test_each_stretch_gets_its_label_and_the_rest_none() -> None:
    rows = np.concatenate([scene("dog", 16), scene("car", 16), scene("sea", 16)])
    model = OwnLabels(ToyModel(), ["dog", "sea"])
    windows = model.classify_windows(rows, np.arange(48) / 2)
    said = [
        model.labels[int(p.argmax())] if known >= model.known_from else "-"
        for p, known in zip(windows.probabilities, windows.known, strict=True)
    ]
    middles = windows.spans_s.mean(1)
    assert {name for name, at in zip(said, middles, strict=True) if at < 6} == {"dog"}
    assert {name for name, at in zip(said, middles, strict=True) if 10 < at < 14} == {"-"}
    assert {name for name, at in zip(said, middles, strict=True) if at > 18} == {"sea"}


def test_none_of_these_has_its_share() -> None:
    model = OwnLabels(ToyModel(), ["dog"])
    windows = model.classify_windows(scene("cat", 8), np.arange(8) / 2)
    assert windows.probabilities.max() < 0.01 and windows.known.max() < 0.01
    alone = model.classify_windows(scene("dog", 8), np.arange(8) / 2)
    assert 0.99 < alone.probabilities.min() < 1.0, "one label alone is not certain"


def test_what_speaks_for_the_label_is_what_was_looked_at() -> None:
    rows = np.concatenate([scene("car", 3), scene("dog", 2), scene("car", 3)])
    windows = OwnLabels(ToyModel(), ["dog"]).classify_windows(rows, np.arange(8) / 2)
    attention = windows.attention[0]
    assert set(np.argsort(-attention)[:2].tolist()) == {3, 4}
    assert attention.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.5], [0, 5, 10, 15, 31], np.arange(999) / 7])
def test_windows_hold_every_frame_whatever_the_sampling(times: object) -> None:
    times_s = np.asarray(times, np.float64)
    windows = OwnLabels(ToyModel(), ["dog"]).classify_windows(scene("dog", len(times_s)), times_s)
    held = np.unique(np.concatenate(windows.frames))
    assert held.tolist() == list(range(len(times_s)))
    assert (np.diff(windows.spans_s[:, 0]) > 0).all()
    assert (windows.spans_s[:, 1] > windows.spans_s[:, 0]).all()
    if len(times_s) > 100:
        lengths = windows.spans_s[:, 1] - windows.spans_s[:, 0]
        assert lengths.max() <= WINDOW_S + STEP_S + 0.2


def test_a_label_that_cannot_be_read_is_named() -> None:
    with pytest.raises(RequestError, match="собака"):
        OwnLabels(ToyModel(), ["dog", "собака"])


def test_the_whole_sums_to_one() -> None:
    class Eyes:
        name, weights_hash, dim, short_side_px = "colour", None, 16, 64

        def encode_frames(self, frames: object) -> Floats:
            return scene("dog", 2)

    model = OwnLabels(ToyModel(), ["dog", "cat"], Eyes())
    shares = model.classify(np.zeros((2, 4, 4, 3), np.uint8), np.arange(2) / 2)
    assert shares.sum() == pytest.approx(1.0) and shares[0] > 0.9
