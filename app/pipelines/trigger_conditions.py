"""What makes a frame a trigger: a trained event, words, example frames, or a change.

Each gives a score in [0, 1] for every frame of an index. Nothing is clamped: what shows nothing of
what is looked for scores near 0, so that a low threshold means something.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from app.index import FrameIndex
from app.pipelines.search import EDGE, asked_in_words
from app.pipelines.searchable import Searchable, Searchables, make_searchable
from app.pipelines.triggering import EVEN, SCENE, TriggerAsked
from app.results import ModelUsed
from models.moments import Doubles, smoothed
from models.protocols import FrameEncoder, FrameTextEncoder, TriggerScorer
from models.trigger_events import GAP_S
from models.types import Floats, Pixels, Times

# An event lasts while the score stays above this share of what it must reach.
STAY_SHARE = 0.6
# Frames of a first look are farther apart than sampled ones; up to here nothing was left out.
DENSE_STEPS = 1.6
# A new scene is unlike all that was seen in so many seconds, by several times what frames differ
# by without any cut, and by no less than a hard cut between like pictures (a cosine of .75).
SCENE_PAST_S = 2.0
SCENE_NOISE, SCENE_LEAST, SCENE_MOST = 4.0, 0.25, 0.6
# What moves is told from how the picture differs from the one half a second before: in the next
# seconds against the last ones. The median of five does not see a cut, nor a flash.
MOTION_LAG_S = 0.5
MOTION_AHEAD_S, MOTION_PAST_S = 2.0, 10.0
MOTION_NOISE, MOTION_LEAST = 4.0, 0.03
STEEPNESS = 8.0  # of the way from no change at all (.0003) to the level (.5)
ROWS_AT_ONCE = 2048


class Seen:
    """What is known of a video's frames so far, in the spaces that conditions read."""

    def __init__(
        self,
        index: FrameIndex,
        fps: float,
        *,
        complete: bool,
        kept: Searchables | None = None,
        others: Mapping[str, FrameIndex] | None = None,
    ) -> None:
        """`others`: complete indexes of the same video by their encoders' names."""
        self.index = index
        self.others = others or {}
        self.times_s = index.times_s
        self.complete = complete
        self._fps = fps
        self._kept = kept if complete else None
        self._searchables: dict[str, Searchable] = {}

    def __len__(self) -> int:
        return len(self.index)

    def searchable(self, model: FrameTextEncoder) -> Searchable:
        if model.name not in self._searchables:
            make = make_searchable if self._kept is None else self._kept.of
            self._searchables[model.name] = make(self.index, model)
        return self._searchables[model.name]

    @cached_property
    def dense(self) -> int:
        """How many rows from the first are sampled, before those that only a first look saw."""
        if self.complete:
            return len(self)
        gaps = np.flatnonzero(np.diff(self.times_s) > DENSE_STEPS / self._fps)
        return int(gaps[0]) + 1 if len(gaps) else len(self)


class Condition(ABC):
    """One thing that is looked for. `said` names it in a sentence: "a fight"."""

    kind: str
    name: str
    start_at: float
    stay_at: float
    model: ModelUsed | None = None
    encoder: FrameEncoder | None = None  # whose index it reads, where that is another one
    gap_s: float = GAP_S  # events no farther apart than this are one

    @property
    def said(self) -> str:
        return self.name

    @abstractmethod
    def score(self, seen: Seen) -> Floats:
        """float32 [T] in [0, 1]; 0 where nothing can be said yet."""


