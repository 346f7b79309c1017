"""Actions by a model that looks at segments of the video itself, chosen in the same list."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.ui.conftest import NewPerson, Server, people_of, serving
from tests.ui.person import Person
from tests.ui.test_actions import press, recognize, rows
from tests.ui.test_models import choose
from tests.unit.direction_toys import LABELS, moving, toy_config, write_ucf101, write_video
from train import cnn_rnn, export


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a small model that was trained a moment ago."""
    folder = tmp_path_factory.mktemp("segments")
    config = str(toy_config(folder, write_ucf101(folder / "ucf101")))
    assert cnn_rnn.main(["fit", "--config", config]) == 0
    target = str(folder / "local" / "ways")
    assert export.main(["cnn_rnn", "--config", config, "--to", target]) == 0
    with serving(
        folder / "data", FRAMESCRY_CHECKPOINTS_DIR=str(folder / "local"), FRAMESCRY_MCP="0"
    ) as started:
        yield started


@pytest.fixture
def new_person(server: Server, browser: Browser) -> Iterator[NewPerson]:
    with people_of(server, browser) as arrive:
        yield arrive


@pytest.fixture(scope="module")
def two_ways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To the right, then to the left, eight times each."""
    parts = [moving(label, 50 + at) for label in LABELS[::-1] for at in range(8)]
    path = tmp_path_factory.mktemp("video") / "two ways.mp4"
    return write_video(path, np.concatenate(parts), codec="libx264")


def test_a_model_of_segments_names_actions_and_a_row_plays(
    person: Person, two_ways: Path, tmp_path: Path
) -> None:
    page = person.page
    person.open(two_ways)
    person.open_tab("actions")
    choose(page, "ways")
    page.wait_for_selector(".fs-status:has-text('ways is ready')")
    page.click("#actions-options > button")
    expect(page.locator("#actions-every")).to_be_visible()
    recognize(person)
    assert rows(person).locator("b").all_inner_texts() == ["MoveRight", "MoveLeft"]
    assert page.locator("#timeline .fs-ribbon > i").count() == 2
    assert "one of them for every segment" in page.inner_text(".fs-found-facts")
    row = rows(person).last
    press(person, row.locator(".fs-play"))
    assert person.now_s > 7.0
    glance = row.locator(".fs-glance").first
    glance.locator("img").wait_for()
    assert "%" not in glance.inner_text()
    press(person, glance)
    download = person.download("json", "actions")
    download.save_as(tmp_path / "actions.json")
    result = json.loads((tmp_path / "actions.json").read_text("utf-8"))
    assert result["model"]["name"] == "ways" and result["every_s"] == pytest.approx(0.96)
    assert "--checkpoint ways --json" in page.inner_text("#actions-command code")
    recognize(person)
    assert "looked at before" in person.status, "asked again, nothing is computed twice"
