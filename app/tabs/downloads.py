"""Files that are offered as links: some are there, others are written when they are pressed."""

import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.progress import Done, Progress
from app.tabs.events import UPDATE_EVERY_S
from app.tabs.failures import Updates
from app.timeline.stage import finished, working

Kind = tuple[str, str, str]  # its name, what the link says, and what is said about it


def to_be_written(kinds: Iterable[Kind]) -> list[dict[str, Any]]:
    return [{"kind": kind, "label": label, "help": text} for kind, label, text in kinds]


def with_file(items: list[dict[str, Any]], kind: str, path: Path) -> Iterator[dict[str, Any]]:
    """The same links, the one that was asked for with its file; a video can also be watched."""
    for item in items:
        if item["kind"] != kind:
            yield item
            continue
        ready = {**item, "path": str(path), "name": path.name}
        yield ready
        if kind == "cut":
            yield {**ready, "kind": "watch", "label": "Watch the cut", "watch": True}


def followed(
    steps: Iterator[Progress | Done[Path]], status: gr.HTML
) -> Generator[Updates, None, Path | None]:
    """Shows how far the writing of a file is, and returns the file."""
    started = shown_at = time.monotonic()
    for step in steps:
        if isinstance(step, Done):
            took = time.monotonic() - started
            yield {status: finished(f"{step.value.name} is ready, after {took:.1f} s")}
            return step.value
        if time.monotonic() - shown_at >= UPDATE_EVERY_S:
            shown_at = time.monotonic()
            yield {status: working(step)}
    return None
