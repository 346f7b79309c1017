"""Each set of captions from small files in the exact format of its own; no picture in two parts."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.media import Recipe, even_times, make_video, read_number
from train.data.caption_records import CaptionRecord, check_apart, counts
from train.data.captioned_sources import open_captioned, read_picture
from train.data.coco_captions import read_coco_captions
from train.data.flickr8k import read_flickr8k
from train.data.flickr30k import read_flickr30k
from train.data.msrvtt import read_msrvtt

FLICKR = ("1000268201_693b08cb0e.jpg", "1001773457_577c3a7d70.jpg", "1002674143_1b742ab4b8.jpg")


def put_pictures(folder: Path, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), (number, 200, 10)).save(path)


def by_name(records: Sequence[CaptionRecord]) -> dict[str, CaptionRecord]:
    assert len({record.name for record in records}) == len(records), "one record each"
    return {record.name: record for record in records}


def write_lists(folder: Path, parts: dict[str, list[str]]) -> None:
    for part, names in parts.items():
        (folder / f"Flickr_8k.{part}Images.txt").write_text("\n".join(names) + "\n")


def test_flickr8k_from_captions_txt(tmp_path: Path) -> None:
    put_pictures(tmp_path / "Images", FLICKR)
    (tmp_path / "captions.txt").write_text(
        "image,caption\n"
        f"{FLICKR[0]},A child in a pink dress is climbing up a set of stairs in an entry way .\n"
        f'{FLICKR[0]},"A girl , in a dress , goes in ."\n'
        f"{FLICKR[1]},A black dog and a spotted dog are fighting\n"
        f"{FLICKR[2]},A little girl covered in paint, outside .\n"  # quotes left out
    )
    write_lists(tmp_path, {"train": [FLICKR[0]], "dev": [FLICKR[1]], "test": [FLICKR[2]]})
    found = by_name(read_flickr8k(tmp_path))
    assert {name: record.part for name, record in found.items()} == {
        FLICKR[0]: "train", FLICKR[1]: "chosen", FLICKR[2]: "reported",
    }  # fmt: skip
    assert found[FLICKR[0]].captions[1] == "A girl, in a dress, goes in."
    assert found[FLICKR[2]].captions == ("A little girl covered in paint, outside.",)
    assert found[FLICKR[0]].pictures == (tmp_path / "Images" / FLICKR[0],)


def test_flickr8k_from_the_token_file(tmp_path: Path) -> None:
    put_pictures(tmp_path / "Flicker8k_Dataset", FLICKR)
    lines = [
        f"{FLICKR[0]}#0\tA child in a pink dress .",
        f"{FLICKR[0]}#1\tA girl going into a wooden building .",
        f"{FLICKR[1]}#0\tA black dog .",
        "2258277193_586949ec62.jpg.1#0\tsome people in a pool .",  # in the published file
    ]
    (tmp_path / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    write_lists(tmp_path, {"train": [FLICKR[0]], "dev": [FLICKR[1]], "test": [FLICKR[2]]})
    found = by_name(read_flickr8k(tmp_path))
    assert set(found) == {FLICKR[0], FLICKR[1]}
    assert found[FLICKR[0]].captions == (
        "A child in a pink dress.", "A girl going into a wooden building.",
    )  # fmt: skip


def test_flickr8k_without_lists_is_split_by_the_picture(tmp_path: Path) -> None:
    names = [f"{number}_a.jpg" for number in range(200)]
    put_pictures(tmp_path / "Images", names)
    rows = [f"{name},caption {turn} of it" for turn in range(5) for name in names]
    (tmp_path / "captions.txt").write_text("\n".join(["image,caption", *rows]))
    first, again = read_flickr8k(tmp_path), read_flickr8k(tmp_path)
    assert first == again
    assert all(len(record.captions) == 5 for record in first), "no caption in another part"
    found = counts(first)
    assert sum(found.values()) == 200 and min(found.values()) > 8 and found["train"] > 120


def test_a_picture_in_two_lists_is_refused(tmp_path: Path) -> None:
    put_pictures(tmp_path / "Images", FLICKR)
    (tmp_path / "captions.txt").write_text(f"image,caption\n{FLICKR[0]},a dog\n")
    write_lists(tmp_path, {"train": [FLICKR[0]], "dev": [FLICKR[1]], "test": [FLICKR[0]]})
    with pytest.raises(ValueError, match="two parts"):
        read_flickr8k(tmp_path)
    record = CaptionRecord("x", "video1", "train", ("a",), (Path("a.jpg"),))
    other = CaptionRecord("x", "video1", "reported", ("b",), (Path("a.jpg"),))
    check_apart([record, record])
    with pytest.raises(ValueError, match="x/video1 is in one part only"):
        check_apart([record, other])


def test_flickr30k_from_results_csv(tmp_path: Path) -> None:
    names = ("1000092795.jpg", "10002456.jpg", "2199200615.jpg")
    put_pictures(tmp_path / "flickr30k_images", names)
    (tmp_path / "results.csv").write_text(
        "image_name| comment_number| comment\n"
        f"{names[0]}| 0| Two young guys with shaggy hair look at their hands .\n"
        f"{names[0]}| 1| Two young , White males are outside near many bushes .\n"
        f"{names[1]}| 0| Several men in hard hats .\n"
        f"{names[2]}| 4   A dog runs across the grass .\n"  # so in the published file
    )
    found = by_name(read_flickr30k(tmp_path))
    assert set(found) == set(names)
    assert found[names[0]].captions[1].startswith("Two young, White males")
    assert found[names[2]].captions == ("A dog runs across the grass.",)


def test_flickr30k_from_karpathys_file(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(3)]
    put_pictures(tmp_path / "flickr30k-images", names)
    images = [
        {
            "sentids": [5 * n, 5 * n + 1], "imgid": n, "filename": name, "split": split,
            "sentences": [
                {"tokens": ["two", "dogs"], "raw": f"Two dogs {n} .", "imgid": n, "sentid": 5 * n},
                {"tokens": ["dogs"], "raw": "Dogs .", "imgid": n, "sentid": 5 * n + 1},
            ],
        }
        for n, (name, split) in enumerate(zip(names, ("train", "val", "test"), strict=True))
    ]  # fmt: skip
    described = {"images": images, "dataset": "flickr30k"}
    (tmp_path / "dataset_flickr30k.json").write_text(json.dumps(described))
    found = by_name(read_flickr30k(tmp_path))
    assert [found[name].part for name in names] == ["train", "chosen", "reported"]
    assert found["1.jpg"].captions == ("Two dogs 1.", "Dogs.")
    images[0]["split"] = "somewhere"
    (tmp_path / "dataset_flickr30k.json").write_text(json.dumps(described))
    with pytest.raises(ValueError, match="somewhere"):
        read_flickr30k(tmp_path)


def test_coco_captions(tmp_path: Path) -> None:
    for part, count in (("train2017", 80), ("val2017", 3)):
        names = [f"{number:012d}.jpg" for number in range(count)]
        put_pictures(tmp_path / part, names)
        described = {
            "info": {"year": 2017},
            "licenses": [],
            "images": [
                {"license": 3, "file_name": name, "height": 6, "width": 8, "id": number}
                for number, name in enumerate(names)
            ],
            "annotations": [
                {"image_id": number, "id": 10 * number + turn, "caption": f"a bike {turn} "}
                for number in range(count)
                for turn in range(2)
            ],
        }
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations" / f"captions_{part}.json").write_text(json.dumps(described))
    records = read_coco_captions(tmp_path)
    found = counts(records)
    assert found["reported"] == 3 and found["train"] + found["chosen"] == 80
    assert 0 < found["chosen"] < 15
    assert records[0].captions == ("a bike 0", "a bike 1")
    reported = [record for record in records if record.part == "reported"]
    assert all("val2017" in str(record.pictures[0]) for record in reported)


def write_msrvtt(folder: Path, file: str, videos: dict[str, str]) -> None:
    (folder / "video").mkdir(parents=True, exist_ok=True)
    for video in videos:
        (folder / "video" / f"{video}.mp4").touch()
    (folder / file).write_text(json.dumps({
        "info": {"contributor": "Microsoft MSM group"},
        "videos": [
            {"category": 9, "url": "https://example.org", "video_id": video, "start time": 137.72,
             "end time": 149.44, "split": split, "id": number}
            for number, (video, split) in enumerate(videos.items())
        ],
        "sentences": [
            {"caption": f"caption {turn} of {video}", "video_id": video, "sen_id": turn}
            for video in videos for turn in range(2)
        ],
    }))  # fmt: skip


def test_msrvtt_by_its_official_parts(tmp_path: Path) -> None:
    splits = {"video0": "train", "video6513": "validate", "video7010": "test"}
    write_msrvtt(tmp_path, "train_val_videodatainfo.json", splits)
    found = by_name(read_msrvtt(tmp_path))
    assert {name: record.part for name, record in found.items()} == {
        "video0": "train", "video6513": "chosen", "video7010": "reported",
    }  # fmt: skip
    assert found["video0"].captions == ("caption 0 of video0", "caption 1 of video0")
    assert found["video0"].pictures == (tmp_path / "video" / "video0.mp4",)


def test_msrvtt_1k_a_keeps_its_test_videos_out_of_training(tmp_path: Path) -> None:
    splits = {"video0": "train", "video6513": "validate", "video7010": "test", "video9770": "test"}
    write_msrvtt(tmp_path, "MSRVTT_data.json", splits)
    (tmp_path / "MSRVTT_JSFUSION_test.csv").write_text(
        "key,vid_key,video_id,sentence\n"
        "ret0,msr9770,video9770,a person is connecting something to system\n"
    )
    records = read_msrvtt(tmp_path)
    check_apart(records)
    found = by_name(records)
    assert found["video9770"].part == "reported"
    assert found["video9770"].captions == ("a person is connecting something to system",)
    assert found["video7010"].part == "train", "of the other test videos 1k-A trains on all"
    assert found["video6513"].part == "chosen"
    trained = {
        caption for record in records if record.part == "train" for caption in record.captions
    }
    assert not any("video9770" in caption for caption in trained)


def test_frames_of_a_video_are_taken_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "msrvtt", tmp_path / "cache"
    write_msrvtt(folder, "MSRVTT_data.json", {"video0": "train"})
    (folder / "video" / "video0.mp4").unlink()
    make_video(folder / "video" / "video0.mp4", Recipe(times_s=even_times(60)))
    data = open_captioned("msrvtt", folder, cache, 4)
    (item,) = data.items
    numbers = [read_number(data.picture(frame)) for frame in item.frames]
    assert numbers == [0, 15, 30, 45]
    first, *_ = frames_on_disk = sorted((cache / "captioned" / "msrvtt").glob("*.jpg"))
    first.unlink()  # as where it was broken off: the first frame is written last
    assert open_captioned("msrvtt", folder, cache, 4) == data
    assert all(path.is_file() for path in frames_on_disk)
    monkeypatch.setattr("models.video.source.VideoSource", None)
    assert open_captioned("msrvtt", folder, cache, 4) == data


def test_pictures_are_rgb_and_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 4), (250, 20, 10))
    turned = picture.getexif()
    turned[0x0112] = 6  # as a telephone held upright writes it
    picture.save(tmp_path / "a.png", exif=turned)
    seen = read_picture(tmp_path / "a.png")
    assert seen.shape == (8, 4, 3) and seen[0, 0].tolist() == [250, 20, 10]
    assert seen.dtype == np.uint8


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    for read, file in (
        (read_flickr8k, "captions.txt"),
        (read_flickr30k, "results.csv"),
        (read_coco_captions, "captions_train2017.json"),
        (read_msrvtt, "MSRVTT_data.json"),
    ):
        with pytest.raises(FileNotFoundError, match=file):
            read(tmp_path)
    (tmp_path / "captions.txt").write_text("name;text\n")
    with pytest.raises(ValueError, match="image,caption"):
        read_flickr8k(tmp_path)
    (tmp_path / "MSRVTT_data.json").write_text("{")
    with pytest.raises(ValueError, match=r"MSRVTT_data\.json is no JSON"):
        read_msrvtt(tmp_path)
    (tmp_path / "captions.txt").write_text("image,caption\nmissing.jpg,a dog\n")
    with pytest.raises(FileNotFoundError, match="no picture"):
        open_captioned("flickr8k", tmp_path, tmp_path / "cache", 4)
