"""Moments of videos that match words, as the shipped search finds them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import registry
from models.certainty import COMPARED
from models.moments import count_distinct, smoothed
from models.trigger_events import find_events, span_s
from models.types import Floats, Times
from models.video.source import VideoSource

# An event goes on while its probability keeps this share of what it must reach.
STAY_SHARE = 0.6
EDGE = 1e-7  # probabilities of 0 and 1 have no odds
LIKENESS_STEPS = np.linspace(-1.0, 1.0, 401, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Found:
    start_s: float
    end_s: float
    time_s: float
    probability: float


class Finder:
    """A search model and the encoder that it reads."""

    def __init__(self, model: str, threshold: float, fps: float) -> None:
        """
        Raises:
            ValueError: the threshold or the rate is none, or the model does not search.
            UserFacingError: the model cannot be had.
        """
        if not 0 < threshold <= 1:
            raise ValueError(f"--threshold is above 0 and at most 1, received {threshold}")
        if fps <= 0:
            raise ValueError(f"--fps is above 0, received {fps}")
        searchers = registry.names("frame_text_encoder")
        if model not in searchers:
            raise ValueError(f"--model is one of {', '.join(searchers)}, received {model}")
        self._threshold, self._fps = threshold, fps
        self._reader: Any = registry.load(model)
        if self._reader.certainty == COMPARED:
            raise ValueError(f"--model gives probabilities; {model} only compares frames")
        self._encoder: Any = registry.load(self._reader.index_encoder)

    def find(self, path: Path, words: str) -> list[Found]:
        """In order of time.

        Raises:
            ValueError: the model knows none of the words.
            VideoOpenError: the file is no video.
        """
        if not self._reader.reads(words):
            raise ValueError(f"the words are English words that it knows, received {words!r}")
        vectors, times_s, end_s = self._look(path)
        chances = self._chances(vectors, self._reader.encode_texts([words])[0])
        events = find_events(chances, times_s, self._threshold, STAY_SHARE * self._threshold)
        return [
            Found(*span_s(event, times_s, end_s), float(times_s[event.peak]), event.score)
            for event in events
        ]

    def _look(self, path: Path) -> tuple[Floats, Times, float]:
        vectors, times = [], []
        with VideoSource(path) as source:
            for batch in source.sample(self._fps, short_side_px=self._encoder.short_side_px):
                vectors.append(self._reader.project(self._encoder.encode_frames(batch.pixels)))
                times.append(batch.times_s)
            end_s = source.info.end_s
        return np.concatenate(vectors), np.concatenate(times), end_s

    def _chances(self, vectors: Floats, wanted: Floats) -> Floats:
        """That a frame matches although it is the best of so many different ones."""
        alike = self._reader.picture_probability(LIKENESS_STEPS, 1) >= 0.5
        one_scene = float(LIKENESS_STEPS[int(alike.argmax())]) if alike.any() else 1.0
        distinct = count_distinct(vectors, one_scene)
        sure = self._reader.probability(vectors @ wanted, distinct).astype(np.float64)
        sure = sure.clip(EDGE, 1 - EDGE)
        log_odds = smoothed(np.log(sure / (1 - sure)), vectors)
        return np.asarray(1 / (1 + np.exp(-log_odds)), np.float32)
