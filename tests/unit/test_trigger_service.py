"""What the service refuses at once, what it goes on without, and a report that cannot be spoken."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.pipelines.triggering import TriggerAsked, TriggerRequest
from app.progress import Done
from app.services import Services
from app.settings import Settings
from app.trigger_service import NO_DESCRIBER, NO_DETECTOR, Spoken, TriggerService, fitting
from models import registry
from models.errors import CheckpointError, RequestError, SpeechError
from tests.unit.test_trigger_report import result
from tests.unit.trigger_toys import ScoredEyes, ToyScorer, toy_video

SCENES = TriggerAsked(change="change of scene")


@pytest.fixture
def triggers(tmp_path: Path) -> TriggerService:
    return Services(replace(Settings(), data_dir=tmp_path)).triggers


def spoken(triggers: TriggerService, **options: object) -> Spoken:
    steps = list(triggers.speak(result(), **options))  # type: ignore[arg-type]
    last = steps[-1]
    assert isinstance(last, Done)
    return last.value


def test_the_report_is_spoken_for_download(triggers: TriggerService) -> None:
    said = spoken(triggers, words_a_minute=300)
    assert said.path is not None and said.path.name == "yard.report.wav"
    assert said.path.stat().st_size > 10_000 and said.result.stages.speak_s > 0


def test_where_speech_fails_the_report_stays_and_says_so(
    triggers: TriggerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Path:
        raise SpeechError("The voice engine is gone.")

    monkeypatch.setattr("app.files.ResultFiles.write_speech", fails)
    said = spoken(triggers)
    assert said.path is None and said.result.remarks == ("The voice engine is gone.",)
    assert said.result.report == result().report
    assert spoken(triggers).result.remarks == said.result.remarks, "once, not twice"


def test_a_voice_that_does_not_exist_is_a_remark(triggers: TriggerService) -> None:
    assert "There is no voice" in spoken(triggers, voice="nobody").result.remarks[0]


@pytest.mark.parametrize(
    "request_", [
        TriggerRequest(triggers=(SCENES,), detector="yolo"),
        TriggerRequest(triggers=(SCENES,), describer="gpt"),
        TriggerRequest(triggers=(TriggerAsked(event="keyframe_scorer"),)),
    ],
)  # fmt: skip
def test_names_of_no_model_are_refused_before_any_work(
    triggers: TriggerService, request_: TriggerRequest
) -> None:
    with pytest.raises(RequestError, match="choose one of"):
        next(iter(triggers.analyze(toy_video(), request_)))


def test_defaults_that_are_not_there_are_gone_on_without(
    triggers: TriggerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {name: entry for name, entry in registry.MODELS.items()
            if entry.kind in ("frame_encoder", "frame_text_encoder")}  # fmt: skip
    monkeypatch.setattr(registry, "MODELS", kept)
    helpers = triggers._helpers(TriggerRequest(triggers=(SCENES,)))
    assert helpers.detector is None and helpers.describer is None and helpers.actions is None
    assert helpers.remarks == (NO_DETECTOR, NO_DESCRIBER)
    none = triggers._helpers(TriggerRequest(triggers=(SCENES,), describer=None, detector=None))
    assert none.remarks == (), "who wants none hears nothing"


def test_a_model_of_another_backbone_is_refused() -> None:
    scorer, eyes = ToyScorer(), ScoredEyes()
    assert fitting(scorer, eyes) is scorer
    scorer.encoder_hash = "00" * 32  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match="fetch both again"):
        fitting(scorer, eyes)
