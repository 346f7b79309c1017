"""The README's pictures, taken from the running page.

python -m assets.make_readme_pictures [URL]
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import FLAGS, find
from tests.ui.person import Person

FOLDER = Path(__file__).parent / "readme"
SIZE = {"width": 1280, "height": 800}
QUERIES = ("a wild cat", "a tall tower")
PERSON = "a portrait of a woman"


def visitor(browser: Browser, url: str, theme: str) -> Person:
    person = Person(browser.new_page(viewport=SIZE), url)
    person.visit(f"/?__theme={theme}")
    return person


def take(person: Person, name: str) -> None:
    page = person.page
    page.wait_for_timeout(300)
    page.evaluate("document.querySelector('#player video').pause()")
    page.mouse.move(2, 2)
    page.wait_for_timeout(3500)  # the player's own controls fade
    taken = io.BytesIO(page.screenshot())
    with Image.open(taken) as picture:  # a fifth of the size, and no eye tells
        picture.convert("RGB").save(FOLDER / f"{name}.webp", quality=88, method=6)


def summarize(person: Person) -> None:
    """With a second method laid over the first."""
    page = person.page
    person.open_example("Cuts")
    person.wait_until_done()
    page.click("#results >> text=Options")
    page.click("#summarize-compare input")
    page.get_by_role("option", name="Key shots").click()
    person.summarize()
    page.click("#results >> text=Options")
    page.locator("#summarize-cards [data-t]").nth(2).click()


def search(person: Person) -> None:
    person.open_example("Tour")
    person.open_tab("search")
    for query in QUERIES:
        person.search(query)
        person.wait_for_answer(query)
        if query != QUERIES[-1]:
            person.page.click("#search-queries >> text=Keep")
            person.page.wait_for_selector("#search-queries .is-kept")
    person.found.first.click()


def actions(person: Person) -> None:
    """Labels of one's own: the example's pictures show none of the trained actions."""
    page = person.page
    person.open_tab("actions")
    page.click("#labels-fold > button")
    page.fill("#actions-labels textarea", ", ".join([*QUERIES, "the earth from space"]))
    page.click("#run-actions")
    page.locator(f"#actions-found .fs-play:has(b:text-is('{QUERIES[-1]}'))").first.click()


def triggers(person: Person) -> None:
    page = person.page
    person.open_example("People")
    person.open_tab("triggers")
    for label in page.locator("#trigger-kinds label").all():
        label.locator("input").set_checked("Change of scene" in label.inner_text())
    page.fill("#trigger-words input", PERSON)
    page.click("#run-triggers")
    person.wait_for_state("done")
    page.locator("#triggers-events .fs-event button").first.click()


def library(person: Person) -> None:
    page = person.page
    person.open_tab("library")
    page.wait_for_timeout(3000)  # the library takes in in the background what was just read
    page.fill("#library-query input", QUERIES[-1])
    page.click("#run-library")
    page.wait_for_selector("#library-hits .fs-card, #library-below .fs-card")


def models(person: Person) -> None:
    person.open_tab("models")
    person.page.wait_for_selector("#models-advice >> text=keyframe_scorer")


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860"
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        for theme in ("light", "dark"):
            person = visitor(browser, url, theme)
            summarize(person)
            take(person, f"summarize-{theme}")
            search(person)
            take(person, f"search-{theme}")
            if theme == "light":
                actions(person)
                take(person, f"actions-{theme}")
                library(person)
                take(person, f"library-{theme}")
                triggers(person)
                take(person, f"triggers-{theme}")
                models(person)
                take(person, f"models-{theme}")
        browser.close()


if __name__ == "__main__":
    main()
