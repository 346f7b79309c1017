"""The trigger detector: its network, its folds, and a toy that is trained, exported and loaded."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.trigger_detector import TriggerCalibration
from models.trigger_layers import (
    QUERY_BLOCK,
    TIME_ENCODERS,
    TriggerShape,
    look,
    rows_before,
    score_logits,
)
from models.trigger_network import TriggerNetwork
from tests.unit import fight_toys
from train import trigger_detector as training
from train.data import fight_places
from train.data.trigger_batches import TriggerBatches, back_and_forth
from train.data.trigger_folds import FOLDS, Recording, fold_of_groups, parts_of, shown_at
from train.trigger_config import load_config

DIM = 16
STOPPED_AT_ROUND = 3
TIMED = tuple(name for name in TIME_ENCODERS if name != "none")


def network(**changes: Any) -> TriggerNetwork:
    torch.manual_seed(0)
    shape = TriggerShape(input_dim=DIM, space_dim=8, dim=16, heads=2, **changes)
    return TriggerNetwork(shape).eval()


def frames(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Seen rows, times and which rows are frames, of one sequence at about two a second."""
    random = torch.Generator().manual_seed(seed)
    times_s = torch.arange(count, dtype=torch.float64) / 2
    return (
        torch.randn(1, count, 8, generator=random),
        times_s[None],
        torch.ones(1, count, dtype=torch.bool),
    )


@pytest.mark.parametrize("time_encoder", TIMED)
def test_the_time_aware_encoder_gets_gradient(time_encoder: str) -> None:
    net = network(time_encoder=time_encoder).train()
    net(*frames(12)).square().sum().backward()
    for name, weights in net.time.named_parameters():
        gradient = weights.grad
        assert gradient is not None and bool((gradient != 0).any()), name
    assert net.space.weight.grad is None, "the projection is somebody else's"


@pytest.mark.parametrize("time_encoder", TIMED)
@torch.inference_mode()
def test_the_time_aware_encoder_changes_the_decision(time_encoder: str) -> None:
    net = network(time_encoder=time_encoder)
    seen, times_s, valid = frames(12)
    before = net(seen, times_s, valid)
    around = seen.clone()
    around[:, 5] += 1
    moved = (net(around, times_s, valid) - before).abs()[0]
    assert moved[4] > 1e-4 and moved[7] > 1e-4, "a frame is judged by what is around it"
    assert (net(seen, times_s * 3, valid) - before).abs().max() > 1e-4, "and by when that was"
    for layer in net.time.layers:
        for weights in layer.parameters():
            weights.mul_(3)
    assert (net(seen, times_s, valid) - before).abs().max() > 1e-3


@torch.inference_mode()
def test_without_it_a_frame_stands_alone() -> None:
    net = network(time_encoder="none", motion_s=0.0)
    seen, times_s, valid = frames(12)
    around = seen.clone()
    around[:, 5] += 1
    moved = (net(around, times_s, valid) - net(seen, times_s, valid)).abs()[0] > 1e-7
    assert moved.nonzero().flatten().tolist() == [5]


@torch.inference_mode()
def test_attention_sees_its_window_and_nothing_else() -> None:
    net = network(window_s=2.0, motion_s=0.0, layers=1)
    seen, times_s, valid = frames(40)
    around = seen.clone()
    around[:, 20] += 5
    moved = (net(around, times_s, valid) - net(seen, times_s, valid)).abs()[0] > 1e-7
    assert torch.equal(moved, (times_s[0] - times_s[0, 20]).abs() <= 2.0)


@pytest.mark.parametrize("time_encoder", TIME_ENCODERS)
@torch.inference_mode()
def test_padding_says_nothing(time_encoder: str) -> None:
    net = network(time_encoder=time_encoder, motion_s=0.5)
    seen, times_s, valid = frames(9)
    wanted = net(seen, times_s, valid)[0]
    longer = torch.cat([seen, torch.full((1, 5, 8), 9.0)], dim=1)
    padded_s = torch.cat([times_s, times_s[:, -1:].expand(1, 5)], dim=1)
    flags = torch.cat([valid, torch.zeros(1, 5, dtype=torch.bool)], dim=1)
    found = net(longer, padded_s, flags)[0]
    assert torch.allclose(found[:9], wanted, atol=1e-5)
    assert bool(found.isfinite().all())


