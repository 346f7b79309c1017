"""Clips of fights and of everything else through a frozen backbone, once.

    python -m train.data.trigger_features [--backbone checkpoints/backbone]

Frames are read at the highest rate that training draws from, TVSum's previews at nearly all that
they have. Clips are seen several times: as they are, mirrored, and cut and lit otherwise; a view
is drawn for a clip and never for a frame, since motion is what differs between frames.
Rows lie in CACHE/features/triggers_BACKBONE/, with the hash of the weights that made them.
"""

import argparse
import json
import logging
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from models.backbone_encoder import BackboneEncoder
from models.types import Floats, Halves, Pixels, Times
from models.video.source import VideoSource
from train.data.captioned_features import student_features
from train.data.captions import load_captions
from train.data.frames import open_frame_store

LOG = logging.getLogger(__name__)

CLIP_FPS = 12.0
TVSUM_FPS = 3.0
MSRVTT_FPS = 25.0  # what its frame numbers count, nearly
VIEWS = {"fight": 5, "ut_interaction": 2, "weizmann": 1, "tvsum": 1, "msrvtt": 1}
SMALLEST_CUT = 0.7  # of each side
ROWS_FILE, TABLE_FILE = "rows.npy", "table.json"

# Kinds of ut_interaction in which somebody strikes somebody.
STRIKES = ("kick", "punch", "push")
# A captioned video that may show a fight is no example of anything else.
FIGHT_WORDS: tuple[str, ...] = ("attack", "battle", "beat", "box", "fight", "fought", "hit", "judo")
FIGHT_WORDS += ("karate", "kick", "knock", "martial", "mma", "punch", "slap", "sword", "ufc")
FIGHT_WORDS += ("violen", "wrestl")


@dataclass(frozen=True, slots=True)
class Seen:
    """One view of one recording: rows `start` to `start + count` of the table's rows."""

    source: str  # fight, ut_interaction, weizmann, tvsum, msrvtt
    name: str
    fights: bool
    view: int
    start: int
    count: int
    times_s: list[float]


@dataclass(frozen=True, slots=True)
class TriggerFeatures:
    rows: Halves  # [N, D], each of length one
    seen: tuple[Seen, ...]
    backbone: str
    backbone_hash: str


def folder_of(cache_dir: Path, backbone: str) -> Path:
    return cache_dir / "features" / f"triggers_{backbone}"


def load_trigger_features(cache_dir: Path, backbone: str = "backbone") -> TriggerFeatures:
    """Raises FileNotFoundError where this module has not been run."""
    folder = folder_of(cache_dir, backbone)
    if not (folder / TABLE_FILE).is_file():
        raise FileNotFoundError(
            f"{folder / TABLE_FILE} is missing: run python -m train.data.trigger_features first"
        )
    table = json.loads((folder / TABLE_FILE).read_text())
    seen = tuple(Seen(**values) for values in table["seen"])
    rows = np.load(folder / ROWS_FILE, mmap_mode="r")
    return TriggerFeatures(rows, seen, table["backbone"], table["backbone_hash"])


def write_trigger_features(cache_dir: Path, made: TriggerFeatures) -> Path:
    """Rows first: a broken run leaves no table, so nobody reads half of it."""
    folder = folder_of(cache_dir, made.backbone)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TABLE_FILE).unlink(missing_ok=True)
    np.save(folder / ROWS_FILE, made.rows)
    table = {
        "backbone": made.backbone,
        "backbone_hash": made.backbone_hash,
        "seen": [asdict(seen) for seen in made.seen],
    }
    (folder / TABLE_FILE).write_text(json.dumps(table) + "\n")
    return folder


def view_of(frames: Pixels, name: str, view: int) -> Pixels:
    """View 0 as it is, 1 mirrored, others cut, lit and perhaps mirrored, alike in all frames."""
    if view == 0:
        return frames
    if view == 1:
        return np.ascontiguousarray(frames[:, :, ::-1])
    random = np.random.default_rng([zlib.crc32(name.encode()), view])
    height, width = frames.shape[1:3]
    shares = random.uniform(SMALLEST_CUT, 1.0, 2)
    cut_h, cut_w = max(1, round(height * shares[0])), max(1, round(width * shares[1]))
    top, left = int(random.integers(height - cut_h + 1)), int(random.integers(width - cut_w + 1))
    cut = frames[:, top : top + cut_h, left : left + cut_w]
    if random.random() < 0.5:
        cut = cut[:, :, ::-1]
    contrast, light = random.uniform(0.75, 1.3), random.uniform(-25, 25)
    levels = np.clip((np.arange(256) - 128) * contrast + 128 + light, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels[cut])


