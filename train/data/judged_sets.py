"""The sets of judged videos by their names, which are also the names of their folders."""

from collections.abc import Callable
from pathlib import Path

from train.data.judged import JudgedVideo
from train.data.summe import load_summe
from train.data.tvsum import load_tvsum

TVSUM, SUMME = "tvsum", "summe"
JUDGED_SETS: dict[str, Callable[[Path], list[JudgedVideo]]] = {
    TVSUM: load_tvsum,
    SUMME: load_summe,
}


def load_judged(dataset: str, data_dir: Path) -> list[JudgedVideo]:
    """The videos in data_dir/dataset.

    Raises:
        FileNotFoundError: something is not there.
        ValueError: there is no such set, or a file of it is not what it should be.
    """
    if dataset not in JUDGED_SETS:
        raise ValueError(f"dataset is one of {', '.join(JUDGED_SETS)}, received {dataset!r}")
    return JUDGED_SETS[dataset](data_dir / dataset)