@pytest.mark.parametrize("time_encoder", TIME_ENCODERS)
@pytest.mark.parametrize("motion_s", [0.0, 0.5])
@pytest.mark.parametrize("count", [1, 2, QUERY_BLOCK + 3])
@torch.inference_mode()
def test_numpy_computes_what_torch_does(time_encoder: str, motion_s: float, count: int) -> None:
    net = network(time_encoder=time_encoder, motion_s=motion_s)
    for weights in net.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    arrays = {name: values.numpy() for name, values in net.state_dict().items()}
    assert {name: values.shape for name, values in arrays.items()} == net.shape.tensors()
    random = np.random.default_rng(count)
    embeddings = random.standard_normal((count, DIM)).astype(np.float32)
    times_s = np.cumsum(random.random(count)) + 3600
    seen = net.look(torch.from_numpy(embeddings))[None]
    times = torch.from_numpy(times_s)[None]
    wanted = net(seen, times, torch.ones_like(times, dtype=torch.bool))[0].numpy()
    found = score_logits(arrays, net.shape, look(arrays, net.shape, embeddings), times_s)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1.0, np.abs(wanted).max()))


def test_motion_is_over_a_time_and_not_over_frames() -> None:
    assert rows_before(np.arange(8) / 2.0, 0.5).tolist() == [0, 0, 1, 2, 3, 4, 5, 6]
    assert rows_before(np.arange(8) / 8.0, 0.5).tolist() == [0, 0, 0, 0, 0, 1, 2, 3]
    assert rows_before(np.array([0.0, 3.0, 6.0, 9.0]), 0.5).tolist() == [0, 0, 1, 2], (
        "the one before must do"
    )
    # Two a second of a video at 15: frames are .467 s and .533 s apart in turn.
    uneven_s = np.asarray(np.round(np.arange(8) * 7.5 - 0.01) / 15, np.float64)
    assert rows_before(uneven_s, 0.5).tolist() == [0, 0, 1, 2, 3, 4, 5, 6]


def test_nothing_is_clamped() -> None:
    net = network()
    arrays = {name: values.numpy() for name, values in net.state_dict().items()}
    seen, times_s, _ = frames(6)
    for offset in (-30.0, 30.0):
        moved = {**arrays, "score.3.bias": arrays["score.3.bias"] + offset}
        logits = score_logits(moved, net.shape, seen[0].numpy(), times_s[0].numpy())
        probabilities = TriggerCalibration(1.0, 0.0).probability(logits)
        exact = 1 / (1 + np.exp(-logits.astype(np.float64)))
        np.testing.assert_allclose(probabilities, exact, rtol=1e-5)
        assert probabilities.max() < 1e-9 or probabilities.min() > 1 - 1e-6


def test_no_group_is_on_both_sides() -> None:
    def recording(source: str, name: str, fights: bool, group: str) -> Recording:
        return Recording(source, name, fights, group, (), np.zeros(0))

    random = np.random.default_rng(0)
    every = [
        recording("fight", f"{n}", bool(random.integers(2)), f"place{random.integers(40)}")
        for n in range(240)
    ]
    every += [recording("ut_interaction", f"{n}", n % 3 == 0, f"set{n % 2}") for n in range(60)]
    every += [recording("msrvtt", f"{n}", False, f"msrvtt/{n}") for n in range(20)]
    tested = []
    for fold in range(FOLDS):
        parts = parts_of(every, [fold])
        assert not {r.group for r in parts.trained} & {r.group for r in parts.held}
        assert len(parts.trained) + len(parts.held) == len(every)
        tested += [r.name for r in parts.held if r.source == "fight"]
        held = [r.fights for r in parts.held if r.source == "fight"]
        assert 15 < sum(held) < 35 and 15 < len(held) - sum(held) < 35, "folds are alike"
        assert all(r.source != "msrvtt" for r in parts.held)
    assert sorted(tested) == sorted(r.name for r in every if r.source == "fight")
    assert fold_of_groups(every) == fold_of_groups(every[::-1])


