"""All videos of this machine at once: what the library keeps of one, and which moments match."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from app.index import IndexKey, IndexStore
from app.library import Library
from app.library_entries import LibraryEntry, LibraryFilter, Space
from app.moment_table import Moments
from app.performance import Meter
from app.pipelines.requests import LibraryRequest
from app.pipelines.search import BELOW_AT_MOST, CONFIDENT, Asked, asked_in_words
from app.pipelines.searchable import Searchable, even_likeness
from app.results import LibraryResult, LibraryVideo, ModelUsed, Moment
from models.moments import GAP_S, ODDS_SHARE, SURE
from models.protocols import FrameTextEncoder
from models.types import Floats, VideoInfo

# A frame that is this far on the way from the first picture of another scene to the same picture
# is kept as a part of the one before. Of 1,517 frames of TVSum at two a second 600 are left, and
# the best of them lies .008 of cosine under the best of all at the mean over 200 captions.
NEARLY_THE_SAME = 0.85
# So many nearest rows are looked at; what they leave after joining is far more than is shown.
CANDIDATES = 200
# Where words are to be left out, the nearest are not the best.
CANDIDATES_TO_LEAVE_OUT_OF = 800


def space_of(model: FrameTextEncoder) -> Space:
    return Space(model.name, model.weights_hash or "none")


def moments_of(video: VideoInfo, frames: Searchable) -> Moments:
    """Every stretch in which nothing changes once, by the frame that is most like all of it."""
    level = frames.likeness + (1.0 - frames.likeness) * NEARLY_THE_SAME
    starts = _starts(frames.vectors, level)
    ends = np.append(starts[1:], len(frames))
    best = [
        int(a + (frames.vectors[a:b] @ frames.vectors[a:b].mean(0)).argmax())
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    times = np.append(frames.times_s, max(video.end_s, float(frames.times_s[-1])))
    return Moments(frames.times_s[best], times[starts], times[ends], frames.vectors[best])


def _starts(vectors: Floats, level: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    starts = [0]
    while True:
        alike = vectors[starts[-1] :] @ vectors[starts[-1]] >= level
        alike[0] = True
        if alike.all():
            return np.array(starts, np.int64)
        starts.append(starts[-1] + int(alike.argmin()))


def search_library(
    request: LibraryRequest,
    model: FrameTextEncoder,
    library: Library,
    indexes: IndexStore,
    meter: Meter | None = None,
    quality: str | None = None,
) -> LibraryResult:
    """`quality` is what was measured of the model, in a few words.

    Raises:
        RequestError: the model can make nothing of the query.
    """
    meter = meter or Meter()
    meter.from_index = True
    with meter.encoding():
        asked = asked_in_words(request.query, model)
    with meter.selecting():
        only = _filter(request)
        entries = library.entries(space_of(model), only)
        scenes = sum(entry.scenes for entry in entries)
        found: list[_Hit] = []
        if entries:
            found = _found(asked, model, library, entries, all_=only.is_open)
        found = found[: request.top + BELOW_AT_MOST]
        hits = _rated(found, asked, scenes)
        cut = min(sum(hit.chance >= CONFIDENT for hit in hits), request.top)
        until = cut + (BELOW_AT_MOST if cut else request.top)
        videos = _by_video(hits[:cut], indexes)
        below = _by_video(hits[cut:until], indexes)
    return LibraryResult(
        model=ModelUsed(model.name, model.weights_hash, quality),
        query=request.title,
        searched_videos=len(entries),
        searched_s=sum(entry.duration_s for entry in entries),
        searched_moments=sum(entry.moments for entry in entries),
        videos=videos,
        below=below,
        confident=cut > 0,
        timing=meter.reading(),
    )


@dataclass(frozen=True, slots=True)
class _Hit:
    entry: LibraryEntry
    time_s: float
    start_s: float
    end_s: float
    score: float
    vector: Floats
    chance: float = 0.0


def _found(
    asked: Asked, model: FrameTextEncoder, library: Library, entries: list[LibraryEntry],
    *, all_: bool,
) -> list[_Hit]:  # fmt: skip
    """The best first; what is near in time and looks alike is one."""
    count = CANDIDATES_TO_LEAVE_OUT_OF if len(asked.unwanted) else CANDIDATES
    numbers, near = library.nearest(space_of(model), asked.wanted, count, entries, all_=all_)
    by_number = {entry.number: entry for entry in entries}
    scores = asked.match(near.vectors)
    hits: list[_Hit] = []
    of_video: dict[int, list[int]] = {}
    for at in np.argsort(-scores, kind="stable").tolist():
        entry = by_number.get(int(numbers[at]))
        if entry is None:  # what a killed process left
            continue
        hit = _Hit(
            entry, float(near.times_s[at]), float(near.starts_s[at]), float(near.ends_s[at]),
            float(scores[at]), near.vectors[at],
        )  # fmt: skip
        known = of_video.setdefault(entry.number, [])
        beside = _beside(hit, [hits[i] for i in known], model)
        if beside is None:
            known.append(len(hits))
            hits.append(hit)
        else:
            hits[known[beside]] = _joined(hits[known[beside]], hit)
    return hits


def _beside(hit: _Hit, better: Sequence[_Hit], model: FrameTextEncoder) -> int | None:
    """Which of the better ones of its video it is a part of."""
    for at, other in enumerate(better):
        gap_s = max(hit.start_s - other.end_s, other.start_s - hit.end_s)
        if gap_s <= GAP_S:
            alike = even_likeness(model, hit.entry.scenes)
            if float(hit.vector @ other.vector) >= alike:
                return at
    return None


def _joined(better: _Hit, hit: _Hit) -> _Hit:
    """The moment goes on where what is beside matches nearly as well."""
    if _odds(hit.score) < ODDS_SHARE * min(_odds(better.score), math.exp(SURE)):
        return better
    return replace(
        better,
        start_s=min(better.start_s, hit.start_s),
        end_s=max(better.end_s, hit.end_s),
    )


def _odds(probability: float) -> float:
    return probability / max(1.0 - probability, 1e-7)


def _rated(hits: Sequence[_Hit], asked: Asked, scenes: int) -> list[_Hit]:
    """How sure each is, as the best of all the scenes that were searched: among many, one looks
    right by chance."""
    if not hits:
        return []
    chances = asked.match(np.stack([hit.vector for hit in hits]), scenes)
    return [replace(hit, chance=float(c)) for hit, c in zip(hits, chances, strict=True)]


def _by_video(hits: Sequence[_Hit], indexes: IndexStore) -> tuple[LibraryVideo, ...]:
    grouped: dict[int, list[_Hit]] = {}
    for hit in hits:
        grouped.setdefault(hit.entry.number, []).append(hit)
    return tuple(_video(group, indexes) for group in grouped.values())


def _video(group: Sequence[_Hit], indexes: IndexStore) -> LibraryVideo:
    entry = group[0].entry
    encoder_hash = None if entry.encoder_hash == "none" else entry.encoder_hash
    key = IndexKey(entry.content_hash, entry.encoder, encoder_hash, entry.fps)
    pictures = indexes.pictures(key)

    def picture(time_s: float) -> bytes:
        if pictures is None:
            return b""
        times, thumbnails = pictures
        return thumbnails[int(np.abs(times - time_s).argmin())]

    return LibraryVideo(
        content_hash=entry.content_hash,
        name=entry.name,
        duration_s=entry.duration_s,
        added_s=entry.added_s,
        moments=tuple(
            Moment(hit.time_s, hit.start_s, hit.end_s, hit.score, hit.chance, picture(hit.time_s))
            for hit in group
        ),
    )


def _filter(request: LibraryRequest) -> LibraryFilter:
    """Days are those of this machine."""
    since, until = request.since, request.until
    return LibraryFilter(
        name=request.name.strip(),
        since_s=None if since is None else _midnight_s(since),
        until_s=None if until is None else _midnight_s(until + timedelta(days=1)),
    )


def _midnight_s(day: date) -> float:
    return datetime(day.year, day.month, day.day).timestamp()
