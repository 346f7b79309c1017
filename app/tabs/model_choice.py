"""The list of models in every tab: those that ship, those of this machine, those of the hub."""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from app.progress import Done
from app.services import Services
from app.tabs.events import QUIET, after_saying
from app.tabs.failures import Updates, log, problem
from app.timeline.stage import Stage, failed, finished, working
from models.errors import CancelledError, UserFacingError


class ModelChoice:
    """A dropdown whose choice is loaded when it is made, so that a run does not wait for it.

    What cannot be used is not chosen: the list goes back to what was chosen before, and `note`
    says why. `chosen` is the last one that was loaded. The page's own Cancel ends the loading.
    """

    def __init__(
        self,
        services: Services,
        kinds: Sequence[str],
        *,
        value: str | None,
        label: str,
        elem_id: str,
        others: Sequence[tuple[str, str]] = (),
        first: Sequence[tuple[str, str]] = (),
        **options: Any,
    ) -> None:
        """`first` and `others` are choices that are no models, before and after them."""
        self._services = services
        self._kinds = tuple(kinds)
        self._first, self._others = list(first), list(others)
        self.dropdown = gr.Dropdown(
            self.choices(),
            value=value,
            label=label,
            elem_id=elem_id,
            elem_classes="fs-choice",
            **options,
        )
        self.chosen = gr.State(value)

    def choices(self) -> list[tuple[str, str]]:
        """As the folders are now."""
        return [*self._first, *self._services.models.choices(self._kinds), *self._others]

    def connect(self, stage: Stage, note: gr.HTML) -> list[Any]:
        """Listens; returns the event that Cancel ends. `note` says what cannot be used and why."""

        def choose(name: str | None, before: str | None) -> Iterator[Updates]:
            yield from self._choose(name, before, stage, note)

        # Not one of the slots for work: it waits for the network or the disk.
        loading = self.dropdown.input(
            choose,
            [self.dropdown, self.chosen],
            [self.dropdown, self.chosen, stage.status, note],
            trigger_mode="always_last",  # leaving the list without choosing is an event, too
            **{**QUIET, "concurrency_limit": 8, "concurrency_id": "models"},
            **after_saying("Loading the model…"),
        )
        stage.cancel.click(
            lambda before: gr.update(value=before), self.chosen, self.dropdown, queue=False, **QUIET
        )
        # Without triggers: when the page is loaded.
        gr.on(fn=self._all_choices, outputs=self.dropdown, queue=False, **QUIET)
        return [loading]

    def refreshed_by(self, button: gr.Button) -> None:
        """The button reads the folders again."""
        button.click(self._refreshed, self.dropdown, self.dropdown, queue=False, **QUIET)

    def _all_choices(self) -> Any:
        return gr.update(choices=self.choices())

    def _refreshed(self, name: str | None) -> Any:
        choices = self.choices()
        if name in [value for _, value in choices]:
            return gr.update(choices=choices)
        return gr.update(choices=choices, value=choices[0][1])

    def _choose(
        self, name: str | None, before: str | None, stage: Stage, note: gr.HTML
    ) -> Iterator[Updates]:
        if name is None or name in [value for _, value in (*self._first, *self._others)]:
            yield {self.chosen: name, note: None, stage.status: finished("")}
            return
        try:
            for step in self._services.models.load(name):
                if isinstance(step, Done):
                    yield {
                        self.chosen: name,
                        note: None,
                        stage.status: finished(f"{name} is ready"),
                    }
                else:
                    yield {stage.status: working(step)}
        except CancelledError:
            yield {self.dropdown: before, stage.status: failed()}
        except UserFacingError as error:
            yield {self.dropdown: before, note: problem(str(error)), stage.status: failed()}
        except Exception as error:
            log.exception("%s could not be loaded", name)
            text = f"{name} cannot be used: what its files say is not understood."
            yield {self.dropdown: before, note: problem(text), stage.status: failed()}
            raise gr.Error(text, print_exception=False) from error


def refresh_button(name: str, *choices: ModelChoice) -> None:
    """Reads the folders again, for what was trained or added since the page was loaded."""
    button = gr.Button(
        "Look for new models", size="sm", elem_id=f"{name}-refresh", elem_classes="fs-refresh"
    )
    for choice in choices:
        choice.refreshed_by(button)
