"""What two curves have in common, in a number and in words."""

import numpy as np
import pytest

from app.pipelines.comparing import MOST_FRAMES, agreement, compared_with
from app.results import ModelUsed

MODEL = ModelUsed("colour", None)


def test_the_same_order_agrees_and_the_opposite_disagrees() -> None:
    times_s = np.arange(50) / 2
    own = np.random.default_rng(0).random(50).astype(np.float32)
    same = compared_with("kmeans", MODEL, own**2, times_s, own)
    assert same.tau == pytest.approx(1.0)
    assert [frame.time_s for frame in same.frames] == times_s.tolist()
    assert compared_with("kmeans", MODEL, 1 - own, times_s, own).tau == pytest.approx(-1.0)
    assert compared_with("kmeans", MODEL, own[:1], times_s[:1], own[:1]).tau == 0.0


def test_a_long_video_is_compared_by_some_of_its_frames() -> None:
    count = 10 * MOST_FRAMES
    random = np.random.default_rng(0)
    own = random.random(count).astype(np.float32)
    other = (own + random.random(count)).astype(np.float32)
    some, every = (
        compared_with("kmeans", MODEL, b, np.arange(len(b)) / 2, a).tau
        for a, b in ((own, other), (own[: MOST_FRAMES - 1], other[: MOST_FRAMES - 1]))
    )
    assert some == pytest.approx(every, abs=0.03)


def test_words_for_every_correlation() -> None:
    said = [agreement(tau) for tau in (1.0, 0.4, 0.2, 0.0, -0.05, -0.4, -1.0)]
    assert "strongly" in said[0] and "in part" in said[1] and "little" in said[2]
    assert said[3] == said[4] and "not agree" in said[3]
    assert said[5] == said[6] and "disagree" in said[5]
