"""Pictures of the page for people to look at, and the contrast that a program can check."""

from pathlib import Path

import pytest

from tests.ui.conftest import SCREENSHOTS, NewPerson

SIZES = {"desktop": {"width": 1360, "height": 860}, "phone": {"width": 390, "height": 844}}
AA = 4.5

CONTRAST_JS = """() => {
  const rgb = (text) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.03928
      ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll('.gradio-container *')) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const box = node.getBoundingClientRect();
    if (!own || !box.width || !box.height || node.closest('video, .fs-unseen, footer, [hidden]'))
      continue;
    const style = getComputedStyle(node);
    if (style.visibility === 'hidden' || parseFloat(style.fontSize) === 0) continue;
    const [a, b] = [light(rgb(style.color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${node.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_pictures(theme: str, size: str, new_person: NewPerson, video: Path) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    person = new_person(viewport=SIZES[size], color_scheme=theme)
    page = person.page
    page.wait_for_timeout(300)
    page.screenshot(path=SCREENSHOTS / f"{size}-{theme}-1-empty.png")
    assert page.evaluate(CONTRAST_JS) == []
    person.open(video)
    person.summarize()
    page.wait_for_timeout(600)
    page.screenshot(path=SCREENSHOTS / f"{size}-{theme}-2-summary.png")
    assert page.evaluate(CONTRAST_JS) == []
    page.locator("#summarize-shots").scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    page.screenshot(path=SCREENSHOTS / f"{size}-{theme}-3-scrolled.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
