"""What the page, the command line and the API can do. The one place where models meet pipelines."""

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.index import IndexKey, IndexStore
from app.library_service import LibraryService
from app.performance import Meter
from app.pipelines.requests import DEFAULT_SEARCHER, SearchRequest, SummaryRequest
from app.pipelines.searchable import Searchables
from app.progress import Done, Progress, Report, Stop, run_reporting
from app.results import SearchResult, SummaryResult
from app.scratch import private_folder
from app.settings import Settings
from app.sources.names import file_stem
from app.sources.store import MediaStore, StoredVideo
from app.wording import clock
from models import registry
from models.catalogue import ModelFacts, all_model_facts, model_facts
from models.errors import CheckpointError, RequestError, VideoOpenError
from models.summary_methods import METHODS
from models.types import Shot, VideoInfo

if TYPE_CHECKING:
    from app.pipelines.search import SearchStep
    from app.pipelines.summarize import SummaryModels, SummaryStep

    Step = TypeVar("Step", SearchStep, SummaryStep)

EXPORT_ENDINGS = {
    "json": ".json",
    "csv": ".csv",
    "vtt": ".chapters.vtt",
    "edl": ".edl",
    "fcpxml": ".fcpxml",
    "plot": ".importance.png",
    "sheet": ".moments.jpg",
    "zip": ".keyframes.zip",
    "cut": ".cut.mp4",
}
SEARCH_ENDINGS = {"json": ".search.json", "csv": ".search.csv", "vtt": ".search.vtt"}
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
        self.media = MediaStore(settings)
        self.indexes = IndexStore(settings.index_dir, settings.index_cache_mb * 2**20)
        self.searchables = Searchables()
        self.library = LibraryService(
            settings, self.media, self.indexes, self.searchables, _quality
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
        from app.pipelines.summarize import SummaryStep, summarize

        meter = meter or Meter()
        yield SummaryStep(Progress("Loading the model"), meter.reading(), video.start_s)
        models = self._summary_models(request)
        kept = self.searchables
        steps = summarize(video, request, models, self.indexes, meter, kept)
        yield from self._remembered(steps, video, request.encoder, request.fps)

    def _summary_models(self, request: SummaryRequest) -> "SummaryModels":
        from app.pipelines.summarize import SummaryModels

        encoders = registry.names("frame_encoder")
        if request.encoder not in encoders:
            known = ", ".join(encoders)
            raise RequestError(f"{request.encoder!r} makes no index; choose one of {known}.")
        methods = [METHODS[name] for name in (request.method, request.compare) if name]
        readers = {method.scorer for method in methods if method.scorer}
        if request.query is not None:
            readers.add(DEFAULT_SEARCHER)
        loaded = {name: registry.load(name) for name in sorted(readers)}
        for name, model in loaded.items():
            if model.index_encoder != request.encoder:
                raise RequestError(
                    f"{name} reads the index of {model.index_encoder}, not of {request.encoder}; "
                    "choose another method."
                )
        encoder = registry.load(request.encoder)
        words = loaded.pop(DEFAULT_SEARCHER, None)
        for name, scorer in loaded.items():
            if scorer.encoder_hash != encoder.weights_hash:
                raise CheckpointError(
                    f"The checkpoint {name} was trained on a {encoder.name} with the hash "
                    f"{scorer.encoder_hash[:12]}, but the one beside it has "
                    f"{(encoder.weights_hash or 'none')[:12]}: fetch both again."
                )
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
        """
        from app.pipelines.search import search

        if request.encoder not in registry.names("frame_text_encoder"):
            known = ", ".join(registry.names("frame_text_encoder"))
            raise RequestError(f"{request.encoder!r} does not search; choose one of {known}.")
        model = registry.load(request.encoder)
        encoder = registry.load(model.index_encoder)
        quality = _quality(request.encoder)
        steps = search(
            video, request, model, encoder, self.indexes, meter, self.searchables, quality
        )
        return self._remembered(steps, video, encoder.name, request.fps)

    def _remembered(
        self, steps: "Iterator[Step]", video: VideoInfo, encoder: str, fps: float
    ) -> "Iterator[Step]":
        """The same steps; once the index is complete and the answer given, the library has it."""
        for step in steps:
            yield step
            if step.complete:
                self.library.remember(video, encoder, fps)

    def is_indexed(self, video: VideoInfo, request: SearchRequest) -> bool:
        """Whether a search is answered at once, because the video was read before."""
        encoder = registry.load(registry.load(request.encoder).index_encoder)
        key = IndexKey(video.content_hash, encoder.name, encoder.weights_hash, request.fps)
        return self.indexes.load(key) is not None

    def sampled_times(self, video: VideoInfo, fps: float) -> list[float]:
        """The presentation times that sampling takes; the pictures are made as small as can be."""
        from models.video.source import VideoSource

        with VideoSource(video.path) as source:
            batches = source.sample(fps, short_side_px=2)
            return [float(time_s) for batch in batches for time_s in batch.times_s]

    def models(self) -> tuple[ModelFacts, ...]:
        """What is known of every model; none is loaded."""
        return all_model_facts()

    # -- writing -------------------------------------------------------------------------------

    def export(self, kind: str, result: SummaryResult | SearchResult) -> Path:
        """Writes one of the small files, for download; of a search json, csv and vtt."""
        endings = SEARCH_ENDINGS if isinstance(result, SearchResult) else EXPORT_ENDINGS
        return _writer(kind)(result, self._export_file(result.video, endings[kind]))

    def export_moment(self, video: VideoInfo, span: Shot) -> Iterator[Progress | Done[Path]]:
        """The span as a video of its own, with its sound."""

        def work(report: Report, stop: Stop) -> Path:
            from app.export.cut import cut

            at = clock(span.start_s).replace(":", "-")
            target = self._export_file(video, f".{at}.mp4")
            return cut(video, [span], target, report=report, stop=stop)

        return run_reporting(work)

    def export_slow(self, kind: str, result: SummaryResult) -> Iterator[Progress | Done[Path]]:
        """Writes one of the files that go back to the video: the keyframes' `zip`, or the `cut`."""

        def work(report: Report, stop: Stop) -> Path:
            target = self._export_file(result.video, EXPORT_ENDINGS[kind])
            if kind == "zip":
                from app.export.pictures import write_zip

                return write_zip(result, target, report=report, stop=stop)
            from app.export.cut import cut

            spans = [shot.span for shot in result.shots if shot.chosen]
            return cut(result.video, spans, target, report=report, stop=stop)

        return run_reporting(work)

    def write_frames(self, result: SummaryResult, folder: Path) -> Iterator[Progress | Done[Path]]:
        """The keyframes at the size of the video, as files in `folder`."""

        def work(report: Report, stop: Stop) -> Path:
            from app.export.pictures import write_folder

            return write_folder(result, folder, report=report, stop=stop)

        return run_reporting(work)

    def _export_file(self, video: VideoInfo, ending: str) -> Path:
        """A new folder each time: whoever does not know its name cannot ask for the file."""
        _drop_older(self.settings.export_dir, self.settings.file_age_s)
        folder = self.settings.export_dir / secrets.token_hex(16)
        private_folder(folder)
        return folder / f"{file_stem(video.name)}{ending}"


@cache
def _quality(name: str) -> str:
    """What was measured of a model that is loaded: as it, read once."""
    return model_facts(registry.MODELS[name]).quality.short


def _drop_older(folder: Path, age_s: float) -> None:
    """Removes downloads that were written longer ago than they are kept."""
    for old in folder.glob("*"):
        with suppress(FileNotFoundError):  # another request removed it
            if time.time() - old.stat().st_mtime > age_s:
                shutil.rmtree(old, ignore_errors=True)


def _writer(kind: str) -> Callable[[Any, Path], Path]:
    """Imported when asked for: drawing alone takes longer to import than the page to answer."""
    if kind in ("plot", "sheet"):
        from app import render

        return render.save_plot if kind == "plot" else render.contact_sheet
    from app.export import documents, editing

    return {
        "json": documents.write_json,
        "csv": documents.write_csv,
        "vtt": documents.write_vtt,
        "edl": editing.write_edl,
        "fcpxml": editing.write_fcpxml,
    }[kind]
