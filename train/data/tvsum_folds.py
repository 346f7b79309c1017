"""Five folds in which every TVSum video is tested once, and what training reads of a video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.types import Floats, Times
from train.data.tvsum import TvsumVideo, load_tvsum
from train.data.tvsum_features import load_features

FOLDS = 5
FOLD_SEED = 0


@dataclass(frozen=True, slots=True)
class ScoredVideo:
    """A video as features, with what each annotator gave to each of its frames."""

    name: str
    category: str
    features: Floats  # [T, D], unit length
    times_s: Times
    end_s: float
    annotators: npt.NDArray[np.uint8]  # [20, T], 1 to 5


def load_scored_videos(data_dir: Path, features_dir: Path) -> list[ScoredVideo]:
    """Raises FileNotFoundError where the data or the features are not there."""
    videos = []
    for video in load_tvsum(data_dir / "tvsum"):
        found = load_features(features_dir, video.name)
        videos.append(
            ScoredVideo(
                video.name,
                video.category,
                found.features,
                found.times_s,
                found.end_s,
                video.annotators_at(found.times_s),
            )
        )
    return videos


def fold_of_each(videos: Sequence[TvsumVideo] | Sequence[ScoredVideo]) -> list[int]:
    """The fold that tests each video: dealt out category by category, so folds are alike.

    Depends on names and categories only, not on the order of the list.
    """
    random = np.random.default_rng(FOLD_SEED)
    dealt: dict[str, int] = {}
    for category in sorted({video.category for video in videos}):
        members = sorted(video.name for video in videos if video.category == category)
        for name in random.permutation(members).tolist():
            dealt[name] = len(dealt) % FOLDS
    return [dealt[video.name] for video in videos]


@dataclass(frozen=True, slots=True)
class Parts:
    """Who trains and who is held out."""

    trained: list[ScoredVideo]
    held: list[ScoredVideo]


def parts_of(videos: Sequence[ScoredVideo], fold: int | None, *, inner: bool = False) -> Parts:
    """Fold `fold` held out; with `inner`, that fold is left out and the next one held out instead.

    None trains on everything.
    """
    if fold is None:
        return Parts(list(videos), [])
    folds = fold_of_each(videos)
    held = (fold + 1) % FOLDS if inner else fold
    away = {fold, held}
    return Parts(
        [video for video, number in zip(videos, folds, strict=True) if number not in away],
        [video for video, number in zip(videos, folds, strict=True) if number == held],
    )
