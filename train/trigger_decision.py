"""From logits on left-out recordings to a decision, and what that decision is worth on others."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.trigger_detector import TriggerCalibration
from models.trigger_events import TriggerEvent, find_events, rows_in, span_s
from models.types import Floats, Times
from train.trigger_measures import (
    average_precision,
    calibration_error,
    fit_calibration,
    matched,
    precision_and_recall,
)

Doubles = npt.NDArray[np.float64]

INDEX_FPS, FAST_FPS = 2.0, 8.0
TOLERANCE_S = 1.0
STARTS = tuple(round(0.1 + 0.05 * step, 2) for step in range(18))  # .1 to .95
STAY_SHARES = (0.6, 0.8, 1.0)
# More false events in an hour of ordinary web video than this, and nobody reads them.
FALSE_AN_HOUR = 30.0
# A probability means what it says where frames are mixed so: one in five shows a fight, and of the
# rest more are of web videos than of such cameras. Were half of all frames fights, those that look
# like nothing of the kind would still be given a tenth.
CALIBRATED_SHARES = {"fight+": 0.2, "fight-": 0.3, "tvsum-": 0.5}


@dataclass(frozen=True, slots=True)
class Scored:
    """Logits of one left-out recording at one rate. `spans_s`: of fights in joined ones."""

    source: str  # fight, ut_interaction, weizmann, tvsum, joined
    name: str
    fights: bool
    fold: int
    fps: float
    times_s: Times
    logits: Floats
    spans_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    calibration: TriggerCalibration
    start_at: float
    stay_at: float

    def probabilities(self, scored: Scored) -> Floats:
        return self.calibration.probability(scored.logits)

    def events(self, scored: Scored) -> list[TriggerEvent]:
        found = self.probabilities(scored)
        return find_events(found, scored.times_s, self.start_at, self.stay_at)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def some_of(scored: Sequence[Scored], source: str, fps: float = INDEX_FPS) -> list[Scored]:
    return [one for one in scored if one.source == source and one.fps == fps]


def frames_of(scored: Sequence[Scored]) -> tuple[Floats, Doubles, Doubles]:
    """Logits, truth and weights of all frames that a probability is fitted on or judged by."""
    logits, truth, weights = [], [], []
    for kind, share in CALIBRATED_SHARES.items():
        some = [one for one in some_of(scored, kind[:-1]) if one.fights == kind.endswith("+")]
        if some:
            each = np.concatenate([one.logits for one in some])
            logits.append(each)
            truth.append(np.full(len(each), float(kind.endswith("+"))))
            weights.append(np.full(len(each), share / len(each)))
    return np.concatenate(logits), np.concatenate(truth), np.concatenate(weights)


def decide(scored: Sequence[Scored]) -> Decision:
    """A probability and two thresholds, from recordings that were left out of training.

    The thresholds are those that find most events right in joined recordings, of those that say
    no more than FALSE_AN_HOUR in web videos; where all say more, those that say least.
    """
    calibration = fit_calibration(*frames_of(scored))
    best: tuple[tuple[bool, float], Decision] | None = None
    for start_at in STARTS:
        for share in STAY_SHARES:
            decision = Decision(calibration, start_at, round(start_at * share, 4))
            false = false_an_hour(scored, decision)
            right = event_figures(scored, decision, INDEX_FPS)["f"]
            quiet = false <= FALSE_AN_HOUR
            worth = (quiet, right if quiet else -false)
            if best is None or worth > best[0]:
                best = worth, decision
    assert best is not None
    return best[1]


def false_an_hour(scored: Sequence[Scored], decision: Decision) -> float:
    """Events in videos without fights, by the hour; 0 where there are none."""
    videos = some_of(scored, "tvsum")
    return sum(len(decision.events(one)) for one in videos) / _hours(videos) if videos else 0.0


def event_figures(scored: Sequence[Scored], decision: Decision, fps: float) -> dict[str, float]:
    """Precision, recall and their harmonic mean over events in joined recordings."""
    right = said = true = 0
    for one in some_of(scored, "joined", fps):
        found = [span_s(event, one.times_s) for event in decision.events(one)]
        right += matched(found, one.spans_s, TOLERANCE_S)
        said += len(found)
        true += len(one.spans_s)
    precision, recall = right / said if said else 1.0, right / true if true else 1.0
    total = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f": 2 * precision * recall / total if total else 0.0,
    }


def clip_precision(scored: Sequence[Scored], source: str, fps: float) -> float:
    """Average precision over clips, each by its surest frame."""
    clips = some_of(scored, source, fps)
    return average_precision(
        np.array([one.fights for one in clips]), np.array([one.logits.max() for one in clips])
    )


def ranking_figures(scored: Sequence[Scored]) -> dict[str, float]:
    """What needs no threshold: how well it ranks, and what finding every second fight costs."""
    fights = [float(one.logits.max()) for one in some_of(scored, "fight") if one.fights]
    videos = some_of(scored, "tvsum")
    level = float(np.median(fights))
    false = sum(len(find_events(one.logits, one.times_s, level, level)) for one in videos)
    precisions = {
        f"average_precision_{fps:g}": clip_precision(scored, "fight", fps)
        for fps in (INDEX_FPS, FAST_FPS)
    }
    return precisions | {"false_an_hour_at_half": false / _hours(videos) if videos else 0.0}


def _hours(videos: Sequence[Scored]) -> float:
    return sum(float(one.times_s[-1] - one.times_s[0]) + 1 / one.fps for one in videos) / 3600


def never_shown(scored: Sequence[Scored], decision: Decision, source: str) -> float:
    """Share of frames that are in no event, so that no describer is asked about them."""
    some = some_of(scored, source)
    total = sum(len(one.times_s) for one in some)
    inside = sum(rows_in(decision.events(one), len(one.times_s)).sum() for one in some)
    return 1 - float(inside) / total if total else 1.0


def figures_of(scored: Sequence[Scored], decision: Decision) -> dict[str, float]:
    """Every figure of one fold's left-out recordings."""
    figures = ranking_figures(scored)
    for fps in (INDEX_FPS, FAST_FPS):
        clips = some_of(scored, "fight", fps)
        truth = np.array([one.fights for one in clips])
        said = np.array([bool(decision.events(one)) for one in clips])
        precision, recall = precision_and_recall(truth, said)
        events = event_figures(scored, decision, fps)
        figures |= {
            f"precision_{fps:g}": precision,
            f"recall_{fps:g}": recall,
            f"event_precision_{fps:g}": events["precision"],
            f"event_recall_{fps:g}": events["recall"],
        }
    logits, truth, weights = frames_of(scored)
    said_frames = decision.calibration.probability(logits)
    return figures | {
        "false_an_hour": false_an_hour(scored, decision),
        "calibration_error": calibration_error(said_frames, truth, weights),
        "never_shown_joined": never_shown(scored, decision, "joined"),
        "never_shown_tvsum": never_shown(scored, decision, "tvsum"),
    }
