"""Summaries that read segments: where video transformers meet the pipelines."""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from app.index import IndexStore
from app.pipelines.requests import SummaryRequest
from app.progress import Done, Progress, Report, Stop, check_stop, run_reporting
from app.results import SummaryResult
from models import registry
from models.errors import RequestError
from models.summary_methods import OF_SEGMENTS, method_named

if TYPE_CHECKING:
    from app.pipelines.segment_features import LookedAt
    from app.pipelines.summarize import SummaryModels


class SegmentService:
    """Stateless but for what is on disk."""

    def __init__(self, indexes: IndexStore, quality: Callable[[str], str]) -> None:
        """`quality` says what was measured of a model."""
        self._indexes = indexes
        self._quality = quality

    @property
    def encoders(self) -> tuple[str, ...]:
        """Models that a summary can read segments by; none is loaded."""
        return registry.names("segment_encoder")

    def models(
        self, request: SummaryRequest
    ) -> "Generator[Progress | Done[SummaryModels], None, None]":
        """The encoder, fetched first where it is not here; closing it stops that.

        Raises:
            RequestError: what is asked for needs an index of frames.
            ModelUnavailableError, CheckpointError: the encoder cannot be had.
        """
        _check(request)

        def work(report: Report, stop: Stop) -> "SummaryModels":
            from app.pipelines.summarize import SummaryModels

            encoder = _loaded(request.encoder, report, stop)
            return SummaryModels(encoder, qualities={encoder.name: self._quality(encoder.name)})

        return run_reporting(work)

    def looked_at(
        self, result: SummaryResult, time_s: float
    ) -> "Generator[Progress | Done[LookedAt], None, None]":
        """Where the encoder of a summary looked in the segment at that time.

        Raises:
            RequestError: the summary was not made of segments.
        """
        if result.model.name not in self.encoders:
            raise RequestError(
                "This summary was made of single pictures; choose a TimeSformer under “What it "
                "reads” to see where it looks."
            )

        def work(report: Report, stop: Stop) -> "LookedAt":
            from app.pipelines.segment_features import look_into

            encoder = _loaded(result.model.name, report, stop)
            report(Progress("Looking again"))
            return look_into(result.video, time_s, encoder, self._indexes, stop)

        return run_reporting(work)


def _check(request: SummaryRequest) -> None:
    choices = ", ".join(f"“{method_named(name).label}”" for name in OF_SEGMENTS)
    for name in (request.method, request.compare):
        if name is not None and name not in OF_SEGMENTS:
            raise RequestError(
                f"“{method_named(name).label}” does not read segments of {request.encoder}; "
                f"choose one of {choices}."
            )
    if request.query is not None:
        raise RequestError(
            f"Words cannot steer a summary by {request.encoder}: leave them out, or let it read "
            "single pictures."
        )


def _loaded(name: str, report: Report, stop: Stop) -> Any:
    def hear(words: str, share: float | None) -> None:
        check_stop(stop)
        report(Progress(words, share))

    report(Progress("Loading the model"))
    return registry.load(name, hear)
