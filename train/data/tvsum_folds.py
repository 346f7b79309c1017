"""Five folds in which every video of a set is tested once, and what training reads of a video."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from train.data.community import is_table, load_community, table_source
from train.data.judged import ScoredVideo
from train.data.judged_sets import TVSUM, load_judged
from train.data.tvsum_features import SOURCE_FILE, load_features

FOLDS = 5
FOLD_SEED = 0


def source_of(dataset: str, features_dir: Path) -> dict[str, Any]:
    """What made the features: name, weights_hash."""
    if is_table(dataset):
        return table_source(Path(dataset))
    found: dict[str, Any] = json.loads((features_dir / SOURCE_FILE).read_text())
    return found


class Named(Protocol):
    """What folds are dealt by."""

    @property
    def name(self) -> str: ...
    @property
    def category(self) -> str: ...


def load_scored_videos(
    data_dir: Path, features_dir: Path, dataset: str = TVSUM
) -> list[ScoredVideo]:
    """`dataset`: one of judged_sets, or an .h5 file of the community, which has its own features.

    Raises FileNotFoundError where the data or the features are not there.
    """
    if is_table(dataset):
        return load_community(Path(dataset))
    videos = []
    for video in load_judged(dataset, data_dir):
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


Video = TypeVar("Video", bound=Named)


def fold_of_each(videos: Sequence[Named]) -> list[int]:
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
class Parts(Generic[Video]):
    """Who trains and who is held out."""

    trained: list[Video]
    held: list[Video]


def parts_of(videos: Sequence[Video], fold: int | None, *, inner: bool = False) -> Parts[Video]:
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
