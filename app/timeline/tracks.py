"""What the timeline draws: scores over time, few enough points, every peak kept; and ribbons."""

import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.results import Keyframe, Moment, ScoredShot
from models.types import Shot

# More columns than any screen gives the timeline.
COLUMNS = 700
LEAST_RANGE = 0.1
STRETCHED_TO = 0.9
KNOWN_COLOURS = {"Importance": 1, "Search": 2, "Actions": 3, "Triggers": 4}
SPARE_COLOURS = (5, 6, 7, 8)
SHADES = 4  # of one colour, in names.css
# Queries are on the page together: each has one of its own for as long as it is kept.
QUERY_COLOURS = (2, 5, 6, 7, 9, 10, 11)


@dataclass(frozen=True, slots=True)
class Track:
    """A named score in [0, 1] over time, and the spans that stand out in it."""

    name: str
    times_s: Sequence[float]
    scores: Sequence[float]
    colour: str | None = None  # else by its name
    spans: Sequence[Shot] = ()


@dataclass(frozen=True, slots=True)
class NamedSpan:
    """A stretch of a ribbon. `shade` tells names apart; None where nothing is known of it."""

    start_s: float
    end_s: float
    name: str
    share: float  # how sure, in [0, 1]
    shade: int | None = 0


@dataclass(frozen=True, slots=True)
class Ribbon:
    """What goes on over time, in words: one name at a time."""

    name: str
    spans: Sequence[NamedSpan]
    colour: str | None = None  # else by its name


def free_colour(taken: Collection[str]) -> str:
    """The first colour of queries that is not taken; the last where all are."""
    colours = [f"var(--track-{number})" for number in QUERY_COLOURS]
    return next((colour for colour in colours if colour not in taken), colours[-1])


def colour_of(name: str) -> str:
    """The same name has the same colour in every session, on the timeline, cards and rows."""
    number = KNOWN_COLOURS.get(name)
    if number is None:
        number = SPARE_COLOURS[zlib.crc32(name.encode()) % len(SPARE_COLOURS)]
    return f"var(--track-{number})"


def stretched(scores: Sequence[float]) -> list[float]:
    """Scores over the whole height of a track, for curves that are read by their shape.

    People give few moments of a video more than half of the highest mark. A curve that is all but
    flat stays so.
    """
    values = np.nan_to_num(np.asarray(scores, np.float64))
    if not len(values):
        return []
    low, high = float(values.min()), float(values.max())
    middle, reach = (low + high) / 2, max(high - low, LEAST_RANGE) / STRETCHED_TO
    return [float(v) for v in np.clip(0.5 + (values - middle) / reach, 0.0, 1.0)]


def keeping_peaks(
    times_s: npt.ArrayLike, scores: npt.ArrayLike, columns: int = COLUMNS
) -> tuple[list[float], list[float]]:
    """At most two points a column, its lowest and its highest, each at its own time."""
    times = np.asarray(times_s, np.float64)
    values = np.clip(np.nan_to_num(np.asarray(scores, np.float64)), 0.0, 1.0)
    if len(times) > 2 * columns:
        kept = set()
        for part in np.array_split(np.arange(len(times)), columns):
            kept.add(int(part[np.argmin(values[part])]))
            kept.add(int(part[np.argmax(values[part])]))
        order = sorted(kept)
        times, values = times[order], values[order]
    return [round(float(t), 3) for t in times], [round(float(v), 4) for v in values]


def shades(names: Iterable[str]) -> dict[str, int]:
    """Names that follow each other are told apart; there are few shades, so they come again."""
    return {name: at % SHADES for at, name in enumerate(dict.fromkeys(names))}


def drawn(track: Track | Ribbon) -> dict[str, Any]:
    return _drawn_ribbon(track) if isinstance(track, Ribbon) else _drawn_curve(track)


def _drawn_ribbon(ribbon: Ribbon) -> dict[str, Any]:
    return {
        "name": ribbon.name,
        "colour": ribbon.colour or colour_of(ribbon.name),
        "times": [],
        "values": [],
        "spans": [],
        "ribbon": [
            {
                "start_s": span.start_s,
                "end_s": span.end_s,
                "name": span.name,
                "note": percent(span.share),
                "share": round(span.share, 3),
                "shade": span.shade,
            }
            for span in ribbon.spans
        ],
    }


def _drawn_curve(track: Track) -> dict[str, Any]:
    times, values = keeping_peaks(track.times_s, track.scores)
    return {
        "name": track.name,
        "colour": track.colour or colour_of(track.name),
        "times": times,
        "values": values,
        "spans": [{"start_s": span.start_s, "end_s": span.end_s} for span in track.spans],
    }


def pins(marks: Sequence[Keyframe | Moment], colour: str) -> list[dict[str, Any]]:
    return [
        {"t": mark.time_s, "label": _said(mark, place), "colour": colour}
        for place, mark in enumerate(marks, start=1)
    ]


def _said(mark: Keyframe | Moment, place: int) -> str:
    """How sure it is; of a model that only compares, which place it has."""
    if isinstance(mark, Keyframe):
        return percent(mark.score)
    return f"no. {place}" if mark.probability is None else percent(mark.probability)


def percent(share: float) -> str:
    """87 %, on one line."""
    return f"{100 * share:.0f}\u00a0%"


def shot_marks(shots: Sequence[ScoredShot]) -> list[dict[str, Any]]:
    return [{"start_s": shot.start_s, "end_s": shot.end_s, "chosen": shot.chosen} for shot in shots]
