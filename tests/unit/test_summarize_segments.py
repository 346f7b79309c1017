"""Summaries of segments by a tiny TimeSformer that is loaded as the hub's are, end to end."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.index import IndexKey, IndexStore
from app.performance import Meter
from app.pipelines.requests import SummaryRequest
from app.pipelines.segment_features import (
    LookedAt,
    encode_segments,
    feature_key,
    one_row_each,
    plan_of,
)
from app.pipelines.summarize import SummaryStep
from app.progress import Done
from app.results import SummaryResult
from app.services import Services
from app.settings import Settings
from models import hub, registry
from models.errors import ModelUnavailableError, RequestError, VideoOpenError
from models.residency import Residents
from models.summary_methods import OF_SEGMENTS, threshold_for
from models.types import Floats, Pixels, VideoInfo
from models.video.probe import probe
from models.video.source import VideoSource
from tests.real_media import gradio_media
from tests.unit import video_transformer_toys as toys

ENCODER = hub.TIMESFORMER_K400.name


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hub")
    toys.write_red_seeker(root / ENCODER)
    return root


@pytest.fixture
def services(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(folders))
    monkeypatch.setattr(registry, "_residents", Residents())
    yield Services(Settings(data_dir=tmp_path / "data", library=False))


@pytest.fixture(scope="module")
def wheel() -> VideoInfo:
    return _info(gradio_media("world.mp4"))  # half a minute, from the wheel of Gradio


def _info(path: Path) -> VideoInfo:
    return replace(probe(path, name=path.name), content_hash=path.stem)


def run(services: Services, video: VideoInfo, **options: object) -> SummaryResult:
    request = SummaryRequest(encoder=ENCODER, **{"method": "kmeans", **options})  # type: ignore[arg-type]
    steps: list[SummaryStep] = list(services.summarize(video, request))
    assert steps[-1].complete and steps[-1].result is not None
    return steps[-1].result


def looked(services: Services, result: SummaryResult, time_s: float) -> LookedAt:
    *_, last = services.segments.looked_at(result, time_s)
    assert isinstance(last, Done)
    return last.value


@pytest.mark.parametrize("method", OF_SEGMENTS)
def test_a_video_end_to_end(services: Services, wheel: VideoInfo, method: str) -> None:
    result = run(services, wheel, method=method, ratio=0.2)
    assert result.model.name == ENCODER and result.model.hash
    assert result.model.quality == "not measured here"
    said = result.to_json()["sampling"]
    assert said == {"fps": 4.0, "frames": 15, "depth": "full", "segment_frames": 8}
    assert result.shots[0].start_s == 0 and result.shots[-1].end_s == wheel.end_s
    edges = [shot.end_s for shot in result.shots[:-1]]
    assert edges == [shot.start_s for shot in result.shots[1:]] == sorted(set(edges))
    assert all(edge % 2 == 0 for edge in edges), "whole segments"
    kept_s = sum(shot.span.length_s for shot in result.shots if shot.chosen)
    assert 0 < kept_s <= 0.2 * wheel.duration_s or len(result.keyframes) == 1
    [one] = [shot for shot in run(services, wheel, method=method, ratio=0.01).shots if shot.chosen]
    assert one.span.length_s > 0.01 * wheel.duration_s, "never none"
    for keyframe in result.keyframes:
        shot = result.shots[keyframe.shot]
        assert shot.start_s <= keyframe.time_s < shot.end_s
        assert keyframe.thumbnail.startswith(b"\xff\xd8")


def test_what_was_computed_once_is_read_again(
    services: Services, wheel: VideoInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(services, wheel)
    assert first.timing.frames_processed == 16 * 8 and not first.timing.from_index

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(VideoSource, "sample", refuse)
    again = run(services, wheel, method="ssd_previous", compare="ssd_anchor")
    assert again.timing.from_index and again.compared is not None
    encoder = registry.load(ENCODER)
    key = feature_key(wheel.content_hash, encoder)
    assert encoder.name in key.folder and encoder.weights_hash[:12] in key.folder
    index = services.indexes.load(key)
    assert index is not None
    lengths = np.linalg.norm(index.embeddings.astype(np.float32), axis=1)
    assert lengths.min() > 2, "as the encoder gave them, not of length one"
    assert services.indexes.load(IndexKey(wheel.content_hash, ENCODER, None, 2.0)) is None


def test_the_tail_is_kept(services: Services, tmp_path: Path) -> None:
    """5.4 s are two segments and most of a third; of 4.6 s the last .6 s join the second."""
    encoder = registry.load(ENCODER)
    for seconds, begin in ((5.4, [0.0, 2.0, 4.0]), (4.6, [0.0, 2.0])):
        path = tmp_path / f"tail {seconds}.mp4"
        shades = [40 + 15 * (n // 6) for n in range(round(10 * seconds))]
        _write(path, [np.full((64, 96, 3), shade, np.uint8) for shade in shades], fps=10)
        video = _info(path)
        result = run(services, video, method="ssd_previous", threshold=1e-6)
        assert len(result.frames) == len(begin)
        assert result.shots[-1].end_s == pytest.approx(seconds, abs=0.02)
        index = services.indexes.load(feature_key(video.content_hash, encoder))
        assert index is not None and index.times_s[-1] > seconds - 0.26, "the end is seen"
        rows, starts = one_row_each(index, plan_of(encoder))
        assert starts.tolist() == pytest.approx(begin)
        assert (starts <= rows.times_s).all() and (np.diff(rows.times_s) > 0).all()
    seen = index.embeddings[::3].astype(np.float32)
    joined = rows.embeddings[-1].astype(np.float32)
    np.testing.assert_allclose(joined, (seen[1] + seen[2]) / 2, atol=0.01)
    short = tmp_path / "short.mp4"
    _write(short, [np.full((64, 96, 3), 90, np.uint8)] * 3, fps=10)
    only = run(services, _info(short))
    assert len(only.frames) == len(only.keyframes) == 1
    assert only.shots[0].end_s == pytest.approx(0.3, abs=0.02)


def test_an_unfinished_pass_shows_what_it_has_and_can_be_stopped(
    services: Services, wheel: VideoInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pipelines.segmenting.REFINE_EVERY_S", 0.0)
    request = SummaryRequest(encoder=ENCODER, method="kmeans")
    with closing(services.summarize(wheel, request)) as steps:  # type: ignore[type-var]
        early = next(step for step in steps if step.result is not None)
        assert early.result is not None and not early.complete
        assert 0 < len(early.result.frames) < 16
    key = feature_key(wheel.content_hash, registry.load(ENCODER))
    assert services.indexes.load(key) is None, "half of a video is not kept as the whole"


def test_thresholds_are_the_published_ones_for_features_of_that_size() -> None:
    assert threshold_for(400.0, 768) == 400.0 and threshold_for(400.0, 16) == 400 * 16 / 768
    starts = np.arange(6) * 2.0
    features = np.zeros((6, 768), np.float32)
    features[:, 0] = [50, 50, 61, 72, 93, 93]  # squared: 0, 121, 121, 441, 0
    openings = {
        (name, wanted): [shot.start_s for shot in
                         OF_SEGMENTS[name](features, starts, 12.0, 1.0, wanted).shots]
        for name in ("ssd_anchor", "ssd_previous") for wanted in (100.0, 400.0, 800.0)
    }  # fmt: skip
    assert openings["ssd_previous", 100.0] == [0, 4, 6, 8]
    assert openings["ssd_previous", 400.0] == [0, 8]
    assert openings["ssd_previous", 800.0] == [0]
    assert openings["ssd_anchor", 400.0] == [0, 6, 8]  # 22 squared from the one that opened it
    assert openings["ssd_anchor", 800.0] == [0, 8]  # 43 squared
    wide = OF_SEGMENTS["ssd_previous"](10 * features, starts, 12.0, 0.9).shots
    alike = OF_SEGMENTS["ssd_previous"](features, starts, 12.0, 0.9).shots
    assert wide == alike, "what follows the video does not depend on the unit"


def test_where_it_looked_is_drawn_over_the_segment(services: Services, tmp_path: Path) -> None:
    """A red square goes over the middle of a wide picture, one place in each quarter second."""
    places = [5, 6, 10, 9, 8, 12, 13, 14]
    frames = [
        np.pad(toys.moving_square([place])[0].repeat(4, 0).repeat(4, 1),
               ((0, 0), (32, 32), (0, 0)), constant_values=115)
        for place in places for _ in range(3)
    ]  # fmt: skip
    path = tmp_path / "moving.mp4"
    _write(path, frames * 2, fps=12)
    result = run(services, _info(path))
    seen = looked(services, result, 2.9)
    assert seen.times_s.tolist() == pytest.approx([2 + n / 4 for n in range(8)])
    assert seen.pixels.shape[:2] == (8, toys.SIDE) and seen.pixels.shape[2] > toys.SIDE
    assert seen.attention.reshape(8, -1).argmax(axis=1).tolist() == places
    from app.attention_picture import attention_pictures
    from models.video_transformer import middle_square

    for drawn, place in zip(attention_pictures(seen.pixels, seen.attention), places, strict=True):
        import cv2

        picture = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        square = middle_square(picture).astype(int)
        yellow = square[..., 0] + square[..., 1] - 2 * square[..., 2]
        side = square.shape[0] // toys.PLACES
        by_place = yellow.reshape(toys.PLACES, side, toys.PLACES, side).mean(axis=(1, 3))
        assert by_place.argmax() == place
        assert picture.shape[1] > picture.shape[0] and picture[:, 4].max() < square.max() / 2


def test_looking_needs_a_summary_of_segments_that_is_still_kept(
    services: Services, wheel: VideoInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    result = run(services, wheel)
    other = replace(result, model=replace(result.model, name="backbone"))
    with pytest.raises(RequestError, match="single pictures"):
        looked(services, other, 1.0)
    monkeypatch.setattr(services.segments, "_indexes", IndexStore(tmp_path / "none", 10**9))
    with pytest.raises(VideoOpenError, match="summarize it again"):
        looked(services, result, 1.0)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"method": "keyframe_scorer"}, "Learned from people"),
        ({"method": "kmeans", "compare": "key_shots"}, "Key shots"),
        ({"method": "kmeans", "query": "a dog"}, "steer"),
    ],
)
def test_what_needs_single_pictures_is_refused(
    services: Services, wheel: VideoInfo, options: dict[str, object], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        run(services, wheel, **options)


def test_where_the_model_cannot_be_had_one_sentence_says_so(
    services: Services, wheel: VideoInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(hub.MODELS_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setattr(hub, "_reachable", lambda _: False)
    with pytest.raises(ModelUnavailableError, match="cannot be reached; choose a model that"):
        run(services, wheel)


def test_two_at_once_share_the_work(services: Services, wheel: VideoInfo) -> None:
    """The one who comes second waits and reads what the first has made."""
    encoder = registry.load(ENCODER)
    store = services.indexes
    first = encode_segments(wheel, encoder, store, Meter())
    next(first)
    second = encode_segments(wheel, encoder, store, Meter())
    assert "Waiting" in next(second).progress.stage
    assert list(first)[-1].complete
    last = list(second)[-1]
    assert last.complete and last.index is not None and last.progress.stage.startswith("Read")


def _write(path: Path, frames: list[np.ndarray], fps: int) -> None:  # type: ignore[type-arg]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(fps), options={"crf": "12"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))


class Slow:
    """An encoder that takes its time, as a large one does on a CPU."""

    name, weights_hash, dim = "slow", "5" * 64, 4
    frames_per_segment, segment_s, short_side_px = 8, 2.0, 32

    def encode_segments(self, frames: Pixels) -> Floats:
        time.sleep(1.5)
        return np.ones((len(frames), 4), np.float32)

    def attend(self, frames: Pixels) -> Floats:
        raise AssertionError("nobody asked")


def test_nobody_waits_for_a_slow_model(wheel: VideoInfo, tmp_path: Path) -> None:
    meter = Meter()
    with closing(encode_segments(wheel, Slow(), IndexStore(tmp_path, 10**9), meter)) as steps:  # type: ignore[type-var]
        heard = [time.perf_counter()]
        for step in steps:
            heard.append(time.perf_counter())
            if step.index is not None:
                break
        next(steps)
        began = time.perf_counter()
    assert max(np.diff(heard)[1:]) < 0.8, "it could be stopped several times a second"
    assert time.perf_counter() - began < 1.0, "and then does not wait for the model"
    assert 1.5 <= meter.encode_s < 2.5
