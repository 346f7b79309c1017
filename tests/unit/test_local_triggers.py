"""Trigger models of this machine in an analysis: other encoders, several events, a fair share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.pipelines.analyze_triggers import Helpers, analyze
from app.pipelines.found_events import FoundEvent, fair_share
from app.pipelines.trigger_conditions import ChangeCondition, EventCondition
from app.pipelines.triggering import SCENE, TriggerRequest
from app.results import ModelUsed
from app.trigger_results import Trigger
from models.quality import quality_in_words
from models.trigger_events import TriggerEvent
from tests.unit.trigger_toys import Analysis, ScoredEyes, ToyScorer

NO_HELPERS = Helpers()


def event(name: str, score: float, at: int) -> FoundEvent:
    trigger = Trigger(name, float(at), at, score, float(at), at + 1.0)
    return FoundEvent(TriggerEvent(at, at, at, score), name, trigger)


def test_many_changes_of_scene_do_not_push_out_the_only_fight() -> None:
    cuts = [event("cut", 0.99, at) for at in range(0, 100, 2)]
    fights = [event("fight", 0.55, 31)]
    kept = fair_share([cuts, fights], 10)
    assert len(kept) == 10
    assert [found.trigger.trigger for found in kept].count("fight") == 1
    assert [found.trigger.time_s for found in kept] == sorted(f.trigger.time_s for f in kept)


def test_a_trigger_keeps_its_strongest_and_is_never_thinned_evenly() -> None:
    scores = [0.5, 0.9, 0.6, 0.95, 0.7, 0.55, 0.8, 0.51]
    events = [event("fight", score, at) for at, score in enumerate(scores)]
    kept = fair_share([events, [event("cut", 0.6, 20)]], 4)
    found = [one.trigger.confidence for one in kept if one.trigger.trigger == "fight"]
    assert found == [0.9, 0.95, 0.8], "the three strongest, in order of time"


def test_what_one_trigger_has_too_few_of_goes_to_the_others() -> None:
    kept = fair_share([[event("a", 0.9, 0)], [event("b", 0.5, at) for at in range(1, 9)]], 5)
    assert len(kept) == 5


class OtherEyes(ScoredEyes):
    """Another encoder, to which the last frames are the event."""

    name = "other_eyes"
    weights_hash = "ee" * 32


class OtherScorer(ToyScorer):
    name = "other_trigger"
    index_encoder = "other_eyes"


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    return Analysis(tmp_path)


def test_a_model_over_another_encoder_reads_an_index_of_its_own(analysis: Analysis) -> None:
    low = [0.05] * 14
    other = OtherEyes([*low[:11], 0.8, 0.9, 0.8])
    conditions = [
        EventCondition(ToyScorer(), None),
        EventCondition(OtherScorer(), None, encoder=other),
    ]
    conditions[1].name = "fight (other_trigger)"
    steps = list(
        analyze(analysis.video, TriggerRequest(), conditions, analysis.eyes, NO_HELPERS,
                analysis.store)
    )  # fmt: skip
    last = steps[-1].result
    assert steps[-1].complete and last is not None
    found = {(t.trigger, t.frame_index) for t in last.triggers}
    assert ("fight (other_trigger)", 12) in found and ("fight", 3) in found
    assert analysis.eyes.seen == other.seen == 14, "each looked once"
    assert any("as other_eyes sees it" in step.progress.stage for step in steps)
    looked = last.looked_for[1]
    assert looked.model is not None and looked.model.name == "other_trigger"
    again = list(
        analyze(analysis.video, TriggerRequest(), conditions, analysis.eyes, NO_HELPERS,
                analysis.store)
    )[-1].result  # fmt: skip
    assert again is not None and again.timing.from_index and other.seen == 14


def test_scores_of_another_index_are_read_at_the_times_of_the_first(analysis: Analysis) -> None:
    analysis.index()
    other = OtherEyes([0.9] * 14)
    condition = EventCondition(OtherScorer(), None, encoder=other)
    result = list(
        analyze(analysis.video, TriggerRequest(fps=2.0), [condition], analysis.eyes, NO_HELPERS,
                analysis.store)
    )[-1].result  # fmt: skip
    assert result is not None
    assert len(result.looked_for[0].curve) == result.sampling.frames


def test_the_published_layout_has_its_keys_and_no_others(analysis: Analysis) -> None:
    change = ChangeCondition(SCENE, None, ModelUsed("eyes", None))
    result = analysis.result(conditions=[EventCondition(ToyScorer(), None), change])
    written = result.to_published_json()
    assert list(written) == [
        "video_path", "num_frames_analyzed", "num_triggers_detected", "triggers", "video_summary",
    ]  # fmt: skip
    assert written["num_triggers_detected"] == len(written["triggers"]) == len(result.triggers)
    assert set(written["triggers"][0]) == {
        "timestamp", "frame_index", "trigger_confidence", "analysis",
    }  # fmt: skip
    described = replace(result.triggers[0], description=None)
    bare = replace(result, triggers=(described,)).to_published_json()
    assert bare["triggers"][0]["analysis"] == "", "a string, as its readers expect"
    assert np.isfinite(bare["triggers"][0]["trigger_confidence"])


def test_what_was_measured_of_a_local_model_is_said_and_else_that_nothing_was() -> None:
    one = {"average_precision": 0.8, "chance": 0.2, "precision": 0.5, "recall": 1.0}
    metrics = {"validation": {"events": {"a fight": one}, "videos": 3}}
    quality = quality_in_words("trigger_scorer", metrics, {})
    assert quality.short == "average precision .80"
    assert "3 videos held out" in quality.full and "chance .20" in quality.full
    assert quality_in_words("trigger_scorer", {"measured": "not measured"}, {}).full == (
        "Not measured."
    )
