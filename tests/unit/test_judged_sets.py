"""TVSum, SumMe and the community's tables, each read from a small file in its exact layout."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.unit import judged_toys
from tests.unit.judged_toys import FPS, FRAMES, PEOPLE
from train.data import community
from train.data.judged_sets import load_judged
from train.data.summe import load_summe
from train.data.tvsum import load_tvsum
from train.data.tvsum_features import SOURCE_FILE, features_place, unit_rows
from train.data.tvsum_folds import load_scored_videos, source_of
from train.metrics import f_score, summary_flags
from train.summary_rules import SUMME_RULE, TVSUM_RULE, judge_of, judges_of, rule_of

NAMES = ["first_one", "second"]


def test_the_published_table_of_tvsum(tmp_path: Path) -> None:
    judged_toys.write_tvsum_table(tmp_path / "tvsum", NAMES)
    videos = load_judged("tvsum", tmp_path)
    assert [video.name for video in videos] == NAMES
    assert videos[1].user_anno.tolist() == judged_toys.grades(1).tolist()
    assert videos[0].category == "VT" and videos[0].length_s == pytest.approx(FRAMES / FPS)
    assert videos[0].path.is_file()


def test_the_published_matlab_file_of_tvsum_says_the_same(tmp_path: Path) -> None:
    judged_toys.write_tvsum_table(tmp_path, NAMES)
    from_table = load_tvsum(tmp_path)
    (tmp_path / "matlab").mkdir()
    judged_toys.write_tvsum_matlab(tmp_path / "matlab" / "ydata-tvsum50.mat", NAMES)
    (tmp_path / "data" / "ydata-tvsum50-anno.tsv").unlink()
    from_matlab = load_tvsum(tmp_path)
    for one, other in zip(from_table, from_matlab, strict=True):
        assert (one.name, one.category, one.length_s) == (
            other.name,
            other.category,
            other.length_s,
        )
        assert np.array_equal(one.user_anno, other.user_anno)


def test_grades_out_of_range_are_named(tmp_path: Path) -> None:
    judged_toys.write_tvsum_table(tmp_path, NAMES)
    table = tmp_path / "data" / "ydata-tvsum50-anno.tsv"
    table.write_text("first_one\tVT\t1,7,3\n")
    with pytest.raises(ValueError, match="from 1 to 5, received 1.0 to 7.0"):
        load_tvsum(tmp_path)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_summe_of_both_versions_of_matlab(tmp_path: Path, version: str) -> None:
    judged_toys.write_summe(tmp_path / "summe", NAMES, version)
    videos = load_judged("summe", tmp_path)
    assert [video.name for video in videos] == NAMES
    for number, video in enumerate(videos):
        chosen = judged_toys.choices(number)
        assert video.user_anno.shape == (PEOPLE, FRAMES)
        assert np.array_equal(video.user_anno == 5, chosen.T > 0)
        assert np.array_equal(video.user_anno == 1, chosen.T == 0)
        assert video.length_s == pytest.approx(FRAMES / FPS)
    at_s = np.array([0.0, 3.2, 5.9])
    assert np.array_equal(videos[0].annotators_at(at_s), videos[0].user_anno[:, [0, 32, 59]])


def test_names_with_spaces_are_found(tmp_path: Path) -> None:
    judged_toys.write_summe(tmp_path, ["Bike_Polo"])
    (tmp_path / "GT" / "Bike_Polo.mat").rename(tmp_path / "GT" / "Bike Polo.mat")
    assert [video.name for video in load_summe(tmp_path)] == ["Bike_Polo"]
    (tmp_path / "videos" / "Bike_Polo.mp4").unlink()
    with pytest.raises(FileNotFoundError, match="Bike Polo"):
        load_summe(tmp_path)


def test_a_truth_without_a_field_is_named(tmp_path: Path) -> None:
    judged_toys.write_summe(tmp_path / "summe", NAMES, "7.3")
    with h5py.File(tmp_path / "summe" / "GT" / "second.mat", "r+") as file:
        del file["user_score"]
    with pytest.raises(ValueError, match="second.mat does not say user_score"):
        load_judged("summe", tmp_path)


@pytest.fixture
def features_dir(tmp_path: Path) -> Path:
    """Features of both videos of a SumMe, two a second."""
    judged_toys.write_summe(tmp_path / "summe", NAMES)
    folder = tmp_path / features_place("toy", "summe")
    folder.mkdir(parents=True)
    (folder / SOURCE_FILE).write_text('{"name": "toy", "weights_hash": "abc", "fps": 2.0}')
    random = np.random.default_rng(0)
    count = 2 * FRAMES // FPS
    for name in NAMES:
        features = unit_rows(random.standard_normal((count, 8)).astype(np.float32))
        np.savez(
            folder / f"{name}.npz",
            features=features.astype(np.float16),
            times_s=np.arange(count) / 2,
            end_s=FRAMES / FPS,
        )
    return folder


def test_a_table_is_written_and_read_back(tmp_path: Path, features_dir: Path) -> None:
    path = tmp_path / "our_summe.h5"
    asked = ["--features", "toy", "--to", str(path), "--dataset", "summe"]
    where = ["--data-dir", str(tmp_path), "--cache-dir", str(tmp_path)]
    assert community.main([*asked, *where]) == 0
    direct = load_scored_videos(tmp_path, features_dir, "summe")
    through = load_scored_videos(tmp_path, features_dir, str(path))
    for one, other in zip(direct, through, strict=True):
        assert one.name == other.name
        assert np.allclose(one.times_s, other.times_s)
        assert np.allclose(one.features, other.features, atol=1e-3)
        assert np.array_equal(one.annotators, other.annotators)
        assert one.end_s == pytest.approx(other.end_s)
    assert source_of(str(path), features_dir) == {"name": "toy", "weights_hash": "abc"}
    with h5py.File(path) as file:
        group = file["video_1"]
        assert set(community.NEEDED) <= set(group) and "n_frame_per_seg" in group
        points = group["change_points"][()]
        assert points[0, 0] == 0 and points[-1, 1] == FRAMES - 1
        assert (points[1:, 0] == points[:-1, 1] + 1).all()
        assert group["n_frame_per_seg"][()].sum() == group["n_frames"][()] == FRAMES
        assert set(np.unique(group["user_summary"][()]).tolist()) == {0.0, 1.0}
        assert group["gtscore"].shape == group["picks"].shape


def test_a_published_table_has_less_to_say(tmp_path: Path) -> None:
    """As eccv16_dataset_tvsum_google_pool5.h5: no fps, no names, no grades."""
    path = tmp_path / "eccv16_dataset_tvsum_google_pool5.h5"
    picks = np.arange(0, 300, 15)
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for key in ("video_10", "video_2"):
            group = file.create_group(key)
            group["features"] = random.random((len(picks), 8)).astype(np.float32)
            group["gtscore"] = np.linspace(0, 1, len(picks))
            group["gtsummary"] = np.zeros(len(picks), np.float32)
            group["picks"] = picks
            group["n_steps"], group["n_frames"] = len(picks), 300
            group["user_summary"] = np.tile(np.arange(300) >= 270, (3, 1)).astype(np.float32)
            group["change_points"] = np.array([[0, 149], [150, 152], [153, 269], [270, 299]])
            group["n_frame_per_seg"] = np.array([150, 3, 117, 30])
    videos = community.load_community(path)
    assert [video.name for video in videos] == ["video_2", "video_10"]
    assert videos[0].times_s[:3].tolist() == [0.0, 0.5, 1.0]  # picks are two a second
    assert videos[0].end_s == 10.0
    assert np.allclose(videos[0].annotators, 1 + 4 * np.linspace(0, 1, len(picks)))
    assert np.allclose(np.linalg.norm(videos[0].features, axis=1), 1)
    judge = judges_of(str(path), videos)["video_2"]
    assert judge.starts.tolist() == [0, 10, 11, 18]  # the shot of three frames holds pick 150
    assert judge.rule is TVSUM_RULE
    ending = judge.row(np.arange(len(picks)))
    assert ending[2] == pytest.approx(0.8)  # 2 of at most 3 picks, all there are to find


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.h5"
    path.write_text("no")
    with pytest.raises(ValueError, match="no HDF5"):
        community.read_table(path)
    with h5py.File(path, "w") as file:
        file.create_group("video_1")["features"] = np.zeros((2, 4))
    with pytest.raises(ValueError, match="video_1 has no gtscore"):
        community.read_table(path)


def test_summe_takes_the_best_annotator_and_has_the_published_rule(features_dir: Path) -> None:
    video = load_scored_videos(features_dir.parents[1], features_dir, "summe")[0]
    assert rule_of("summe") is SUMME_RULE and rule_of("dir/eccv16_dataset_summe.h5") is SUMME_RULE
    judge = judge_of(video, SUMME_RULE)
    judge = dataclasses.replace(judge, starts=np.arange(len(video.times_s)))
    scores = np.random.default_rng(0).random(len(video.times_s))
    row = dict(zip(SUMME_RULE.figures, judge.row(scores), strict=True))
    ours = summary_flags(scores, judge.starts)
    each = [f_score(ours, theirs == 5) for theirs in video.annotators]
    assert row["f"] == max(each)
    wanted = np.mean(judge.chosen, axis=0)
    following = dict(zip(SUMME_RULE.figures, judge.row(wanted), strict=True))
    assert following["tau_published"] > row["tau_published"]
    assert following["tau"] > 0.4
    human = dict(zip(SUMME_RULE.figures, judge.human_row(), strict=True))
    assert 0 < human["tau"] < 1 and human["tau"] == pytest.approx(human["rho"], abs=1e-6)
    graded = dataclasses.replace(judge, rule=TVSUM_RULE)
    assert len(graded.human_row()) == 3