class EventCondition(Condition):
    """The event that a model was trained to find."""

    kind = "event"

    def __init__(
        self,
        scorer: TriggerScorer,
        threshold: float | None,
        quality: str | None = None,
        encoder: FrameEncoder | None = None,
    ) -> None:
        """`encoder` is given where the scorer reads another index than the analysis."""
        self._scorer = scorer
        self.encoder = encoder
        self.name = scorer.event
        self.start_at = scorer.start_at if threshold is None else threshold
        self.stay_at = self.start_at * min(1.0, scorer.stay_at / max(scorer.start_at, 1e-9))
        self.model = ModelUsed(scorer.name, scorer.weights_hash, quality)

    @property
    def said(self) -> str:
        return self._scorer.event  # its name may also say which model found it

    def score(self, seen: Seen) -> Floats:
        if self.encoder is not None:
            return self._score_elsewhere(seen, seen.others.get(self.encoder.name))
        dense = seen.dense
        scores = np.zeros(len(seen), np.float32)
        if dense:
            rows = np.asarray(seen.index.embeddings[:dense], np.float32)
            scores[:dense] = self._scorer.score(rows, seen.times_s[:dense])
        return scores

    def _score_elsewhere(self, seen: Seen, index: FrameIndex | None) -> Floats:
        """By the index of its own encoder, at the times of the one that all others read."""
        if index is None or not len(index):
            return np.zeros(len(seen), np.float32)
        scores = self._scorer.score(np.asarray(index.embeddings, np.float32), index.times_s)
        if np.array_equal(index.times_s, seen.times_s):
            return scores
        return np.interp(seen.times_s, index.times_s, scores).astype(np.float32)


class LikenessCondition(Condition):
    """Words, or pictures that frames should look like: by the calibrated probability."""

    def __init__(self, name: str, threshold: float | None, model: ModelUsed) -> None:
        self.name = name
        self.start_at = EVEN if threshold is None else threshold
        self.stay_at = STAY_SHARE * self.start_at
        self.model = model

    def smooth(self, chances: Floats, frames: Searchable) -> Floats:
        """One frame among equals that scores higher is chance."""
        sure = chances.astype(np.float64).clip(EDGE, 1 - EDGE)
        log_odds: Doubles = smoothed(np.log(sure / (1 - sure)), frames.vectors)
        return np.asarray(1 / (1 + np.exp(-log_odds)), np.float32)


class WordsCondition(LikenessCondition):
    kind = "words"

    def __init__(
        self, words: str, threshold: float | None, reader: FrameTextEncoder, model: ModelUsed
    ) -> None:
        """Raises RequestError where the reader can make nothing of the words."""
        super().__init__(words, threshold, model)
        self._reader = reader
        self._asked = asked_in_words(words, reader)

    def score(self, seen: Seen) -> Floats:
        """That a frame matches although it is the best of so many different ones."""
        frames = seen.searchable(self._reader)
        return self.smooth(self._asked.match(frames.vectors, frames.distinct), frames)


class ExampleCondition(LikenessCondition):
    """Frames like any of the pictures, or like the video at any of the moments."""

    kind = "example"

    def __init__(
        self,
        asked: TriggerAsked,
        threshold: float | None,
        reader: FrameTextEncoder,
        encoder: FrameEncoder,
        model: ModelUsed,
    ) -> None:
        super().__init__(asked.name, threshold, model)
        self._reader = reader
        self._at_s = asked.at_s
        self._examples = _projected(asked.pictures, reader, encoder)

    @property
    def said(self) -> str:
        return "what the example shows"

    def score(self, seen: Seen) -> Floats:
        frames = seen.searchable(self._reader)
        rows = [int(np.abs(frames.times_s - at).argmin()) for at in self._at_s]
        # Until the video is read to there, what is nearest to a moment may show something else.
        near = [row for row, at in zip(rows, self._at_s, strict=True) if self._is_read(seen, at)]
        examples = np.concatenate([self._examples, frames.vectors[near]])
        if not len(examples):
            return np.zeros(len(seen), np.float32)
        alike = np.asarray((frames.vectors @ examples.T).max(axis=1), np.float32)
        chances = self._reader.picture_probability(alike, frames.distinct)
        return self.smooth(np.asarray(chances, np.float32), frames)

    def _is_read(self, seen: Seen, at_s: float) -> bool:
        return seen.complete or (seen.dense > 0 and at_s <= seen.times_s[seen.dense - 1])


def _projected(
    pictures: Sequence[Pixels], reader: FrameTextEncoder, encoder: FrameEncoder
) -> Floats:
    """[N, D]; pictures may differ in size."""
    seen = [reader.project(encoder.encode_frames(picture[None])) for picture in pictures]
    return np.concatenate([np.empty((0, reader.dim), np.float32), *seen])


