"""The application as a Space runs it: only what is pushed, its environment, nobody to ask."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from benchmarks.space_process import HOST, SpaceProcess, put_together, running_space
from tests.real_media import gradio_media
from tests.ui.long_video import repeated

ASKS = 12
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "FRAMESCRY_MAX_UPLOAD_MB": "20",
    "FRAMESCRY_MAX_DURATION_S": "60",
    "FRAMESCRY_ASKS_AN_HOUR": str(ASKS),
}


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpaceProcess]:
    folder = tmp_path_factory.mktemp("space")
    program = put_together(folder)
    assert not [path for name in ("tests", "train", "benchmarks") for path in program.glob(name)]
    with running_space(program, folder, sys.executable, SETTINGS) as running:
        yield running
        assert running.went_out() == [], "nothing was asked of other machines"


@pytest.fixture(scope="module")
def ask(space: SpaceProcess) -> Any:
    client = Client(space.url, verbose=False)

    def ask(name: str, video: Path | None = None, **options: Any) -> Any:
        given = gradio_media("world.mp4") if video is None else video
        return client.predict(video=handle_file(str(given)), api_name=f"/{name}", **options)

    return ask


def test_the_page_knows_by_what_name_it_is_asked(space: SpaceProcess) -> None:
    """Before it stands a proxy that speaks https; links in the page have to go there."""
    with urllib.request.urlopen(space.url) as page:
        assert b"Framescry" in page.read()
    asked = urllib.request.Request(
        f"{space.url}config",
        headers={"Host": HOST, "X-Forwarded-Host": HOST, "X-Forwarded-Proto": "https"},
    )
    with urllib.request.urlopen(asked) as answer:
        config = json.load(answer)
    assert config["root"] == f"https://{HOST}"
    labels = [part["props"].get("label") for part in config["components"]]
    assert "Summarize" in labels and "Library" not in labels, "nobody sees what others opened"


def test_every_tab_answers(space: SpaceProcess, ask: Any) -> None:
    assert ask("summarize")["keyframes"]
    assert ask("search", query="a person walks")["model"]["name"] == "compact"
    assert ask("recognize")["model"]["name"] == "action_classifier"
    assert "triggers" in ask("triggers", triggers="a person @ 0.05")
    assert space.data_dir.is_dir(), "what is kept is kept in the home of the Space"


def test_a_model_of_the_hub_is_missed_in_a_sentence(ask: Any) -> None:
    asked = {"triggers": "change of scene @ 0.01\na person @ 0.01", "detector": "detr-resnet-50"}
    found = ask("triggers", **asked)
    assert found["triggers"], "events stand all the same"
    said = " ".join(found["remarks"])
    assert "detr-resnet-50 is not on this machine and HF_HUB_OFFLINE forbids asking" in said


def test_what_is_too_large_or_too_long(space: SpaceProcess, ask: Any, tmp_path: Path) -> None:
    large = b"".join((b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.mp4\"",
                      b"\r\n\r\n", b"0" * 22_000_000, b"\r\n--x--\r\n"))  # fmt: skip
    sent = urllib.request.Request(
        f"{space.url}gradio_api/upload", large, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    with pytest.raises(urllib.error.URLError) as refused:
        urllib.request.urlopen(sent)
    # It may stop listening before all is sent, and then its answer is not heard.
    cut_off = isinstance(getattr(refused.value, "reason", None), ConnectionError)
    assert cut_off or getattr(refused.value, "code", None) == 413
    long = repeated(gradio_media("world.mp4"), tmp_path / "long.mp4", 3)
    with pytest.raises(AppError, match=r"long.* runs for .* at most 60 seconds can be opened"):
        ask("summarize", long)


def test_one_visitor_does_not_take_it_all(ask: Any) -> None:
    with pytest.raises(AppError, match=rf"can ask {ASKS} times an hour here"):
        for _ in range(ASKS + 1):
            ask("recognize")
