"""Everything that actions are learned from and measured on, as examples with embedded frames.

Three parts. `train`; `chosen`, where every choice and the calibration is made; `reported`, looked
at for the report alone. What must not be in two of them is a group: a photograph, a captioned
video, a person of weizmann, a sequence of ut_interaction, a place of the fight clips. Photographs
are held out by the rule of train.data.frames, so the backbone did not see those either.
TVSum is never trained on: some of its kinds of video are in `chosen`, others in `reported`.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.types import Floats, Halves, Times
from train.data.action_labels import OF_CLASS, action_said, says_no_action
from train.data.captioned_features import student_features
from train.data.captions import load_captions
from train.data.fight_places import place_of
from train.data.frames import FrameStore, open_frame_store
from train.data.still_windows import StillWindows, ensure_still_windows
from train.data.trigger_features import MSRVTT_FPS, TriggerFeatures, load_trigger_features
from train.data.tvsum import load_tvsum

PARTS = ("train", "chosen", "reported")
HELD_PEOPLE = {"lena": "chosen", "lyova": "reported"}
HELD_SEQUENCES = {"5": "chosen", "15": "chosen", "10": "reported", "20": "reported"}
HELD_PLACES_PERCENT = 8  # chosen, and as many reported
# TVSum's kinds in which people do nothing that has a label, or next to nothing: tyres, stuck
# vehicles, grooming, sandwiches, bees, dogs. Parades, parkour, flash mobs and bikes are left out.
OTHER_CATEGORIES = {
    "VU": "chosen",
    "MS": "chosen",
    "DS": "chosen",
    "VT": "reported",
    "GA": "reported",
    "BK": "reported",
}
BETWEEN_SHOTS_S = 0.5
TVSUM_PIECE_S, TVSUM_PIECES = 8.0, 10

Look = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Example:
    """`views`: [T, D] each, the first as it is; `times_s` None: a photograph, without a time."""

    source: str
    name: str
    group: str
    label: str | None  # None: something else
    part: str
    views: tuple[Halves, ...]
    times_s: Times | None = None


@dataclass(frozen=True, slots=True)
class Examples:
    items: tuple[Example, ...]
    backbone: str
    backbone_hash: str

    def part(self, part: str, *sources: str) -> list[Example]:
        return [i for i in self.items if i.part == part and (not sources or i.source in sources)]


def load_examples(data_dir: Path, cache_dir: Path, backbone: Path, look: Look) -> Examples:
    """`look` makes of embeddings what the network reads.

    Raises:
        FileNotFoundError: a step before this one has not been run.
        ValueError: the clips were embedded by other weights.
    """
    store = open_frame_store(cache_dir / "frames")
    clips = load_trigger_features(cache_dir, backbone.name)
    stills = ensure_still_windows(backbone, cache_dir)
    if clips.backbone_hash != stills.backbone_hash:
        raise ValueError(
            f"clips were embedded by {clips.backbone_hash[:12]}, photographs by "
            f"{stills.backbone_hash[:12]}: run python -m train.data.trigger_features again"
        )
    items = list(_photographs(store, stills, look))
    items += _clips(clips, look, _other_videos(data_dir))
    items += _captioned(data_dir, cache_dir, store, backbone, look)
    return Examples(tuple(items), backbone.name, stills.backbone_hash)


def _halves(look: Look, rows: Halves) -> Halves:
    return look(np.asarray(rows, np.float32)).astype(np.float16)


def half_of(name: str) -> str:
    """Which of the held-out parts."""
    return "chosen" if zlib.crc32(f"actions/{name}".encode()) % 2 else "reported"


def _photographs(store: FrameStore, stills: StillWindows, look: Look) -> Iterator[Example]:
    for row, picture in enumerate(stills.pictures.tolist()):
        source, name = str(store.sources[picture]), str(store.names[picture])
        views = (stills.whole[row][None], *stills.windows[row])
        yield Example(
            source,
            name,
            f"{source}/{store.groups[picture]}",
            OF_CLASS[f"{source}/{store.labels[picture]}"],
            half_of(name) if store.held_out[picture] else "train",
            tuple(_halves(look, view) for view in views),
        )


def clip_group(source: str, name: str) -> tuple[str, str]:
    """The group of a clip, and the part that group belongs to."""
    if source == "weizmann":
        person = name.split("/")[1].split("_")[0]
        return person, HELD_PEOPLE.get(person, "train")
    if source == "ut_interaction":
        sequence = name.rsplit("/", 1)[1].split("_")[1]
        return f"sequence{sequence}", HELD_SEQUENCES.get(sequence, "train")
    place = place_of(name)
    share = zlib.crc32(f"actions/{place}".encode()) % 100
    held = ("chosen", "reported", "train")[min(share // HELD_PLACES_PERCENT, 2)]
    return place, held


def _clips(clips: TriggerFeatures, look: Look, others: dict[str, str]) -> Iterator[Example]:
    views: dict[tuple[str, str], list[Halves]] = {}
    times: dict[tuple[str, str], Times] = {}
    for seen in clips.seen:
        if seen.source == "msrvtt" or (seen.source == "tvsum" and seen.name not in others):
            continue
        rows = clips.rows[seen.start : seen.start + seen.count]
        views.setdefault((seen.source, seen.name), []).append(_halves(look, rows))
        times[seen.source, seen.name] = np.asarray(seen.times_s, np.float64)
    for (source, name), found in views.items():
        if source == "tvsum":
            yield from _pieces(name, others[name], found[0], times[source, name])
            continue
        group, part = clip_group(source, name)
        own = name.split("/")[-2]
        label = OF_CLASS.get(f"{source}/{own}")
        yield Example(
            source, name, f"{source}/{group}", label, part, tuple(found), times[source, name]
        )


def _other_videos(data_dir: Path) -> dict[str, str]:
    """Names of TVSum's videos without any of the labels, and their part."""
    return {
        video.name: OTHER_CATEGORIES[video.category]
        for video in load_tvsum(data_dir / "tvsum")
        if video.category in OTHER_CATEGORIES
    }


