"""The library as page and command line use it: what is indexed here, searched all at once."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from app.background import Background
from app.index import IndexKey, IndexStore
from app.library import Library
from app.library_entries import LibraryEntry, LibraryFacts
from app.moment_table import LibraryError, warm_up
from app.performance import Meter
from app.pipelines.requests import DEFAULT_SEARCHER, LibraryRequest
from app.pipelines.searchable import Searchables
from app.progress import Done, Progress, Report, Stop, never_stop, run_reporting
from app.results import LibraryResult
from app.settings import Settings
from app.sources.store import MediaStore
from models import registry
from models.errors import VideoOpenError
from models.protocols import FrameTextEncoder
from models.types import VideoInfo

SWITCHED_OFF = (
    "The library is switched off where others can see the page; FRAMESCRY_LIBRARY=1 switches it on."
)
LISTED = 500


class Finishing(Protocol):
    """One report of work that reads a video's index."""

    @property
    def complete(self) -> bool: ...


Step = TypeVar("Step", bound=Finishing)


class LibraryService:
    """Where the library meets the model whose vectors it holds."""

    def __init__(
        self,
        settings: Settings,
        media: MediaStore,
        indexes: IndexStore,
        searchables: Searchables,
        quality: Callable[[str], str],
    ) -> None:
        """`quality` says what was measured of a model."""
        self._settings = settings
        self._media = media
        self._indexes = indexes
        self._searchables = searchables
        self._quality = quality
        self._background = Background("framescry-library")
        self._taken_out: set[str] = set()

    @property
    def is_on(self) -> bool:
        return self._settings.library

    # -- asking --------------------------------------------------------------------------------

    def search(self, request: LibraryRequest, meter: Meter | None = None) -> LibraryResult:
        """Raises RequestError where nothing can be made of the words, LibraryError."""
        from app.pipelines.library import search_library

        self._check_on()
        model = registry.load(request.encoder)
        return search_library(
            request, model, self._library, self._indexes, meter, self._quality(request.encoder)
        )

    def facts(self) -> LibraryFacts:
        from app.pipelines.library import space_of

        self._check_on()
        return self._library.facts(space_of(self._model))

    def entries(self) -> list[LibraryEntry]:
        """Those added last, first."""
        from app.pipelines.library import space_of

        self._check_on()
        return self._library.entries(space_of(self._model), limit=LISTED)

    def warm_up(self) -> None:
        """So that the first search does not wait for imports and the model."""
        if self.is_on:
            self._background.put(warm_up)
            self._background.put(lambda: registry.load(DEFAULT_SEARCHER))

    # -- keeping -------------------------------------------------------------------------------

    def remember(self, video: VideoInfo, encoder: str, fps: float) -> None:
        """Keeps a video whose index is complete; the caller does not wait for it."""
        # What was taken out stays out while this process lives, however much is asked about it.
        if self.is_on and video.content_hash not in self._taken_out:
            self._background.put(lambda: self._keep_and_tend(video, encoder, fps))

    def remembered(
        self, steps: Iterator[Step], video: VideoInfo, encoder: str, fps: float
    ) -> Iterator[Step]:
        """The same steps; once the index is complete and the answer given, the video is kept."""
        for step in steps:
            yield step
            if step.complete:
                self.remember(video, encoder, fps)

    def wait(self, at_most_s: float) -> bool:
        """Until what is to be remembered is; False where there is still something left."""
        return self._background.wait(at_most_s)

    def index(self, video: VideoInfo, fps: float) -> Iterator[Progress | Done[bool]]:
        """Reads a video where that has not been done, and keeps it; whether it is new here."""
        from app.pipelines.indexing import index_video

        self._check_on()
        encoder = registry.load(self._model.index_encoder)
        steps = index_video(video, encoder, fps, self._indexes, Meter())
        for step in steps:
            yield step.progress
        yield from run_reporting(lambda _, stop: self._keep(video, encoder.name, fps, stop))

    def tend(self) -> Iterator[Progress | Done[None]]:
        """Tidies up after many videos, and builds the index that makes millions quick."""
        from app.pipelines.library import space_of

        self._check_on()

        def work(report: Report, stop: Stop) -> None:
            self._library.tend(space_of(self._model), report, stop)

        return run_reporting(work)

    def remove(self, content_hash: str) -> bool:
        from app.pipelines.library import space_of

        self._check_on()
        self._taken_out.add(content_hash)
        return self._library.remove(space_of(self._model), content_hash)

    def place_of(self, content_hash: str) -> LibraryEntry:
        """A video that lies on this machine outside the store of opened ones.

        Raises:
            VideoOpenError: it does not, or not any more.
        """
        from app.pipelines.library import space_of

        self._check_on()
        entry = self._library.entry(space_of(self._model), content_hash)
        if entry is None:
            raise VideoOpenError("That video is not in the library any more; open the file again.")
        if entry.path is None or not entry.path.is_file():
            raise VideoOpenError(f"“{entry.name}” is no longer kept here; open the file again.")
        return entry

    def _keep_and_tend(self, video: VideoInfo, encoder: str, fps: float) -> None:
        from app.pipelines.library import space_of

        space = space_of(self._model)
        if self._library.entry(space, video.content_hash) is not None:
            return  # every query about a video comes here
        if self._keep(video, encoder, fps, never_stop):
            self._library.tend(space, only_if_due=True)

    def _keep(self, video: VideoInfo, encoder: str, fps: float, stop: Stop) -> bool:
        from app.pipelines.library import moments_of, space_of

        model = self._model
        if model.index_encoder != encoder:
            return False
        weights_hash = registry.load(encoder).weights_hash
        key = IndexKey(video.content_hash, encoder, weights_hash, fps)
        index = self._indexes.load(key)
        if index is None or not len(index):  # evicted meanwhile
            return False
        frames = self._searchables.of(index, model)
        entry = LibraryEntry(
            content_hash=video.content_hash,
            name=video.name,
            duration_s=video.duration_s,
            scenes=frames.distinct,
            encoder=encoder,
            encoder_hash=weights_hash or "none",
            fps=fps,
            path=self._place(video),
        )
        return self._library.add(space_of(model), entry, moments_of(video, frames), stop)

    def _place(self, video: VideoInfo) -> Path | None:
        """What is in the store is found there by its content."""
        path = video.path.resolve()
        return None if path.is_relative_to(self._settings.media_dir.resolve()) else path

    def _check_on(self) -> None:
        if not self.is_on:
            raise LibraryError(SWITCHED_OFF)

    @property
    def _model(self) -> FrameTextEncoder:
        model: FrameTextEncoder = registry.load(DEFAULT_SEARCHER)
        return model

    @cached_property
    def _library(self) -> Library:
        return Library(self._settings.data_dir)
