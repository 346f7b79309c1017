"""How well cuts are found: single shots of different videos, joined at known places.

    python -m train.shot_joins --media FOLDER [--encoder NAME ...]

A find counts only at the very frame that a new piece starts with. The pieces come from videos that
hold one shot each, so every other cut that is found is a false one; `with movement` adds two whose
camera moves as fast as a cut. For another encoder than the usual one, or new weights, this says
whether the limits in models/shots.py still fit.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import registry
from models.protocols import FrameEncoder
from models.shots import shot_starts
from models.types import Floats, Times
from models.video.source import VideoSource

SAMPLE_FPS = 2.0
ROUNDS, PIECES = 6, 15
USUAL_FRAMES = (3, 20)  # pieces of 1.5 to 10 s
SHORT_FRAMES = (2, 4)
ONE_SHOT_EACH = (
    "bedroom_540p.mp4",
    "example_320x240.avi",
    "flipping_a_pancake.mkv",
    "juggle_720p.mp4",
    "playing_guitar.mp4",
    "yoga.mp4",
)
MOVING = ("arm_wrestling.mp4", "street_420x240.mp4")


@dataclass(frozen=True, slots=True)
class Found:
    precision: float
    recall: float


def embedded(path: Path, encoder: FrameEncoder) -> Floats:
    with VideoSource(path) as source:
        batches = source.sample(SAMPLE_FPS, short_side_px=encoder.short_side_px)
        return np.concatenate([encoder.encode_frames(batch.pixels) for batch in batches])


def joined(
    videos: Sequence[Floats], frames: tuple[int, int], seed: int = 0
) -> Iterator[tuple[Floats, Times]]:
    """Rows of embeddings from pieces of changing videos, and at which rows a new piece starts."""
    random = np.random.default_rng(seed)
    for _ in range(ROUNDS):
        pieces: list[Floats] = []
        last = -1
        for _ in range(PIECES):
            which = int(random.choice([at for at in range(len(videos)) if at != last]))
            length = min(len(videos[which]), int(random.integers(*frames)))
            start = int(random.integers(0, len(videos[which]) - length + 1))
            pieces.append(videos[which][start : start + length])
            last = which
        yield np.concatenate(pieces), np.cumsum([len(piece) for piece in pieces])[:-1]


def found_in(
    videos: Sequence[Floats], frames: tuple[int, int] = USUAL_FRAMES, seed: int = 0
) -> Found:
    hits = found = true = 0
    for rows, cuts in joined(videos, frames, seed):
        times_s = np.arange(len(rows)) / SAMPLE_FPS
        firsts = shot_starts(rows, times_s, len(rows) / SAMPLE_FPS)[1:]
        hits += len(np.intersect1d(firsts, cuts))
        found, true = found + len(firsts), true + len(cuts)
    return Found(hits / max(found, 1), hits / true)


def report(media: Path, encoders: Sequence[str]) -> str:
    lines = [
        "Precision / recall of cuts at the exact frame.",
        "",
        "| encoder | pieces of 1.5 to 10 s | other pieces | 1 to 2 s | with movement |",
        "|---|---|---|---|---|",
    ]
    for name in encoders:
        encoder: FrameEncoder = registry.load(name)
        still = [embedded(media / file, encoder) for file in ONE_SHOT_EACH]
        moving = [*still, *(embedded(media / file, encoder) for file in MOVING)]
        results = (
            found_in(still),
            found_in(still, seed=1),
            found_in(still, SHORT_FRAMES),
            found_in(moving),
        )
        cells = " | ".join(f"{one.precision:.2f} / {one.recall:.2f}" for one in results)
        weights = (encoder.weights_hash or "no weights")[:12]
        lines.append(f"| {name} ({weights}) | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Precision and recall of cuts.")
    parser.add_argument("--media", type=Path, default=Path("../shared/data/media"))
    parser.add_argument("--encoder", nargs="+", default=list(registry.names("frame_encoder")))
    given = parser.parse_args()
    print(report(given.media, given.encoder))


if __name__ == "__main__":
    main()
