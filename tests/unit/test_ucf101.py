"""UCF101's lists and folders of classes: no recording on both sides, and one change a window."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from models.video.segments import SegmentPlan
from tests.unit.direction_toys import LABELS, SIDE, TEST_GROUPS, moving, write_ucf101, write_video
from train.data.action_segments import (
    HeldSegments,
    Seen,
    TrainedSegments,
    changed_as_one,
    has_side,
    read_segments,
    spread,
)
from train.data.ucf101 import (
    LabelledVideo,
    check_apart,
    cut_by_group,
    read_folders,
    read_ucf101,
)

PLAN = SegmentPlan(frames=8, segment_s=0.8, every_s=0.8)
SEEN = Seen(short_side_px=40, side_px=32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ucf101(tmp_path_factory.mktemp("ucf101"))


def lists_of(data: Path, to: Path) -> Path:
    """A copy of the lists, to be spoilt."""
    to.mkdir()
    for path in (data / "ucfTrainTestlist").iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_official_lists_are_read_and_groups_stay_whole(data: Path) -> None:
    parts = read_ucf101(data / "UCF-101", data / "ucfTrainTestlist", 1, 0.2, seed=0)
    assert parts.labels == LABELS
    groups = [{(v.label, v.group) for v in part} for part in (parts.train, parts.held, parts.test)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert groups[one] and not groups[one] & groups[other]
    assert {group for _, group in groups[2]} == {f"g{number:02d}" for number in TEST_GROUPS}
    assert len({group for _, group in groups[1]}) == 2, "a fifth of ten, of every class"
    assert {label for label, _ in groups[1]} == set(LABELS)
    assert len(parts.train) + len(parts.held) == 40 and len(parts.test) == 8
    again = read_ucf101(data / "UCF-101", data / "ucfTrainTestlist", 1, 0.2, seed=0)
    other_seed = read_ucf101(data / "UCF-101", data / "ucfTrainTestlist", 1, 0.2, seed=5)
    assert again == parts != other_seed and other_seed.test == parts.test


def test_lists_that_tear_a_recording_apart_are_refused(data: Path, tmp_path: Path) -> None:
    lists = lists_of(data, tmp_path / "lists")
    with (lists / "testlist01.txt").open("a") as file:
        file.write("MoveLeft/v_MoveLeft_g05_c02.avi\n")
    with pytest.raises(ValueError, match=r"overlap.*g05 of MoveLeft"):
        read_ucf101(data / "UCF-101", lists, 1, 0.2, seed=0)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("trainlist01.txt", "MoveLeft/v_MoveLeft_g05_c01.avi 2\n", "number is not 2"),
        ("trainlist01.txt", "MoveLeft/v_MoveLeft_g05_c01.avi\n", "2 words"),
        ("trainlist01.txt", "MoveUp/v_MoveUp_g05_c01.avi 3\n", "classInd"),
        ("testlist01.txt", "MoveLeft/v_MoveLeft.avi\n", "names its group"),
        ("testlist01.txt", "MoveLeft/v_MoveLeft_g99_c01.avi\n", "1 of 41 videos"),
        ("classInd.txt", "", "received 'nothing'"),
    ],
)
def test_lists_that_do_not_fit_are_named(
    data: Path, tmp_path: Path, file: str, text: str, said: str
) -> None:
    lists = lists_of(data, tmp_path / "lists")
    (lists / file).write_text(text)
    with pytest.raises(ValueError, match=said):
        read_ucf101(data / "UCF-101", lists, 1, 0.2, seed=0)


def test_a_split_that_does_not_exist(data: Path) -> None:
    with pytest.raises(ValueError, match="1, 2 or 3"):
        read_ucf101(data / "UCF-101", data / "ucfTrainTestlist", 4, 0.2, seed=0)
    with pytest.raises(ValueError, match="trainlist02"):
        read_ucf101(data / "UCF-101", data / "ucfTrainTestlist", 2, 0.2, seed=0)


def test_a_folder_of_classes_knows_groups_by_names(data: Path) -> None:
    parts = read_folders(data / "UCF-101", held_share=0.2, test_share=0.25, seed=0)
    assert parts.labels == LABELS and parts.train and parts.held and parts.test
    check_apart([*parts.train, *parts.held], parts.test)
    tested = {video.group for video in parts.test}
    assert tested == {v.group for v in parts.test if v.label == LABELS[0]}, "people of all classes"


def test_a_folder_without_group_names_takes_each_file_for_itself(tmp_path: Path) -> None:
    for label in ("walk", "run"):
        for number in range(4):
            (tmp_path / label).mkdir(exist_ok=True)
            (tmp_path / label / f"{label}{number}.mp4").touch()
    parts = read_folders(tmp_path, held_share=0.3, test_share=0.25, seed=0)
    assert [len(p) for p in (parts.train, parts.held, parts.test)] == [4, 2, 2]
    for part in (parts.held, parts.test):
        assert {video.label for video in part} == {"walk", "run"}, "each class leaves out its own"
    people = [LabelledVideo(Path(f"{p}_{a}.mp4"), a, p) for p in "abc" for a in ("walk", "run")]
    kept, cut = cut_by_group(people, 0.3, seed=0)
    assert len(cut) == 2 and not {v.group for v in kept} & {v.group for v in cut}


def test_too_little_to_leave_some_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two class folders"):
        read_folders(tmp_path, 0.1, 0.1, 0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / f"{label}.mp4").touch()
    with pytest.raises(ValueError, match="left out"):
        read_folders(tmp_path, 0.1, 0.1, 0)


# -- what is read ----------------------------------------------------------------------------------


def test_segments_are_rgb_in_order_and_spread_to_the_end(data: Path) -> None:
    path = data / "UCF-101" / "MoveRight" / "v_MoveRight_g03_c01.avi"
    segments = read_segments(path, SegmentPlan(8, 0.32, 0.32), SEEN, spread(3))
    assert segments.shape == (3, 8, 40, 40, 3)
    columns = segments[1, 0].mean(axis=0)
    assert columns[-3, 0] > 200 > columns[-3, 2], "red grows to the right; blue would be BGR"
    blue = segments[..., 2].astype(float) > 140
    centres = [float(np.nonzero(blue[part, at])[1].mean()) for part in range(3) for at in (0, 7)]
    assert centres == sorted(centres) and centres[-1] - centres[0] > 8, "it moves to the right"


def test_a_video_shorter_than_a_segment_is_stretched(tmp_path: Path) -> None:
    short = write_video(tmp_path / "short.avi", moving("MoveRight", 1, frames=5))
    (segment,) = read_segments(short, PLAN, SEEN, spread(1))
    blue = segment[..., 2].astype(float) > 140
    centres = [float(np.nonzero(picture)[1].mean()) for picture in blue]
    assert len(segment) == 8 and centres[-1] > centres[0]


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"no video" * 100)
    with pytest.raises(ValueError, match=r"broken\.avi"):
        read_segments(broken, PLAN, SEEN, spread(1))


def test_one_change_for_all_frames_of_a_window() -> None:
    """Equal frames stay equal; and unequal ones differ by what they show alone."""
    still = np.repeat(moving("MoveRight", 3)[:1], 16, axis=0)
    flips, firsts = set(), set()
    for seed in range(24):
        made = changed_as_one(still, np.random.default_rng(seed), 32, mirrored=True)
        assert made.shape == (16, 32, 32, 3) and (made == made[0]).all()
        firsts.add(made[0].tobytes())
        red = made[0][..., 0].astype(float)
        if made[0][..., 0].std() > 20 and not (made[0][..., 0] == made[0][..., 1]).all():
            flips.add(bool(red[0, :6].mean() > red[0, -6:].mean()))
    assert len(firsts) == 24 and flips == {True, False}
    for seed in range(24):
        made = changed_as_one(still, np.random.default_rng(seed), 32, mirrored=False)
        top = made[0, 0, :, 0].astype(float)
        assert top[-4:].mean() >= top[:4].mean() - 1, "what has a side is never mirrored"


@pytest.mark.parametrize(
    ("label", "sided"),
    [("MoveLeft", True), ("turn_right", True), ("Archery", False), ("PlayingCello", False),
     ("bright light", False), ("swipe", True), ("HandstandPushups", False)],
)  # fmt: skip
def test_labels_that_have_a_side(label: str, sided: bool) -> None:
    assert has_side(label, ("swipe",)) is sided


def test_a_round_is_decided_by_its_key(data: Path) -> None:
    parts = read_ucf101(data / "UCF-101", data / "ucfTrainTestlist", 1, 0.2, seed=0)
    made = [
        TrainedSegments(parts.train, parts.labels, PLAN, SEEN, key=key)[3]
        for key in ((0, 1), (0, 1), (0, 2))
    ]
    assert (made[0]["frames"] == made[1]["frames"]).all()
    assert not (made[0]["frames"] == made[2]["frames"]).all()
    rounds = TrainedSegments(parts.train, parts.labels, PLAN, SEEN, key=(0, 3))
    labels = [rounds[at]["label"] for at in range(len(rounds))]
    assert labels.count(0) == labels.count(1) == 16 and labels != sorted(labels)


def test_held_videos_show_their_middle(data: Path) -> None:
    parts = read_ucf101(data / "UCF-101", data / "ucfTrainTestlist", 1, 0.2, seed=0)
    held = HeldSegments(parts.held, parts.labels, PLAN, SEEN, windows=2)
    shown = held[0]["frames"]
    assert tuple(shown.shape) == (2, 8, 32, 32, 3) and SIDE > 40
    whole = HeldSegments(
        parts.held, parts.labels, PLAN, dataclasses.replace(SEEN, side_px=40), windows=2
    )
    assert (whole[0]["frames"][:, :, 4:36, 4:36] == shown).all()
