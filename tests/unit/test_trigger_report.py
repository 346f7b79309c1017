"""The report in sentences, and the files of an analysis."""

import csv
import io
from dataclasses import replace

import pytest

from app.export import trigger_documents
from app.pipelines.report import at_time, lasting, report, things
from app.results import ModelUsed, Performance, Sampling
from app.trigger_results import Box, LookedFor, Stages, Trigger, TriggerResult
from models.speech import spoken_text
from tests.sample_results import HOSTILE_NAMES
from tests.unit.trigger_toys import toy_video


def box(label: str) -> Box:
    return Box(label, 0.8, (1.0, 2.0, 30.0, 40.0))


def event(start_s: float, end_s: float, confidence: float = 0.9, **more: object) -> Trigger:
    time_s = (start_s + end_s) / 2
    return Trigger("fight", time_s, int(2 * time_s), confidence, start_s, end_s, **more)  # type: ignore[arg-type]


EVENTS = (
    event(
        12.0, 15.0, looked_closer=True, description="two men are fighting", sure=0.5,
        verdict="yes", boxes=(box("person"), box("person"), box("dog")), action="boxing",
    ),
    event(62.0, 62.5, 0.7, looked_closer=True, description="A street.", sure=0.3, verdict="no"),
)  # fmt: skip


def result(events: tuple[Trigger, ...] = EVENTS, **more: object) -> TriggerResult:
    given = {
        "video": toy_video(), "sampling": Sampling(2.0, 150), "triggers": events, "below": (),
        "looked_for": (
            LookedFor("fight", "event", 0.6, 0.4, len(events), 0.9, ModelUsed("toy", None)),
            LookedFor("a car", "words", 0.5, 0.3, 0, 0.2),
        ),
        "left_out": 0, "described_frames": 6, "timing": Performance(), "stages": Stages(), **more,
    }  # fmt: skip
    made = TriggerResult(**given)  # type: ignore[arg-type]
    return replace(made, report=report(made))


def test_the_report_says_everything_in_plain_sentences() -> None:
    assert result().report == (
        "The video lasts 1 minute and 15 seconds, and 150 frames of it were looked at. "
        "Looked for: a fight and “a car”. "
        "Two events were found. One of them was dismissed after a closer look. "
        "From 12 seconds, for 3 seconds: a fight, 90 percent sure. Two men are fighting. "
        "In the picture: two people and one dog. The action looks like boxing. "
        "At 1 minute and 2 seconds: a fight, 70 percent sure. "
        "A closer look says that it does not happen. A street. "
        "At most there are, in one picture, two people and one dog. "
        "The descriptions are 40 percent sure on average."
    )


def test_the_report_of_nothing_names_the_closest() -> None:
    none = result((), below=(event(3.0, 3.5, 0.31),))
    assert none.report.endswith(
        "Nothing of it is found with confidence. The closest is a fight at 3 seconds, "
        "with 31 percent."
    )
    assert result(()).report.endswith("Nothing of it is found with confidence.")


def test_many_events_are_told_in_short() -> None:
    many = tuple(event(10.0 * n, 10.0 * n + 2, 0.5 + n / 100) for n in range(30))
    told = result(many, left_out=4).report
    assert "30 events were found." in told and "Four weaker events were left out." in told
    assert "18 more follow, the last at 4 minutes and 51 seconds." in told
    assert len(told) < 1600


def test_guesses_are_told_as_guesses_and_changes_without_a_number() -> None:
    guess = replace(EVENTS[0], verdict=None, sure=0.4, description="A man is cooking")
    cut = replace(EVENTS[1], kind="change", trigger="change of scene", verdict=None, description="")
    told = result((guess, cut)).report
    assert "Perhaps a man is cooking." in told
    assert "At 1 minute and 2 seconds: a change of scene. " in told
    assert "A man is cooking." in result((replace(guess, sure=0.8),)).report


def test_moments_to_compare_with_are_told_in_words() -> None:
    like = replace(EVENTS[0], kind="example", trigger="like 1:05 or 1:00:00")
    assert (
        "something like what is shown at 1 minute and 5 seconds or what is shown at 1 hour, "
        "90 percent sure" in result((like,)).report
    )


def test_the_report_can_be_spoken_as_it_is_read() -> None:
    words = spoken_text(result().report)
    assert "90 percent" in words and "(" not in words and "%" not in words and ":0" not in words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a second"), (1.0, "1 second"), (59.6, "1 minute"),
        (75.4, "1 minute and 15 seconds"), (3600.0, "1 hour"),
        (7325.0, "2 hours, 2 minutes and 5 seconds"),
    ],
)  # fmt: skip
def test_times_are_words(seconds: float, words: str) -> None:
    assert lasting(seconds) == words
    assert at_time(seconds) == ("at the start" if seconds < 0.5 else f"at {words}")


def test_things_have_plurals() -> None:
    counts = {"person": 2, "bus": 3, "sheep": 4, "fire hydrant": 2, "puppy": 2, "boy": 11, "dog": 1}
    assert things(counts) == (
        "two people, three buses, four sheep, two fire hydrants, two puppies, 11 boys and one dog"
    )


def test_the_table_has_a_row_an_event_and_no_formulas() -> None:
    hostile = replace(EVENTS[0], description="=cmd|' /C calc'!A0", trigger="-cat\n+1")
    rows = list(csv.reader(io.StringIO(trigger_documents.as_csv(result((hostile, EVENTS[1]))))))
    assert [len(row) for row in rows] == [len(trigger_documents.TRIGGER_COLUMNS)] * 3
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows[1:] for cell in row)
    assert rows[2][10] == "yes" and rows[1][13] == "2 person; 1 dog"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_captions_take_any_name(name: str) -> None:
    video = replace(toy_video(), name=name)
    lines = trigger_documents.as_vtt(replace(result(), video=video)).splitlines()
    cues = [line for line in lines if "-->" in line]
    assert cues == ["00:00:12.000 --> 00:00:15.000", "00:01:02.000 --> 00:01:02.500"]
    assert "fight (70 %, dismissed): A street." in lines
