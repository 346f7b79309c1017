"""What the page needs of a tab: one file and one line in demo.py add another."""

from typing import Any, Protocol

import gradio as gr


class Tab(Protocol):
    name: str  # in the address, ?tab=name
    tab: gr.Tab
    cleared: dict[Any, Any]  # widget -> what it shows when another video has been opened

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        """Listens to its widgets; returns the events that Cancel ends."""
        ...
