"""What is made of a classifier's windows: stretches without gaps, none of these, the whole."""

import json
from pathlib import Path

import numpy as np
import pytest

from app.action_results import NONE_OF_THESE, ActionResult
from app.export import action_documents, documents
from app.pipelines.action_words import summed_up
from app.pipelines.recognize import owned_spans, recognize
from app.pipelines.recognizing import (
    LONGEST_LABEL,
    MOST_LABELS,
    RecognizeRequest,
    read_labels,
)
from app.tabs.actions_view import MOST_ROWS, found, ribbons
from models.errors import RequestError
from tests.unit.action_toys import (
    COOKING,
    JUGGLING,
    NOTHING,
    REST,
    ToyClassifier,
    ToyEyes,
    toy_store,
    toy_video,
)

SCENES = (JUGGLING, NOTHING, COOKING)
FRAMES_EACH = 24


def seen(
    folder: Path, scenes: tuple[list[float], ...] = SCENES, each: int = FRAMES_EACH, **video: object
) -> ActionResult:
    rows = [row for scene in scenes for row in [scene] * each]
    start_s = float(video.get("start_s", 0.0))  # type: ignore[arg-type]
    steps = list(
        recognize(
            toy_video(len(rows), **video),  # type: ignore[arg-type]
            RecognizeRequest(), ToyClassifier(), ToyEyes(), toy_store(folder, rows, start_s),
        )
    )  # fmt: skip
    assert len(steps) == 1 and steps[0].complete and steps[0].result is not None
    return steps[0].result


def test_windows_of_one_label_are_one_stretch(tmp_path: Path) -> None:
    result = seen(tmp_path)
    assert [s.label for s in result.stretches] == ["juggling", NONE_OF_THESE, "cooking"]
    assert result.stretches[0].start_s == 0.0
    assert result.stretches[-1].end_s == result.video.end_s == 36.0
    for one, other in zip(result.stretches, result.stretches[1:], strict=False):
        assert one.end_s == other.start_s
    juggling, nothing, cooking = result.stretches
    assert abs(juggling.end_s - 12.0) <= 2.0 and abs(cooking.start_s - 24.0) <= 2.0
    assert juggling.probability > 0.85 and cooking.top[0].label == "cooking"
    assert nothing.probability > 0.7, "how sure it is that it is none of them"
    assert nothing.top[0].label in ("juggling", "cooking"), "the nearest is said all the same"
    assert not result.unknown and juggling.thumbnail[:2] == b"\xff\xd8"


def test_a_window_too_little_known_is_none_of_these(tmp_path: Path) -> None:
    result = seen(tmp_path)
    for window in result.windows:
        assert (window.label == NONE_OF_THESE) == (window.known < ToyClassifier.known_from)
        expected = window.top[0].probability if window.is_known else 1 - window.known
        assert window.probability == pytest.approx(expected)
        assert sum(frame.weight for frame in window.looked_at) == pytest.approx(1.0)
    nothing = seen(tmp_path / "nothing", (NOTHING,))
    assert nothing.unknown and nothing.to_json()["unknown"] is True
    assert "None of the 3 labels" in summed_up(nothing) and "juggling" in summed_up(nothing)


def test_the_whole_counts_what_is_known_and_how_long(tmp_path: Path) -> None:
    top = seen(tmp_path, (JUGGLING, *[NOTHING] * 6, COOKING, COOKING)).top
    assert [chance.label for chance in top][:2] == ["cooking", "juggling"]
    assert sum(chance.probability for chance in top) == pytest.approx(1.0, abs=1e-5)


def test_frames_looked_at_lie_in_their_stretch(tmp_path: Path) -> None:
    for stretch in seen(tmp_path).stretches:
        times = [frame.time_s for frame in stretch.looked_at]
        assert times == sorted(times) and 1 <= len(times) <= 8
        assert stretch.start_s - 1e-6 <= times[0] and times[-1] <= stretch.end_s + 1e-6
        assert stretch.time_s in times
        assert max(f.weight for f in stretch.looked_at) == next(
            f.weight for f in stretch.looked_at if f.time_s == stretch.time_s
        )


def test_a_video_that_starts_late_keeps_its_clock(tmp_path: Path) -> None:
    result = seen(tmp_path, start_s=3.5)
    assert result.stretches[0].start_s == 3.5
    assert result.stretches[-1].end_s == pytest.approx(39.5)


def test_one_frame_is_a_window(tmp_path: Path) -> None:
    result = seen(tmp_path, (REST,), each=1)
    (stretch,) = result.stretches
    assert (stretch.label, stretch.start_s, stretch.end_s) == ("rest", 0.0, 0.5)