def recordings(data_dir: Path) -> Iterator[tuple[str, str, bool, Path, float]]:
    """Source, name, whether it shows a fight, file, frames a second; in a fixed order."""
    clips = data_dir / "clips"
    for path in sorted((clips / "fight").glob("*/*.mp4")):
        yield (
            "fight",
            f"{path.parent.name}/{path.stem}",
            path.parent.name == "fight",
            path,
            CLIP_FPS,
        )
    for path in sorted((clips / "ut_interaction").glob("*/*/*.mp4")):
        name = path.relative_to(clips / "ut_interaction").with_suffix("").as_posix()
        yield "ut_interaction", name, path.parent.name in STRIKES, path, CLIP_FPS
    for path in sorted((clips / "weizmann").glob("*/*.mp4")):
        yield "weizmann", f"{path.parent.name}/{path.stem}", False, path, CLIP_FPS
    for path in sorted((data_dir / "tvsum" / "videos").glob("*.mp4")):
        yield "tvsum", path.stem, False, path, TVSUM_FPS


def read_frames(path: Path, fps: float, short_side_px: int) -> tuple[Pixels, Times]:
    pixels, times = [], []
    with VideoSource(path, threads=1) as source:
        for batch in source.sample(fps, short_side_px=short_side_px):
            pixels.append(batch.pixels)
            times.append(batch.times_s)
    return np.concatenate(pixels), np.concatenate(times)


def see_recordings(data_dir: Path, encoder: BackboneEncoder) -> tuple[list[Floats], list[Seen]]:
    rows: list[Floats] = []
    seen: list[Seen] = []
    start = 0
    for source, name, fights, path, fps in recordings(data_dir):
        frames, times_s = read_frames(path, fps, encoder.short_side_px)
        for view in range(VIEWS[source]):
            rows.append(encoder.encode_frames(view_of(frames, name, view)).astype(np.float16))
            seen.append(Seen(source, name, fights, view, start, len(frames), times_s.tolist()))
            start += len(frames)
        if len(seen) % 300 < VIEWS[source]:
            LOG.info("%s %s: %d rows", source, name, start)
    return rows, seen


def see_captioned(
    data_dir: Path, cache_dir: Path, backbone: Path, start: int
) -> tuple[list[Floats], list[Seen]]:
    """MSR-VTT's training videos whose captions name no fight: few frames each, but many scenes."""
    store = open_frame_store(cache_dir / "frames")
    features = student_features(backbone, cache_dir)
    rows: list[Floats] = []
    seen: list[Seen] = []
    captioned = load_captions(data_dir, store, features.pictures.tolist())
    for item in captioned.items:
        words = " ".join(item.captions).lower()
        if item.source != "msrvtt" or item.part == "reported":
            continue
        if any(word in words for word in FIGHT_WORDS):
            continue
        frames = [str(store.names[features.pictures[row]]) for row in item.rows]
        times_s = sorted(int(Path(name).stem.rpartition("_f")[2]) / MSRVTT_FPS for name in frames)
        found = np.asarray(features.views[0][item.rows], np.float32)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        rows.append((found / np.maximum(lengths, 1e-6)).astype(np.float16))
        seen.append(Seen("msrvtt", item.name, False, 0, start, len(found), times_s))
        start += len(found)
    return rows, seen


def main() -> None:
    parser = argparse.ArgumentParser(description="Features of fights and of all else, once.")
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache/train"))
    parser.add_argument("--backbone", type=Path, default=Path("checkpoints/backbone"))
    flags = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    encoder = BackboneEncoder(flags.backbone)
    rows, seen = see_recordings(flags.data_dir, encoder)
    last = seen[-1]
    more = see_captioned(flags.data_dir, flags.cache_dir, flags.backbone, last.start + last.count)
    made = TriggerFeatures(
        np.concatenate([*rows, *more[0]]),
        (*seen, *more[1]),
        encoder.name,
        encoder.weights_hash or "",
    )
    folder = write_trigger_features(flags.cache_dir, made)
    LOG.info("%s: %d rows of %d views", folder, len(made.rows), len(made.seen))


if __name__ == "__main__":
    main()
