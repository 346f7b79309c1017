"""What makes a frame a trigger, on embeddings made by hand."""

import numpy as np
import pytest

from app.index import FrameIndex, IndexKey
from app.pipelines.found_events import find, rows_to_show
from app.pipelines.trigger_conditions import (
    ChangeCondition,
    EventCondition,
    ExampleCondition,
    Seen,
    WordsCondition,
    motion_change,
    scene_change,
)
from app.pipelines.triggering import (
    MOTION,
    SCENE,
    TriggerAsked,
    TriggerRequest,
    read_name,
    read_trigger,
)
from app.results import ModelUsed
from models.errors import RequestError
from models.trigger_events import TriggerEvent
from models.types import Floats, Times
from tests.unit.test_search import Eyes, Reader, direction
from tests.unit.trigger_toys import ToyScorer, row_for, toy_video

READER = ModelUsed("reader", "ab" * 32)


def rows_near(start: int, count: int, noise: float, seed: int = 0) -> Floats:
    """Pictures of one scene: a direction, and a little of something else in each."""
    random = np.random.default_rng(seed)
    rows = np.eye(64, dtype=np.float32)[start] + noise * random.normal(size=(count, 64)) / 8
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def times(count: int, fps: float = 2.0) -> Times:
    return np.arange(count) / fps


def seen(rows: Floats, times_s: Times | None = None, *, complete: bool = True) -> Seen:
    at = times(len(rows)) if times_s is None else times_s
    key = IndexKey("f" * 64, "eyes", "cd" * 32, 2.0)
    index = FrameIndex(key, at, rows.astype(np.float16), [b""] * len(rows))
    return Seen(index, 2.0, complete=complete)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_a_quiet_video_has_no_change_even_at_a_low_threshold(noise: float) -> None:
    rows = rows_near(0, 240, noise)
    for measure in (scene_change, motion_change):
        scores = measure(rows, times(len(rows)))
        assert scores.min() >= 0 and scores.max() < 0.05, "nothing fires at .05"


def test_what_stands_out_in_a_still_video_need_not_be_a_change() -> None:
    rows = rows_near(0, 240, 0.01)
    rows[50] = rows_near(0, 1, 0.4, 1)[0]
    rows[150] = rows_near(0, 1, 0.4, 2)[0]
    assert scene_change(rows, times(240)).max() < 0.05
    rows[100:140] = rows_near(0, 40, 0.1, 3)
    assert motion_change(rows, times(240)).max() < 0.05


def test_each_cut_is_an_event_and_no_more() -> None:
    rows = np.concatenate([rows_near(n, count, 0.1, n) for n, count in enumerate((20, 3, 15))])
    condition = ChangeCondition(SCENE, None, READER)
    found = find(toy_video(19.0), [condition], seen(rows), 20)
    assert [event.trigger.frame_index for event in found.events] == [20, 23]
    assert all(event.trigger.confidence > 0.9 for event in found.events)
    assert found.events[0].trigger.start_s == 10.0 and found.events[0].trigger.end_s == 10.5


def test_a_flash_is_one_event_not_two() -> None:
    rows = rows_near(0, 30, 0.05)
    rows[12] = rows_near(7, 1, 0.0)[0]
    scores = scene_change(rows, times(30))
    assert np.flatnonzero(scores > 0.5).tolist() == [12], "what comes back is no new scene"


def test_motion_begins_and_ends_and_a_cut_is_no_motion() -> None:
    still, moving = rows_near(0, 40, 0.01), rows_near(0, 20, 0.9, 1)
    rows = np.concatenate([still, moving, rows_near(0, 40, 0.01, 2)])
    scores = motion_change(rows, times(len(rows)))
    high = np.flatnonzero(scores > 0.5)
    assert high.min() in range(38, 42), "where it begins"
    assert high.max() in range(58, 66) and 55 not in high, "and where it ends"
    cut = np.concatenate([still, rows_near(9, 40, 0.01)])
    assert motion_change(cut, times(80)).max() < 0.05


def test_changes_know_videos_of_few_frames() -> None:
    for count in (0, 1, 2, 3):
        rows = rows_near(0, count, 0.1)
        for measure in (scene_change, motion_change):
            assert measure(rows, times(count)).shape == (count,)
    sparse = np.concatenate([rows_near(0, 4, 0.1), rows_near(1, 4, 0.1)])
    scores = scene_change(sparse, times(8, fps=0.1))
    assert np.flatnonzero(scores > 0.5).tolist() == [4], "frames far apart have the one before"


def test_words_say_how_likely_they_match() -> None:
    rows = np.stack([direction("dog")] * 5 + [direction("cat")] * 5 + [direction("tree")] * 5)
    condition = WordsCondition("a cat", None, Reader(), READER)
    scores = condition.score(seen(rows))
    assert scores[5:10].min() > 0.9 and scores[:4].max() < 0.05 and scores[11:].max() < 0.05
    (event,) = find(toy_video(7.5), [condition], seen(rows), 20).events
    assert (event.trigger.start_s, event.trigger.end_s) == (2.5, 5.0)
    assert (event.trigger.kind, event.said) == ("words", "a cat")
    with pytest.raises(RequestError):
        WordsCondition("猫", None, Reader(), READER)


