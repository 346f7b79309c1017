"""The page on which proposed events are looked through, one video after the other."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.progress import Done
from app.review import Review, ReviewedEvent
from app.services import OpenedVideo, Services
from app.tabs.events import QUIET, in_browser
from app.tabs.failures import Handler, Updates, problem, said_plainly
from app.timeline.component import component
from app.timeline.stage import build_stage, failed, finished, layer, playing, working
from app.timeline.tracks import Track, colour_of, percent
from models.annotations import PROPOSED, REJECTED
from models.types import Shot

LAYER = "events"
HEADER = """
<div class="fs-title"><h1>Framescry · events</h1>
<p>Look through what was proposed; only what was accepted is learned from.</p></div>"""
SAID = {"proposed": "not looked at", "accepted": "accepted", "rejected": "rejected"}
BY = {"labels": "from labels", "query": "from a search", "hand": "by hand"}


class AnnotatingPage:
    """Widgets and the handlers between them; what changes and how it is saved is in app.review."""

    def __init__(self, services: Services, review: Review) -> None:
        self._services, self._review = services, review
        self._build()
        self._connect()

    def _build(self) -> None:
        self._video = gr.State(None)
        with gr.Row(elem_id="top"):
            gr.HTML(HEADER, apply_default_css=False)
            theme = gr.Button("Light / dark", elem_id="theme", size="sm")
            theme.click(**in_browser("toggleTheme()"))
        with gr.Row(elem_id="workspace"):
            self._stage = build_stage()
            self._layer = self._stage.add_layer(LAYER)
            with gr.Column(scale=5, min_width=320, elem_id="results"):
                self._choice = gr.Dropdown(
                    self._choices(), value=self._review.paths[0], label="Video",
                    elem_id="annotated-video",
                )  # fmt: skip
                self._note = component("note", elem_id="annotating-note")
                self._marks = component("marks", elem_id="marks")

    def _connect(self) -> None:
        shown = [self._video, self._stage.player, self._stage.status, self._note, self._layer,
                 self._marks, self._choice]  # fmt: skip
        one_after_other: dict[str, Any] = {
            **QUIET, "concurrency_limit": 1, "concurrency_id": "review",
        }  # fmt: skip
        opening = said_plainly(self._open, self._on_failure)
        self._choice.input(opening, self._choice, shown, **one_after_other)
        # Without triggers: when the page is loaded.
        gr.on(fn=opening, inputs=self._choice, outputs=shown, **one_after_other)
        handlers: tuple[tuple[Any, Handler], ...] = (
            (self._marks.judged, self._judge), (self._marks.moved, self._move),
            (self._marks.named, self._name), (self._marks.added, self._add),
            (self._marks.undone, self._undo),
        )  # fmt: skip
        for event, handler in handlers:
            event(
                said_plainly(handler, self._on_failure), [self._choice, self._video], shown,
                **one_after_other,
            )  # fmt: skip

    def _choices(self) -> list[tuple[str, str]]:
        review = self._review
        waiting = {path: review.waiting(path) for path in review.paths}
        return [
            (f"{path} ({count} to look through)" if count else path, path)
            for path, count in waiting.items()
        ]

    # -- handlers --------------------------------------------------------------------------------

    def _open(self, path: str) -> Iterator[Updates]:
        yield {self._note: None}
        for step in self._services.open_file(self._review.file_of(path), path.split("/")[-1]):
            if isinstance(step, Done):
                yield {
                    self._video: step.value,
                    self._stage.player: playing(step.value),
                    self._stage.status: finished(path),
                    **self._shown(path, step.value),
                }
            else:
                yield {self._stage.status: working(step)}

    def _judge(
        self, path: str, video: OpenedVideo | None, event: gr.EventData
    ) -> Iterator[Updates]:
        changed = self._review.judge(path, int(event.number), str(event.review))
        yield self._shown(path, video, changed)

    def _move(self, path: str, video: OpenedVideo | None, event: gr.EventData) -> Iterator[Updates]:
        span = (float(event.start_s), float(event.end_s))
        yield self._shown(path, video, self._review.move(path, int(event.number), *span))

    def _name(self, path: str, video: OpenedVideo | None, event: gr.EventData) -> Iterator[Updates]:
        changed = self._review.name(path, int(event.number), str(event.label))
        yield self._shown(path, video, changed)

    def _add(self, path: str, video: OpenedVideo | None, event: gr.EventData) -> Iterator[Updates]:
        if video is None:
            return
        labels = self._review.labels
        label = str(event.label) or (labels[0] if labels else "")
        end_s = video.info.end_s
        made = self._review.add(path, min(float(event.t), end_s), label, end_s)
        yield self._shown(path, video, made)

    def _undo(self, path: str, video: OpenedVideo | None) -> Iterator[Updates]:
        changed = self._review.undo()
        if changed is None or changed == path:
            yield self._shown(path, video)
        else:
            yield {self._choice: gr.update(value=changed)}
            yield from self._open(changed)

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}

    # -- what is shown ---------------------------------------------------------------------------

    def _shown(
        self, path: str, video: OpenedVideo | None, changed: ReviewedEvent | None = None
    ) -> Updates:
        entries = self._review.entries(path)
        waiting = sum(self._review.waiting(one) for one in self._review.paths)
        return {
            self._note: None,
            self._layer: _timeline(entries),
            self._choice: gr.update(choices=self._choices(), value=path),
            self._marks: {
                "video": path,
                "items": [_item(entry) for entry in entries],
                "labels": list(self._review.labels),
                "chosen": None if changed is None else changed.number,
                "undo": self._review.can_undo,
                "said": f"{len(entries)} events here; {waiting} in all videos to look through. "
                f"Saved to {self._review.file.name}.",
            },
        }


def _item(entry: ReviewedEvent) -> dict[str, Any]:
    event = entry.event
    sure = "" if event.probability is None else f", {percent(event.probability)} sure"
    return {
        "number": entry.number,
        "label": event.label,
        "start_s": event.start_s,
        "end_s": event.end_s,
        "review": event.review,
        "note": f"{SAID[event.review]} · {BY[event.source]}{sure}",
    }


def _timeline(entries: tuple[ReviewedEvent, ...]) -> dict[str, Any]:
    """A row for each label, with its events as spans; rejected ones are gone from it."""
    kept = [entry.event for entry in entries if entry.event.review != REJECTED]
    labels = dict.fromkeys(event.label for event in kept)
    rows = [
        Track(label, (), (), colour_of(label),
              [Shot(event.start_s, event.end_s) for event in kept if event.label == label])
        for label in labels
    ]  # fmt: skip
    pins = [
        {
            "t": event.start_s,
            "label": f"{event.label}, {SAID[event.review]}",
            "colour": "var(--ink-soft)" if event.review == PROPOSED else colour_of(event.label),
        }
        for event in kept
    ]
    return {**layer(LAYER, rows), "pins": pins}
