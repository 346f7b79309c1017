"""Labelled videos in parts that share no recording: UCF101's own lists, or a folder of classes.

UCF101 cuts each of its recordings (a group, v_CLASS_gNN_cMM.avi) into several videos that look
alike. Whoever tests on a group that was trained on measures memory; so groups stay whole, lists
that tear one apart are refused, and what is validated on is cut from the training part by group.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CLASS_FILE = "classInd.txt"
GROUP_PATTERN = r"_(?P<group>g\d+)(?:_|\.|$)"
SUFFIXES = frozenset({".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".mpg"})


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    path: Path
    label: str
    group: str  # videos of one group are of one recording


@dataclass(frozen=True, slots=True)
class VideoParts:
    """`held` is what choices are made on; `test` is looked at once they are made."""

    labels: tuple[str, ...]
    train: tuple[LabelledVideo, ...]
    held: tuple[LabelledVideo, ...]
    test: tuple[LabelledVideo, ...]


def read_ucf101(videos: Path, lists: Path, split: int, held_share: float, seed: int) -> VideoParts:
    """One of the three official splits.

    Raises:
        ValueError: a list is not there, does not fit the others, or shares a group with the other
            part; or a video that it names is not there.
    """
    if split not in (1, 2, 3):
        raise ValueError(f"data.split is 1, 2 or 3, received {split}")
    numbers = {label: number for number, label in _rows_of(lists / CLASS_FILE, columns=2)}
    by_number = {int(number): label for label, number in numbers.items()}
    labels = tuple(by_number[number] for number in sorted(by_number))
    trained = list[LabelledVideo]()
    for name, number in _rows_of(lists / f"trainlist{split:02d}.txt", columns=2):
        video = _listed(videos, name, numbers)
        if numbers[video.label] != number:
            raise ValueError(f"{name} is a {video.label}, whose number is not {number}")
        trained.append(video)
    tested = [
        _listed(videos, row[0], numbers)
        for row in _rows_of(lists / f"testlist{split:02d}.txt", columns=1)
    ]
    check_apart(trained, tested)
    _check_there([*trained, *tested])
    train, held = cut_by_group(trained, held_share, seed)
    return VideoParts(labels, train, held, tuple(tested))


def read_folders(
    videos: Path, held_share: float, test_share: float, seed: int, group_pattern: str = ""
) -> VideoParts:
    """A folder of one folder for each class; groups by their names, else every file is one.

    Raises:
        ValueError: there are fewer than two classes, or too few groups to leave some out.
    """
    pattern = re.compile(group_pattern or GROUP_PATTERN)
    found = [
        LabelledVideo(path, folder.name, _group_of(path.name, pattern))
        for folder in (sorted(videos.iterdir()) if videos.is_dir() else ())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]
    labels = tuple(sorted({video.label for video in found}))
    if len(labels) < 2:
        raise ValueError(
            f"data.videos is a folder of two class folders of videos or more, received {videos}"
        )
    rest, tested = cut_by_group(found, test_share, seed)
    train, held = cut_by_group(rest, held_share, seed + 1)
    check_apart([*train, *held], tested)
    return VideoParts(labels, train, held, tested)


def check_apart(one: Iterable[LabelledVideo], other: Iterable[LabelledVideo]) -> None:
    """Raises ValueError where a recording is in both."""
    shared = {(v.label, v.group) for v in one} & {(v.label, v.group) for v in other}
    if shared:
        label, group = min(shared)
        raise ValueError(
            f"the lists overlap: {len(shared)} groups are both trained and tested on, such as "
            f"{group} of {label}"
        )


def cut_by_group(
    videos: Sequence[LabelledVideo], share: float, seed: int
) -> tuple[tuple[LabelledVideo, ...], tuple[LabelledVideo, ...]]:
    """What stays, and about such a share of the groups.

    Where classes have groups of one name, as UCF101's or one folder's people, a name is left out of
    all classes: who it is may be the same. Else each class leaves out its own.

    Raises:
        ValueError: nothing would be left out, or nothing would stay.
    """
    if share == 0:
        return tuple(videos), ()
    groups = defaultdict[str, set[str]](set)
    for video in videos:
        groups[video.group].add(video.label)
    random = np.random.default_rng(seed)
    if any(len(labels) > 1 for labels in groups.values()):
        out = set(_drawn(sorted(groups), share, random))
    else:
        out = set()
        for label in sorted({video.label for video in videos}):
            own = sorted(group for group, labels in groups.items() if label in labels)
            out |= set(_drawn(own, share, random))
    kept = tuple(video for video in videos if video.group not in out)
    cut = tuple(video for video in videos if video.group in out)
    if not cut or not kept:
        raise ValueError(
            f"a share of {share} of {len(groups)} groups leaves {len(kept)} videos to train on and "
            f"{len(cut)} left out"
        )
    return kept, cut


def _drawn(groups: Sequence[str], share: float, random: np.random.Generator) -> list[str]:
    """At least one, where there is more than one."""
    count = min(max(1, round(share * len(groups))), len(groups) - 1)
    return [groups[at] for at in random.permutation(len(groups))[:count]]


def _listed(videos: Path, name: str, numbers: dict[str, str]) -> LabelledVideo:
    label, slash, file_name = name.partition("/")
    if not slash or label not in numbers:
        raise ValueError(f"a list names CLASS/FILE of a class in {CLASS_FILE}, received {name!r}")
    found = re.search(GROUP_PATTERN, file_name)
    if found is None:
        raise ValueError(f"a video of UCF101 names its group, v_CLASS_gNN_cMM, received {name!r}")
    return LabelledVideo(videos / label / file_name, label, found["group"])


def _group_of(name: str, pattern: re.Pattern[str]) -> str:
    found = pattern.search(name)
    if found is None:
        return Path(name).stem
    return found["group"] if "group" in pattern.groupindex else found[0]


def _rows_of(path: Path, columns: int) -> list[list[str]]:
    if not path.is_file():
        raise ValueError(f"data.lists is the folder of UCF101's lists; {path.name} is not there")
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row]
    wrong = [row for row in rows if len(row) != columns]
    if wrong or not rows:
        received = " ".join(wrong[0]) if wrong else "nothing"
        raise ValueError(f"a line of {path.name} has {columns} words, received {received!r}")
    return rows


def _check_there(videos: Sequence[LabelledVideo]) -> None:
    missing = [video.path for video in videos if not video.path.is_file()]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(videos)} videos that the lists name are not in data.videos, "
            f"such as {missing[0].parent.name}/{missing[0].name}"
        )
