"""The action classifier where it is used: windows, network, decision, and what it refuses."""

import dataclasses
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.action_classifier import (
    LONGEST_WINDOW_S,
    WINDOW_FRAMES,
    ActionCalibration,
    ActionClassifier,
    overall,
    spans_of,
    window_logits,
    windows_over,
)
from models.action_layers import ActionShape, classify_sequences, look, padded
from models.action_network import ActionNetwork
from models.checkpoint import write_checkpoint
from models.errors import CheckpointError
from models.types import Floats
from tests.unit import action_model_toys

DIM = 24
SHAPE = ActionShape(input_dim=DIM, labels=5, reads="both", space_dim=8, dim=16)
LOADED_ALONE = """
import sys
from pathlib import Path
import numpy as np
from models.action_classifier import ActionClassifier
model = ActionClassifier(Path({folder!r}))
rows = np.ones((20, {dim}), np.float32)
assert model.classify_windows(rows, np.arange(20.0) / 2).probabilities.shape[1] == 5
sys.exit("torch" in sys.modules or "openvino" in sys.modules)
"""


def network(**changes: Any) -> ActionNetwork:
    torch.manual_seed(0)
    return ActionNetwork(dataclasses.replace(SHAPE, **changes)).eval()


def arrays_of(net: ActionNetwork) -> dict[str, Floats]:
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def frames(count: int) -> Floats:
    return action_model_toys.unit(
        np.random.default_rng(count).standard_normal((count, DIM)).astype(np.float32)
    )


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 20, 21, 33, 400])
@pytest.mark.parametrize("fps", [0.1, 0.5, 2.0, 8.0, 30.0])
def test_windows_hold_every_frame_in_order_and_none_is_too_long(count: int, fps: float) -> None:
    times_s = 3.0 + np.arange(count) / fps
    windows = windows_over(times_s)
    assert (len(windows) > 0) == (count > 0)
    assert set(itertools.chain(*windows)) == set(range(count))
    for rows in windows:
        assert 1 <= len(rows) <= WINDOW_FRAMES
        assert times_s[rows[-1]] - times_s[rows[0]] <= LONGEST_WINDOW_S
        assert (np.diff(rows) == 1).all()
    for before, after in itertools.pairwise(windows):
        assert after[0] > before[0]
        assert after[-1] > before[-1]


def test_windows_of_irregular_times_hold_every_frame() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        times_s = np.cumsum(random.choice([0.04, 0.5, 3.0, 12.0], 70))
        windows = windows_over(times_s)
        assert set(itertools.chain(*windows)) == set(range(70))
        spans = spans_of(times_s, windows)
        assert (spans[:, 1] > spans[:, 0]).all()


def test_two_frames_a_second_are_looked_at_for_eight_seconds() -> None:
    windows = windows_over(np.arange(100) / 2)
    assert {len(rows) for rows in windows} == {WINDOW_FRAMES}


@torch.inference_mode()
@pytest.mark.parametrize("pooling", ["attention", "last", "mean"])
@pytest.mark.parametrize("directions", [0, 1, 2])
@pytest.mark.parametrize("reads", ["backbone", "space", "both"])
def test_numpy_computes_what_torch_does(pooling: str, directions: int, reads: str) -> None:
    net = network(pooling=pooling, directions=directions, reads=reads)
    arrays = arrays_of(net)
    assert {name: a.shape for name, a in arrays.items()} == net.shape.tensors()
    given = [frames(count) for count in (16, 1, 7)]
    seen = [look(arrays, net.shape, rows) for rows in given]
    for rows, read in zip(given, seen, strict=True):
        assert np.allclose(net.look(torch.from_numpy(rows)).numpy(), read, atol=1e-5)
    batch = padded(seen, [np.cumsum(np.arange(len(rows)) % 3 / 4) for rows in seen])
    found, weights = classify_sequences(arrays, net.shape, *batch)
    wanted, shares = net.attended(*map(torch.from_numpy, batch))
    assert np.allclose(found, wanted.numpy(), atol=1e-5)
    assert np.allclose(weights, shares.numpy(), atol=1e-6)


def test_padding_and_neighbours_change_nothing() -> None:
    arrays = arrays_of(network())
    rows = [look(arrays, SHAPE, frames(count)) for count in (3, 16)]
    times = [np.arange(len(part)) / 2 for part in rows]
    together, _ = classify_sequences(arrays, SHAPE, *padded(rows, times))
    for at, (part, times_s) in enumerate(zip(rows, times, strict=True)):
        alone, _ = classify_sequences(arrays, SHAPE, *padded([part], [times_s]))
        assert np.allclose(together[at], alone[0], atol=1e-5)


