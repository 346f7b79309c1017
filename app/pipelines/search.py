"""Which moments of a video match a query, and whether any of them does with confidence."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.index import IndexStore
from app.performance import Meter
from app.pipelines.indexing import IndexStep, index_video
from app.pipelines.query import parse_query
from app.pipelines.requests import SearchRequest
from app.pipelines.searchable import Searchable, Searchables, make_searchable
from app.progress import Progress
from app.results import ModelUsed, Moment, Performance, Sampling, ScoredFrame, SearchResult
from models.certainty import COMPARED, MEASURED, Certainty
from models.errors import RequestError
from models.moments import Stretch, find_stretches
from models.protocols import FrameEncoder, FrameTextEncoder
from models.types import Floats, VideoInfo

CONFIDENT = 0.5
# So many of those under the cut can be shown.
BELOW_AT_MOST = 6
EDGE = 1e-7  # probabilities of 0 and 1 have no odds


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One report of the work: how far, how fast, and a result whenever there is a better one."""

    progress: Progress
    performance: Performance
    known_until_s: float
    result: SearchResult | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A query in the space of the model."""

    wanted: Floats  # [D]
    unwanted: Floats  # [N, D]
    # Of cosines and how many distinct ones were searched.
    probability: Callable[[Floats, int], Floats]
    unwanted_probability: Callable[[Floats, int], Floats]
    certainty: Certainty = MEASURED

    def match(self, vectors: Floats, searched: int = 1) -> Floats:
        """[T] probabilities. What is to be left out counts where it rather shows than not.

        Of a model that only compares, all frames of the video must be given: see `_compared`.
        """
        if self.certainty == COMPARED:
            return self._compared(vectors)
        found = self.probability(vectors @ self.wanted, searched)
        if len(self.unwanted):
            shown = self.unwanted_probability(vectors @ self.unwanted.T, 1)
            found = found * np.clip(2.0 * (1.0 - shown), 0.0, 1.0).prod(axis=1)
        return np.asarray(found, np.float32)

    def _compared(self, vectors: Floats) -> Floats:
        """1 for the closest frame, 0 for those no closer than most; no probability.

        What is to be left out takes the frames that are closer to it than to what is wanted.
        """
        cosines = vectors @ self.wanted
        usual, best = float(np.median(cosines)), float(cosines.max())
        apart = best - usual
        found = np.ones_like(cosines) if apart < EDGE else np.clip((cosines - usual) / apart, 0, 1)
        if len(self.unwanted):
            found = found * (vectors @ self.unwanted.T < cosines[:, None]).all(axis=1)
        return np.asarray(found, np.float32)


def search(
    video: VideoInfo,
    request: SearchRequest,
    model: FrameTextEncoder,
    encoder: FrameEncoder,
    store: IndexStore,
    meter: Meter | None = None,
    kept: Searchables | None = None,
    quality: str | None = None,
) -> Iterator[SearchStep]:
    """The last step is complete; those before carry what can be said so far.

    `quality` is what was measured of the model, in a few words.

    Raises:
        RequestError: the model can make nothing of the query.
    """
    meter = meter or Meter()
    kept = kept or Searchables()
    used = ModelUsed(model.name, model.weights_hash, quality)
    asked: Asked | None = None
    if request.at_s is None:
        asked = _asked(request, model, encoder, meter)
    for step in index_video(video, encoder, request.fps, store, meter):
        result = None
        if step.index is not None and len(step.index):
            with meter.selecting():
                frames = (kept.of if step.complete else make_searchable)(step.index, model)
                looked_for = asked or _asked_at(request.at_s or 0.0, frames, model)
                result = _result_of(video, request, used, frames, looked_for, step, meter)
        yield SearchStep(
            step.progress, meter.reading(), step.known_until_s, result, complete=step.complete
        )


def _asked(
    request: SearchRequest, model: FrameTextEncoder, encoder: FrameEncoder, meter: Meter
) -> Asked:
    with meter.encoding():
        if request.picture is not None:
            picture = model.project(encoder.encode_frames(request.picture[None]))[0]
            return _asked_by_picture(picture, model)
        return asked_in_words(request.query, model)


def asked_in_words(text: str, model: FrameTextEncoder) -> Asked:
    """Raises RequestError where the model can make nothing of the words."""
    query = parse_query(text)
    if not model.reads(query.wanted):
        raise RequestError("The search reads English words; describe what to find with them.")
    unwanted = [words for words in query.unwanted if model.reads(words)]
    vectors = model.encode_texts([query.wanted, *unwanted])
    return Asked(vectors[0], vectors[1:], model.probability, model.probability, model.certainty)


def _asked_by_picture(picture: Floats, model: FrameTextEncoder) -> Asked:
    none = np.empty((0, len(picture)), np.float32)
    return Asked(
        picture, none, model.picture_probability, model.probability, model.picture_certainty
    )


def _asked_at(at_s: float, frames: Searchable, model: FrameTextEncoder) -> Asked:
    nearest = int(np.abs(frames.times_s - at_s).argmin())
    return _asked_by_picture(frames.vectors[nearest], model)


def _result_of(
    video: VideoInfo,
    request: SearchRequest,
    model: ModelUsed,
    frames: Searchable,
    asked: Asked,
    step: IndexStep,
    meter: Meter,
) -> SearchResult:
    scores = asked.match(frames.vectors)
    sure = scores.astype(np.float64).clip(EDGE, 1 - EDGE)
    stretches = find_stretches(
        np.log(sure / (1 - sure)),
        frames.vectors,
        frames.times_s,
        frames.likeness,
        request.top + BELOW_AT_MOST,
    )
    best = [stretch.best for stretch in stretches]
    chances: list[float | None] = [None] * len(best)
    if asked.certainty != COMPARED:
        chances = [float(p) for p in asked.match(frames.vectors[best], frames.distinct)]
    found = [
        _moment(video, frames, stretch, float(scores[stretch.best]), chance, request.fps)
        for stretch, chance in zip(stretches, chances, strict=True)
    ]
    found.sort(key=lambda moment: -moment.rating)
    cut = _cut(found, request.top, asked.certainty)
    below = found[cut : max(cut + BELOW_AT_MOST, request.top)]
    return SearchResult(
        video=video,
        model=model,
        query=request.title,
        sampling=Sampling(request.fps, len(frames), step.depth),
        moments=tuple(found[:cut]),
        below=() if asked.certainty == COMPARED else tuple(below),
        curve=tuple(map(ScoredFrame, frames.times_s.tolist(), scores.tolist())),
        confident=None if asked.certainty == COMPARED else cut > 0,
        timing=meter.reading(),
        top=request.top,
        certainty=asked.certainty,
    )


def _cut(found: Sequence[Moment], top: int, certainty: Certainty) -> int:
    """How many are shown as matches: the confident ones; all asked for where nobody can say."""
    if certainty == COMPARED:
        return min(sum(moment.score > 0 for moment in found), top)
    return min(sum(moment.rating >= CONFIDENT for moment in found), top)


def _moment(
    video: VideoInfo,
    frames: Searchable,
    stretch: Stretch,
    score: float,
    chance: float | None,
    fps: float,
) -> Moment:
    """It lasts until the next frame would be seen, and never less than one step of sampling."""
    times = frames.times_s
    video_end_s = max(video.end_s, float(times[-1]))
    start_s, last_s = float(times[stretch.first]), float(times[stretch.last])
    next_s = float(times[stretch.last + 1]) if stretch.last + 1 < len(times) else video_end_s
    end_s = min(max(next_s, start_s + 1.0 / fps), video_end_s)
    if end_s - start_s < 1.0 / fps:
        start_s = max(min(video.start_s, float(times[0])), end_s - 1.0 / fps)
    return Moment(
        time_s=float(times[stretch.best]),
        start_s=start_s,
        end_s=max(end_s, last_s),
        score=score,
        probability=chance,
        thumbnail=frames.thumbnails[stretch.best],
    )
