"""Pins of the timeline at one moment stand beside each other, so that each can be pressed."""

from tests.ui.conftest import NewPerson

PUT_JS = """() => {
  const pins = (name, times) => ({name, tracks: [], shots: [],
    pins: times.map((t, at) => ({t, label: `${name} ${at}`, colour: "red"}))});
  window.framescry.layers.set("one", pins("one", [2, 2, 9]));
  window.framescry.layers.set("two", pins("two", [2.001]));
  window.framescry.emit("layer");
}"""
# The example is summarized as soon as it is open: its pins are not ours.
OURS = "#timeline .fs-pin:is([aria-label*=', one '], [aria-label*=', two '])"
REACHED_JS = """(ours) => [...document.querySelectorAll(ours)].map((pin) => {
  const box = pin.getBoundingClientRect();
  const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return hit === pin ? pin.getAttribute('aria-label') : null;
})"""


def test_pins_at_one_moment_do_not_cover_each_other(new_person: NewPerson) -> None:
    person = new_person()
    person.open_example("Tour")
    person.wait_until_done()
    page = person.page
    page.evaluate(PUT_JS)
    reached = page.evaluate(REACHED_JS, OURS)
    assert len(reached) == 4 and None not in reached
    page.evaluate(PUT_JS)
    assert page.evaluate(REACHED_JS, OURS) == reached, "drawn again they are the same"
    assert page.locator(OURS).count() == 4
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_timeout(200)
    assert None not in page.evaluate(REACHED_JS, OURS)
    page.locator(OURS).nth(1).click()
    person.is_at(2.0)
