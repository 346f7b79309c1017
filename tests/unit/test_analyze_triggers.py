"""An analysis from video to report: partial results, cancelling, what a closer look changes."""

import json
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipelines.analyze_triggers import Helpers, TriggerStep
from app.pipelines.trigger_conditions import EventCondition
from models.errors import ModelUnavailableError
from models.trigger_events import find_events
from tests.unit.trigger_toys import (
    SCORES,
    Analysis,
    ToyDescriber,
    ToyDetector,
    ToyScorer,
)


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    return Analysis(tmp_path)


def test_events_are_found_described_and_reported(analysis: Analysis) -> None:
    steps = analysis.steps()
    result = steps[-1].result
    assert result is not None and steps[-1].complete and not any(s.complete for s in steps[:-1])
    assert [t.frame_index for t in result.triggers] == [3, 11]
    first, second = result.triggers
    assert (first.start_s, first.end_s, first.time_s) == (1.0, 2.5, 1.5)
    assert first.description == "pictures [1, 3, 5]", "the peak, and what is around the event"
    assert (first.verdict, first.people, first.looked_closer) == ("yes", ("somebody",), True)
    assert [box.label for box in second.boxes] == ["person", "dog", "dog"]
    assert second.boxes[0].xyxy == (0.0, 0.0, 96.0, 64.0)
    picture = cv2.imdecode(np.frombuffer(first.picture, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and abs(int(picture.mean()) - 30) <= 3, "the frame of the peak"
    assert [t.frame_index for t in result.below] == [7]
    assert "fight" in result.report and result.spared == pytest.approx(1 - 6 / len(SCORES))
    assert result.stages.detect_s > 0 and result.stages.fetch_s > 0
    assert result.detector is not None and result.detector.hash == "11" * 32


def test_events_are_shown_before_any_closer_look(analysis: Analysis) -> None:
    known = [step.result for step in analysis.steps() if step.result is not None]
    assert len(known) >= 4, "as found, after each look, and at the end"
    assert [t.looked_closer for t in known[0].triggers] == [False, False]
    assert all(t.thumbnail[:2] == b"\xff\xd8" for t in known[0].triggers)
    looked = [sum(t.looked_closer for t in result.triggers) for result in known]
    assert looked == sorted(looked)
    half = next(result for result in known if sum(t.looked_closer for t in result.triggers) == 1)
    assert half.triggers[0].looked_closer, "the surest first"


def test_a_no_dismisses_and_does_not_drop(analysis: Analysis) -> None:
    analysis.describer = ToyDescriber(dismissed=[11])
    result = analysis.result()
    assert [t.dismissed for t in result.triggers] == [False, True] and result.dismissed == 1
    assert result.to_json()["num_triggers_detected"] == 2
    assert result.to_json()["triggers"][1]["verdict"] == "no"
    assert "dismissed after a closer look" in result.report


def test_moving_the_threshold_computes_nothing_again(analysis: Analysis) -> None:
    analysis.result()
    described, detected = len(analysis.describer.asked), analysis.detector.calls
    again = analysis.result(0.6)
    assert len(again.triggers) == 2 and again.triggers[0].description == "pictures [1, 3, 5]"
    assert again.described_frames == 6, "they were shown, if not now"
    assert (len(analysis.describer.asked), analysis.detector.calls) == (described, detected)
    more = analysis.result(0.4)
    assert [t.frame_index for t in more.triggers] == [3, 7, 11]
    assert (len(analysis.describer.asked), analysis.detector.calls) == (described + 1, detected + 1)
    assert analysis.eyes.seen == len(SCORES), "and the video is read once"


def test_another_model_looks_for_itself(analysis: Analysis) -> None:
    analysis.result()
    other = ToyDetector(dogs=0)
    other.name = "other_detector"
    analysis.detector = other
    assert [len(t.boxes) for t in analysis.result().triggers] == [1, 1]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ModelUnavailableError("Gone.")])
def test_a_describer_that_fails_leaves_the_events(analysis: Analysis, error: Exception) -> None:
    analysis.describer = ToyDescriber(error=error)
    result = analysis.result()
    assert [t.description for t in result.triggers] == [None, None]
    assert [len(t.boxes) for t in result.triggers] == [3, 3]
    assert len(analysis.describer.asked) == 1, "it is not asked again and again"
    (remark,) = result.remarks
    assert remark == "Gone." or ("toy_describer failed" in remark and "memory" not in remark)
    analysis.describer = ToyDescriber()
    assert all(t.description for t in analysis.result().triggers), "a failure is not remembered"


def test_a_detector_that_fails_leaves_the_words(analysis: Analysis) -> None:
    analysis.detector = ToyDetector(error=ValueError("no"))
    result = analysis.result()
    assert analysis.detector.calls == 1 and len(result.remarks) == 1
    assert all(t.description and not t.boxes for t in result.triggers)


def test_models_that_cannot_be_had_are_one_sentence_each(analysis: Analysis) -> None:
    def unavailable(*_: object) -> object:
        raise ModelUnavailableError("detr is not on this machine.")

    result = analysis.result(helpers=analysis.helpers(detector=unavailable, actions=unavailable))
    assert result.remarks == ("detr is not on this machine.",)
    assert result.detector is None and result.describer is not None
    assert all(t.description and t.looked_closer and not t.boxes for t in result.triggers)


def test_without_helpers_there_are_still_pictures(analysis: Analysis) -> None:
    result = analysis.result(helpers=Helpers(remarks=("No detector.",)))
    assert result.remarks == ("No detector.",) and result.spared == 1.0
    assert all(t.picture[:2] == b"\xff\xd8" for t in result.triggers)


