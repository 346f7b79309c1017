"""The README's pictures, taken from the running page.

python -m assets.make_readme_pictures [URL]
"""

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.chromium import FLAGS, find

FOLDER = Path(__file__).parent / "readme"
SIZE = {"width": 1280, "height": 800}


def take(page: Page, url: str, theme: str) -> None:
    page.goto(f"{url}/?__theme={theme}")
    page.get_by_role("button", name="Cuts").first.click()
    page.wait_for_selector("#summarize-cards [data-t]", timeout=60_000)
    page.wait_for_selector(f"#summarize-plot img.fs-for-{theme}", timeout=60_000)
    page.locator("#summarize-cards [data-t]").nth(2).click()
    page.wait_for_timeout(1200)
    page.evaluate("document.querySelector('#player video').pause()")
    page.mouse.move(2, 2)
    page.wait_for_timeout(3500)  # the player's own controls fade
    path = FOLDER / f"summarize-{theme}.png"
    page.screenshot(path=str(path))
    with Image.open(path) as picture:  # a third of the size, and no eye tells
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860"
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        for theme in ("light", "dark"):
            take(browser.new_page(viewport=SIZE), url, theme)
        browser.close()


if __name__ == "__main__":
    main()
