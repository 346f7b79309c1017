"""Moments as cards and rows that seek when they are pressed."""

import base64
from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.results import Keyframe, Moment, ScoredShot
from app.timeline.component import component
from app.timeline.tracks import colour_of, percent
from models.types import Shot


def cards(**options: Any) -> gr.HTML:
    return component("cards", **options)


def rows(**options: Any) -> gr.HTML:
    return component("rows", **options)


def clock(seconds: float) -> str:
    """0:42, 12:05, 1:02:03; rounded down, as players do."""
    whole = max(0, int(seconds + 0.0005))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"


def keyframe_cards(
    keyframes: Sequence[Keyframe], track_name: str, *, shows_attention: bool = False
) -> dict[str, Any]:
    return {
        "actions": ["look", "like"] if shows_attention else ["like"],
        "items": [
            {
                "t": frame.time_s,
                "note": percent(frame.score),
                "label": f"score {percent(frame.score)}, shot {frame.shot + 1}",
                "picture": picture(frame.thumbnail),
                "colour": colour_of(track_name),
            }
            for frame in keyframes
        ],
    }


def moment_cards(
    moments: Sequence[Moment], colour: str, title: str = "", *, is_open: bool = True
) -> dict[str, Any]:
    """One card a moment, in the order given; with a title they can be folded away."""
    return {
        "title": title,
        "open": is_open,
        "actions": ["save", "like"],
        "items": [
            {
                "t": moment.time_s,
                "from": moment.start_s,
                "to": moment.end_s,
                "span": span_key(moment.span),
                "when": f"{clock(moment.start_s)} – {clock(moment.end_s)}",
                **sureness(moment, place),
                "picture": picture(moment.thumbnail),
                "colour": colour,
            }
            for place, moment in enumerate(moments, start=1)
        ],
    }


def sureness(moment: Moment, place: int) -> dict[str, str]:
    """How sure it is; of a model that only compares, which place it has among the others."""
    until = f"until {clock(moment.end_s)}"
    if moment.probability is None:
        return {"note": f"no. {place}", "label": f"number {place} in likeness, {until}"}
    sure = percent(moment.probability)
    return {"note": sure, "label": f"{sure} sure, {until}"}


def span_key(span: Shot) -> str:
    """What the saved clip of a moment is known by on the page."""
    return f"{span.start_s:.3f}-{span.end_s:.3f}"


def shot_rows(shots: Sequence[ScoredShot]) -> dict[str, Any]:
    return {
        "title": f"Shots ({len(shots)})",
        "columns": ["Shot", "From", "To", "Length", "Score", "In summary"],
        "rows": [
            {
                "t": shot.start_s,
                "chosen": shot.chosen,
                "cells": [
                    str(number),
                    clock(shot.start_s),
                    clock(shot.end_s),
                    f"{shot.end_s - shot.start_s:.1f} s",
                    percent(shot.score),
                    "yes" if shot.chosen else "",
                ],
            }
            for number, shot in enumerate(shots, start=1)
        ],
    }


def picture(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() if jpeg else ""
