"""Which keyframes and shots a request gets, on an index made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from app.index import IndexKey, IndexStore
from app.pipelines.requests import SummaryRequest
from app.pipelines.summarize import SummaryModels, SummaryStep, summarize
from app.results import SummaryResult
from models.errors import RequestError
from models.summary_methods import METHODS
from models.types import Floats, FrameBatch, Pixels, Times, VideoInfo

HASH = "c" * 64
SHOT_LENGTHS = (20, 12, 30, 8, 16, 24, 10)  # in samples, two a second


class Encoder:
    name = "backbone"
    weights_hash = "b" * 64
    dim = 16
    short_side_px = 224

    def encode_frames(self, frames: Pixels) -> Floats:
        raise AssertionError("an index on disk must not be computed again")


class Scorer:
    """The fifth shot matters most, and in it the frame at 39 s."""

    name = "keyframe_scorer"
    weights_hash = "5" * 64
    index_encoder = "backbone"

    def score(self, embeddings: Floats, times_s: Times) -> Floats:
        return np.asarray(0.1 + 0.6 * embeddings[:, 4].clip(0, 1) + 0.2 * (times_s == 39.0), "f4")


class Reader:
    """Knows one word for each direction: shot0, shot1, and so on."""

    name = "compact"
    weights_hash = "c" * 64
    dim = 16
    index_encoder = "backbone"
    certainty = picture_certainty = "measured"

    def project(self, features: Floats) -> Floats:
        return features

    def reads(self, text: str) -> bool:
        return text.startswith("shot")

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return np.stack([np.eye(16, dtype=np.float32)[int(text[4:])] for text in texts])

    def probability(self, scores: Floats, searched: int = 1) -> Floats:
        odds = np.exp(10.0 * (scores - 0.5)) / searched**0.5
        return np.asarray(odds / (1 + odds), np.float32)

    def picture_probability(self, scores: Floats, searched: int = 1) -> Floats:
        return self.probability(scores, searched)


QUALITIES = {"keyframe_scorer": "TVSum tau .18"}
MODELS = SummaryModels(Encoder(), {"keyframe_scorer": Scorer()}, Reader(), QUALITIES)


def video() -> VideoInfo:
    return VideoInfo(
        path=Path("missing.mp4"), name="made by hand", content_hash=HASH,
        duration_s=sum(SHOT_LENGTHS) / 2, fps=Fraction(25), width=640, height=360, rotation=0,
        has_audio=True, codec="h264",
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> IndexStore:
    """Seven shots, each around a direction of its own."""
    chance = np.random.default_rng(3)
    frames = sum(SHOT_LENGTHS)
    shot_of = np.repeat(np.arange(len(SHOT_LENGTHS)), SHOT_LENGTHS)
    embeddings = np.eye(16, dtype=np.float32)[shot_of]
    embeddings += chance.normal(0, 0.03, embeddings.shape).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    pixels = np.zeros((frames, 4, 4, 3), dtype=np.uint8)
    store = IndexStore(tmp_path, 10**9)
    with store.writer(IndexKey(HASH, "backbone", "b" * 64, 2.0)) as writer:
        writer.add(FrameBatch(pixels, np.arange(frames) / 2.0), embeddings)
        writer.commit()
    return store


def run(store: IndexStore, **options: object) -> SummaryResult:
    steps: list[SummaryStep] = list(
        summarize(video(), SummaryRequest(**options), MODELS, store)  # type: ignore[arg-type]
    )
    assert steps[-1].complete and steps[-1].result is not None
    return steps[-1].result


def test_shots_are_found_and_cover_the_video(store: IndexStore) -> None:
    result = run(store)
    starts = [shot.start_s for shot in result.shots]
    assert starts == list(np.cumsum((0, *SHOT_LENGTHS[:-1])) / 2.0)
    assert result.shots[-1].end_s == video().end_s
    assert result.timing.from_index and result.timing.frames_processed == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wanted", [1, 3, 7, 25])
def test_as_many_keyframes_as_asked_for(store: IndexStore, method: str, wanted: int) -> None:
    result = run(store, method=method, keyframes=wanted, spacing_s=0.5)
    times = [keyframe.time_s for keyframe in result.keyframes]
    assert len(times) == wanted
    assert times == sorted(set(times))
    assert {keyframe.shot for keyframe in result.keyframes} == {
        at for at, shot in enumerate(result.shots) if shot.chosen
    }


@pytest.mark.parametrize("method", METHODS)
def test_the_share_of_time_is_kept(store: IndexStore, method: str) -> None:
    result = run(store, method=method, ratio=0.4)
    chosen_s = sum(shot.span.length_s for shot in result.shots if shot.chosen)
    assert 0 < chosen_s <= 0.4 * video().duration_s + 1e-6


def test_a_share_smaller_than_any_shot_still_shows_one(store: IndexStore) -> None:
    result = run(store, ratio=0.001)
    [only] = [shot for shot in result.shots if shot.chosen]
    shortest_s = min(shot.span.length_s for shot in result.shots)
    alike = [shot for shot in result.shots if shot.span.length_s <= 1.05 * shortest_s]
    assert only in alike
    assert len(result.keyframes) >= 1


def test_keyframes_keep_their_distance(store: IndexStore) -> None:
    times = [k.time_s for k in run(store, keyframes=50, spacing_s=4.0).keyframes]
    assert min(np.diff(times)) >= 4.0


def test_every_keyframe_lies_in_the_shot_it_names(store: IndexStore) -> None:
    result = run(store, keyframes=12)
    for keyframe in result.keyframes:
        shot = result.shots[keyframe.shot]
        assert shot.start_s <= keyframe.time_s < shot.end_s


def test_the_json_says_all_of_it(store: IndexStore) -> None:
    value = run(store, keyframes=3).to_json()
    assert set(value) == {
        "schema_version", "video", "model", "method", "query", "steered", "sampling", "frames",
        "keyframes", "shots", "compared", "timing",
    }  # fmt: skip
    model = {"name": "keyframe_scorer", "hash": "5" * 64, "quality": "TVSum tau .18"}
    assert value["model"] == model
    assert value["query"] is None and value["compared"] is None and not value["steered"]
    assert value["sampling"] == {"fps": 2.0, "frames": sum(SHOT_LENGTHS), "depth": "full"}
    assert len(value["frames"]) == sum(SHOT_LENGTHS)
    assert set(value["keyframes"][0]) == {"time_s", "score", "shot"}
    assert set(value["shots"][0]) == {"start_s", "end_s", "score", "chosen"}


def test_the_trained_method_keeps_the_best_frame_of_the_best_shot(store: IndexStore) -> None:
    [only] = run(store, keyframes=1).keyframes
    assert (only.time_s, only.shot) == (39.0, 4)


def test_a_method_without_training_names_the_encoder(store: IndexStore) -> None:
    model = run(store, method="key_shots").model
    assert (model.name, model.hash, model.quality) == ("backbone", "b" * 64, None)


def test_another_method_is_laid_beside(store: IndexStore) -> None:
    result = run(store, compare="key_shots")
    alone = run(store)
    assert result.frames == alone.frames and result.keyframes == alone.keyframes
    assert result.compared is not None
    assert result.compared.frames == run(store, method="key_shots").frames
    value = result.to_json()["compared"]
    assert value["method"] == "key_shots" and len(value["frames"]) == sum(SHOT_LENGTHS)
    assert -1 <= value["tau"] <= 1
    same = run(store, query="shot9", compare="keyframe_scorer").compared
    assert same is not None and same.tau == pytest.approx(1.0)


def test_words_steer_what_is_chosen(store: IndexStore) -> None:
    steered = run(store, keyframes=1, query="shot1")
    assert steered.steered and steered.query == "shot1"
    assert [keyframe.shot for keyframe in steered.keyframes] == [1]
    scores = np.array([frame.score for frame in steered.frames])
    second = slice(SHOT_LENGTHS[0], SHOT_LENGTHS[0] + SHOT_LENGTHS[1])
    assert scores[second].min() > np.delete(scores, np.r_[second]).max()
    assert steered.shots == tuple(
        replace(shot, score=own.score, chosen=own.chosen)
        for shot, own in zip(run(store).shots, steered.shots, strict=True)
    )


def test_words_that_match_nothing_change_nothing(store: IndexStore) -> None:
    result = run(store, query="shot9")
    assert result.query == "shot9" and not result.steered
    assert result.frames == run(store).frames
    with pytest.raises(RequestError):
        run(store, query="Katze")


def test_a_word_that_is_left_out_does_not_steer(store: IndexStore) -> None:
    assert not run(store, query="shot1 -shot1").steered


@pytest.mark.parametrize(
    "options",
    [
        {"method": "best"}, {"compare": "best"}, {"compare": "keyframe_scorer"}, {"query": "-cat"},
        {"query": " "}, {"keyframes": 0}, {"keyframes": 3, "ratio": 0.1}, {"ratio": 0.0},
        {"ratio": 1.5}, {"spacing_s": -1.0}, {"fps": 0.0}, {"fps": float("nan")},
        {"ratio": float("nan")},
    ],
)  # fmt: skip
def test_requests_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        SummaryRequest(**options)  # type: ignore[arg-type]
