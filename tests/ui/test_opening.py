"""The ways to bring a video, and what is said when one cannot be taken."""

import shutil
from pathlib import Path

from tests.real_media import gradio_media
from tests.ui.conftest import NewPerson, Server
from tests.ui.person import Person, eventually

HOSTILE = '"><img src=x onerror=window.__pwned=1>.mp4'
TEMPLATE = "${window.__pwned=1}{{this}}`.mp4"
RIGHT_TO_LEFT = "فيديو \u202egnp.mp4"


def test_first_sight(person: Person) -> None:
    page = person.page
    for name in ("source", "link", "open-link", "player", "timeline", "run-summarize"):
        assert page.locator(f"#{name}").count() == 1, name
    assert not page.is_visible("#cancel")
    assert page.locator("[data-t]").count() == 0
    assert not person.went_out, "the page asks nobody else for anything"
    page.click("#run-summarize")
    page.wait_for_selector("#summarize-note:has-text('Choose a video first')")
    eventually(lambda: not page.is_visible("#cancel"))


def test_example_answers(person: Person) -> None:
    page = person.page
    assert page.locator("#examples button").count() >= 1
    poster = page.locator("#examples img").first
    eventually(lambda: poster.evaluate("image => image.naturalWidth") > 0)
    page.locator("#examples button").first.click()
    page.wait_for_selector("#summarize-cards [data-t]")
    person.wait_until_done()
    page.locator("#summarize-cards [data-t]").last.click()
    eventually(lambda: person.now_s > 0)


def test_link_that_is_refused(person: Person) -> None:
    person.page.fill("#link input", "http://127.0.0.1:1/private.mp4")
    person.page.click("#open-link")
    note = person.page.locator("#source-note .fs-note")
    note.wait_for()
    assert note.inner_text().count(".") <= 3
    assert "Traceback" not in note.inner_text()
    assert person.page.input_value("#link input") == "http://127.0.0.1:1/private.mp4"
    eventually(lambda: not person.page.is_visible("#cancel"))


def test_nothing_pasted(person: Person) -> None:
    person.page.click("#open-link")
    person.page.wait_for_selector("#source-note:has-text('Paste a link')")


def test_file_that_is_no_video(person: Person, server: Server, video: Path, tmp_path: Path) -> None:
    person.open(video)
    contents = {
        "text": b"not a video\n" * 40,
        "empty": b"",
        "cut short": gradio_media("a.mp4").read_bytes()[:900],
        "sound only": gradio_media("cantina.wav").read_bytes(),
    }
    for name, content in contents.items():
        broken = tmp_path / f"{name}.mp4"
        broken.write_bytes(content)
        person.upload(broken)
        note = person.page.locator(f"#source-note .fs-note:has-text('{name}.mp4')")
        note.wait_for()
        text = note.inner_text()
        assert "wrong on our side" not in text, server.log.read_text()
        assert str(server.data_dir) not in text
        assert "Traceback" not in text
        assert person.page.locator("#player video").get_attribute("aria-label") == video.name
        eventually(lambda file=name: not list(server.data_dir.rglob(f"{file}.mp4")))
    person.summarize()
    assert not person.page.is_visible("#source-note .fs-note")


def test_name_is_only_ever_text(person: Person, tmp_path: Path) -> None:
    page = person.page
    for name in (HOSTILE, TEMPLATE, RIGHT_TO_LEFT):
        path = tmp_path / name
        shutil.copy(gradio_media("b.mp4"), path)
        page.evaluate("document.querySelector('#player video').removeAttribute('aria-label')")
        person.upload(path)
        page.wait_for_selector("#player video[aria-label]", state="attached")
        shown = page.get_attribute("#player video", "aria-label")
        assert shown is not None
        assert shown.endswith(".mp4")
        person.summarize()
        page.reload()
        person.wait_for_video(shown)
        assert page.evaluate("window.__pwned") is None
        assert page.locator("img[src=x]").count() == 0


def test_address_and_recents_bring_it_back(new_person: NewPerson, video: Path) -> None:
    person = new_person()
    person.open(video)
    assert "video=" in person.page.url
    person.page.click("[role=tab][data-tab-id=models]")
    eventually(lambda: "tab=models" in person.page.url)
    person.page.reload()
    person.wait_for_video(video.name)
    person.page.wait_for_selector("[role=tab][data-tab-id=models][aria-selected=true]")
    person.page.goto(person.url)
    person.page.click("#recents .fs-book")
    person.wait_for_video(video.name)
    other = new_person(query=person.page.url.split("/")[-1])
    other.wait_for_video(video.name)


def test_gone_video_is_said_and_forgotten(new_person: NewPerson, server: Server) -> None:
    person = new_person()
    person.open(gradio_media("muted_b.mp4"))
    known = person.page.url.split("video=")[1].split("&")[0]
    shutil.rmtree(server.data_dir / "media" / known)
    person.page.reload()
    person.page.wait_for_selector("#source-note:has-text('no longer kept')")
    eventually(lambda: person.page.locator("#recents .fs-book").count() == 0)


def test_two_people(new_person: NewPerson, video: Path) -> None:
    first, second = new_person(), new_person()
    first.open(video)
    second.open(gradio_media("b.mp4"))
    first.summarize()
    second.summarize()
    for person, own, others in ((first, video.name, "b.mp4"), (second, "b.mp4", video.name)):
        assert person.page.locator("#player video").get_attribute("aria-label") == own
        text = person.page.inner_text("body")
        assert own in text
        assert not (others in text and own != others)
    assert first.page.url != second.page.url
