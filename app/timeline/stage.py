"""The player, the timeline under it and the line that says what is being done.

There is one of each on the page. Every tab puts its own layer on the timeline, so that tabs never
have to know what the others show.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.progress import Progress
from app.results import Keyframe, Moment, ScoredShot
from app.services import OpenedVideo
from app.timeline.component import component
from app.timeline.tracks import Ribbon, Track, colour_of, drawn, pins, shot_marks


@dataclass(frozen=True, slots=True)
class Stage:
    column: gr.Column
    player: gr.HTML
    status: gr.HTML
    cancel: gr.Button

    def add_layer(self, name: str) -> gr.HTML:
        """What one tab shows on the timeline; its value comes from `layer`."""
        with self.column:
            return component("layer", layer(name), elem_classes="fs-layer")


def build_stage() -> Stage:
    with gr.Column(scale=6, min_width=320, elem_id="stage") as column:
        player = component("player", elem_id="player")
        component("timeline", elem_id="timeline")
        with gr.Row(elem_id="work"):
            status = component("status", elem_id="status")
            cancel = gr.Button("Cancel", elem_id="cancel", size="sm", min_width=80)
    return Stage(column, player, status, cancel)


def playing(video: OpenedVideo) -> dict[str, Any]:
    """The player's value for a video."""
    info = video.info
    return {
        "path": str(video.player_path),
        "hash": info.content_hash,
        "name": info.name,
        "fps": float(info.fps) or 25.0,
        "start_s": info.start_s,
        "duration_s": info.duration_s,
        "width": info.width,
        "height": info.height,
    }


def layer(
    name: str,
    tracks: Sequence[Track | Ribbon] = (),
    marks: Sequence[Keyframe | Moment] = (),
    shots: Sequence[ScoredShot] = (),
    colour: str | None = None,
) -> dict[str, Any]:
    """One tab's part of the timeline. Its pins have its colour, or that of its first track."""
    lanes = [drawn(track) for track in tracks]
    colour = colour or (lanes[0]["colour"] if lanes else colour_of(name))
    return {
        "name": name,
        "tracks": lanes,
        "pins": pins(marks, colour),
        "shots": shot_marks(shots),
    }


def working(progress: Progress, until_s: float | None = None) -> dict[str, Any]:
    """The status while work runs: the line fills up to `until_s`, or by the share done."""
    words = [progress.stage]
    if progress.fraction is not None and progress.fraction < 1:
        words.append(f"{progress.fraction:.0%}")
    if progress.note:
        words.append(progress.note)
    return _status("working", " · ".join(words), fraction=progress.fraction, until_s=until_s)


def finished(text: str) -> dict[str, Any]:
    return _status("done", text)


def failed() -> dict[str, Any]:
    """The sentence itself stands where the person asked; nothing is running any more."""
    return _status("failed", "")


def stopped() -> dict[str, Any]:
    return _status("stopped", "Stopped. What was found so far is kept.")


def _status(state: str, text: str, **measures: float | None) -> dict[str, Any]:
    # The page has shown more since ("Starting…"), so that the same words again are news to it.
    return {"said": secrets.token_hex(4), "state": state, "text": text, **measures}
