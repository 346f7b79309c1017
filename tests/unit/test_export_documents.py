"""JSON, CSV and WebVTT hold the summary and nothing a name could smuggle in."""

import csv
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from app.export import documents
from app.results import Performance
from app.whole_file import whole_file
from app.wording import clock, one_line
from models.errors import ExportError
from tests.sample_results import EDGES_S, HOSTILE_NAMES, sample_result, sample_search

CUE = re.compile(r"^(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})$")


def _seconds(hours: str, minutes: str, seconds: str, ms: str) -> float:
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(ms) / 1000


def test_json_is_the_result_as_promised(tmp_path: Path) -> None:
    result = sample_result()
    written = json.loads(documents.write_json(result, tmp_path / "a.json").read_text("utf-8"))
    assert written == result.to_json()
    assert written["schema_version"] and written["shots"][1]["chosen"] is True
    assert written["keyframes"][0]["shot"] == 1


def test_json_of_numbers_that_json_does_not_know_still_parses() -> None:
    result = sample_result(fps=Fraction(25))
    odd = type(result)(
        **{
            **{name: getattr(result, name) for name in result.__slots__},
            "timing": Performance(decode_s=float("nan"), total_s=float("inf")),
        }
    )
    assert json.loads(documents.as_json(odd))["timing"]["decode_s"] is None


def test_csv_has_a_row_for_each_keyframe_with_its_shot(tmp_path: Path) -> None:
    result = sample_result()
    path = documents.write_csv(result, tmp_path / "a.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.keyframes) == 2
    assert tuple(rows[0]) == documents.CSV_COLUMNS
    assert float(rows[1]["time_s"]) == pytest.approx(result.keyframes[1].time_s, abs=5e-4)
    assert rows[1]["time"] == "0:45.250"
    assert (rows[1]["shot"], rows[1]["shot_start_s"], rows[1]["shot_end_s"]) == (
        *("4", "15.000"),
        "75.500",
    )
    assert rows[1]["shot_chosen"] == "yes" and rows[1]["video"] == "tour.mp4"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_csv_cells_are_never_formulas_nor_more_rows(name: str, tmp_path: Path) -> None:
    path = documents.write_csv(sample_result(name=name), tmp_path / "a.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [len(row) for row in rows] == [len(documents.CSV_COLUMNS)] * 3
    for row in rows[1:]:
        assert not row[-1].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row[-1].isprintable()


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@x", " =1", "＝1"])
def test_formula_starts_become_text(start: str) -> None:
    assert documents.no_formula(start) == f"'{start}"
    assert documents.no_formula("plain") == "plain"


@pytest.mark.parametrize("name", ("tour.mp4", *HOSTILE_NAMES))
def test_vtt_has_a_cue_for_each_shot_without_gaps(name: str, tmp_path: Path) -> None:
    path = documents.write_vtt(sample_result(name=name), tmp_path / "a.vtt")
    blocks = path.read_text("utf-8").strip().split("\n\n")
    assert blocks[0].startswith("WEBVTT - ") and len(blocks[0].splitlines()) == 1
    assert "-->" not in blocks[0]
    spans = []
    for number, block in enumerate(blocks[1:], start=1):
        identifier, times, text = block.split("\n")
        match = CUE.match(times)
        assert identifier == str(number) and match and "-->" not in text and "<" not in text
        spans.append((_seconds(*match.groups()[:4]), _seconds(*match.groups()[4:])))
    assert [start for start, _ in spans] == pytest.approx(EDGES_S[:-1])
    assert [end for _, end in spans] == pytest.approx(EDGES_S[1:])


def test_vtt_leaves_out_shots_too_short_for_a_cue_and_stays_whole() -> None:
    text = documents.as_vtt(sample_result(edges_s=(0.0, 1.0, 1.0002, 2.0), chosen=(0,)))
    assert text.count(" --> ") == 2
    assert "00:00:01.000 --> 00:00:02.000" in text


def test_csv_of_a_search_has_a_row_for_each_moment_best_first(tmp_path: Path) -> None:
    result = sample_search()
    path = documents.write_csv(result, tmp_path / "a.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == documents.SEARCH_COLUMNS
    assert [row["confident"] for row in rows] == ["yes", "yes", "no"]
    assert [float(row["time_s"]) for row in rows] == [40.25, 4.004, 75.5]
    assert rows[0]["time"] == "0:40.250" and float(rows[0]["end_s"]) == 42.25
    assert float(rows[2]["probability"]) == 0.2 and rows[0]["query"] == "a boat -car"


@pytest.mark.parametrize("text", HOSTILE_NAMES)
def test_a_search_smuggles_nothing_into_a_table_or_a_cue(text: str, tmp_path: Path) -> None:
    result = sample_search(name=text, query=text)
    with documents.write_csv(result, tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [len(row) for row in rows] == [len(documents.SEARCH_COLUMNS)] * 4
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row)
    blocks = documents.as_vtt(result).strip().split("\n\n")
    assert len(blocks) == 3 and "-->" not in blocks[0]
    for block in blocks[1:]:
        _, times, said = block.split("\n")
        assert CUE.match(times) and "<" not in said and "-->" not in said


def test_cues_of_a_search_come_in_order_of_time_and_say_when_unsure() -> None:
    sure = documents.as_vtt(sample_search())
    assert sure.index("00:00:03.004 --> 00:00:06.004") < sure.index("00:00:39.250 --> ")
    assert "a boat -car (90 %)" in sure and sure.count(" --> ") == 2
    unsure = documents.as_vtt(sample_search(confident=0))
    assert unsure.count("no confident match: a boat -car") == unsure.count(" --> ") == 3


def test_times_over_an_hour() -> None:
    assert documents.vtt_time(3725.0006) == "01:02:05.001"
    assert documents.vtt_time(59.9996) == "00:01:00.000"
    assert clock(59.6) == "1:00" and clock(3599.9) == "1:00:00" and clock(42.5, 3) == "0:42.500"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_become_one_harmless_line(name: str) -> None:
    line = one_line(name)
    assert len(line.splitlines()) == 1 and 0 < len(line) <= 255
    assert not set(line) & {"\u202e", "\x00", "\u2028", "\udcff"}


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        documents.write_json(sample_result(), tmp_path / "gone" / "a.json")
    assert str(tmp_path) not in str(caught.value) and str(caught.value).endswith(".")
