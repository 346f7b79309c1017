"""Work on a GPU that is lent call by call: through a process that shares nothing with this one."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import device, engine, gpu_calls
from models.device import ZERO_GPU_VARIABLE, has_lent_gpu, may_have_gpu, torch_device
from models.errors import CancelledError, CheckpointError, ModelUnavailableError
from models.gpu_calls import LONGEST_S, LentModel, on_gpu
from models.object_detector import HubObjectDetector
from models.scene_answer import unread
from models.types import FrameBatch, Pixels
from models.video_transformer import TimeSformer
from models.vision_language import VisionLanguageModel
from tests.unit import hub_toys, video_transformer_toys
from tests.unit.lent_gpu import LentGpu


class Doubling(LentModel):
    """Says where it worked, what it had seen before, and fails as it is told to."""

    def __init__(self, by: int = 2) -> None:
        self.name = "doubling"
        self.by = by
        self.seen = 0

    @on_gpu(start_s=5, each_s=1, rows="frames")
    def detect(self, frames: Pixels, plus: int = 0) -> list[tuple[int, bool]]:
        self.seen += len(frames)
        return [(int(frame) * self.by + plus, has_lent_gpu()) for frame in frames]

    @on_gpu(start_s=5, each_s=1, rows="frames")
    def encode(self, frames: Pixels) -> Any:
        return np.asarray(frames, np.float32)[:, None] * self.by

    @on_gpu(start_s=5)
    def work(self) -> float:
        return work_in_torch()

    @on_gpu(start_s=400)
    def describe(self, what: str, stop: Callable[[], bool] | None = None) -> str:
        if what == "fail":
            raise CheckpointError("The files of it are damaged: fetch them again.")
        if what == "break":
            raise KeyError("nobody expected this")
        return f"{what} after {self.seen}"


def work_in_torch() -> float:
    import torch

    return float(torch.ones(4_000_000).exp().sum() * 0 + 1)


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> Iterator[LentGpu]:
    """A Space that lends a GPU, with its page not yet launched."""
    library = LentGpu()
    monkeypatch.setitem(sys.modules, "spaces", library)
    monkeypatch.setenv(ZERO_GPU_VARIABLE, "true")
    monkeypatch.setattr(gpu_calls, "_lent", None)
    gpu_calls.prepare()
    yield library
    library.end()


def test_elsewhere_a_call_is_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ZERO_GPU_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "spaces", None)  # nothing of it is needed
    gpu_calls.prepare()
    model = Doubling()
    assert model.detect(np.arange(3), plus=1) == [(1, False), (3, False), (5, False)]
    assert model.seen == 3


def test_work_is_done_in_another_process(lent: LentGpu) -> None:
    model = Doubling(by=3)
    assert model.detect(np.arange(2), plus=1) == [(1, True), (4, True)]
    assert model.seen == 0, "what happens there stays there"
    assert not has_lent_gpu(), "and this process still has no GPU"
    assert model.describe("quiet") == "quiet after 2", "but that process goes on"
    assert lent.forks == 1


def test_a_model_that_came_after_the_process(lent: LentGpu) -> None:
    Doubling().describe("first")
    assert Doubling(by=5).detect(np.arange(3)) == [(0, True), (5, True), (10, True)]
    assert Doubling(5).encode(np.arange(3)).tolist() == [[0.0], [5.0], [10.0]]
    assert lent.forks == 1


def test_long_work_is_cut_into_short_calls(lent: LentGpu) -> None:
    model = Doubling()
    found = model.encode(np.arange(25))
    assert found.tolist() == [[2.0 * number] for number in range(25)]
    assert lent.asked_s == [15, 15, 10], "ten rows, ten rows, five"
    assert model.detect(np.arange(0)) == [], "for nothing no GPU is asked"
    assert len(lent.asked_s) == 3
    model.describe("much")
    assert lent.asked_s[-1] == LONGEST_S, "more may not be asked for"


def test_what_is_raised_there_keeps_its_words(lent: LentGpu) -> None:
    model = Doubling()
    with pytest.raises(CheckpointError, match="files of it are damaged"):
        model.describe("fail")
    with pytest.raises(RuntimeError, match="nobody expected this"):
        model.describe("break")


def test_where_no_gpu_is_to_be_had_one_sentence_says_so(lent: LentGpu) -> None:
    lent.refuses = "You have exceeded your free ZeroGPU quota (35s requested vs. 2s left)."
    with pytest.raises(ModelUnavailableError) as refused:
        Doubling().describe("anything")
    assert str(refused.value) == (
        "doubling needs a GPU and was lent none (You have exceeded your free ZeroGPU quota (35s "
        "requested vs. 2s left)); try again later, or choose a model that comes with the program."
    )


def test_who_leaves_is_heard_before_and_after_a_call(lent: LentGpu) -> None:
    with pytest.raises(CancelledError):
        Doubling().describe("early", stop=lambda: True)
    assert lent.asked_s == [], "no GPU is asked for somebody who is gone"
    answers = iter([False, True])
    with pytest.raises(CancelledError):
        Doubling().describe("late", stop=lambda: next(answers))
    assert len(lent.asked_s) == 1


def test_here_torch_is_not_believed(lent: LentGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """On such a Space it says that there is a GPU, in every process."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_device() == "cpu" and not may_have_gpu() and not engine._has_gpu()
    monkeypatch.setattr(device, "_was_lent_gpu", True)
    assert torch_device() == "cuda"


