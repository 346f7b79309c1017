"""What the page, the command line and the API can do. The one place where models meet pipelines."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.action_service import ActionService
from app.files import ResultFiles
from app.index import IndexKey, IndexStore
from app.library_service import LibraryService
from app.model_service import ModelService
from app.performance import Meter
from app.pipelines.requests import (
    DEFAULT_ENCODER,
    DEFAULT_SEARCHER,
    SearchRequest,
    SummaryRequest,
)
from app.pipelines.searchable import Searchables
from app.progress import (
    Done,
    Progress,
    Report,
    Stop,
    check_stop,
    ignore_progress,
    never_stop,
    run_reporting,
)
from app.segment_service import SegmentService
from app.settings import Settings
from app.sources.store import MediaStore, StoredVideo
from app.trigger_service import TriggerService
from models import registry
from models.catalogue import model_facts
from models.errors import CheckpointError, RequestError, VideoOpenError
from models.residency import Limits
from models.summary_methods import method_named
from models.types import VideoInfo

if TYPE_CHECKING:
    from app.pipelines.search import SearchStep
    from app.pipelines.summarize import SummaryModels, SummaryStep

SEARCHER_KIND = "frame_text_encoder"
EXAMPLES_DIR = Path(__file__).resolve().parent.parent / "assets" / "examples"


@dataclass(frozen=True, slots=True)
class OpenedVideo:
    """A video that is ready to be played and asked about."""

    info: VideoInfo
    player_path: Path
    source_url: str | None = None
    download_mb: float | None = None
    download_s: float | None = None

    def meter(self) -> Meter:
        return Meter(download_mb=self.download_mb, download_s=self.download_s)


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    label: str
    path: Path
    picture: Path
    duration_s: float


class Services:
    """Stateless between calls but for what is on disk; one object serves everybody."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        registry.limit_memory(Limits(settings.models_mb or None, settings.free_memory_mb or None))
        self.models = ModelService(may_add=settings.add_models)
        self.media = MediaStore(settings)
        self.indexes = IndexStore(settings.index_dir, settings.index_cache_mb * 2**20)
        self.searchables = Searchables()
        self.files = ResultFiles(settings)
        self.library = LibraryService(
            settings, self.media, self.indexes, self.searchables, _quality
        )
        self.actions = ActionService(self.indexes, self.library, _quality)
        self.segments = SegmentService(self.indexes, _quality)
        self.triggers = TriggerService(
            self.indexes, self.library, self.searchables, self.files, _quality
        )

    # -- opening -------------------------------------------------------------------------------

    def open_file(self, path: Path, name: str) -> Iterator[Progress | Done[OpenedVideo]]:
        """Checks, stores and makes playable a file from this machine or an upload."""

        def work(report: Report, stop: Stop) -> OpenedVideo:
            return self._opened(self.media.adopt(path, name=name, report=report, stop=stop),
                                report, stop)  # fmt: skip

        return run_reporting(work)

    def open_link(self, url: str) -> Iterator[Progress | Done[OpenedVideo]]:
        def work(report: Report, stop: Stop) -> OpenedVideo:
            from app.sources.link import fetch_link

            with fetch_link(url, self.settings, report, stop) as file:
                stored = self.media.adopt(
                    file.path, name=file.title, report=report, stop=stop, source_url=file.url
                )
                return self._opened(stored, report, stop, file.megabytes, file.seconds)

        return run_reporting(work)

    def open_stored(self, content_hash: str) -> OpenedVideo | None:
        """A video opened before, as long as its file is kept."""
        stored = self.media.get(content_hash)
        if stored is None:
            return None
        return OpenedVideo(stored.info, self.media.playable(stored), stored.source_url)

    def open_kept(self, content_hash: str) -> Iterator[Progress | Done[OpenedVideo]]:
        """A video of the library: as it was opened before, or from where it lies.

        Raises:
            VideoOpenError: it is gone, or something else lies there now.
        """
        opened = self.open_stored(content_hash)
        if opened is None:
            place = self.library.place_of(content_hash)
            for step in self.open_file(place.path or Path(), place.name):
                if not isinstance(step, Done):
                    yield step
                elif step.value.info.content_hash == content_hash:
                    opened = step.value
            if opened is None:
                raise VideoOpenError(
                    f"“{place.name}” has changed since it was indexed; open the file again."
                )
        yield Done(opened)

    def inspect_file(self, path: Path) -> Iterator[Progress | Done[VideoInfo]]:
        """What a file of this machine is; it is asked about where it lies and not stored."""

        def work(report: Report, stop: Stop) -> VideoInfo:
            return self.media.inspect(path, name=path.name, report=report, stop=stop)

        return run_reporting(work)

    def _opened(
        self,
        stored: StoredVideo,
        report: Report,
        stop: Stop,
        download_mb: float | None = None,
        download_s: float | None = None,
    ) -> OpenedVideo:
        player_path = self.media.playable(stored, report, stop)
        return OpenedVideo(stored.info, player_path, stored.source_url, download_mb, download_s)

    def examples(self) -> tuple[Example, ...]:
        listed = json.loads((EXAMPLES_DIR / "examples.json").read_text())
        return tuple(
            Example(
                name=entry["name"],
                label=entry["label"],
                path=EXAMPLES_DIR / entry["file"],
                picture=EXAMPLES_DIR / entry["poster"],
                duration_s=entry["duration_s"],
            )
            for entry in listed
        )

    # -- asking --------------------------------------------------------------------------------

    def summarize(
        self, video: VideoInfo, request: SummaryRequest, meter: Meter | None = None
    ) -> "Iterator[SummaryStep]":
        """Partial results as they come, the complete one last; closing it cancels the work."""
        from app.pipelines.summarize import SummaryModels, SummaryStep, summarize

        meter = meter or Meter()
        yield SummaryStep(Progress("Loading the model"), meter.reading(), video.start_s)
        request = _with_its_encoder(request)
        models: list[SummaryModels] = []
        with closing(self._summary_models(request)) as loading:
            for step in loading:
                if isinstance(step, Done):
                    models.append(step.value)
                else:
                    yield SummaryStep(step, meter.reading(), video.start_s)
        kept = self.searchables
        steps = summarize(video, request, models[0], self.indexes, meter, kept)
        yield from self.library.remembered(steps, video, request.encoder, request.fps)

    def _summary_models(
        self, request: SummaryRequest
    ) -> "Generator[Progress | Done[SummaryModels], None, None]":
        """What the request needs. Only what reads segments takes so long that it is reported."""
        if request.encoder in self.segments.encoders:
            yield from self.segments.models(request)
        else:
            yield Done(self._models_of_frames(request))

    def _models_of_frames(self, request: SummaryRequest) -> "SummaryModels":
        from app.pipelines.summarize import SummaryModels

        encoders = registry.names("frame_encoder")
        if request.encoder not in encoders:
            known = ", ".join([*encoders, *self.segments.encoders])
            raise RequestError(f"{request.encoder!r} makes no index; choose one of {known}.")
        methods = [method_named(name) for name in (request.method, request.compare) if name]
        readers = {method.scorer for method in methods if method.scorer}
        if request.query is not None:
            readers.add(DEFAULT_SEARCHER)
        loaded = {name: _reader(name) for name in sorted(readers)}
        for name, model in loaded.items():
            if model.index_encoder != request.encoder:
                raise RequestError(
                    f"{name} reads the index of {model.index_encoder}, not of {request.encoder}; "
                    "choose another method."
                )
        encoder = registry.load(request.encoder)
        words = loaded.pop(DEFAULT_SEARCHER, None)
        return SummaryModels(
            encoder,
            loaded,
            words,
            {name: _quality(name) for name in loaded},
        )

    def search(
        self, video: VideoInfo, request: SearchRequest, meter: Meter | None = None
    ) -> "Iterator[SearchStep]":
        """As summarize; an index that is complete answers with one step, without decoding.

        Raises:
            RequestError: the model does not search.
            ModelUnavailableError, CheckpointError: it cannot be had.
        """
        from app.pipelines.search import SearchStep, search

        searchers = self.searchers
        if request.encoder not in searchers:
            known = ", ".join(searchers)
            raise RequestError(f"{request.encoder!r} does not search; choose one of {known}.")
        meter = meter or Meter()

        def steps() -> "Iterator[SearchStep]":
            loaded: list[Any] = []
            if self._is_at_hand(request.encoder):
                loaded = _pair(request.encoder, ignore_progress, never_stop)
            else:
                work = run_reporting(partial(_pair, request.encoder))
                with closing(work) as loading:
                    for step in loading:
                        if isinstance(step, Done):
                            loaded = step.value
                        else:
                            yield SearchStep(step, meter.reading(), video.start_s)
            model, encoder = loaded
            quality = _quality(request.encoder)
            found = search(
                video, request, model, encoder, self.indexes, meter, self.searchables, quality
            )
            yield from self.library.remembered(found, video, encoder.name, request.fps)

        return steps()

    @property
    def searchers(self) -> tuple[str, ...]:
        """Models that find moments by words; none is loaded."""
        return registry.names(SEARCHER_KIND)

    def is_indexed(self, video: VideoInfo, request: SearchRequest) -> bool:
        """Whether a search is answered at once, because the video was read before.

        Models that do not ship with the program take long to load, so they are not loaded for this.
        """
        if not self._is_at_hand(request.encoder):
            return False
        encoder = registry.load(registry.load(request.encoder).index_encoder)
        key = IndexKey(video.content_hash, encoder.name, encoder.weights_hash, request.fps)
        return self.indexes.load(key) is not None

    def _is_at_hand(self, searcher: str) -> bool:
        """Whether nobody waits for it: others take seconds to load, or have to be fetched."""
        return searcher == DEFAULT_SEARCHER or registry.is_loaded(searcher)

    def sampled_times(self, video: VideoInfo, fps: float) -> list[float]:
        """The presentation times that sampling takes; the pictures are made as small as can be."""
        from models.video.source import VideoSource

        with VideoSource(video.path) as source:
            batches = source.sample(fps, short_side_px=2)
            return [float(time_s) for batch in batches for time_s in batch.times_s]


