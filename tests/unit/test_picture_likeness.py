"""How alike two frames are becomes a probability, from frames of the same and of other videos."""

import numpy as np
import pytest

from models.frame_text_encoder import Calibration, spread_likeness
from models.types import Floats
from train.data.captions import CaptionedItem
from train.retrieval import (
    Embedded,
    by_frames,
    calibration_figures,
    fit_calibration,
    match_pairs,
    unit,
)

FRAMES_EACH = 3


def no_texts(_: object) -> Floats:
    raise AssertionError("pictures are compared, not texts")


def videos(
    count: int, frames_each: int, spread: float, up_to: float | None = None
) -> tuple[list[CaptionedItem], Embedded]:
    """Each video around a direction of its own, in some of them more happens than in others."""
    chance = np.random.default_rng(5)
    centres = np.repeat(chance.normal(0, 1, (count, 24)), frames_each, axis=0)
    spreads = np.repeat(np.linspace(spread, up_to or spread, count), frames_each)[:, None]
    frames = unit(np.asarray(centres + spreads * chance.normal(0, 1, centres.shape), np.float32))
    items = [
        CaptionedItem("msrvtt", f"video{n}", "chosen", ("",),
                      np.arange(n * frames_each, (n + 1) * frames_each))
        for n in range(count)
    ]  # fmt: skip
    return items, Embedded(frames, no_texts)


def test_a_frame_asks_for_the_others_of_its_video_and_never_for_itself() -> None:
    items, embedded = videos(4, FRAMES_EACH, 0.5)
    asked = [(query, answers) for item in items for query, answers in by_frames(embedded)(item)]
    assert len(asked) == 4 * FRAMES_EACH
    for row, (query, answers) in enumerate(asked):
        assert (query == embedded.frames[row]).all()
        assert len(answers) == FRAMES_EACH - 1 and row not in answers
        assert set(answers // FRAMES_EACH) == {row // FRAMES_EACH}


def test_a_photograph_has_no_other_frame_to_ask_for() -> None:
    items, embedded = videos(4, 1, 0.5)
    assert not [pair for item in items for pair in by_frames(embedded)(item)]


@pytest.mark.parametrize("searched", [1, 8])
def test_half_of_the_searches_are_for_what_is_not_there(searched: int) -> None:
    items, embedded = videos(30, FRAMES_EACH, 0.1)
    scores, matches = match_pairs(items, embedded, by_frames(embedded), searched=searched)
    assert len(scores) == 2 * 30 * FRAMES_EACH
    assert matches[::2].all() and not matches[1::2].any()
    assert scores[matches].min() > 0.9


def test_the_likeness_is_calibrated_better_on_its_own_scale_than_as_a_cosine() -> None:
    items, embedded = videos(200, FRAMES_EACH, 0.05, up_to=2.5)
    pairs = {
        n: match_pairs(items, embedded, by_frames(embedded), searched=n) for n in (1, 4, 16, 64)
    }
    errors = []
    for scale in (spread_likeness, lambda cosines: cosines):
        scaled = {n: (scale(scores), matches) for n, (scores, matches) in pairs.items()}
        fitted = fit_calibration(scaled)
        figures = [
            calibration_figures(fitted.probability(alike, n), matches)["ece"]
            for n, (alike, matches) in scaled.items()
        ]
        errors.append(float(np.mean(figures)))
    assert errors[0] < 0.05 and errors[0] < errors[1]


def test_the_scale_rises_is_odd_and_stays_finite() -> None:
    cosines = np.linspace(-1.0001, 1.0001, 101, dtype=np.float32)
    alike = spread_likeness(cosines)
    assert np.isfinite(alike).all() and (np.diff(alike) >= 0).all()
    assert alike == pytest.approx(-alike[::-1], abs=1e-4)
    assert Calibration(4.5, -2.5, 0.85).probability(alike[-1:], 1000)[0] > 0.99