def test_every_clip_has_one_place() -> None:
    numbers = [[n for place in fight_places.PLACES for n in place[side]] for side in (0, 1)]
    assert all(len(side) == len(set(side)) and max(side) <= 150 for side in numbers)
    assert fight_places.place_of("fight/fi005") == fight_places.place_of("fight/fi012")
    assert fight_places.place_of("fight/fi059") == fight_places.place_of("normal/nofi148")
    assert fight_places.place_of("fight/fi016") != fight_places.place_of("fight/fi018")
    assert fight_places.place_of("fight/fi001") != fight_places.place_of("normal/nofi001")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    fight_toys.write_toy(folder)
    return folder


@pytest.fixture(scope="module")
def trained(toy: Path) -> training.TriggerTraining:
    """A whole run with fold 0 held out; the state before round 4 is kept beside it."""

    class KeepsMiddle(training.Report):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if trainer.current_epoch == STOPPED_AT_ROUND:
                shutil.copy(toy / "run" / "last.ckpt", toy / "middle.ckpt")

    config = load_config(fight_toys.toy_config(toy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "Report", KeepsMiddle)
        return training.fit(config, resume=False)


def test_training_finds_fights(toy: Path, trained: Any) -> None:
    figures = training.test(load_config(fight_toys.toy_config(toy)))
    assert figures[training.WATCHED] > 0.8  # untrained: about .5


def test_resuming_continues_exactly(toy: Path, trained: Any) -> None:
    (toy / "second").mkdir()
    shutil.copy(toy / "middle.ckpt", toy / "second" / "last.ckpt")
    config = load_config(fight_toys.toy_config(toy, folder=str(toy / "second")))
    resumed = training.fit(config, resume=True)
    assert resumed.global_step == trained.global_step
    wanted = trained.state_dict()
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


def test_batches_have_their_own_rates_and_labels(toy: Path) -> None:
    config = load_config(fight_toys.toy_config(toy))
    recordings = training.open_source(config).recordings
    made = TriggerBatches(recordings, config.data.draws, batch_size=64, batches=2, key=(0, 0))
    batch, again = made[1], made[1]
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["seen"][:, 0], made[0]["seen"][:, 0])
    valid = batch["valid"]
    steps_s = batch["times_s"].diff(dim=1)
    assert bool((steps_s[valid[:, 1:]] > 0).all())
    typical = [float(s[v].median()) for s, v in zip(steps_s, valid[:, 1:], strict=True) if v.any()]
    assert min(typical) < 0.15 and max(typical) > 0.5
    mixed = [len(set(f[v].tolist())) for f, v in zip(batch["fights"], valid, strict=True)]
    assert max(mixed) == 2, "some sequences begin or end a fight"


def test_back_and_forth_repeats_no_frame_where_it_turns() -> None:
    rows = np.arange(4, dtype=np.float32)[:, None]
    found, times_s = back_and_forth(rows, np.array([0, 0.1, 0.3, 0.6]), 3)
    assert found[:, 0].tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    np.testing.assert_allclose(np.diff(times_s), [0.1, 0.2, 0.3, 0.3, 0.2, 0.1, 0.1, 0.2, 0.3])


def test_an_index_shows_each_frame_once() -> None:
    rows = np.arange(24, dtype=np.float32)[:, None]
    recording = Recording("fight", "a", True, "a", (rows,), np.arange(24) / 12.0)
    assert shown_at(recording, 2.0)[0][:, 0].tolist() == [0, 6, 12, 18]
    assert len(shown_at(recording, 8.0)[0]) == 16
    assert len(shown_at(recording, 100.0)[0]) == 24


@pytest.mark.parametrize(
    ("section", "key", "value", "named"),
    [
        ("data", "fold", 5, "data.fold"),
        ("data", "slowest_fps", 0.0, "data.slowest_fps"),
        ("data", "shares", "{cats-: 1.0}", "data.shares"),
        ("data", "space", "checkpoints/compact", "belong together"),
        ("model", "time_encoder", "none at all", "time_encoder"),
        ("model", "heads", 3, "dim is an even number"),
        ("learning", "weight_decay", -1.0, "learning.weight_decay"),
    ],
)
def test_wrong_settings_are_named(
    toy: Path, section: str, key: str, value: object, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        load_config(fight_toys.toy_config(toy), [f"{section}.{key}={value}"])