def _pair(name: str, report: Report, stop: Stop) -> list[Any]:
    """A model that searches, and the encoder whose index it reads, which may be itself."""

    def hear(words: str, share: float | None) -> None:
        check_stop(stop)
        report(Progress(words, share))

    report(Progress("Loading the model"))
    model = registry.load(name, hear)
    return [model, registry.load(model.index_encoder, hear)]


def _reader(name: str) -> Any:
    """A model that reads an index, itself or through the model that it was trained on.

    Raises:
        CheckpointError: it was trained on other weights than those beside it.
    """
    model = registry.load(name)
    if registry.entry_of(name).kind != "frame_scorer":
        return model
    seen = registry.load(model.index_encoder)
    if model.encoder_hash != seen.weights_hash:
        raise CheckpointError(
            f"The checkpoint {name} was trained on a {seen.name} with the hash "
            f"{model.encoder_hash[:12]}, but the one beside it has "
            f"{(seen.weights_hash or 'none')[:12]}: fetch both again."
        )
    if registry.entry_of(seen.name).kind != SEARCHER_KIND:
        return model
    from app.pipelines.scoring import ScorerInSpace

    return ScorerInSpace(model, seen)


def _with_its_encoder(request: SummaryRequest) -> SummaryRequest:
    """A scorer of this machine reads the index of its own encoder, where none was asked for."""
    scorer = method_named(request.method).scorer
    if request.encoder != DEFAULT_ENCODER or scorer is None or scorer in registry.MODELS:
        return request
    return replace(request, encoder=_reader(scorer).index_encoder)


def _quality(name: str) -> str:
    """What was measured of a model, read once for as long as its files stay what they are."""
    return _quality_of(name, registry.entry_of(name).stamp)


@cache
def _quality_of(name: str, _stamp: object) -> str:
    return model_facts(registry.entry_of(name)).quality.short
