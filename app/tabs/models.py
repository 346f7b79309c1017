"""Models: what scores here come from, by name and by the hash of its weights."""

from typing import Any

import gradio as gr

from app.services import Services

INTRODUCTION = (
    "Every score on this page comes from one of these. A model without weights has learned "
    "nothing: it measures the picture."
)


class ModelsTab:
    """A table to read; it asks for nothing."""

    name = "models"
    label = "Models"

    def __init__(self, services: Services) -> None:
        self.cleared: dict[Any, Any] = {}
        with gr.Tab(self.label, id=self.name) as self.tab:
            rows = [
                f"| {entry.name} | {entry.purpose} | {entry.weights} | {entry.licence} |"
                for entry in services.models()
            ]
            table = ["| Name | What it does | Weights | Licence |", "|---|---|---|---|", *rows]
            gr.Markdown("\n".join([INTRODUCTION, "", *table]), elem_id="models")

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        return []
