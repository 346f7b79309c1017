import json
from pathlib import Path

import pytest

from tests.real_media import SHARED
from train.evaluate import main

TVSUM = SHARED.parent / "tvsum"


def test_two_videos_from_the_command_line(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="annotations are HDF5")
    if not TVSUM.is_dir():
        pytest.skip("TVSum is not on this machine")
    main(["summaries", "--data", str(TVSUM), "--out", str(tmp_path), "--limit", "2"])
    report = json.loads((tmp_path / "summaries.json").read_text())
    assert len(report["videos"]) == 2
    for rows in report["videos"].values():
        # Published: .177 / .204 over all videos. Two of them are near enough to catch a wrong axis.
        assert 0.05 < rows["human"][0] < 0.4
        assert abs(rows["random"][0]) < 0.05
        assert all(0 <= values[2] <= 1 for values in rows.values())
    assert "| human |" in (tmp_path / "summaries.md").read_text()