def test_examples_are_pictures_and_moments_of_the_video() -> None:
    rows = np.stack([direction("cat")] * 6 + [direction("dog")] * 6 + [direction("boat")] * 6)
    pixels = np.zeros((4, 4, 3), np.uint8)  # the eyes take any picture for a dog
    picture = ExampleCondition(TriggerAsked(pictures=(pixels,)), None, Reader(), Eyes(), READER)
    assert np.flatnonzero(picture.score(seen(rows)) > 0.5).tolist() == [*range(6, 12)]
    moment = ExampleCondition(TriggerAsked(at_s=(7.0,)), None, Reader(), Eyes(), READER)
    assert np.flatnonzero(moment.score(seen(rows)) > 0.5).tolist() == [*range(12, 18)]
    both = TriggerAsked(pictures=(pixels,), at_s=(7.0,))
    either = ExampleCondition(both, None, Reader(), Eyes(), READER)
    assert np.flatnonzero(either.score(seen(rows)) > 0.5).tolist() == [*range(6, 18)]
    early = moment.score(seen(rows[:6], complete=False))
    assert not early.any(), "the moment is not read yet"


def test_what_only_a_first_look_saw_makes_no_change() -> None:
    rows = np.concatenate([rows_near(0, 20, 0.1), rows_near(1, 1, 0.1), rows_near(2, 1, 0.1)])
    at = np.append(times(20), [20.0, 30.0])
    known = seen(rows, at, complete=False)
    assert known.dense == 20
    assert ChangeCondition(SCENE, None, READER).score(known).max() < 0.05
    assert seen(rows, at).dense == 22


def test_an_event_is_the_models_and_keeps_its_hysteresis() -> None:
    own = EventCondition(ToyScorer(), None)
    assert (own.name, own.start_at, own.stay_at) == ("fight", 0.5, 0.4)
    higher = EventCondition(ToyScorer(), 0.9)
    assert higher.stay_at == pytest.approx(0.72), "the same share"
    rows = np.stack([row_for(score) for score in (0.01, 0.6, 0.03)])
    assert own.score(seen(rows)) == pytest.approx([0.01, 0.6, 0.03], abs=1e-3)


def test_the_limit_keeps_the_strongest_of_all_triggers() -> None:
    rows = np.stack([row_for(s) for s in (0.1, 0.6, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.7)])
    found = find(toy_video(5.0), [EventCondition(ToyScorer(), None)], seen(rows), 2)
    assert [e.trigger.confidence for e in found.events] == pytest.approx([0.9, 0.7], abs=1e-3)
    assert found.left_out == 1 and found.looked_for[0].found == 3


def test_frames_shown_have_the_peak_and_the_edges() -> None:
    assert rows_to_show(TriggerEvent(4, 4, 4, 0.9), 10, 8) == [3, 4, 5]
    assert rows_to_show(TriggerEvent(0, 0, 0, 0.9), 1, 8) == [0]
    rows = rows_to_show(TriggerEvent(10, 50, 33, 0.9), 100, 4)
    assert len(rows) == 4 and 33 in rows and rows[0] == 9 and rows[-1] == 51
    assert rows_to_show(TriggerEvent(10, 50, 33, 0.9), 100, 1) == [33]


@pytest.mark.parametrize(
    ("text", "kind", "name", "threshold"),
    [
        ("trigger_detector", "event", "trigger_detector", None),
        ("Scene change", "change", SCENE, None),
        ("motion @ 30 %", "change", MOTION, 0.3),
        ("a car@0.7", "words", "a car", 0.7),
        ("  a   red\ncar ", "words", "a red car", None),
        ("mail to x@y", "words", "mail to x@y", None),
    ],
)
def test_triggers_are_read_as_people_type_them(
    text: str, kind: str, name: str, threshold: float | None
) -> None:
    asked = read_trigger(text)
    assert (asked.kind, asked.name, asked.threshold) == (kind, name, threshold)


@pytest.mark.parametrize("text", ["", "   ", "-cat", "a car @ 7", "a car @ 0", "a car @ 1.2.3"])
def test_what_cannot_be_looked_for_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(RequestError) as told:
        read_trigger(text)
    assert str(told.value).endswith(".") and "\n" not in str(told.value)


def test_requests_are_checked() -> None:
    car = TriggerAsked(words="a car")
    for wrong in (
        {"triggers": ()}, {"triggers": (car, TriggerAsked(words="A car"))}, {"threshold": 0.0},
        {"threshold": 1.5}, {"max_events": 0}, {"fps": 0.0}, {"triggers": (car,) * 9},
    ):  # fmt: skip
        with pytest.raises(RequestError):
            TriggerRequest(**wrong)  # type: ignore[arg-type]
    for nothing in ({}, {"words": "a car", "event": "x"}, {"at_s": (float("nan"),)}):
        with pytest.raises(RequestError):
            TriggerAsked(**nothing)  # type: ignore[arg-type]
    assert read_name("None") is None and read_name(" captioner ") == "captioner"
    request = TriggerRequest(
        triggers=(car, TriggerAsked(words="dog", threshold=0.2)), threshold=0.8
    )
    assert [request.threshold_of(t) for t in request.triggers] == [0.8, 0.2]
