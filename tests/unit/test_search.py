"""What a search finds in an index made by hand, with a model whose rules are plain to see."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from app.index import IndexKey, IndexStore
from app.pipelines.requests import SearchRequest
from app.pipelines.search import BELOW_AT_MOST, SearchStep, search
from app.pipelines.searchable import Searchables
from app.results import SearchResult
from models.errors import RequestError
from models.types import Floats, FrameBatch, Pixels, VideoInfo

HASH = "d" * 64
THINGS = ("dog", "cat", "car", "tree", "boat", "bird")
SCENES = (("dog",), ("cat",), ("tree",), ("dog", "cat"), ("boat",), ("dog",))
FRAMES_EACH = 12


def direction(*things: str) -> Floats:
    row = sum(np.eye(16, dtype=np.float32)[THINGS.index(thing)] for thing in things)
    return np.asarray(row / np.linalg.norm(row), np.float32)


class Reader:
    """A frame is the sum of the things in it; a text of those it names. 50 % at a cosine of .5."""

    name = "reader"
    weights_hash: str | None = "ab" * 32
    dim = 16
    index_encoder = "eyes"
    certainty = picture_certainty = "measured"

    def __init__(self) -> None:
        self.projected = 0

    def project(self, features: Floats) -> Floats:
        self.projected += len(features)
        return features

    def reads(self, text: str) -> bool:
        return any(thing in text for thing in THINGS)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return np.stack([direction(*(t for t in THINGS if t in text)) for text in texts])

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        logits = 12 * np.asarray(scores, np.float64) - 6 - np.log(searched)
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)

    def picture_probability(self, scores: Floats, searched: int = 1) -> Floats:
        logits = 30 * np.asarray(scores, np.float64) - 24 - np.log(searched)
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


class Eyes:
    """A picture is a dog; nothing else is ever looked at, because the index is there."""

    name = "eyes"
    weights_hash: str | None = "cd" * 32
    dim = 16
    short_side_px = 224

    def encode_frames(self, frames: Pixels) -> Floats:
        if len(frames) != 1:
            raise AssertionError("an index on disk must not be computed again")
        return direction("dog")[None]


def video(frames: int = FRAMES_EACH * len(SCENES), start_s: float = 0.0) -> VideoInfo:
    return VideoInfo(
        path=Path("missing.mp4"), name="made by hand", content_hash=HASH, duration_s=frames / 2,
        fps=Fraction(25), width=640, height=360, rotation=0, has_audio=True, codec="h264",
        start_s=start_s,
    )  # fmt: skip


def stored(folder: Path, embeddings: Floats, start_s: float = 0.0) -> IndexStore:
    store = IndexStore(folder, 10**9)
    pixels = np.zeros((len(embeddings), 4, 4, 3), dtype=np.uint8)
    times_s = start_s + np.arange(len(embeddings)) / 2.0
    with store.writer(IndexKey(HASH, Eyes.name, Eyes.weights_hash, 2.0)) as writer:
        writer.add(FrameBatch(pixels, times_s), embeddings)
        writer.commit()
    return store


@pytest.fixture
def store(tmp_path: Path) -> IndexStore:
    chance = np.random.default_rng(3)
    rows = np.repeat([direction(*scene) for scene in SCENES], FRAMES_EACH, axis=0)
    rows = rows + chance.normal(0, 0.01, rows.shape).astype(np.float32)
    return stored(tmp_path, rows / np.linalg.norm(rows, axis=1, keepdims=True))


def find(store: IndexStore, request: SearchRequest, **options: object) -> SearchResult:
    steps: list[SearchStep] = list(search(video(), request, Reader(), Eyes(), store, **options))  # type: ignore[arg-type]
    assert len(steps) == 1 and steps[0].complete and steps[0].result is not None
    return steps[0].result


def scene_of(time_s: float) -> int:
    return int(time_s * 2) // FRAMES_EACH


def test_the_scenes_that_match_are_the_moments(store: IndexStore) -> None:
    result = find(store, SearchRequest("a dog"))
    assert result.confident and result.query == "a dog"
    assert {scene_of(m.time_s) for m in result.moments} == {0, 3, 5}
    assert {scene_of(m.time_s) for m in result.moments[:2]} == {0, 5}, "dog alone before both"
    for moment in result.moments:
        assert (moment.start_s, moment.end_s) == (
            scene_of(moment.time_s) * FRAMES_EACH / 2,
            (scene_of(moment.time_s) + 1) * FRAMES_EACH / 2,
        )
        assert moment.thumbnail[:2] == b"\xff\xd8"
    times = [frame.time_s for frame in result.curve]
    assert times == [n / 2 for n in range(FRAMES_EACH * len(SCENES))]


def test_a_moment_means_less_among_many(store: IndexStore) -> None:
    best = find(store, SearchRequest("dog")).moments[0]
    # Five pictures of which no two are alike: dog, cat, tree, both, boat.
    assert best.score == pytest.approx(float(Reader().probability(np.array([1.0]))[0]), abs=0.002)
    wanted = float(Reader().probability(np.array([1.0]), 5)[0])
    assert best.probability == pytest.approx(wanted, abs=0.002)


def test_nothing_matches_is_said_and_the_closest_are_below(store: IndexStore) -> None:
    result = find(store, SearchRequest("a car"))
    assert not result.confident and result.moments == ()
    assert result.below and max(moment.probability for moment in result.below) < 0.5


def test_what_lies_under_the_cut_comes_after_the_moments(store: IndexStore) -> None:
    result = find(store, SearchRequest("dog", top=1))
    assert len(result.moments) == 1 and 1 <= len(result.below) <= BELOW_AT_MOST
    chances = [moment.probability for moment in result.moments + result.below]
    assert chances == sorted(chances, reverse=True)


def test_negative_words_lower_what_they_match_and_nothing_else(store: IndexStore) -> None:
    plain = find(store, SearchRequest("dog"))
    without = find(store, SearchRequest("dog -cat"))
    assert {scene_of(m.time_s) for m in without.moments} == {0, 5}
    for before, after in zip(plain.curve, without.curve, strict=True):
        if "cat" in SCENES[scene_of(before.time_s)]:
            assert after.score < before.score
        else:
            assert after.score == before.score
    assert find(store, SearchRequest("dog -nothing known")).curve == plain.curve


def test_a_picture_and_a_moment_are_queries_too(store: IndexStore) -> None:
    picture = find(store, SearchRequest(picture=np.zeros((9, 9, 3), np.uint8)))
    assert {scene_of(m.time_s) for m in picture.moments} == {0, 5}
    alike = find(store, SearchRequest(at_s=8.1))
    assert alike.moments[0].time_s == 8.0 and alike.moments[0].probability > 0.9
    assert {scene_of(m.time_s) for m in alike.moments} == {1}
    beyond = find(store, SearchRequest(at_s=10**6))
    assert scene_of(beyond.moments[0].time_s) in (0, 5)


@pytest.mark.parametrize("query", ["собака", "😀", "123"])
def test_words_that_the_model_cannot_read_are_refused(store: IndexStore, query: str) -> None:
    with pytest.raises(RequestError, match="English words"):
        find(store, SearchRequest(query))


def test_one_frame_is_enough(tmp_path: Path) -> None:
    one = stored(tmp_path, direction("dog")[None])
    steps = list(search(video(1), SearchRequest("dog"), Reader(), Eyes(), one))
    assert steps[-1].result is not None
    (moment,) = steps[-1].result.moments
    assert (moment.time_s, moment.start_s, moment.end_s) == (0.0, 0.0, 0.5)


def test_moments_lie_within_the_video_and_last_a_step(tmp_path: Path) -> None:
    """The last frame of all matches alone; the video begins late and ends right after it."""
    rows = np.stack([direction("tree")] * 9 + [direction("dog")])
    store = stored(tmp_path, rows, start_s=1.5)
    late = VideoInfo(**{
        **{name: getattr(video(), name) for name in VideoInfo.__slots__},
        "start_s": 1.5, "duration_s": 4.6,
    })  # fmt: skip
    result = list(search(late, SearchRequest("dog"), Reader(), Eyes(), store))[-1].result
    assert result is not None
    best = result.moments[0]
    assert best.time_s == 6.0 and best.end_s == pytest.approx(6.1)
    for moment in result.moments + result.below:
        assert 1.5 <= moment.start_s <= moment.time_s <= moment.end_s <= late.end_s + 1e-9
        assert moment.end_s - moment.start_s >= 0.5 - 1e-9


def test_a_further_query_projects_nothing(store: IndexStore) -> None:
    kept, reader = Searchables(), Reader()
    for query in ("dog", "cat", "tree -cat"):
        list(search(video(), SearchRequest(query), reader, Eyes(), store, None, kept))
    assert reader.projected == FRAMES_EACH * len(SCENES)
    list(search(video(), SearchRequest("dog"), reader, Eyes(), store))
    assert reader.projected == 2 * FRAMES_EACH * len(SCENES)


def test_the_json_says_all_of_it(store: IndexStore) -> None:
    value = find(store, SearchRequest("dog"), quality="recall 9").to_json()
    assert {
        "schema_version", "video", "model", "query", "moments", "curve", "confident", "timing",
    } <= set(value)  # fmt: skip
    assert value["model"] == {"name": "reader", "hash": "ab" * 32, "quality": "recall 9"}
    assert value["sampling"] == {"fps": 2.0, "frames": FRAMES_EACH * len(SCENES), "depth": "full"}
    assert set(value["moments"][0]) == {"time_s", "start_s", "end_s", "score", "probability"}
    assert set(value["curve"][0]) == {"time_s", "score"} and value["confident"] is True
    assert value["timing"]["from_index"] and value["timing"]["frames_processed"] == 0
