"""Models: what to choose when, how good, fast and large each is, and by which measure."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.progress import Done
from app.services import Services
from app.tabs.events import ONCE, QUIET, after_saying
from app.tabs.failures import Updates, problem, said_plainly
from app.tabs.models_view import advice, plots, protocols, published, table
from app.timeline.component import component
from app.timeline.stage import Stage, failed, finished, working
from models.comparisons import comparisons
from models.speed import speeds

INTRODUCTION = (
    '<p class="fs-help">Every score on this page comes from one of these, and all of them run on '
    "this machine. The first of each task answers at once.</p>"
)
ADD_HELP = "Checkpoints that were pushed by python -m train.push: weights and descriptions only."


class ModelsTab:
    """A table to read, and one field: the address of a checkpoint to add."""

    name = "models"
    label = "Models"

    def __init__(self, services: Services, stage: Stage) -> None:
        self._services = services
        self._stage = stage
        self.cleared: dict[Any, Any] = {}
        with gr.Tab(self.label, id=self.name, render_children=True) as self.tab:
            self._build()

    def _build(self) -> None:
        facts = self._services.models.facts()
        gr.HTML(INTRODUCTION, apply_default_css=False)
        component("advice", advice(), elem_id="models-advice")
        self._note = component("note", elem_id="models-note")
        self._table = component("models", table(facts, speeds()), elem_id="models")
        with gr.Accordion(
            "Add a checkpoint from the model hub", open=False, elem_id="models-add",
            elem_classes="fs-fold", visible=self._services.models.may_add,
        ), gr.Row(elem_classes="fs-ask"):  # fmt: skip
            self._address = gr.Textbox(
                elem_id="models-address", show_label=False, label="Address on the model hub",
                placeholder="owner/repo or owner/repo@revision", info=ADD_HELP, max_lines=1,
                max_length=200, scale=1, min_width=180,
            )  # fmt: skip
            self._add = gr.Button("Add", elem_id="run-add", scale=0, min_width=90)
        with gr.Accordion(
            "Quality against speed", open=False, elem_id="models-plots", elem_classes="fs-fold"
        ):
            component("pareto", plots(comparisons(facts, speeds())), elem_id="models-pareto")
        with gr.Accordion(
            "How each was measured", open=False, elem_id="models-measured", elem_classes="fs-fold"
        ):
            component("advice", protocols(), elem_id="models-protocols")
        with gr.Accordion(
            "Five published systems, and what is measured as they mean it", open=False,
            elem_id="models-honest", elem_classes="fs-fold",
        ):  # fmt: skip
            component("grid", published(), elem_id="models-published")

    def connect(self, limits: dict[str, Any]) -> list[Any]:
        """Listens to the tab; returns the events that Cancel ends."""
        adding = gr.on(
            [self._add.click, self._address.submit],
            said_plainly(self._added, self._on_failure),
            self._address,
            [self._stage.status, self._table, self._note, self._address],
            **{**ONCE, **after_saying("Asking the model hub…")},
            concurrency_limit=2,
            concurrency_id="adding",
        )
        gr.on(fn=self._seen, outputs=self._table, queue=False, **QUIET)  # when the page is loaded
        return [adding]

    # -- handlers ---------------------------------------------------------------------------------

    def _added(self, address: str | None) -> Iterator[Updates]:
        for step in self._services.models.add(address or ""):
            if isinstance(step, Done):
                yield {
                    self._stage.status: finished(f"{step.value} can be chosen from now on"),
                    self._table: self._seen(),
                    self._note: None,
                    self._address: "",
                }
            else:
                yield {self._stage.status: working(step)}

    def _seen(self) -> dict[str, Any]:
        """As the folders are now."""
        return table(self._services.models.facts(), speeds())

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}