def test_a_pool_of_threads_that_a_forked_process_does_not_have(lent: LentGpu) -> None:
    """It would wait for them for ever."""
    import torch

    torch.set_num_threads(2)
    here = work_in_torch()
    assert Doubling().work() == here


def test_a_detector_of_the_hub(lent: LentGpu, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    detector = HubObjectDetector(hub_toys.write_detr(tmp_path / "detr"), "detr-resnet-50")
    frames = np.random.default_rng(0).integers(0, 255, (3, 90, 160, 3), np.uint8)
    found = detector.detect(frames, threshold=0.0)
    assert len(found) == 3 and all(len(each) for each in found)
    assert lent.forks == 1 and lent.asked_s == [6]
    # Another one, which that process has never seen, from the same folder.
    again = HubObjectDetector(tmp_path / "detr", name="detr-resnet-50")
    np.testing.assert_allclose(again.detect(frames[2:], 0.0)[0].scores, found[2].scores, atol=0.02)
    assert lent.forks == 1


def test_a_describer_of_the_hub(lent: LentGpu, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    folder = hub_toys.write_smolvlm(tmp_path / "smolvlm")
    describer = VisionLanguageModel(folder, "smolvlm2-500m", frames_wanted=2)
    frames = np.random.default_rng(0).integers(0, 255, (2, 90, 160, 3), np.uint8)
    started = time.monotonic()
    said = describer.describe_event(FrameBatch(frames, np.arange(2.0)), "a fight", lambda: False)
    assert said.verdict == unread("").verdict and said.text
    assert time.monotonic() - started < 60
    assert lent.asked_s == [30]


def test_a_network_that_sees_segments(lent: LentGpu, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    folder = video_transformer_toys.write_timesformer(tmp_path / "timesformer")
    network = TimeSformer(folder, "timesformer-k400", stride=4)
    shape = (60, network.frames_per_segment, 40, 56, 3)
    segments = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    shares = network.classify_segments(segments)
    assert shares.shape == (60, 3) and shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(1), 1.0, atol=1e-2)
    assert lent.asked_s == [15, 7], "fifty, then ten"
    looked = network.attend(segments[0])
    assert looked.shape[0] == network.frames_per_segment and 0 <= looked.min() <= looked.max() <= 1
    with pytest.raises(ValueError, match="segments are u8"):
        network.encode_segments(segments[:, :2])
