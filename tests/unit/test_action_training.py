"""How the action classifier is trained: what windows are made of, who is held out, the way to a
folder."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from models.action_classifier import WINDOW_FRAMES, ActionClassifier
from tests.unit import action_model_toys
from train import action_classifier, action_export, action_figures, fitting
from train.action_classifier import ActionTraining
from train.action_config import load_config
from train.action_measures import (
    Answers,
    best_threshold,
    confusion,
    fit_calibration,
    per_class,
    roc_auc,
)
from train.action_protocols import weizmann_people
from train.data import action_examples, action_labels, camera_moves, still_windows
from train.data.action_batches import ActionBatches, Draws, draw_window, whole_window
from train.data.action_labels import LABELS, action_said, says_no_action
from train.data.frames import Picture

PICTURE = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
DRAWS = Draws({"stills": 0.5, "clips": 0.3, "other": 0.2})


def test_a_window_has_one_look_for_all_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the camera stands still every frame is the same, whatever crop, flip and colour."""

    def standing(random: np.random.Generator, count: int) -> np.ndarray:
        return np.tile(np.array([0.1, 0.2, 0.8, 0.9], np.float32), (count, 1))

    monkeypatch.setattr(camera_moves, "draw_boxes", standing)
    looks = set()
    for seed in range(12):
        window = camera_moves.filmed(PICTURE, np.random.default_rng(seed), 5, 48)
        assert (window == window[:1]).all()
        looks.add(window[0].tobytes())
    assert len(looks) == 12  # but windows differ


def test_cameras_move_and_never_look_beside_the_picture() -> None:
    moved = 0
    for seed in range(200):
        boxes = camera_moves.draw_boxes(np.random.default_rng(seed), 6)
        assert boxes.min() >= -1e-6
        assert boxes.max() <= 1 + 1e-6
        assert (boxes[:, 2:] - boxes[:, :2] > 0.3).all()
        moved += bool(np.abs(np.diff(boxes, axis=0)).max() > 1e-3)
    assert moved > 190


def test_pictures_stay_red_green_blue() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    for seed in range(30):
        frames = camera_moves.filmed(red, np.random.default_rng(seed), 3, 32)
        means = frames.reshape(-1, 3).mean(0)
        assert means[0] >= means[2]
    whole = still_windows.frames_of(red, 0, 32)[0]
    assert whole[..., 0].mean() == 200
    assert whole[..., 2].mean() == 0


def test_one_view_is_drawn_for_a_window() -> None:
    """Rows of a view carry its number: no window mixes two of them."""
    views = tuple(np.full((20, 4), number, np.float16) for number in range(3))
    clip = action_examples.Example("weizmann", "a/b", "g", "x", "train", views, np.arange(20) / 12)
    still = action_examples.Example("actions15", "a/b", "g", "x", "train", views)
    for example, seed in itertools.product((clip, still), range(60)):
        seen, times_s = draw_window(example, DRAWS, np.random.default_rng(seed))
        assert len(np.unique(seen)) == 1
        assert 1 <= len(seen) == len(times_s) <= WINDOW_FRAMES
        assert times_s[0] == 0
        assert (np.diff(times_s) > 0).all()


def test_rates_of_windows_cover_one_to_twelve() -> None:
    still = action_examples.Example(
        "actions15", "a/b", "g", "x", "train", (np.zeros((1, 4), np.float16),)
    )
    steps = []
    for seed in range(300):
        _, times_s = draw_window(still, DRAWS, np.random.default_rng(seed))
        steps += np.diff(times_s[:2]).tolist()
    assert min(steps) < 1 / 10
    assert max(steps) > 0.8
    assert min(steps) >= 1 / 12 - 1e-6
    assert max(steps) <= 1 + 1e-6


def test_no_group_is_in_two_parts() -> None:
    part_of: dict[str, str] = {}
    names = [
        *(("weizmann", f"run/{p}_run") for p in ("daria", "lena", "lyova", "ira")),
        *(("weizmann", f"walk/{p}_walk") for p in ("daria", "lena", "lyova", "ira")),
        *(("ut_interaction", f"set1/hug/{n}_{n}_1") for n in range(1, 11)),
        *(("ut_interaction", f"set1/background/{60 + n}_{n}_6") for n in range(1, 11)),
        *(("fight", f"fight/fi{n:03d}") for n in range(1, 150)),
        *(("fight", f"normal/nofi{n:03d}") for n in range(1, 150)),
    ]
    for source, name in names:
        group, part = action_examples.clip_group(source, name)
        assert part_of.setdefault(f"{source}/{group}", part) == part
    for source in ("weizmann", "ut_interaction", "fight"):
        assert {p for g, p in part_of.items() if g.startswith(source)} == set(action_examples.PARTS)


def test_a_person_who_is_tested_was_not_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train import action_protocols

    config = load_config(action_model_toys.toy_config(tmp_path))
    source = action_model_toys.toy_source(tmp_path)
    tested: list[str] = []

    def fit_nothing(config, source, trained, labels):  # type: ignore[no-untyped-def]
        groups = {example.group for example in trained}
        missing = {e.group for e in source.examples.items if e.source == "weizmann"} - groups
        assert len(missing) == 1
        tested.extend(missing)
        return lambda seen, times_s: np.zeros(len(labels) + 1, np.float32)

    monkeypatch.setattr(action_protocols, "fit_quietly", fit_nothing)
    weizmann_people(config, source)
    assert len(tested) == len(set(tested)) > 2


