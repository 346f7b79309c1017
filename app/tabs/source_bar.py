"""One place that takes a video: a file, a link, an example, or one used before."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from app.progress import Done, Progress
from app.services import OpenedVideo, Services
from app.tabs.events import ONCE, UPDATE_EVERY_S, after_saying, in_browser
from app.tabs.failures import Updates, problem, said_plainly
from app.timeline.component import component
from app.timeline.results import clock
from app.timeline.stage import Stage, failed, finished, playing, working
from models.errors import RequestError, VideoOpenError

RECENTS_KEPT = 6
LONGEST_NAME = 200
OPENED_BEFORE_GONE = "That video is no longer kept here; open it again from its file or link."

OPENING = "Opening the video…"
# Python receives the name as the person knows it, which Gradio otherwise drops.
WITH_NAME_JS = f"""(file, name, recents) => {{
  window.framescry.starting('{OPENING}');
  return [file, file?.orig_name ?? '', recents];
}}"""


@dataclass(frozen=True, slots=True)
class SourceBar:
    upload: gr.File
    upload_name: gr.Textbox
    link: gr.Textbox
    open_link: gr.Button
    examples: gr.HTML
    recents: gr.HTML
    remembered: gr.BrowserState
    note: gr.HTML


def build_source_bar(services: Services) -> SourceBar:
    with gr.Column(elem_id="source-bar"):
        with gr.Row(elem_id="source-row", equal_height=True):
            upload = gr.File(elem_id="source", show_label=False, scale=5, min_width=260, height=72)
            with gr.Row(elem_id="link-row", scale=5):
                link = gr.Textbox(
                    elem_id="link",
                    show_label=False,
                    placeholder="or paste a link to a video",
                    max_lines=1,
                    scale=5,
                    min_width=160,
                    html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                )
                open_link = gr.Button("Open", elem_id="open-link", min_width=84, scale=0)
        note = component("note", elem_id="source-note")
        with gr.Row(elem_id="shelves"):
            examples = component("shelf", examples_shelf(services), elem_id="examples")
            recents = component("shelf", elem_id="recents")
        upload_name = gr.Textbox(visible=False)
        remembered = gr.BrowserState([], storage_key="framescry-recent", secret="framescry")
    return SourceBar(upload, upload_name, link, open_link, examples, recents, remembered, note)


def examples_shelf(services: Services) -> dict[str, Any]:
    return {
        "label": "Examples",
        "items": [
            {
                "key": example.name,
                "label": example.label,
                "duration_s": example.duration_s,
                "picture": str(example.picture),
            }
            for example in services.examples()
        ],
    }


def recents_shelf(remembered: list[dict[str, Any]]) -> dict[str, Any]:
    return {"label": "Recent", "items": remembered}


class Opening:
    """The ways to open a video, as event handlers over one set of outputs."""

    def __init__(
        self,
        services: Services,
        bar: SourceBar,
        stage: Stage,
        video: gr.State,
        cleared: dict[Any, Any],
        picks: Sequence[Any] = (),
    ) -> None:
        """`picks` are the events by which tabs ask for a video of the library."""
        self._services = services
        self._bar = bar
        self._stage = stage
        self._video = video
        self._cleared = cleared
        self._picks = picks
        self.outputs = [
            video, stage.player, stage.status, bar.upload, bar.link, bar.note, bar.remembered,
            bar.recents, *cleared,
        ]  # fmt: skip

    def connect(self, limits: dict[str, Any], instead_of: list[Any]) -> list[Any]:
        """Listens to the whole bar; returns the events that Cancel ends.

        What is still being asked of the video before (`instead_of`) ends with its player.
        """
        bar = self._bar
        presses = [bar.upload.upload, bar.open_link.click, bar.link.submit]
        for press in (*presses, bar.examples.pick, bar.recents.pick, *self._picks):
            press(None, cancels=instead_of, api_visibility="private")
        common = {"outputs": self.outputs, **ONCE, **limits}
        uploaded = bar.upload.upload(
            self._guarded(self._from_upload),
            [bar.upload, bar.upload_name, bar.remembered],
            js=WITH_NAME_JS,
            **common,
        )
        linked = gr.on(
            [bar.open_link.click, bar.link.submit],
            self._guarded(self._from_link),
            [bar.link, bar.remembered],
            **after_saying(OPENING),
            **common,
        )
        shelved = {**after_saying(OPENING), **common}
        example = bar.examples.pick(self._guarded(self._from_example), [bar.remembered], **shelved)
        example.success(**in_browser("runOpenTab()"))
        recent = bar.recents.pick(self._guarded(self._from_recent), [bar.remembered], **shelved)
        kept = [
            pick(self._guarded(self._from_library), [bar.remembered], **shelved)
            for pick in self._picks
        ]
        return [uploaded, linked, example, recent, *kept]

    def on_load(self, remembered: list[dict[str, Any]], request: gr.Request) -> Iterator[Updates]:
        """Recents whose file is gone are dropped; a video named in the address is opened."""
        kept = [item for item in remembered or [] if self._still_there(item)]
        yield {self._bar.remembered: kept, self._bar.recents: recents_shelf(kept)}
        asked = request.query_params.get("video")
        if asked:
            yield from self._stored(asked, kept)

    def guarded_load(self) -> Any:
        return self._guarded(self.on_load)

    # -- the four ways --------------------------------------------------------------------------

    def _from_upload(
        self, path: str | None, name: str, remembered: list[dict[str, Any]]
    ) -> Iterator[Updates]:
        if path is None:
            return
        file = Path(path)
        if not file.is_file():
            raise VideoOpenError("The upload did not arrive whole; drop the file again.")
        try:
            yield from self._opening(
                self._services.open_file(file, name or file.name), remembered,
                {self._bar.upload: None},
            )  # fmt: skip
        finally:
            file.unlink(missing_ok=True)  # the store has its own; a refused one is not kept

    def _from_link(self, url: str, remembered: list[dict[str, Any]]) -> Iterator[Updates]:
        if not url.strip():
            raise RequestError("Paste a link to a video first, or drop a file.")
        yield from self._opening(
            self._services.open_link(url.strip()), remembered, {self._bar.link: ""}
        )

    def _from_example(
        self, remembered: list[dict[str, Any]], event: gr.EventData
    ) -> Iterator[Updates]:
        for example in self._services.examples():
            if example.name == event.key:
                yield from self._opening(
                    self._services.open_file(example.path, example.path.name), remembered, {}
                )

    def _from_recent(
        self, remembered: list[dict[str, Any]], event: gr.EventData
    ) -> Iterator[Updates]:
        yield from self._stored(str(event.key), remembered)

    def _from_library(
        self, remembered: list[dict[str, Any]], event: gr.EventData
    ) -> Iterator[Updates]:
        content_hash = str(event.key)
        if not _is_hash(content_hash):
            raise VideoOpenError(OPENED_BEFORE_GONE)
        yield from self._opening(self._services.open_kept(content_hash), remembered, {})

    def _stored(self, content_hash: str, remembered: list[dict[str, Any]]) -> Iterator[Updates]:
        opened = self._services.open_stored(content_hash) if _is_hash(content_hash) else None
        if opened is None:
            raise VideoOpenError(OPENED_BEFORE_GONE)
        yield self._shown(_as_known_here(opened, remembered), remembered)

    # -- what they share ------------------------------------------------------------------------

    def _opening(
        self,
        steps: Iterator[Progress | Done[OpenedVideo]],
        remembered: list[dict[str, Any]],
        emptied: Updates,
    ) -> Iterator[Updates]:
        yield {self._bar.note: None, self._stage.status: working(Progress("Opening the video"))}
        shown_at = time.monotonic()
        for step in steps:
            if isinstance(step, Done):
                yield {**self._shown(step.value, remembered), **emptied}
            elif time.monotonic() - shown_at >= UPDATE_EVERY_S:
                shown_at = time.monotonic()
                yield {self._stage.status: working(step)}

    def _shown(self, opened: OpenedVideo, remembered: list[dict[str, Any]]) -> Updates:
        info = opened.info
        item = {"key": info.content_hash, "label": info.name, "duration_s": info.duration_s}
        others = [other for other in remembered or [] if other.get("key") != info.content_hash]
        kept = [item, *others][:RECENTS_KEPT]
        return {
            self._video: opened,
            self._stage.player: playing(opened),
            self._stage.status: finished(_described(opened)),
            self._bar.note: None,
            self._bar.remembered: kept,
            self._bar.recents: recents_shelf(kept),
            **self._cleared,
        }

    def _still_there(self, item: object) -> bool:
        key = item.get("key") if isinstance(item, dict) else None
        return (
            isinstance(key, str) and _is_hash(key) and self._services.open_stored(key) is not None
        )

    def _guarded(self, handler: Any) -> Any:
        def on_failure(text: str) -> Updates:
            return {
                self._bar.note: problem(text),
                self._stage.status: failed(),
                self._bar.upload: None,
            }

        return said_plainly(handler, on_failure)


def _as_known_here(opened: OpenedVideo, remembered: list[dict[str, Any]]) -> OpenedVideo:
    """The same film may have come from several people: each sees the name they gave it."""
    for item in remembered or []:
        label = item.get("label")
        if item.get("key") == opened.info.content_hash and isinstance(label, str) and label:
            return replace(opened, info=replace(opened.info, name=label[:LONGEST_NAME]))
    return opened


def _described(opened: OpenedVideo) -> str:
    info = opened.info
    words = [
        info.name,
        clock(info.duration_s),
        f"{info.width} × {info.height}",
        "with sound" if info.has_audio else "no sound",
    ]
    if opened.download_mb and opened.download_s:
        words.append(f"fetched at {opened.download_mb / opened.download_s:.1f} MB/s")
    return " · ".join(words)


def _is_hash(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{32,128}", text) is not None
