"""What the timeline is given to draw."""

import numpy as np
import pytest

from app.results import Performance
from app.tabs.summarize import facts
from app.timeline.results import clock
from app.timeline.tracks import COLUMNS, colour_of, keeping_peaks, stretched


def test_two_hours_keep_every_peak() -> None:
    times = np.arange(14_400) / 2
    scores = np.full(14_400, 0.2)
    peaks = [3, 7_000, 7_001, 14_399]
    scores[peaks] = [0.9, 1.0, 0.95, 0.8]
    kept_times, kept = keeping_peaks(times, scores)
    assert len(kept_times) == len(kept) <= 2 * COLUMNS
    assert sorted(kept_times) == kept_times
    found = dict(zip(kept_times, kept, strict=True))
    assert found[1.5] == 0.9
    assert found[3500.0] == 1.0
    assert found[7199.5] == 0.8


def test_few_points_stay_as_they_are() -> None:
    assert keeping_peaks([0.0, 1.0], [0.25, 2.0]) == ([0.0, 1.0], [0.25, 1.0])
    assert keeping_peaks([0.0, 1.0], [float("nan"), -1.0]) == ([0.0, 1.0], [0.0, 0.0])
    assert keeping_peaks([], []) == ([], [])


def test_a_name_has_one_colour() -> None:
    assert colour_of("Importance") == "var(--track-1)"
    assert colour_of("“a lion”") == colour_of("“a lion”")
    assert colour_of("anything") not in {colour_of("Importance"), colour_of("Search")}


def test_clock_rounds_down_as_players_do() -> None:
    assert [clock(t) for t in (0, 9.99, 42, 59.9999, 3599.2, 3723)] == [
        "0:00", "0:09", "0:42", "1:00", "59:59", "1:02:03",
    ]  # fmt: skip


def test_what_was_not_measured_is_not_shown() -> None:
    shown = dict(facts(Performance(frames_processed=1234)))
    assert "Download" not in shown
    assert shown["Frames looked at"] == "1,234"
    assert "Download" in dict(facts(Performance(download_mb_per_s=2.0)))


def test_a_low_curve_is_drawn_over_the_whole_height() -> None:
    drawn = stretched([0.2, 0.3, 0.4])
    assert drawn == pytest.approx([0.05, 0.5, 0.95])
    almost_flat = stretched([0.50, 0.51])
    assert max(almost_flat) - min(almost_flat) < 0.1
    assert stretched([]) == [] and stretched([float("nan"), 1.0])[1] > 0.9