def test_photographs_are_held_out_as_the_backbone_holds_them_out() -> None:
    """Held out by the frame store means chosen or reported, and nothing else does."""
    names = [f"cycling/{number}.webp" for number in range(400)]
    held = [Picture(PICTURE, "actions15", n, n).held_out for n in names]
    halves = {action_examples.half_of(n) for n, out in zip(names, held, strict=True) if out}
    assert halves == {"chosen", "reported"}


def test_labels_are_told_apart_once() -> None:
    sources = list(itertools.chain(*action_labels.SAME.values()))
    assert len(sources) == len(set(sources))
    assert len(LABELS) == 48
    assert len(action_figures.classes37()) == 37
    assert action_labels.OF_CLASS["ut_interaction/punch"] == action_labels.OF_CLASS["fight/fight"]
    assert set(action_labels.SAID) <= set(LABELS)


def test_captions_name_an_action_where_enough_do() -> None:
    assert action_said(["a man is riding a bicycle"] * 6) == "riding a bike"
    assert action_said(["a man is riding a bicycle"] * 5 + ["a man"] * 15) is None
    assert action_said(["they play table tennis"] * 20) == "playing table tennis"
    assert says_no_action(["a woman is cooking", "food in a pan"])
    assert not says_no_action(["a woman is cooking", "she dances"])


def test_frames_of_captioned_videos_follow_shot_by_shot() -> None:
    names = ["a/v7_s2_0_f0005.webp", "a/v7_s10_0_f0000.webp", "a/v7_s2_1_f0030.webp"]
    order, times_s = action_examples.times_of_frames(names)
    assert order.tolist() == [0, 2, 1]
    assert times_s == pytest.approx([0.2, 1.2, 1.7])


def test_batches_depend_on_their_number_alone() -> None:
    examples = action_model_toys.toy_examples("").part("train")

    def batches(key: tuple[int, int]) -> ActionBatches:
        return ActionBatches(examples, LABELS, DRAWS, batch_size=16, batches=4, key=key)

    first, again = batches((0, 1))[2], batches((0, 1))[2]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["seen"][:, 0], batches((0, 2))[2]["seen"][:, 0])
    assert int(first["labels"].max()) <= len(LABELS)


def test_measures_by_hand() -> None:
    logits = np.array([[3, 1, 0, 0], [3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 5]], np.float32)
    answers = Answers(logits, np.array([0, 1, 2, 3]))
    assert answers.named.top(1) == pytest.approx(2 / 3)
    assert answers.named.top(2) == 1
    assert confusion(answers.named).tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert per_class(answers.named, "abc")["b"]["top1"] == 0
    assert answers.named.among([1, 2]).top(1) == pytest.approx(2 / 3)
    assert roc_auc(np.array([3, 2, 1]), np.array([0, 2])) == pytest.approx(4.5 / 6)
    assert best_threshold(np.array([0.8, 0.9]), np.array([0.1, 0.2])) == pytest.approx(0.5)


def test_calibration_is_fitted_to_what_it_sees() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 3], 200)
    logits = random.normal(0, 1, (800, 4)).astype(np.float32)
    logits[np.arange(800), labels] += 2.5
    fitted = fit_calibration(Answers(logits, labels))
    known = fitted.known(logits)
    assert roc_auc(known[labels < 3], known[labels == 3]) > 0.9
    louder = fit_calibration(Answers(logits * 2, labels))
    assert louder.temperature == pytest.approx(2 * fitted.temperature, rel=0.1)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("actions")


@pytest.fixture
def toy_world(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = action_model_toys.toy_source(toy)
    monkeypatch.setattr(action_classifier, "open_source", lambda config: source)
    monkeypatch.setattr(action_export, "open_source", lambda config: source)
    return toy


def weights(model: ActionTraining) -> dict[str, torch.Tensor]:
    return model.network.state_dict()


def test_train_resume_export_load(toy_world: Path, tmp_path: Path) -> None:
    whole = action_classifier.fit(
        load_config(action_model_toys.toy_config(toy_world)), resume=False
    )
    broken = load_config(
        action_model_toys.toy_config(toy_world), [f"run.folder={tmp_path / 'broken'}"]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ActionTraining, "on_train_epoch_start", _stop_at_second_round)
        with pytest.raises(InterruptedError):
            action_classifier.fit(broken, resume=False)
    resumed = action_classifier.fit(broken, resume=True)
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[name]), name

    config = load_config(action_model_toys.toy_config(toy_world))
    assert action_classifier.test(config)["val/top1"] > 0.9
    folder = toy_world / "action_classifier"
    state = fitting.last_checkpoint(config.run)
    action_export.export_classifier(config, state, folder)
    model = ActionClassifier(folder)
    assert model.labels == LABELS
    assert np.trace(np.array(model.metrics["confusion"])) > 0.9 * np.sum(model.metrics["confusion"])
    for example in action_model_toys.toy_examples("").part("reported")[:20]:
        seen, times_s = whole_window(example, 2.0)
        found = model.classify_windows(action_model_toys.unit(seen), times_s)
        if example.label is not None:
            assert model.labels[int(found.probabilities[0].argmax())] == example.label
    assert model.metrics["unknown"]["new"]["auc"] > 0.9


def _stop_at_second_round(module: ActionTraining) -> None:
    if module.current_epoch == 2:
        raise InterruptedError


def test_wrong_configs_name_the_key(tmp_path: Path) -> None:
    path = action_model_toys.toy_config(tmp_path)
    for setting, message in (
        ("data.slowest_fps=20", "data.slowest_fps is above 0"),
        ("data.shares={walks: 1}", "data.shares has stills"),
        ("model.reads=ears", "reads is one of"),
        ("model.dim=15", "dim is even"),
        ("learning.label_smoothing=2", "learning.label_smoothing is from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            load_config(path, [setting])
