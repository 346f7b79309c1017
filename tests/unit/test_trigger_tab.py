"""What the Triggers tab asks for and shows, without a page."""

import argparse
import shlex
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from app.commands.triggers import add_triggers
from app.pipelines.triggering import SCENE, read_trigger
from app.results import Performance, Sampling, ScoredFrame
from app.services import OpenedVideo
from app.tabs.trigger_asking import command_line, read_request
from app.tabs.trigger_sample import Sample
from app.tabs.triggers_view import (
    cards_below,
    event_cards,
    event_rows,
    object_counts,
    sentence,
    spared,
    tracks,
)
from app.trigger_results import Box, LookedFor, ModelUsed, Stages, Trigger, TriggerResult
from models.errors import RequestError
from models.types import VideoInfo

VIDEO = VideoInfo(Path("v.mp4"), "-v.mp4", "00", 60.0, Fraction(25), 400, 200, 0, False, "h264")
FIGHT = Trigger("fight", 12.0, 24, 0.9, 10.0, 15.0)
CAR = Trigger("a car", 31.0, 62, 0.6, 30.0, 33.0)
BOXES = (Box("person", 0.9, (-10.0, 20.0, 200.0, 260.0)), Box("dog", 0.5, (0.0, 0.0, 40.0, 20.0)))


def result(*triggers: Trigger, below: tuple[Trigger, ...] = ()) -> TriggerResult:
    curve = (ScoredFrame(0.0, 0.1), ScoredFrame(12.0, 0.9))
    looked = (
        LookedFor("fight", "event", 0.5, 0.4, 1, 0.9, curve=curve),
        LookedFor("a car", "words", 0.5, 0.4, 1, 0.6, curve=curve),
    )
    return TriggerResult(
        VIDEO, Sampling(2.0, 120), looked, triggers, below, 0, 9, Performance(), Stages(),
        describer=ModelUsed("captioner", "abc"),
    )  # fmt: skip


def ask(ticked: tuple[str, ...] = (), words: str = "", sample: Sample | None = None) -> list[str]:
    request = read_request(ticked, words, sample, None, 20, "none", "none", 2.0)
    return [f"{asked.kind}: {asked.name}" for asked in request.triggers]


def test_each_of_several_words_is_a_trigger() -> None:
    assert ask(words='a car, "red, blue flag";a dog\n change of scene,,') == [
        "words: a car",
        'words: "red, blue flag"',
        "words: a dog",
        f"change: {SCENE}",
    ]
    assert ask((f"change:{SCENE}", "event:trigger_detector"), "", Sample(at_s=4.0)) == [
        f"change: {SCENE}",
        "event: trigger_detector",
        "example: like 0:04",
    ]


def test_nothing_to_look_for_is_said() -> None:
    with pytest.raises(RequestError, match="Choose what to look for"):
        ask(words=" , ;")


def test_the_command_line_asks_for_the_same() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    request = read_request(
        ("event:trigger_detector",), "a car @ 70 %, a dog", Sample(pixels=pixels), 0.4, 7, "none",
        None, 3.0,
    )  # fmt: skip
    words = shlex.split(command_line(OpenedVideo(VIDEO, VIDEO.path), request))
    parser = argparse.ArgumentParser()
    add_triggers(parser.add_subparsers()).add_argument("--json")
    options = parser.parse_args(words[3:])
    assert options.video == "-v.mp4"
    triggers = [read_trigger(text) for text in options.trigger]
    assert triggers == [asked for asked in request.triggers if asked.kind != "example"]
    assert (options.threshold, options.max_events, options.fps) == (0.4, 7, 3.0)
    assert options.describe == options.detector == "none"
    assert len(options.example) == 1


def test_cards_play_from_the_start_and_boxes_stay_inside() -> None:
    seen = replace(FIGHT, boxes=BOXES, verdict="no", description="two people", sure=0.42)
    shown = event_cards(result(seen, CAR))
    first, second = shown["items"]
    assert (first["t"], first["from"], first["to"]) == (10.0, 10.0, 15.0)
    assert first["boxes"][0] == {"label": "person", "note": "90\u00a0%", "at": [0.0, 0.1, 0.5, 0.9]}
    assert first["judged"] == "dismissed" and second["judged"] is None
    assert first["colour"] != second["colour"]
    assert first["seen"] == "described, 42\u00a0% sure"
    assert first["label"] == "Fight, 90\u00a0% sure"
    guessed = replace(FIGHT, kind="change", description="two people", sure=0.42)
    (card,) = event_cards(result(guessed))["items"]
    assert card["seen"] == "a guess, 42\u00a0% sure"
    assert (card["note"], card["label"]) == ("", "Fight"), "a change has no probability"


def test_sentences() -> None:
    dismissed = replace(FIGHT, verdict="no")
    assert sentence(result(dismissed, CAR), complete=True) == (
        "2 events: 1 × fight, 1 × a car; 1 dismissed after a closer look."
    )
    nothing = "Nothing here reaches the threshold for “fight” or “a car”"
    assert sentence(result(), complete=True) == f"{nothing}."
    assert sentence(result(below=(CAR,)), complete=False) == (
        f"{nothing} so far. What comes nearest is below."
    )
    assert spared(result()) == "captioner saw 9 of 120 frames; 92\u00a0% were spared"
    assert spared(replace(result(), describer=None)) == ""
    shared = replace(result(), described_frames=121)  # events share some of their frames
    assert spared(shared) == "captioner saw 120 of 120 frames; 0\u00a0% were spared"


def test_what_lies_below_is_open_where_nothing_is_above() -> None:
    assert cards_below(result(below=(CAR,)))["open"]
    assert not cards_below(result(FIGHT, below=(CAR,)))["open"]
    assert cards_below(result(FIGHT))["title"] == ""


def test_tracks_pins_rows_and_counts_belong_together() -> None:
    seen = replace(FIGHT, boxes=BOXES, looked_closer=True)
    found = result(seen, CAR)
    layer = tracks(found)
    assert [track["name"] for track in layer["tracks"]] == ["Fight", "A car"]
    assert [pin["colour"] for pin in layer["pins"]] == [t["colour"] for t in layer["tracks"]]
    assert layer["tracks"][0]["spans"] == [{"start_s": 10.0, "end_s": 15.0}]
    assert event_rows(found)["rows"][0]["cells"][-1] == "1 × dog, 1 × person"
    assert event_rows(found)["columns"] == ["From", "To", "What", "Sure", "Objects"]
    assert object_counts(found)["items"] == [
        {"label": "dog", "seen": [{"t": 12.0, "count": 1}]},
        {"label": "person", "seen": [{"t": 12.0, "count": 1}]},
    ]
    assert tracks(None)["pins"] == []
