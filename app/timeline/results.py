"""Moments as cards and rows that seek when they are pressed."""

import base64
from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.results import Keyframe, ScoredShot
from app.timeline.component import component
from app.timeline.tracks import colour_of


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


def keyframe_cards(keyframes: Sequence[Keyframe], track_name: str) -> dict[str, Any]:
    return {
        "items": [
            {
                "t": frame.time_s,
                "note": f"{frame.score:.0%}",
                "label": f"score {frame.score:.0%}, shot {frame.shot + 1}",
                "picture": _picture(frame.thumbnail),
                "colour": colour_of(track_name),
            }
            for frame in keyframes
        ]
    }


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
                    f"{shot.score:.0%}",
                    "yes" if shot.chosen else "",
                ],
            }
            for number, shot in enumerate(shots, start=1)
        ],
    }


def _picture(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() if jpeg else ""
