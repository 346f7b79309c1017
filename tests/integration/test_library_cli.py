"""python -m app.cli index and library: folders in, moments of every video out."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from tests.real_media import gradio_media


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos among what else people keep in a folder."""
    folder = tmp_path / "my films"
    (folder / "below").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    shutil.copy(gradio_media("b.mp4"), folder / "one.mp4")
    shutil.copy(gradio_media("a.mp4"), folder / "below" / "two \n\u202e[31m.mp4")
    shutil.copy(gradio_media("a.mp4"), folder / ".hidden" / "not this.mp4")
    (folder / "notes.txt").write_text("Nothing to see here.")
    (folder / "empty.mp4").touch()
    os.mkfifo(folder / "pipe.mp4")
    (folder / "loop").symlink_to(folder)
    return folder


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def ask(out: Path, *arguments: object) -> Any:
    assert run("library", *arguments, "--json", out) == 0
    return json.loads(out.read_text())


def test_a_folder_is_indexed_once_and_searched(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("index", folder) == 0
    said = capsys.readouterr().err
    assert said.count("indexed: ") == 2
    assert said.count("skipped: ") == 3, said
    assert "library holds 2 videos" in said
    assert str(tmp_path) not in said and "\u202e" not in said
    assert run("index", folder / "one.mp4", folder) == 0
    again = capsys.readouterr().err
    assert again.count("already there: ") == 3 and "0 added, 3 known before" in again

    out = tmp_path / "out.json"
    found = ask(out, "anything", "at", "all", "--top", 5)
    assert found["query"] == "anything at all"
    assert found["model"]["hash"] and found["searched"]["videos"] == 2
    assert {video["name"] for video in found["videos"] + found["below"]} <= {
        "one.mp4", "two [31m.mp4",
    }  # fmt: skip
    assert str(tmp_path) not in out.read_text(), "where files lie is nobody's business"
    only = ask(out, "anything", "--name", "ONE")
    assert {video["name"] for video in only["videos"] + only["below"]} == {"one.mp4"}
    assert len(capsys.readouterr().err.strip().splitlines()) == 2


def test_what_was_summarized_is_in_the_library(tmp_path: Path) -> None:
    video = gradio_media("b.mp4")
    assert run("summarize", video, "--json", tmp_path / "summary.json") == 0
    found = ask(tmp_path / "out.json", "anything")
    assert found["searched"]["videos"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("library", "dog"), ("library", ""), ("library", "dog", "--since", "yesterday"),
        ("library", "dog", "--top", "0"), ("index", "missing.mp4"),
        ("library", "dog", "--since", "2026-02-02", "--until", "2026-01-01"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_plainly(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_out = ("--json", tmp_path / "o.json") if arguments[0] == "library" else ()
    assert run(*arguments, *json_out) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.rstrip().endswith((".", "PATH")), said
    assert said.count("\n") == (2 if arguments[0] == "index" else 1)
    assert not (tmp_path / "o.json").exists()


def test_switched_off_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMESCRY_LIBRARY", "0")
    assert run("library", "dog", "--json", tmp_path / "o.json") == 2
    assert "switched off" in capsys.readouterr().err
    assert run("index", gradio_media("b.mp4")) == 2
    assert "switched off" in capsys.readouterr().err
