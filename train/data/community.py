"""The .h5 tables that papers on video summaries exchange (eccv16_dataset_*.h5), read and written.

    python -m train.data.community --features compact --to tvsum_compact.h5
        [--dataset tvsum|summe] [--data-dir ../shared/data] [--cache-dir .cache/train]

writes the features that train.data.tvsum_features made. One group a video:

    features [T, D], gtscore [T], gtsummary [T], picks [T], n_steps, n_frames,
    user_summary [people, n_frames] of 0 and 1, change_points [shots, 2] (first and last frame),
    n_frame_per_seg [shots], video_name

Published tables say neither how many frames a second a video has nor how people graded it: their
picks are taken as two a second, which is how they were made, and training follows gtscore. Ours add
fps, user_scores [people, n_frames] and, for the whole table, the encoder and its hash.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.shots import shot_starts
from models.types import Floats, Times
from train.data.judged import CHOSEN, LEVELS, NOT_CHOSEN, ScoredVideo
from train.data.judged_sets import JUDGED_SETS, TVSUM, load_judged
from train.data.tvsum_features import SOURCE_FILE, features_place, load_features, unit_rows
from train.metrics import summary_flags

Indices = npt.NDArray[np.int64]

SUFFIXES = (".h5", ".hdf5")
PICKS_A_SECOND = 2.0
NEEDED = ("features", "gtscore", "user_summary", "change_points", "picks", "n_frames")


@dataclass(frozen=True, slots=True)
class TableVideo:
    """One group of a table."""

    key: str
    name: str
    features: Floats  # [T, D]
    gtscore: Floats  # [T], in [0, 1]
    picks: Indices  # [T], frames of the original
    n_frames: int
    user_summary: npt.NDArray[np.uint8]  # [people, n_frames], 0 or 1
    change_points: Indices  # [shots, 2], both frames included
    fps: float
    user_scores: npt.NDArray[np.uint8] | None = None  # [people, n_frames], 1 to 5

    @property
    def times_s(self) -> Times:
        return self.picks / self.fps

    @property
    def shot_starts(self) -> Indices:
        """The first pick of every shot that has one; a shot of a few frames may have none."""
        starts = np.searchsorted(self.picks, self.change_points[:, 0])
        return np.unique(np.append(0, starts[starts < len(self.picks)]))

    @property
    def choices(self) -> npt.NDArray[np.bool_]:
        """[people, T]: what each chose, at the picks."""
        return self.user_summary[:, self.picks] > 0


def is_table(dataset: str) -> bool:
    return dataset.endswith(SUFFIXES)


def read_table(path: Path) -> list[TableVideo]:
    """Every video, in the order of the file's keys: video_2 before video_10.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table, or one of its arrays is missing or of another length.
    """
    h5py: Any = importlib.import_module("h5py")

    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    if not h5py.is_hdf5(path):
        raise ValueError(f"{path.name} is no HDF5 file")
    with h5py.File(path, "r") as file:
        return [_read_group(path, key, file[key]) for key in sorted(file, key=_by_number)]


def _by_number(key: str) -> tuple[str, int, str]:
    digits = "".join(c for c in key if c.isdigit())
    return (key.rstrip("0123456789"), int(digits or 0), key)


def _read_group(path: Path, key: str, group: Any) -> TableVideo:
    missing = [name for name in NEEDED if name not in group]
    if missing:
        raise ValueError(f"{path.name}: {key} has no {missing[0]}")
    picks = np.asarray(group["picks"][()], np.int64).ravel()
    found = TableVideo(
        key=key,
        name=_text(group["video_name"][()]) if "video_name" in group else key,
        features=np.asarray(group["features"][()], np.float32),
        gtscore=np.asarray(group["gtscore"][()], np.float32).ravel(),
        picks=picks,
        n_frames=int(np.ravel(group["n_frames"][()])[0]),
        user_summary=(np.asarray(group["user_summary"][()]) > 0).astype(np.uint8),
        change_points=np.asarray(group["change_points"][()], np.int64),
        fps=float(group["fps"][()]) if "fps" in group else _usual_fps(picks),
        user_scores=np.asarray(group["user_scores"][()], np.uint8)
        if "user_scores" in group
        else None,
    )
    lengths = {"features": len(found.features), "gtscore": len(found.gtscore), "picks": len(picks)}
    if len(set(lengths.values())) > 1 or not len(picks):
        raise ValueError(f"{path.name}: {key} has as many of each, received {lengths}")
    if found.user_summary.shape[1] != found.n_frames or picks[-1] >= found.n_frames:
        raise ValueError(
            f"{path.name}: {key} has {found.n_frames} frames, but user_summary "
            f"{found.user_summary.shape[1]}, and the last pick is {picks[-1]}"
        )
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _usual_fps(picks: Indices) -> float:
    """Frames a second where the picks are two a second."""
    step = float(np.median(np.diff(picks))) if len(picks) > 1 else 15.0
    return PICKS_A_SECOND * step


def write_table(path: Path, videos: Sequence[TableVideo], source: dict[str, Any]) -> None:
    """`source`: what made the features, as train.data.tvsum_features notes it."""
    h5py: Any = importlib.import_module("h5py")

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    with h5py.File(unfinished, "w") as file:
        file.attrs["encoder"] = source["name"]
        file.attrs["encoder_hash"] = source["weights_hash"]
        for video in videos:
            group = file.create_group(video.key)
            for name in ("features", "gtscore", "picks", "change_points", "n_frames"):
                group[name] = getattr(video, name)
            group["user_summary"] = video.user_summary.astype(np.float32)
            first, last = video.change_points.T
            group["n_frame_per_seg"] = last - first + 1
            group["n_steps"] = len(video.picks)
            group["gtsummary"] = (video.choices.mean(axis=0) >= 0.5).astype(np.float32)
            group["video_name"] = video.name
            group["fps"] = video.fps
            if video.user_scores is not None:
                group["user_scores"] = video.user_scores
    unfinished.rename(path)


def table_source(path: Path) -> dict[str, Any]:
    """What made its features: said in tables of ours, else the name of the file stands for it."""
    h5py: Any = importlib.import_module("h5py")

    with h5py.File(path, "r") as file:
        name = str(file.attrs.get("encoder", path.stem))
        return {"name": name, "weights_hash": str(file.attrs.get("encoder_hash", ""))}


def load_community(path: Path) -> list[ScoredVideo]:
    """The table as training reads it: features of length one, people's grades at the picks.

    Where the table does not say how people graded, gtscore stands for them all.
    """
    videos = []
    for video in read_table(path):
        if video.user_scores is not None:
            annotators: npt.NDArray[Any] = video.user_scores[:, video.picks]
        else:
            annotators = 1 + (LEVELS - 1) * np.clip(video.gtscore, 0, 1)[None]
        end_s = video.n_frames / video.fps
        features = unit_rows(video.features)
        videos.append(ScoredVideo(video.name, "", features, video.times_s, end_s, annotators))
    return videos


def table_of(dataset: str, data_dir: Path, features_dir: Path) -> list[TableVideo]:
    """Judged videos with the features of a folder, as a table.

    People who graded (TVSum) are given the summary that their grades ask for, by the rule that
    published tables follow; people who chose (SumMe) chose it themselves.
    """
    videos = []
    for number, video in enumerate(load_judged(dataset, data_dir), start=1):
        found = load_features(features_dir, video.name)
        count = video.user_anno.shape[1]
        fps = count / video.length_s
        picks = np.clip(np.rint(found.times_s * fps).astype(np.int64), 0, count - 1)
        firsts = picks[shot_starts(found.features, found.times_s, found.end_s)]
        firsts[0] = 0
        ends = np.append(firsts[1:], count) - 1
        grades = video.user_anno
        if set(np.unique(grades).tolist()) <= {NOT_CHOSEN, CHOSEN}:
            chosen = grades == CHOSEN
        else:
            chosen = np.stack([summary_flags(row, firsts) for row in grades])
        videos.append(
            TableVideo(
                key=f"video_{number}",
                name=video.name,
                features=found.features,
                gtscore=((grades[:, picks].mean(axis=0) - 1) / (LEVELS - 1)).astype(np.float32),
                picks=picks,
                n_frames=count,
                user_summary=chosen.astype(np.uint8),
                change_points=np.stack([firsts, ends], axis=1),
                fps=fps,
                user_scores=grades,
            )
        )
    return videos


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.data.community")
    parser.add_argument("--features", required=True, help="whose features: an encoder's name")
    parser.add_argument("--to", type=Path, required=True, help="the .h5 file to write")
    parser.add_argument("--dataset", choices=tuple(JUDGED_SETS), default=TVSUM)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    flags = parser.parse_args(arguments)
    folder = flags.cache_dir / features_place(flags.features, flags.dataset)
    try:
        videos = table_of(flags.dataset, flags.data_dir, folder)
        write_table(flags.to, videos, json.loads((folder / SOURCE_FILE).read_text()))
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{flags.to}: {len(videos)} videos")
    return 0


if __name__ == "__main__":
    sys.exit(main())
