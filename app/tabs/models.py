"""Models: what scores here come from, how well each was measured to do, and by which weights."""

from typing import Any

import gradio as gr

from app.services import Services
from app.timeline.component import component
from models.catalogue import ModelFacts

INTRODUCTION = (
    "Every score on this page comes from one of these; all of them run on this machine. A model "
    "without weights has learned nothing: it measures the picture."
)


class ModelsTab:
    """A table to read; it asks for nothing."""

    name = "models"
    label = "Models"

    def __init__(self, services: Services) -> None:
        self.cleared: dict[Any, Any] = {}
        with gr.Tab(self.label, id=self.name) as self.tab:
            gr.Markdown(INTRODUCTION)
            component(
                "models", [told(facts) for facts in services.models.facts()], elem_id="models"
            )

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        return []


def told(facts: ModelFacts) -> dict[str, Any]:
    """One model as the page shows it: its name, what it does, and what is known of it."""
    if facts.problem is not None:
        known = [("Missing", facts.problem)]
    elif facts.place is not None:
        known = [
            ("Measured", facts.quality.full),
            ("Trained on", facts.data),
            ("Weights", f"{facts.megabytes:,.0f} MB, {facts.place}"),
        ]
    elif facts.weights_hash is None:
        known = [("Weights", "none: nothing was learned, so nothing is promised")]
    else:
        known = [
            ("Measured", facts.quality.full),
            ("Trained on", facts.data),
            ("Weights", f"{facts.megabytes:.1f} MB, {facts.weights_hash[:12]}"),
        ]
    return {
        "name": facts.name,
        "purpose": facts.purpose,
        "known": [*known, ("Licence", facts.licence)],
    }