class ChangeCondition(Condition):
    """A change of scene or of motion, told from the embeddings of the index themselves."""

    kind = "change"

    def __init__(self, change: str, threshold: float | None, model: ModelUsed) -> None:
        self.name = change
        self.gap_s = 0.0 if change == SCENE else GAP_S  # of two cuts, each is one
        self.start_at = EVEN if threshold is None else threshold
        self.stay_at = STAY_SHARE * self.start_at
        self.model = model

    @property
    def said(self) -> str:
        return f"a {self.name}"

    def score(self, seen: Seen) -> Floats:
        dense = seen.dense
        scores = np.zeros(len(seen), np.float32)
        rows = np.asarray(seen.index.embeddings[:dense], np.float32)
        measure = scene_change if self.name == SCENE else motion_change
        scores[:dense] = measure(rows, seen.times_s[:dense])
        return scores


def scene_change(embeddings: Floats, times_s: Times) -> Floats:
    """[T]: that a frame is unlike everything in the last seconds before it."""
    apart = np.zeros(len(embeddings))
    earliest = np.searchsorted(times_s, times_s - SCENE_PAST_S - 1e-6)
    back = np.arange(len(embeddings)) - earliest
    nearest = np.full(len(embeddings), -1.0)
    for lag in range(1, int(back.max(initial=0)) + 1):
        alike = (embeddings[lag:] * embeddings[:-lag]).sum(axis=1)
        nearest[lag:] = np.where(back[lag:] >= lag, np.maximum(nearest[lag:], alike), nearest[lag:])
    # Where frames are farther apart than that, the one before is all there is to compare with.
    alone = np.flatnonzero(back < 1)[1:]
    nearest[alone] = (embeddings[alone] * embeddings[alone - 1]).sum(axis=1)
    apart[1:] = np.maximum(1.0 - nearest[1:], 0.0)
    if len(apart) < 2:
        return np.zeros(len(apart), np.float32)
    level = np.clip(SCENE_NOISE * np.median(apart[1:]), SCENE_LEAST, SCENE_MOST)
    return _squashed(apart, level)


def motion_change(embeddings: Floats, times_s: Times) -> Floats:
    """[T]: that from a frame on things move much more, or much less, than before it."""
    moved = _moved(embeddings, times_s)
    ahead = np.searchsorted(times_s, times_s + MOTION_AHEAD_S + 1e-6)
    past = np.searchsorted(times_s, times_s - MOTION_PAST_S - 1e-6)
    excess, noise = np.zeros(len(moved)), np.zeros(len(moved))
    for row in range(2, len(moved)):
        before, after = moved[max(past[row], 1) : row], moved[row : ahead[row]]
        if len(before) < 2 or len(after) < 3:
            continue
        usual = np.median(before)
        excess[row] = abs(np.median(after) - usual)
        noise[row] = np.median(np.abs(before - usual))
    return _squashed(excess, np.maximum(MOTION_NOISE * noise, MOTION_LEAST))


def _moved(embeddings: Floats, times_s: Times) -> Doubles:
    """How far each frame is from the one about half a second before it; 0 for the first."""
    rows = np.arange(len(times_s))
    before = np.searchsorted(times_s, times_s - MOTION_LAG_S + 0.1) - 1
    before = np.clip(before, 0, np.maximum(rows - 1, 0))
    moved = np.empty(len(rows))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        moved[part] = 1.0 - (embeddings[part] * embeddings[before[part]]).sum(axis=1)
    return np.maximum(moved, 0.0)


def _squashed(measured: Doubles, level: Doubles | float) -> Floats:
    """.5 at the level, near 0 far below it; nothing is scored where nothing was measured."""
    exponent = np.clip(-STEEPNESS * (measured / level - 1.0), -60.0, 60.0)
    return np.where(measured > 0, 1 / (1 + np.exp(exponent)), 0.0).astype(np.float32)