def test_a_video_that_is_gone_keeps_its_events(analysis: Analysis) -> None:
    analysis.index()
    analysis.video.path.unlink()
    result = analysis.result()
    assert len(result.triggers) == 2 and len(result.remarks) >= 1
    assert not any(t.looked_closer for t in result.triggers)


def test_a_low_threshold_does_not_fire_on_every_frame(tmp_path: Path) -> None:
    quiet = Analysis(tmp_path, (0.01, 0.02, 0.03, 0.01, 0.0, 0.02, 0.01, 0.03))
    result = quiet.result(0.05)
    assert result.triggers == () and len(result.below) <= 4
    assert "Nothing of it is found" in result.report and not quiet.describer.asked


def test_nothing_found_loads_nothing(tmp_path: Path) -> None:
    quiet = Analysis(tmp_path, (0.01, 0.02, 0.03))
    loaded: list[str] = []
    helpers = quiet.helpers(detector=lambda _: loaded.append("detector"))
    assert quiet.result(helpers=helpers).triggers == () and loaded == []


class Held:
    """Stands in for slow work, in one stage of an analysis."""

    def __init__(self) -> None:
        self.go_on, self.began = threading.Event(), threading.Event()

    def wait(self, *_: object) -> None:
        self.began.set()
        self.go_on.wait(20)


class SlowScorer(ToyScorer):
    def __init__(self, held: Held) -> None:
        self._held = held

    def score(self, frames, times_s):  # type: ignore[no-untyped-def]
        self._held.wait()
        return super().score(frames, times_s)


class SlowDetector(ToyDetector):
    def __init__(self, held: Held) -> None:
        super().__init__()
        self._held = held

    def detect(self, frames):  # type: ignore[no-untyped-def]
        self._held.wait()
        return super().detect(frames)


def until_held(steps: "list[TriggerStep]", running, held: Held) -> None:  # type: ignore[no-untyped-def]
    for step in running:
        steps.append(step)
        if held.began.is_set():
            return


@pytest.mark.parametrize("stage", ["score", "load", "detect", "describe", "actions"])
def test_cancel_is_heard_in_every_stage(analysis: Analysis, stage: str) -> None:
    held = Held()
    conditions = [EventCondition(SlowScorer(held) if stage == "score" else ToyScorer(), None)]
    describer = ToyDescriber(held=held.go_on)
    held.began = describer.began if stage == "describe" else held.began
    analysis.describer = describer if stage == "describe" else ToyDescriber()
    analysis.detector = SlowDetector(held) if stage == "detect" else ToyDetector()
    others = {"load": {"detector": held.wait}, "actions": {"actions": held.wait}}
    helpers = analysis.helpers(**others.get(stage, {}))
    running = analysis.begin(conditions=conditions, helpers=helpers)
    steps: list[TriggerStep] = []
    until_held(steps, running, held)
    assert held.began.is_set() and not any(step.complete for step in steps)
    started = time.perf_counter()
    running.close()
    assert time.perf_counter() - started < 10, "nobody waits for the model"
    held.go_on.set()
    if stage != "score":
        last = [step.result for step in steps if step.result is not None][-1]
        assert len(last.triggers) == 2, "what was found stays"


def test_cancel_while_reading_stops_the_reading(analysis: Analysis) -> None:
    running = analysis.begin()
    next(running)
    running.close()
    assert analysis.store.load is not None and not analysis.describer.asked
    assert not list(analysis.video.path.parent.glob("index/*/eyes*")), "no half of an index"


def test_json_is_the_seeds_and_ours(analysis: Analysis) -> None:
    written = json.loads(json.dumps(analysis.result().to_json(), allow_nan=False))
    assert {
        "schema_version", "video_path", "video", "num_frames_analyzed", "num_triggers_detected",
        "triggers", "below", "video_summary", "models", "sampling", "thresholds", "spared",
        "timing", "counts", "classes", "remarks",
    } <= set(written)  # fmt: skip
    assert {
        "timestamp", "frame_index", "trigger_confidence", "analysis", "start_s", "end_s",
        "trigger", "boxes", "verdict", "people", "objects", "dismissed",
    } <= set(written["triggers"][0])  # fmt: skip
    assert written["video_path"] == "shades.mp4" and written["num_frames_analyzed"] == len(SCORES)
    assert set(written["triggers"][0]["boxes"][0]) == {"label", "score", "xyxy"}
    assert {"decode_s", "encode_s", "score_s", "detect_s", "describe_s", "speak_s"} <= set(
        written["timing"]
    )
    assert written["models"]["detector"]["hash"] == "11" * 32
    assert written["thresholds"][0]["start_at"] == 0.5
    assert len(written["thresholds"][0]["scores"]) == len(SCORES)


def test_classes_are_counted_and_filtered(analysis: Analysis) -> None:
    result = analysis.result()
    assert result.classes == ("dog", "person")
    assert [c.counts for c in result.counts] == [{"dog": 2, "person": 1}] * 2
    dogs = result.only_with(["dog"])
    assert [len(t.boxes) for t in dogs.triggers] == [2, 2]
    assert result.only_with(["cat"]).triggers == ()


def test_scores_here_are_what_the_events_are_made_of() -> None:
    at = np.arange(len(SCORES)) / 2
    events = find_events(np.array(SCORES), at, 0.5, 0.4)
    assert [(e.first, e.last) for e in events] == [(2, 4), (10, 11)]