def test_the_order_of_frames_and_the_seconds_between_them_count() -> None:
    arrays = arrays_of(network())
    rows, times_s = look(arrays, SHAPE, frames(10)), np.arange(10) / 2
    here, _ = classify_sequences(arrays, SHAPE, *padded([rows], [times_s]))
    turned, _ = classify_sequences(arrays, SHAPE, *padded([rows[::-1]], [times_s]))
    slower, _ = classify_sequences(arrays, SHAPE, *padded([rows], [times_s * 4]))
    assert np.abs(here - turned).max() > 1e-3
    assert np.abs(here - slower).max() > 1e-4


@pytest.mark.parametrize("count", [1, 2, 16, 50])
def test_attention_sums_to_one_over_the_frames_of_each_window(count: int) -> None:
    arrays = arrays_of(network())
    seen, times_s = look(arrays, SHAPE, frames(count)), np.arange(count) / 4
    windows = windows_over(times_s)
    _, attention = window_logits(arrays, SHAPE, seen, times_s, windows)
    for rows, weights in zip(windows, attention, strict=True):
        assert len(weights) == len(rows)
        assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert count < 16 or attention[0].std() > 1e-4  # not the same for all


def test_probabilities_say_which_and_known_says_whether() -> None:
    calibration = ActionCalibration(temperature=2.0, best=0.0, lead=1.0, offset=0.0)
    logits = np.array([[4.0, 0.0, 1.0], [4.0, 0.0, 9.0]], np.float32)
    shares = calibration.probabilities(logits)
    assert np.allclose(shares.sum(1), 1)
    assert shares[0, 0] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert np.allclose(shares[0], shares[1])  # something else takes nothing from the labels
    known = calibration.known(logits)
    assert known[0] > 0.9
    assert known[1] < 0.1
    with pytest.raises(ValueError, match="temperature is above 0"):
        ActionCalibration(0.0, 1, 1, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkpoints")
    weights_hash = action_model_toys.write_backbone(root)
    config = {
        "kind": "action_classifier",
        "architecture": dataclasses.asdict(SHAPE),
        "preprocessing": {"encoder": "backbone", "encoder_hash": weights_hash},
        "labels": list("abcde"),
        "decision": {
            "calibration": {"temperature": 1.0, "best": 0.5, "lead": 1.0, "offset": -1.0},
            "known_from": 0.5,
        },
    }
    write_checkpoint(root / "toy", network(), config=config, metrics={}, card="", half=False)
    return root / "toy"


@pytest.mark.parametrize("count", [1, 2, 17, 300])
def test_any_length(folder: Path, count: int) -> None:
    model = ActionClassifier(folder)
    rows, times_s = frames(count), np.arange(count) / 3
    found = model.classify_windows(rows.astype(np.float16).astype(np.float32), times_s)
    assert len(found) >= 1
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    assert ((found.known >= 0) & (found.known <= 1)).all()
    whole = overall(found)
    assert whole.shape == (5,)
    assert whole.sum() == pytest.approx(1, abs=1e-5)


def test_no_frames_have_no_windows(folder: Path) -> None:
    found = ActionClassifier(folder).classify_windows(np.empty((0, DIM), np.float32), np.empty(0))
    assert len(found) == 0


def test_what_cannot_be_read_is_refused(folder: Path) -> None:
    model = ActionClassifier(folder)
    with pytest.raises(ValueError, match=r"embeddings are \[T, 24\]"):
        model.classify_windows(np.ones((3, 5), np.float32), np.arange(3.0))
    with pytest.raises(ValueError, match="one time a row"):
        model.classify_windows(frames(3), np.arange(4.0))
    with pytest.raises(ValueError, match="ascending"):
        model.classify_windows(frames(3), np.array([0.0, 2.0, 1.0]))
    with pytest.raises(ValueError, match="at least one frame"):
        model.classify(np.empty((0, 8, 8, 3), np.uint8), np.empty(0))


def test_another_backbone_and_broken_descriptions_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder.parent, tmp_path, dirs_exist_ok=True)
    described = json.loads((tmp_path / "toy" / "config.json").read_text())

    def told(**changes: Any) -> None:
        (tmp_path / "toy" / "config.json").write_text(json.dumps(described | changes))

    told(preprocessing={"encoder": "backbone", "encoder_hash": "0" * 64})
    with pytest.raises(CheckpointError, match="was trained on a backbone with the hash 000000"):
        ActionClassifier(tmp_path / "toy")
    told(labels=["a"])
    with pytest.raises(CheckpointError, match="names 1 labels for a network that tells 5 apart"):
        ActionClassifier(tmp_path / "toy")
    told(decision={})
    with pytest.raises(CheckpointError, match="does not say how it decides"):
        ActionClassifier(tmp_path / "toy")


def test_neither_torch_nor_openvino_is_imported_for_an_index(folder: Path) -> None:
    code = LOADED_ALONE.format(folder=str(folder), dim=DIM)
    subprocess.run([sys.executable, "-c", code], check=True)
