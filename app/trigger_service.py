"""Events as page, command line and programs ask for them: where scorers meet the index."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.files import ResultFiles
from app.index import IndexStore
from app.library_service import LibraryService
from app.performance import Meter
from app.pipelines.searchable import Searchables
from app.pipelines.triggering import TriggerRequest
from app.progress import Done, Progress
from app.trigger_results import TriggerResult
from models import registry
from models.types import VideoInfo

if TYPE_CHECKING:
    from app.pipelines.analyze_triggers import TriggerStep


@dataclass(frozen=True, slots=True)
class Spoken:
    """`result` says what speaking took, and in a remark what went wrong; `path` is None then."""

    result: TriggerResult
    path: Path | None


class TriggerService:
    """Stateless between calls but for what is on disk, and a few events looked at before."""

    def __init__(
        self,
        indexes: IndexStore,
        library: LibraryService,
        searchables: Searchables,
        files: ResultFiles,
        quality: Callable[[str], str],
    ) -> None:
        """`quality` says what was measured of a model."""
        self._indexes = indexes
        self._library = library
        self._searchables = searchables
        self._files = files
        self._quality = quality

    @property
    def events(self) -> tuple[str, ...]:
        """Models with a trained event; none is loaded. `event_of` says which event it is."""
        return registry.names("trigger_scorer")

    @property
    def detectors(self) -> tuple[str, ...]:
        return registry.names("object_detector")

    @property
    def describers(self) -> tuple[str, ...]:
        return registry.names("scene_describer")

    def event_of(self, name: str) -> str:
        """What the model was trained to find, in a word or two; its own name where unknown."""
        raise NotImplementedError

    def analyze(
        self, video: VideoInfo, request: TriggerRequest, meter: Meter | None = None
    ) -> "Iterator[TriggerStep]":
        """Events as they are found, then what is seen in each, the complete result last.

        Closing it cancels the work, in whichever stage it is. What was looked at closer before is
        not looked at again, so that a threshold can be moved.

        Raises:
            RequestError: there is no model of such a name, or words that cannot be read.
            ModelUnavailableError: nothing that was asked for can be looked for.
        """
        raise NotImplementedError

    def speak(
        self, result: TriggerResult, voice: str | None = None, words_a_minute: int | None = None
    ) -> Iterator[Progress | Done[Spoken]]:
        """The report as a WAV file for download; where that fails the result says so."""
        raise NotImplementedError
