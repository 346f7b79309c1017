"""How summaries are judged: the rules of TVSum and of SumMe, for one video at a time.

Everything is counted at the sampled frames, two a second.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.ranks import kendall_tau_b
from models.shots import shot_starts
from models.types import Floats
from train.data.community import TableVideo, is_table, read_table
from train.data.judged import CHOSEN, LEVELS, NOT_CHOSEN, ScoredVideo
from train.data.judged_sets import SUMME, TVSUM
from train.metrics import (
    SUMMARY_RATIO,
    Flags,
    f_score,
    rank_correlations,
    spearman_rho,
    summary_flags,
)

Scores = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]
Row = tuple[float, ...]  # one number for each of a rule's figures


@dataclass(frozen=True, slots=True)
class Rule:
    """`over`: of the F-scores against each annotator. `chosen`: annotators chose, did not grade."""

    name: str
    figures: tuple[str, ...]
    over: Callable[[Sequence[float]], float]
    chosen: bool
    protocol: str


TITLES = {
    "tau": "tau-b",
    "rho": "rho",
    "f": "F",
    "tau_published": "tau, published rule",
    "rho_published": "rho, published rule",
    "mse": "squared error",
    "precision_15": "precision at 15 %",
}
COMMON = (
    "Frames at 2 a second. tau-b and rho of the scores against EACH annotator, mean over "
    "annotators, then videos. F: shot value = mean of its frames, 0/1 knapsack at 15 % of the "
    "length, "
)
TVSUM_RULE = Rule(
    TVSUM,
    ("tau", "rho", "f"),
    lambda each: float(np.mean(each)),
    chosen=False,
    protocol=COMMON + "F against each annotator's own choice by the same rule, mean over "
    "annotators. Human: each annotator against each of the others.",
)
SUMME_RULE = Rule(
    SUMME,
    ("tau", "rho", "f", "tau_published", "rho_published"),
    lambda each: float(np.max(each)),
    chosen=True,
    protocol=COMMON + "F against what each annotator chose, maximum over annotators. The published "
    "tau and rho are of the summary (chosen or not) against the mean of the annotators: random "
    "scores reach about .1 there, so it stands apart. Human: each annotator against the others.",
)
RULES = {rule.name: rule for rule in (TVSUM_RULE, SUMME_RULE)}


def rule_of(dataset: str) -> Rule:
    """A table of the community is of SumMe where its file says so, else of TVSum."""
    if is_table(dataset):
        return SUMME_RULE if SUMME in Path(dataset).name.lower() else TVSUM_RULE
    return RULES[dataset]


@dataclass(frozen=True, slots=True)
class Judge:
    """One video, and what each of its annotators chose or would choose of it."""

    video: ScoredVideo
    starts: Indices
    chosen: list[Flags]
    rule: Rule = TVSUM_RULE

    def row(self, scores: Scores) -> Row:
        tau, rho = rank_correlations(scores, self.video.annotators)
        ours = summary_flags(scores, self.starts)
        f = self.rule.over([f_score(ours, theirs) for theirs in self.chosen])
        if not self.rule.chosen:
            return tau, rho, f
        return tau, rho, f, *_published(ours, self.chosen)

    def human_row(self) -> Row:
        """Each annotator against each of the others."""
        count, rows = len(self.chosen), []
        for number, own in enumerate(self.video.annotators):
            # Where all three figures are symmetric, half of the pairs say the same.
            others = [n for n in range(count if self.rule.chosen else number) if n != number]
            if not others:
                continue
            theirs = [self.chosen[n] for n in others]
            tau, rho = rank_correlations(own, self.video.annotators[others])
            f = self.rule.over([f_score(self.chosen[number], flags) for flags in theirs])
            more = _published(self.chosen[number], theirs) if self.rule.chosen else ()
            rows.append(((tau, rho, f, *more), len(others)))
        weights = [weight for _, weight in rows]
        return tuple(np.average([row for row, _ in rows], axis=0, weights=weights).tolist())

    @property
    def truth(self) -> Floats:
        """[T] in [0, 1]: the annotators' mean."""
        return np.asarray((self.video.annotators.mean(axis=0) - 1) / (LEVELS - 1), np.float32)


def _published(ours: Flags, theirs: list[Flags]) -> tuple[float, float]:
    mean = np.mean(theirs, axis=0)
    flags = ours.astype(np.float64)
    return kendall_tau_b(flags, mean), spearman_rho(flags, mean)


def judge_of(video: ScoredVideo, rule: Rule = TVSUM_RULE) -> Judge:
    """Shots by KTS on the video's own features."""
    starts = shot_starts(video.features, video.times_s, video.end_s)
    if rule.chosen:
        chosen = [np.asarray(row == CHOSEN) for row in video.annotators]
    else:
        chosen = [summary_flags(row, starts) for row in video.annotators]
    return Judge(video, starts, chosen, rule)


def judge_of_table(video: ScoredVideo, row: TableVideo, rule: Rule) -> Judge:
    """Shots and choices as the table has them; who was not asked for grades is judged by those."""
    if row.user_scores is None:
        grades = np.where(row.choices, CHOSEN, NOT_CHOSEN).astype(np.uint8)
        video = dataclasses.replace(video, annotators=grades)
    return Judge(video, row.shot_starts, list(row.choices), rule)


def judges_of(dataset: str, videos: Sequence[ScoredVideo]) -> dict[str, Judge]:
    """By name. `videos` are those of the data set."""
    rule = rule_of(dataset)
    if not is_table(dataset):
        return {video.name: judge_of(video, rule) for video in videos}
    rows = {row.name: row for row in read_table(Path(dataset))}
    return {video.name: judge_of_table(video, rows[video.name], rule) for video in videos}


def mean_squared_error(scores: Scores, truth: Scores) -> float:
    return float(np.mean((np.asarray(scores, np.float64) - truth) ** 2))


def precision_at(scores: Scores, truth: Scores, ratio: float = SUMMARY_RATIO) -> float:
    """How many of the frames with the highest scores are among those with the highest truth."""
    count = max(1, round(len(truth) * ratio))
    best, wanted = (
        set(np.argsort(-row, kind="stable")[:count].tolist()) for row in (scores, truth)
    )
    return len(best & wanted) / count