def _pieces(name: str, part: str, rows: Halves, times_s: Times) -> Iterator[Example]:
    """Pieces of a long video, spread evenly."""
    last_s = max(float(times_s[-1]) - TVSUM_PIECE_S, 0.0)
    for number, start_s in enumerate(np.linspace(0.0, last_s, TVSUM_PIECES)):
        low, high = np.searchsorted(times_s, [start_s, start_s + TVSUM_PIECE_S])
        piece = slice(low, max(high, low + 1))
        yield Example(
            "tvsum", f"{name}#{number}", f"tvsum/{name}", None, part, (rows[piece],),
            times_s[piece],
        )  # fmt: skip


def times_of_frames(names: Sequence[str]) -> tuple[npt.NDArray[np.int64], Times]:
    """Frames of a captioned video in order, and when they are seen.

    A name holds a shot and the frame's number in that; the next shot begins soon after the last
    frame that there is of the one before.
    """
    stems = [Path(name).stem.split("_") for name in names]
    shots = np.array([int(stem[1].removeprefix("s")) for stem in stems])
    seconds = np.array([int(stem[-1].removeprefix("f")) / MSRVTT_FPS for stem in stems])
    order = np.lexsort((seconds, shots))
    times_s, start_s, shown = np.empty(len(names)), 0.0, None
    for at, row in enumerate(order.tolist()):
        if shown is not None and shots[row] != shown:
            start_s = times_s[at - 1] + BETWEEN_SHOTS_S
        shown = shots[row]
        times_s[at] = start_s + seconds[row]
    return order.astype(np.int64), times_s


def _captioned(
    data_dir: Path, cache_dir: Path, store: FrameStore, backbone: Path, look: Look
) -> Iterator[Example]:
    features = student_features(backbone, cache_dir)
    captioned = load_captions(data_dir, store, features.pictures.tolist())
    for item in captioned.items:
        label = action_said(item.captions)
        if item.source != "msrvtt" or (label is None and not says_no_action(item.captions)):
            continue
        names = [str(store.names[features.pictures[row]]) for row in item.rows]
        order, times_s = times_of_frames(names)
        views = []
        for view in features.views:
            rows = np.asarray(view[item.rows[order]], np.float32)
            lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
            views.append(_halves(look, (rows / lengths).astype(np.float16)))
        yield Example(
            "msrvtt", item.name, f"msrvtt/{item.name}", label, item.part, tuple(views),
            times_s,
        )  # fmt: skip
