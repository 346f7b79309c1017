"""One query over every video: the right one opens, at the right time."""

import time
from pathlib import Path

from tests.ui.conftest import NewPerson
from tests.ui.person import Person, eventually

HITS = "#library-hits, #library-below"


def read_example(person: Person, name: str) -> str:
    """Opens it, which summarizes it; the name of its file."""
    person.open_example(name)
    person.page.wait_for_selector("#summarize-cards [data-t]")
    person.wait_until_done()
    return str(person.page.get_attribute("#player video", "aria-label"))


def ask(person: Person, query: str) -> None:
    person.page.fill("#library-query input", query)
    person.page.click("#run-library")


def names_found(person: Person) -> set[str]:
    return set(person.page.locator("#library-hits h3 b, #library-below h3 b").all_inner_texts())


def test_a_hit_opens_the_right_video_at_the_right_time(person: Person) -> None:
    page = person.page
    first = read_example(person, "Cuts")
    second = read_example(person, "People")
    person.open_tab("library")

    def both_are_found() -> bool:
        ask(person, "something")
        time.sleep(0.5)
        return {first, second} <= names_found(person)

    eventually(both_are_found, lambda: names_found(person), within_s=20.0)
    card = page.locator(f"section:has(h3 b[title='{first}']) .fs-card").first
    time_s = float(card.get_attribute("data-time") or "nan")
    assert card.locator("img").evaluate("image => image.naturalWidth") > 0
    card.locator("button").click()
    person.wait_for_video(first)
    person.is_at(time_s)
    assert page.evaluate("new URLSearchParams(location.search).get('tab')") == "library"
    assert page.is_visible("#library-query"), "the tab stays open"
    # Of the video that is open already, without asking the server.
    other = page.locator(f"section:has(h3 b[title='{first}']) .fs-card").last
    other.locator("button").click()
    person.is_at(float(other.get_attribute("data-time") or "nan"))


def test_filters_and_what_is_typed_wrong(person: Person) -> None:
    page = person.page
    name = read_example(person, "People")
    person.open_tab("library")
    page.click("text=Filters")
    page.fill("#library-name input, #library-name textarea", name[:4].upper())

    def is_found() -> bool:
        ask(person, "anything")
        time.sleep(0.5)
        return names_found(person) == {name}

    eventually(is_found, lambda: names_found(person), within_s=20.0)
    page.fill("#library-name input, #library-name textarea", "%' OR 1=1 --")
    ask(person, "anything")
    page.wait_for_selector("#library-note:has-text('fits the filters')")
    page.fill("#library-since input, #library-since textarea", "yesterday")
    ask(person, "anything")
    page.wait_for_selector("#library-note:has-text('is no date')")
    page.fill("#library-since input, #library-since textarea", "")
    ask(person, "")
    page.wait_for_selector("#library-note:has-text('Describe what to find')")


def test_a_video_can_be_taken_out(person: Person, new_person: NewPerson, video: Path) -> None:
    """It stays out as long as the server runs: one that no other test here asks for."""
    person.open(video)
    person.summarize()
    name = video.name
    other = new_person("?tab=library")
    page = other.page
    page.wait_for_selector("#library-query input")
    assert page.is_visible(".fs-empty-library")
    fold = page.locator("#library-videos button").first
    eventually(lambda: "in the library" in fold.inner_text(), fold.inner_text)

    def is_listed() -> bool:
        other.open_tab("summarize")
        other.open_tab("library")  # which asks anew
        if not page.is_visible("#library-chosen input"):
            fold.click()
        page.keyboard.press("Escape")
        page.click("#library-chosen input")
        page.wait_for_timeout(300)
        return page.locator(f"#library-chosen [role=option]:has-text('{name}')").count() == 1

    eventually(is_listed, within_s=20.0)
    page.locator(f"#library-chosen [role=option]:has-text('{name}')").click()
    page.click("#library-remove")
    eventually(lambda: page.input_value("#library-chosen input") == "")
    page.click("#library-chosen input")
    page.wait_for_timeout(500)
    assert page.locator(f"#library-chosen [role=option]:has-text('{name}')").count() == 0
    page.keyboard.press("Escape")
    page.click("#library-remove")
    page.wait_for_selector("#library-note:has-text('Choose the video')")
