"""Models: what each tab can choose from, on which machine and how good; and the tab about them."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from models import hub
from models.registry import CHECKPOINTS_DIR
from tests.ui.conftest import NewPerson, Server, people_of, serving
from tests.ui.person import PATIENCE_MS, Person
from tests.unit.checkpoint_hub import Hub, serve_hub

CHOICE = "#actions-checkpoint input"


def copied(place: Path, name: str) -> Path:
    """A checkpoint of this machine that is the shipped one under another name."""
    folder = place / name
    shutil.copytree(CHECKPOINTS_DIR / "action_classifier", folder)
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**described, "name": name}))
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("checkpoints")
    copied(place, "my_actions")
    weights = copied(place, "damaged") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    return place


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with a checkpoint of somebody's, and a public model that is no model."""
    with pytest.MonkeyPatch.context() as patch:
        for made in serve_hub(patch):
            made.give("somebody/thing", copied(tmp_path_factory.mktemp("hub"), "theirs"))
            made.repositories[hub.D_FINE.repository] = {
                "config.json": b"{}", "model.safetensors": bytes(500_000),
            }  # fmt: skip
            made.revisions.add(hub.D_FINE.revision)
            yield made


@pytest.fixture(scope="module")
def server(
    checkpoints: Path, served: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    data_dir = tmp_path_factory.mktemp("models") / "data"
    with serving(
        data_dir,
        FRAMESCRY_CHECKPOINTS_DIR=str(checkpoints),
        HF_ENDPOINT=served.address,
        HF_HUB_CACHE=str(data_dir.parent / "cache"),
    ) as started:
        yield started


@pytest.fixture
def new_person(server: Server, browser: Browser) -> Iterator[NewPerson]:
    with people_of(server, browser) as arrive:
        yield arrive


def options(page: Page) -> list[str]:
    page.click(CHOICE)
    page.wait_for_selector("[role=option]:visible")
    shown = page.locator("[role=option]:visible").all_inner_texts()
    page.locator(CHOICE).blur()
    return [text.replace("✓", "").strip() for text in shown]


def choose(page: Page, name: str) -> None:
    page.click(CHOICE)
    page.locator("[role=option]:visible", has_text=name).first.click()


def test_a_checkpoint_of_this_machine_names_the_actions(person: Person) -> None:
    page = person.page
    person.open_tab("actions")
    lines = {text.split(" · ")[0]: text for text in options(page)}
    known = r"[\d.]+ MB · Actions: .+… · right for \d+% of photographs"
    assert re.fullmatch(f"action_classifier · shipped, {known}", lines["action_classifier"])
    assert re.fullmatch(f"my_actions · on this machine, {known}", lines["my_actions"])
    assert lines["damaged"] == "damaged · cannot be used"
    choose(page, "my_actions")
    page.wait_for_selector(".fs-status:has-text('my_actions is ready')")
    person.open_example("Tour")
    page.click("#run-actions")
    expect(page.locator("#actions-performance")).to_contain_text("my_actions", timeout=PATIENCE_MS)


def test_a_damaged_one_is_not_chosen_and_why(person: Person) -> None:
    page = person.page
    person.open_tab("actions")
    choose(page, "my_actions")
    page.wait_for_selector(".fs-status:has-text('my_actions is ready')")
    choose(page, "damaged")
    note = page.locator("#actions-note .fs-note")
    expect(note).to_contain_text("The weights of the checkpoint damaged have the hash")
    expect(page.locator(CHOICE)).to_have_value(line_of_my_actions(page))
    choose(page, "action_classifier")
    page.wait_for_selector(".fs-status:has-text('action_classifier is ready')")
    expect(note).to_be_hidden()


def line_of_my_actions(page: Page) -> str:
    return next(text for text in options(page) if text.startswith("my_actions"))


def test_what_was_trained_meanwhile_is_found(new_person: NewPerson, checkpoints: Path) -> None:
    person = new_person()
    page = person.page
    person.open_tab("actions")
    assert not any(text.startswith("newer") for text in options(page))
    folder = copied(checkpoints, "newer")
    try:
        page.locator(".fs-fold button:has-text('Options')").locator("visible=true").click()
        page.click("#actions-refresh")
        page.wait_for_timeout(300)
        assert any(text.startswith("newer") for text in options(page))
        later = new_person()
        later.open_tab("actions")
        assert any(text.startswith("newer") for text in options(later.page))
    finally:
        shutil.rmtree(folder)


def test_the_tab_says_what_to_choose_and_what_is_known(person: Person) -> None:
    page = person.page
    person.open_tab("models")
    expect(page.locator("#models-advice dt").first).to_have_text("Summaries")
    row = page.locator("#models tr", has=page.locator("summary", has_text="dfine-small"))
    expect(row).to_contain_text("○ AP .485")
    expect(row).to_contain_text("Apache-2.0")
    broken = page.locator("#models tr", has=page.locator("summary", has_text="damaged"))
    expect(broken).to_contain_text("cannot be used")
    broken.locator("summary").click()
    expect(broken).to_contain_text("have the hash")
    page.click("#models-plots > button")
    plot = page.locator("#models-pareto svg", has_text="dfine-small")
    expect(plot.locator("circle.is-theirs")).to_have_count(2)
    expect(plot.locator("circle.is-ours")).to_have_count(0)
    ours = page.locator("#models-pareto svg", has_text="keyframe_scorer").locator("circle.is-ours")
    expect(ours).to_have_count(5)
    page.click("#models-honest > button")
    expect(page.locator("#models-published section")).to_have_count(5)
    expect(page.locator("#models-published")).to_contain_text("batches of 64")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_in_the_pictures_can_be_read(new_person: NewPerson, scheme: str) -> None:
    page = new_person("?tab=models", color_scheme=scheme).page
    page.wait_for_selector("#models .fs-model")
    page.click("#models-plots > button")
    page.wait_for_selector("#models-pareto svg")
    inks = page.evaluate(
        """() => {
          const ground = getComputedStyle(document.querySelector('.gradio-container'));
          return [...document.querySelectorAll('#models-pareto .fs-named')].map((text) =>
            [getComputedStyle(text).fill, ground.backgroundColor]);
        }"""
    )
    for ink, ground in inks:
        assert abs(brightness(ink) - brightness(ground)) > 120


def brightness(colour: str) -> float:
    numbers = [float(part) for part in colour.strip("rgba()").split(",")[:3]]
    return sum(numbers) / 3


def test_it_fits_a_phone(new_person: NewPerson) -> None:
    page = new_person("?tab=models", viewport={"width": 390, "height": 844}).page
    page.wait_for_selector("#models .fs-model")
    for fold in ("plots", "measured", "honest", "add"):
        page.click(f"#models-{fold} > button")
    page.wait_for_selector("#models-pareto svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_checkpoint_of_the_hub_is_added_and_then_chosen(person: Person) -> None:
    page = person.page
    person.open_tab("models")
    page.click("#models-add > button")
    page.fill("#models-address input, #models-address textarea", "../../etc/passwd")
    page.click("#run-add")
    note = page.locator("#models-note .fs-note")
    expect(note).to_contain_text("is no address on the model hub")
    page.fill("#models-address input, #models-address textarea", "somebody/nothing")
    page.click("#run-add")
    expect(note).to_contain_text("the hub has no somebody/nothing", timeout=PATIENCE_MS)
    page.fill("#models-address input, #models-address textarea", "somebody/thing")
    page.click("#run-add")
    page.wait_for_selector(".fs-status:has-text('theirs can be chosen from now on')")
    row = page.locator("#models tr", has=page.locator("summary", has_text="theirs"))
    expect(row).to_contain_text("added from the hub")
    person.open_tab("actions")
    page.locator(".fs-fold button:has-text('Options')").locator("visible=true").click()
    page.click("#actions-refresh")
    page.wait_for_timeout(500)
    choose(page, "theirs · added from the hub")
    page.wait_for_selector(".fs-status:has-text('theirs is ready')")


def test_fetching_shows_itself_and_can_be_cancelled(person: Person, served: Hub) -> None:
    page = person.page
    served.go_on.clear()
    try:
        person.open_tab("triggers")
        page.locator(".fs-fold button:has-text('Options')").locator("visible=true").click()
        before = page.input_value("#detector input")
        page.click("#detector input")
        page.locator("[role=option]:visible", has_text="dfine-small").click()
        page.wait_for_selector(".fs-status:has-text('Fetching dfine-small, 42 MB')")
        page.click("#cancel")
        expect(page.locator("#detector input")).to_have_value(before)
        page.wait_for_selector(".fs-status:has-text('Stopped.')")
    finally:
        served.go_on.set()
