"""The shipped trigger detector on real pictures."""

import numpy as np

from models import registry
from models.catalogue import all_model_facts
from models.trigger_events import find_events
from models.video.source import VideoSource
from tests.real_media import gradio_media


def test_a_quiet_video_holds_no_fight_however_it_is_given() -> None:
    detector, backbone = registry.load("trigger_detector"), registry.load("backbone")
    with VideoSource(gradio_media("world.mp4")) as source:
        batches = list(source.sample(2.0, short_side_px=backbone.short_side_px))
    frames = np.concatenate([batch.pixels for batch in batches])
    times_s = np.concatenate([batch.times_s for batch in batches])
    scores = detector.score(frames, times_s)
    assert scores.shape == times_s.shape and scores.dtype == np.float32
    assert not find_events(scores, times_s, detector.start_at, detector.stay_at)
    assert scores.min() < 0.05, "what shows nothing of the kind is not given a floor"
    indexed = detector.score(backbone.encode_frames(frames).astype(np.float16), times_s)
    np.testing.assert_allclose(indexed, scores, atol=0.01)


def test_its_quality_is_said_in_words() -> None:
    facts = {facts.name: facts for facts in all_model_facts()}["trigger_detector"]
    assert facts.problem is None
    assert facts.quality.short.startswith("average precision .")
    assert "chance .52" in facts.quality.full and "false events an hour" in facts.quality.full
    assert "surveillance clips" in facts.data
