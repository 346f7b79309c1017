"""Searching the open video, by words, by a picture and by a moment."""

import base64
import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from models.video.probe import probe
from tests.real_media import gradio_media
from tests.ui.conftest import SCREENSHOTS, NewPerson
from tests.ui.long_video import repeated
from tests.ui.person import Person, eventually
from tests.ui.test_looks import CONTRAST_JS, SIZES

HOSTILE = '"><img src=x onerror=window.__pwned=1> ${window.__pwned=1}{{this}} lion'
# However well the model knows them, what is wanted and not wanted at once is never a match.
CONTRADICTION = "lion -lion"
POSTER = Path(__file__).resolve().parents[2] / "assets" / "examples" / "tour.jpg"
PASTE_JS = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], 'pasted.jpg', {type: 'image/jpeg'}));
  document.querySelector('#query input').dispatchEvent(
    new ClipboardEvent('paste', {clipboardData: files, bubbles: true, cancelable: true}));
}"""


def seconds(card: Locator, name: str = "t") -> float:
    value = card.locator("[data-t]").get_attribute(f"data-{name}")
    assert value is not None
    return float(value)


def colour(thing: Locator) -> str:
    return str(thing.evaluate("node => node.style.getPropertyValue('--colour')"))


@pytest.fixture
def searcher(person: Person) -> Person:
    """Somebody whose video has been read."""
    person.open_tab("search")
    person.open_example("Tour")
    person.search("a lion")
    return person


def test_three_queries_a_click_and_a_clip(person: Person, tmp_path: Path) -> None:
    page = person.page
    person.open_tab("search")
    assert page.is_visible("#query input")
    assert page.locator(".fs-empty:visible").count() == 1
    person.open_example("Tour")
    for words in ("a lion", "the earth from space", "a tall tower at night"):
        person.search(words)
        assert person.found.count() >= 1
        assert page.locator(f".fs-track-name:has-text('{words}')").count() == 1
    matches = page.locator("#search-cards .fs-card").count()
    assert page.locator("#timeline [data-t]").count() == matches
    card = person.found.first
    time_s, start_s, end_s = (seconds(card, name) for name in ("t", "from", "to"))
    assert start_s <= time_s <= end_s
    card.locator("[data-t]").click()
    person.is_at(time_s)
    assert not person.paused
    assert person.sees_player()
    with page.expect_download() as saving:
        card.locator("button:has-text('Save clip')").click()
    clip = tmp_path / saving.value.suggested_filename
    saving.value.save_as(clip)
    made = probe(clip)
    assert made.duration_s == pytest.approx(end_s - start_s, abs=0.15)
    assert made.has_audio
    card.locator("a:has-text('Clip saved')").wait_for()
    page.evaluate(
        """() => { const video = document.createElement('video'); video.id = 'clip';
            video.src = document.querySelector('a.fs-save').href; document.body.append(video) }"""
    )
    page.wait_for_function("document.querySelector('#clip').readyState >= 2")


def test_answers_come_while_typing_once_the_video_is_read(person: Person, tmp_path: Path) -> None:
    page = person.page
    person.open_tab("search")
    person.open(repeated(gradio_media("b.mp4"), tmp_path / "unread.mp4", 3))
    person.type_query("a dog")
    person.wait_for_answer("Press Enter")
    assert page.locator("#search-cards .fs-card, #search-below .fs-card").count() == 0
    assert not page.is_visible("#cancel")
    page.press("#query input", "Enter")
    person.wait_for_answer("'a dog'")
    person.type_query("")
    page.type("#query input", "two people on a beach", delay=40)
    person.wait_for_answer("'two people on a beach'")
    assert not page.is_visible("#cancel")
    eventually(lambda: "q=two+people+on+a+beach" in page.url, lambda: page.url)
    person.type_query("-")
    person.wait_for_answer("find")
    assert page.locator(".toast-body").count() == 0, "typing is never an error"
    person.type_query("")
    page.wait_for_selector("#search-answer .fs-answer", state="hidden")
    assert person.found.count() == 0


def test_the_last_words_win(searcher: Person) -> None:
    for words in ("cat", "cats", "a cat", "a cat in", "a cat in snow"):
        searcher.type_query(words)
        searcher.page.wait_for_timeout(260)
    searcher.wait_for_answer("'a cat in snow'")
    searcher.page.wait_for_timeout(500)
    assert "'a cat in snow'" in searcher.answer


def test_nothing_confident_is_said_and_the_closest_shown(searcher: Person) -> None:
    searcher.search(CONTRADICTION)
    assert searcher.answer == (
        f"Nothing here matches '{CONTRADICTION}' with confidence. The closest are below."
    )
    page = searcher.page
    assert page.locator("#search-cards .fs-card").count() == 0
    assert page.locator("#search-below summary").inner_text().startswith("The closest")
    assert searcher.found.count() >= 1
    notes = page.locator("#search-below small").all_inner_texts()
    shares = [int(note.removesuffix("\u00a0%")) for note in notes]
    assert shares == sorted(shares, reverse=True)
    assert max(shares) <= 50


def test_kept_queries_have_tracks_of_their_own(searcher: Person) -> None:
    page = searcher.page
    names = page.locator(".fs-track-name")
    for kept, words in enumerate(("a cheetah", "the earth")):
        page.click("#search-queries button:has-text('Keep')")
        page.wait_for_selector(f"#search-queries .is-kept >> nth={kept}")
        searcher.search(words)
    eventually(lambda: names.count() == 3, names.all_inner_texts)
    colours = [colour(track) for track in page.locator(".fs-track").all()]
    assert len(set(colours)) == 3
    assert colour(searcher.found.first) == colours[names.all_inner_texts().index("“the earth”")]
    page.click("#search-queries .fs-chip-name:has-text('a lion')")
    searcher.wait_for_answer("'a lion'")
    assert page.input_value("#query input") == "a lion"
    eventually(lambda: names.count() == 2, names.all_inner_texts)
    chip = page.locator("#search-queries .fs-chip:has-text('a lion')")
    assert chip.locator("[aria-pressed=true]").count() == 1
    assert colour(searcher.found.first) == colour(chip)
    page.get_by_label("Remove “a cheetah”").click()
    eventually(lambda: names.all_inner_texts() == ["“a lion”"], names.all_inner_texts)
    searcher.open_tab("models")
    searcher.open_tab("search")
    assert searcher.found.count() >= 1, "results outlive a look at another tab"


def test_more_like_this_finds_itself_first(searcher: Person) -> None:
    page = searcher.page
    page.evaluate("window.framescry.seek(27, false)")
    eventually(lambda: abs(searcher.now_s - 27) < 0.1)
    page.click("button:has-text('Search by a picture')")
    page.click("#like-shown")
    searcher.wait_for_answer("like 0:27")
    first = searcher.found.first
    assert seconds(first, "from") <= 27 <= seconds(first, "to")
    other = page.locator("#search-below .fs-card").first
    page.click("#search-below summary")
    time_s = seconds(other)
    other.locator("button:has-text('More like this')").click()
    searcher.wait_for_answer(f"like 0:{int(time_s):02}")
    first = searcher.found.first
    assert seconds(first, "from") <= time_s <= seconds(first, "to")
    searcher.open_tab("summarize")
    searcher.summarize()
    card = page.locator("#summarize-cards .fs-card").last
    time_s = seconds(card)
    card.locator("button:has-text('More like this')").click()
    page.wait_for_selector("[role=tab][data-tab-id=search][aria-selected=true]")
    searcher.wait_for_answer(f"like 0:{int(time_s):02}")


def test_a_picture_is_found(searcher: Person, tmp_path: Path) -> None:
    page = searcher.page
    page.evaluate(PASTE_JS, base64.b64encode(POSTER.read_bytes()).decode())
    searcher.wait_for_answer("like your picture")
    assert "1 moment looks" in searcher.answer or "moments look" in searcher.answer
    assert page.is_visible("#search-answer img")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    page.set_input_files("#picture input[type=file]", broken)
    page.wait_for_selector("#search-note:has-text('cannot be read as a picture')")
    assert page.input_value("#query input") == "a lion"


def test_files_and_the_command_line(searcher: Person, tmp_path: Path) -> None:
    def fetched(kind: str) -> str:
        target = tmp_path / kind
        searcher.download(kind, "search").save_as(target)
        return target.read_text(encoding="utf-8-sig")

    found = json.loads(fetched("json"))
    assert found["query"] == "a lion"
    shown = searcher.page.locator("#search-cards .fs-card, #search-below .fs-card").count()
    assert 1 <= len(found["moments"]) <= shown
    assert found["curve"]
    assert len(list(csv.DictReader(io.StringIO(fetched("csv"))))) >= 1
    assert fetched("vtt").startswith("WEBVTT")
    command = searcher.page.inner_text("#search-command code")
    assert command.startswith("python -m app.cli search tour.mp4 'a lion'")


def test_another_video_clears_and_the_words_stay(searcher: Person) -> None:
    page = searcher.page
    page.click("#search-queries button:has-text('Keep')")
    page.wait_for_selector("#search-queries .is-kept")
    searcher.open(gradio_media("b.mp4"))
    eventually(lambda: searcher.found.count() == 0)
    assert page.locator("#search-queries .fs-chip:visible").count() == 0
    assert page.locator(".fs-track").count() == 0
    assert page.input_value("#query input") == "a lion"
    assert "q=" not in page.url
    searcher.open_example("Tour")  # an example answers what is asked already
    searcher.wait_for_answer("'a lion'")
    assert page.locator("#search-queries .is-kept").count() == 0, "what was kept is forgotten"


def test_address_and_keys(searcher: Person) -> None:
    page = searcher.page
    address = page.url
    searcher.wait_for_state("done")  # whoever leaves earlier breaks a request off, and is told so
    page.goto("about:blank")
    page.goto(address)
    searcher.wait_for_answer("'a lion'")
    assert page.input_value("#query input") == "a lion"
    searcher.open_tab("models")
    page.keyboard.press("/")
    page.wait_for_selector("[role=tab][data-tab-id=search][aria-selected=true]")
    eventually(lambda: page.evaluate("document.activeElement.closest('#query') !== null"))
    page.keyboard.type("tower")
    searcher.wait_for_answer("'tower'")
    card = searcher.found.first.locator("[data-t]")
    card.focus()
    page.keyboard.press("Enter")
    searcher.is_at(seconds(searcher.found.first))


def test_words_are_only_ever_text(searcher: Person) -> None:
    page = searcher.page
    searcher.type_query(HOSTILE)
    page.press("#query input", "Enter")
    searcher.wait_for_answer("onerror")
    page.click("#search-queries button:has-text('Keep')")
    page.wait_for_selector("#search-queries .is-kept")
    assert page.evaluate("window.__pwned") is None
    assert page.locator("img[src=x]").count() == 0


def test_without_a_video_or_words(person: Person) -> None:
    person.open_tab("search")
    person.page.click("#run-search")
    person.page.wait_for_selector("#search-note:has-text('Choose a video first')")
    person.open(gradio_media("b.mp4"))
    person.page.click("#run-search")
    person.page.wait_for_selector("#search-note:has-text('English words')")
    eventually(lambda: not person.page.is_visible("#cancel"))


def test_first_matches_come_early_and_cancel_keeps_them(person: Person, tmp_path: Path) -> None:
    page = person.page
    person.open_tab("search")
    person.open(repeated(gradio_media("world.mp4"), tmp_path / "long.mp4", 30))
    person.type_query("the earth")
    page.press("#query input", "Enter")
    person.found.first.wait_for()
    assert "so far" in person.answer
    assert page.is_visible("#cancel")
    page.click("#cancel")
    person.wait_for_state("stopped")
    assert person.found.count() >= 1
    person.type_query("the moon")
    person.wait_for_answer("Press Enter")
    assert not page.is_visible("#cancel"), "typing starts no long work"


@pytest.mark.parametrize(
    ("size", "theme"), [("desktop", "light"), ("desktop", "dark"), ("phone", "light")]
)
def test_pictures(size: str, theme: str, new_person: NewPerson) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    person = new_person(viewport=SIZES[size], color_scheme=theme)
    page = person.page
    person.open_tab("search")
    page.wait_for_timeout(300)
    page.screenshot(path=SCREENSHOTS / f"search-{size}-{theme}-1-empty.png")
    assert page.evaluate(CONTRAST_JS) == []
    person.open_example("Tour")
    for words in ("a lion", "the earth from space", "a tall tower"):
        person.search(words)
        page.click("#search-queries button:has-text('Keep')")
        page.wait_for_selector(f"#search-queries .is-kept:has-text('{words}')")
    person.search(CONTRADICTION)
    page.wait_for_timeout(500)
    page.screenshot(path=SCREENSHOTS / f"search-{size}-{theme}-2-found.png")
    assert page.evaluate(CONTRAST_JS) == []
    page.locator("#search-downloads").scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    page.screenshot(path=SCREENSHOTS / f"search-{size}-{theme}-3-scrolled.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
