"""The files of a summary: small ones as soon as it is done, large ones when they are asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.results import SummaryResult
from app.services import Services
from app.tabs.downloads import followed, to_be_written, with_file
from app.tabs.events import ONCE, QUIET, after_saying
from app.tabs.failures import Updates, problem, said_plainly
from app.timeline.component import component
from app.timeline.stage import Stage, failed

QUICK = (
    ("json", "JSON", "Everything, for programs"),
    ("csv", "CSV", "The shots and keyframes as a table"),
    ("vtt", "Chapters", "WebVTT chapters for a player"),
    ("edl", "EDL", "A cut list for editing programs"),
    ("fcpxml", "FCPXML", "A timeline for Final Cut, Resolve and others"),
    ("sheet", "Contact sheet", "The key moments with their times, in one picture"),
)
PLOT = ("plot", "Plot", "The importance curve as a picture")  # drawing takes a moment
SLOW = (
    ("zip", "Keyframes (ZIP)", "The keyframes at full size, in a ZIP"),
    ("cut", "Cut video (MP4)", "The chosen shots as one MP4"),
)


class SummaryFiles:
    """The row of downloads, the plot and the command line."""

    def __init__(self, services: Services, stage: Stage, result: gr.State, note: gr.HTML) -> None:
        self._services = services
        self._stage = stage
        self._result = result
        self._note = note
        self._links = component("links", elem_id="summarize-downloads")
        self._plot = component("plot", elem_id="summarize-plot")
        self.command: gr.HTML

    def build_command(self) -> None:
        self.command = component("command", elem_id="summarize-command")

    @property
    def cleared(self) -> dict[Any, Any]:
        return {self._links: None, self._plot: None, self.command: None}

    def connect(self, running: Any, limits: dict[str, Any]) -> list[Any]:
        """Writes the small files after each summary, whole or stopped half way."""
        write = said_plainly(self._write_quick, lambda text: {self._note: problem(text)})
        written = [self._links, self._plot, self._note]
        running.then(write, self._result, written, **QUIET)
        self._stage.cancel.click(write, self._result, written, **QUIET)
        building = self._links.build(
            said_plainly(self._build_slow, self._on_failure),
            [self._result, self._links],
            [self._links, self._stage.status, self._note],
            **after_saying("Writing the file…"),
            **ONCE,
            **limits,
        )
        return [building]

    def _write_quick(self, result: SummaryResult | None) -> Iterator[Updates]:
        if result is None:
            return
        slow = to_be_written(SLOW)
        quick = [self._written(kind, label, text, result) for kind, label, text in QUICK]
        yield {self._links: {"items": [*quick, *slow]}}
        plot = self._written(*PLOT, result)
        yield {
            self._links: {"items": [*quick, plot, *slow]},
            self._plot: _in_both_themes(Path(plot["path"]), result),
        }

    def _written(self, kind: str, label: str, text: str, result: SummaryResult) -> dict[str, str]:
        path = self._services.files.write(kind, result)
        return {"kind": kind, "label": label, "help": text, "path": str(path), "name": path.name}

    def _build_slow(
        self, result: SummaryResult | None, links: dict[str, Any], event: gr.EventData
    ) -> Iterator[Updates]:
        kind = str(event.kind)
        if result is None or kind not in {name for name, *_ in SLOW}:
            return
        path = yield from followed(
            self._services.files.write_slowly(kind, result), self._stage.status
        )
        if path is not None:
            yield {
                self._links: {"items": list(with_file(links["items"], kind, path))},
                self._note: None,
            }

    def _on_failure(self, text: str) -> Updates:
        return {self._note: problem(text), self._stage.status: failed()}


def _in_both_themes(light: Path, result: SummaryResult) -> dict[str, str]:
    """The plot's value: the page shows the one that suits its theme."""
    from app.render import save_plot

    dark = save_plot(result, light.with_name(f"dark {light.name}"), dark=True)
    alt = f"Importance of each moment of {result.video.name}, with the chosen moments marked"
    return {"light": str(light), "dark": str(dark), "alt": alt}