def test_overlaps_are_halved_and_gaps_closed() -> None:
    spans = np.array([[0.0, 4.0], [2.0, 6.0], [8.0, 12.0]])
    assert owned_spans(spans, 11.0).tolist() == [[0.0, 3.0], [3.0, 7.0], [7.0, 11.0]]
    assert spans[0, 1] == 4.0, "what was given is not changed"


def test_json_says_what_was_promised(tmp_path: Path) -> None:
    result = seen(tmp_path)
    written = json.loads(documents.write_json(result, tmp_path / "a.json").read_text("utf-8"))
    assert {
        "schema_version", "video", "model", "labels", "zero_shot", "sampling", "top", "unknown",
        "windows", "stretches", "timing",
    } <= set(written)  # fmt: skip
    assert set(written["top"][0]) == {"label", "probability"}
    assert {"start_s", "end_s", "label", "probability", "known", "top", "looked_at"} == set(
        written["windows"][0]
    )
    assert written["zero_shot"] is False and written["labels"][0] == "juggling"
    assert len(written["windows"][0]["top"]) == 3


def test_table_and_captions(tmp_path: Path) -> None:
    result = seen(tmp_path)
    rows = action_documents.as_csv(result).splitlines()
    assert len(rows) == 1 + len(result.stretches)
    assert rows[2].split(",")[5:8:2] == [NONE_OF_THESE, "no"]
    captions = action_documents.as_vtt(result)
    assert captions.startswith("WEBVTT") and captions.count("-->") == 2
    assert "juggling (90 %)" in captions and NONE_OF_THESE not in captions


@pytest.mark.parametrize(
    "label", ["=1+1", "</v><img src=x>", "--> 00:00:01.000", "two\nlines", "${alert(1)}"]
)
def test_hostile_labels_smuggle_nothing_into_files(label: str, tmp_path: Path) -> None:
    class Named(ToyClassifier):
        labels = (label, "cooking", "rest")

    rows = [JUGGLING] * 8
    (step,) = recognize(
        toy_video(8), RecognizeRequest(), Named(), ToyEyes(), toy_store(tmp_path, rows)
    )
    assert step.result is not None
    assert "\n=" not in action_documents.as_csv(step.result)
    captions = action_documents.as_vtt(step.result)
    assert "<" not in captions and captions.count("-->") == 1
    assert json.loads(documents.as_json(step.result))["stretches"][0]["label"] == label


# -- what the page is given ------------------------------------------------------------------------


def test_the_page_shows_one_ribbon_for_each_kind_of_labels(tmp_path: Path) -> None:
    result = seen(tmp_path)
    drawn = ribbons(result, result)["tracks"]
    assert [track["name"] for track in drawn] == ["Actions", "Your labels"]
    names = [(part["name"], part["shade"]) for part in drawn[0]["ribbon"]]
    assert names[1] == (NONE_OF_THESE, None)
    assert names[0][1] != names[2][1] and None not in (names[0][1], names[2][1])
    assert ribbons(None, None)["tracks"] == []


def test_a_thousand_stretches_are_not_all_rows(tmp_path: Path) -> None:
    many = seen(tmp_path, (JUGGLING, COOKING) * (MOST_ROWS + 10), each=16)
    assert len(many.stretches) > MOST_ROWS
    shown = found(many)
    assert len(shown["items"]) == MOST_ROWS and str(len(many.stretches)) in shown["more"]
    assert [row["from"] for row in shown["items"]] == sorted(row["from"] for row in shown["items"])


# -- labels that people type -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("pouring coffee, clapping, empty room", ("pouring coffee", "clapping", "empty room")),
        ("clapping\nempty   room\r\n\n", ("clapping", "empty room")),
        ("a; b，c\n- d\n• “e”", ("a", "b", "c", "d", "e")),
        ("Clapping, clapping ,CLAPPING", ("Clapping",)),
        ("", ()),
        ("  \n ", ()),
        ("rock 'n' roll", ("rock 'n' roll",)),
    ],
)
def test_lists_are_read_as_they_are_typed(text: str, labels: tuple[str, ...]) -> None:
    assert read_labels(text) == labels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",;,", "no label in that list"),
        (",".join(f"label {n}" for n in range(MOST_LABELS + 1)), f"At most {MOST_LABELS}"),
        ("x" * (LONGEST_LABEL + 1), "shorten"),
        ("x," * 10**6, "too long"),
        ("clapping, None of these", "leave it out"),
    ],
)
def test_bad_lists_get_a_sentence(text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        read_labels(text)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("fps", [0.0, 61.0, float("nan")])
def test_odd_samplings_are_refused(fps: float) -> None:
    with pytest.raises(RequestError, match="Frames a second"):
        RecognizeRequest(fps=fps)
