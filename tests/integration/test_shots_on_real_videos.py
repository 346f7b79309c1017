"""Cuts and near-duplicates on real pictures, which the vectors of the unit tests stand for."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models import registry
from models.colour_encoder import ColourEncoder
from models.shots import detect_shots
from models.summary_methods import UNTRAINED
from models.types import Pixels, Times
from models.video.source import VideoSource
from tests.real_media import gradio_media, shared_video
from train.shot_joins import ONE_SHOT_EACH, embedded, found_in

ENCODER = ColourEncoder()


def decoded(path: Path, fps: float = 2.0) -> tuple[Pixels, Times, float]:
    with VideoSource(path) as source:
        batches = list(source.sample(fps))
        pixels = np.concatenate([batch.pixels for batch in batches])
        return pixels, np.concatenate([batch.times_s for batch in batches]), source.info.end_s


def compressed(frame: Pixels) -> Pixels:
    file = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("fps", [2.0, 5.0, 25.0])
def test_hard_cuts_of_a_trailer(fps: float) -> None:
    pixels, times_s, end_s = decoded(shared_video("scene_cuts.mp4"), fps)
    shots = detect_shots(ENCODER.encode_frames(pixels), times_s, end_s)
    # Looked at frame by frame. The last cut, at 9.68 s, leaves less than the shortest shot.
    cuts_s = [1.2, 3.04, 5.48, 7.48]
    seen = [float(times_s[np.searchsorted(times_s, cut - 1e-6)]) for cut in cuts_s]
    assert [shot.start_s for shot in shots] == pytest.approx([0.0, *seen])


@pytest.mark.parametrize("name", registry.names("frame_encoder"))
def test_cuts_between_different_videos_are_found_exactly(name: str) -> None:
    """By the encoder without weights, and by the one whose index the application makes."""
    encoder = registry.load(name)
    videos = [embedded(shared_video(file), encoder) for file in ONE_SHOT_EACH]
    found = found_in(videos)
    assert found.recall > 0.97
    assert found.precision > 0.9


def test_a_compressed_copy_is_near_and_another_shot_is_not() -> None:
    pixels = decoded(shared_video("scene_cuts.mp4"))[0]
    copies = np.stack([compressed(frame) for frame in pixels])
    originals = ENCODER.encode_frames(pixels)
    cosines = originals @ ENCODER.encode_frames(copies).T
    assert np.diagonal(cosines).min() > 0.98
    # Half of this picture is a chart that never changes, and still a cut stands out.
    assert max(cosines[2, 3], cosines[6, 7], cosines[10, 11], cosines[14, 15]) < 0.9


@pytest.mark.parametrize("name", sorted(UNTRAINED))
def test_every_method_on_a_video_without_cuts(name: str) -> None:
    pixels, times_s, end_s = decoded(gradio_media("world.mp4"))
    found = UNTRAINED[name](ENCODER.encode_frames(pixels), times_s, end_s, 0.15)
    assert found.shots[0].start_s == times_s[0] and found.shots[-1].end_s == end_s
    assert found.scores.max() - found.scores.min() > 0.05
    assert min(shot.length_s for shot in found.shots) <= 0.15 * end_s
