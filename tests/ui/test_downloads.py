"""Every file that is offered opens and says what it should."""

import csv
import io
import json
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.ui.person import Person


@pytest.fixture
def summarized(person: Person, video: Path) -> Person:
    person.open(video)
    person.summarize()
    return person


def test_files(summarized: Person, video: Path, tmp_path: Path) -> None:
    def fetched(kind: str) -> Path:
        download = summarized.download(kind)
        target = tmp_path / download.suggested_filename
        download.save_as(target)
        return target

    cards = summarized.page.locator("#summarize-cards [data-t]").count()
    summary = json.loads(fetched("json").read_text(encoding="utf-8"))
    assert summary["video"]["name"] == video.name
    assert len(summary["keyframes"]) == cards
    assert list(csv.reader(io.StringIO(fetched("csv").read_text(encoding="utf-8-sig"))))
    assert fetched("vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    assert "TITLE:" in fetched("edl").read_text(encoding="utf-8")
    assert ET.parse(fetched("fcpxml")).getroot().tag == "fcpxml"
    with Image.open(fetched("sheet")) as sheet:
        assert sheet.format == "JPEG" and sheet.width > 600
    with Image.open(fetched("plot")) as plot:
        assert plot.width > 600
    with zipfile.ZipFile(fetched("zip")) as pictures:
        assert pictures.testzip() is None
        named = [name for name in pictures.namelist() if name.lower().endswith((".jpg", ".png"))]
        assert len(named) == cards
        with Image.open(pictures.open(named[0])) as picture:
            size = (summary["video"]["width"], summary["video"]["height"])
            assert picture.size == size
    with av.open(str(fetched("cut"))) as cut:
        chosen = sum(s["end_s"] - s["start_s"] for s in summary["shots"] if s["chosen"])
        assert cut.duration is not None
        assert abs(cut.duration / 1e6 - chosen) < 0.3
        assert cut.streams.video[0].codec_context.name == "h264"


def test_command_line_is_shown(summarized: Person, video: Path) -> None:
    command = summarized.page.inner_text("#summarize-command code")
    assert command.startswith("python -m app.cli summarize")
    assert video.name in command
    summarized.page.click("#summarize-command button")
    summarized.page.wait_for_selector("#summarize-command button:has-text('opied')")


def test_plot_suits_the_theme(summarized: Person) -> None:
    page = summarized.page
    page.wait_for_selector("#summarize-plot .fs-for-light")
    page.click("#theme")
    page.wait_for_selector("#summarize-plot .fs-for-dark")
    assert not page.is_visible("#summarize-plot .fs-for-light")
    assert page.locator(".fs-for-dark").evaluate("image => image.naturalWidth") > 600


def test_performance_panel(summarized: Person) -> None:
    page = summarized.page
    page.click("#performance summary")
    text = page.inner_text("#performance")
    for name in ("Frames looked at", "First result after", "Memory", "Processor"):
        assert name in text
