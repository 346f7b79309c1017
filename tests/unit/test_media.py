"""The videos that tests are made of leave the process that makes them as it was."""

import os
from pathlib import Path

import pytest

from tests.media import KINDS, make_video


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no scheduling policies here")
def test_making_a_video_raises_nobodys_priority(tmp_path: Path) -> None:
    make_video(tmp_path / "av1.mp4", KINDS["av1.mp4"])
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
