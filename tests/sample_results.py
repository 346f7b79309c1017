"""Results made up for tests of what is written from them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from app.results import (
    Keyframe,
    ModelUsed,
    Moment,
    Performance,
    Sampling,
    ScoredFrame,
    ScoredShot,
    SearchResult,
    SummaryResult,
)
from models.types import VideoInfo

HOSTILE_NAMES = (
    "=cmd|' /C calc'!A0.mp4",
    'a "quoted" & <b>bold</b> ]]> name.mp4',
    "two\nlines\r\nTITLE: other\n002  AX.mp4",
    "invoice\u202egpj.mp4",
    "--> 00:00:01.000 --> 00:00:02.000.mp4",
    "$x_1$ $$ \\frac{1}{0} ^_^ %s {0}.mp4",
    "nul\x00 bell\x07 next\x85 line\u2028 sep.mp4",
    "lone \udcff half.mp4",
    "../../etc/passwd",
    "映画 🎬 شاطئ.mp4",
    "x" * 5000 + ".mp4",
    "   ",
)
EDGES_S = (0.0, 4.004, 10.01, 15.0, 75.5, 130.0)
CHOSEN = (1, 3)


def sample_result(
    *,
    name: str = "tour.mp4",
    path: Path = Path("tour.mp4"),
    fps: Fraction = Fraction(30000, 1001),
    edges_s: Sequence[float] = EDGES_S,
    chosen: Sequence[int] = CHOSEN,
    has_audio: bool = True,
    start_s: float = 0.0,
    thumbnail: bytes = b"",
) -> SummaryResult:
    """Shots between `edges_s`, one keyframe in the middle of each chosen one."""
    edges = [start_s + edge for edge in edges_s]
    shots = tuple(
        ScoredShot(a, b, 0.25 + 0.1 * index, index in chosen)
        for index, (a, b) in enumerate(zip(edges, edges[1:], strict=False))
    )
    keyframes = tuple(
        Keyframe((shots[i].start_s + shots[i].end_s) / 2, 0.5 + 0.1 * i, i, thumbnail)
        for i in chosen
    )
    frames = tuple(ScoredFrame(start_s + n / 2, n % 10 / 10) for n in range(int(2 * (edges_s[-1]))))
    video = VideoInfo(
        path=path,
        name=name,
        content_hash="ab" * 32,
        duration_s=edges[-1] - edges[0],
        fps=fps,
        width=640,
        height=360,
        rotation=0,
        has_audio=has_audio,
        codec="h264",
        start_s=start_s,
    )
    return SummaryResult(
        video=video,
        model=ModelUsed("colour", None),
        method="key_shots",
        sampling=Sampling(2.0, len(frames)),
        frames=frames,
        keyframes=keyframes,
        shots=shots,
        timing=Performance(decode_s=1.5),
    )


def sample_search(
    *,
    name: str = "tour.mp4",
    query: str = "a boat -car",
    confident: int = 2,
    start_s: float = 0.0,
) -> SearchResult:
    """Three moments, the best first, of which so many are confident."""
    moments = tuple(
        Moment(start_s + best_s, start_s + best_s - 1.0, start_s + best_s + 2.0, score, chance)
        for best_s, score, chance in ((40.25, 0.97, 0.9), (4.004, 0.9, 0.6), (75.5, 0.6, 0.2))
    )
    return SearchResult(
        video=sample_result(name=name, start_s=start_s).video,
        model=ModelUsed("compact", "cd" * 32),
        query=query,
        sampling=Sampling(2.0, 260),
        moments=moments[:confident],
        below=moments[confident:],
        curve=tuple(ScoredFrame(start_s + n / 2, n % 10 / 10) for n in range(260)),
        confident=confident > 0,
        timing=Performance(),
    )
