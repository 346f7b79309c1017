"""The index on disk: whole or absent, the least recently read dropped first."""

import fcntl
import os
import time
from pathlib import Path

import numpy as np
import pytest

from app.index import FrameIndex, IndexKey, IndexStore, read_index, to_thumbnail
from models.types import FrameBatch

HASH = "a" * 64


def batch(start_s: float, frames: int, shade: int = 100) -> FrameBatch:
    pixels = np.full((frames, 36, 64, 3), shade, dtype=np.uint8)
    return FrameBatch(pixels, start_s + np.arange(frames) / 2.0)


def embeddings(frames: int, dim: int = 8) -> np.ndarray:
    return np.eye(dim, dtype=np.float32)[np.arange(frames) % dim]


def key(fps: float = 2.0, content_hash: str = HASH) -> IndexKey:
    return IndexKey(content_hash, "colour", None, fps)


def write(store: IndexStore, at: IndexKey, frames: int = 4) -> FrameIndex:
    with store.writer(at) as writer:
        writer.add(batch(0.0, frames), embeddings(frames))
        return writer.commit()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 10**9)
    assert store.load(key()) is None
    with store.writer(key()) as writer:
        writer.add(batch(0.0, 3), embeddings(3))
        writer.add(batch(1.5, 2, shade=30), embeddings(2))
        assert store.load(key()) is None, "nothing may be read before it is whole"
        writer.commit()
    index = store.load(key())
    assert index is not None
    assert index.times_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert index.embeddings.dtype == np.float16
    assert np.array_equal(index.embeddings[:3], embeddings(3).astype(np.float16))
    assert index.thumbnails[0] != index.thumbnails[4]
    assert index.thumbnails[4][:2] == b"\xff\xd8"
    assert index.thumbnails[1:3] == [index.thumbnails[1], index.thumbnails[2]]


def test_a_writer_that_does_not_commit_leaves_nothing(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 10**9)
    with pytest.raises(KeyboardInterrupt), store.writer(key()) as writer:
        writer.add(batch(0.0, 3), embeddings(3))
        raise KeyboardInterrupt
    assert store.load(key()) is None
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_can_be_read_while_writing_and_after(tmp_path: Path) -> None:
    with IndexStore(tmp_path, 10**9).writer(key()) as writer:
        writer.add(batch(0.0, 3), embeddings(3))
        snapshot = writer.snapshot()
        writer.add(batch(1.5, 1), embeddings(1))
    assert len(snapshot) == 3
    assert snapshot.thumbnails[2][:2] == b"\xff\xd8"


def test_the_first_look_stands_in_for_what_comes_later(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 10**9)
    with store.writer(key()) as whole, store.writer(key()) as glance:
        glance.add(FrameBatch(batch(0, 3).pixels, np.array([0.0, 5.0, 10.0])), embeddings(3))
        whole.add(batch(0.0, 12, shade=200), embeddings(12))
        joined = whole.snapshot().continued_by(glance.snapshot())
        assert joined.times_s.tolist() == [*(np.arange(12) / 2.0), 10.0]
        assert joined.thumbnails[12] == glance.snapshot().thumbnails[2]
        assert len(list(joined.thumbnails)) == len(joined) == 13


@pytest.mark.parametrize("name", ["meta.json", "times_s.npy", "offsets.npy", "thumbnails.bin"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_damaged_index_is_no_index(tmp_path: Path, name: str, damage: str) -> None:
    store = IndexStore(tmp_path, 10**9)
    write(store, key())
    path = tmp_path / key().folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    assert store.load(key()) is None
    write(store, key())
    assert store.load(key()) is not None, "a damaged index must not stand in the way of a new one"


def test_other_weights_are_another_index(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 10**9)
    write(store, key())
    assert store.load(IndexKey(HASH, "colour", "b" * 64, 2.0)) is None
    assert store.load(key(fps=1.0)) is None


def test_the_least_recently_read_goes_first(tmp_path: Path) -> None:
    one = IndexStore(tmp_path, 10**9)
    keys = [key(content_hash=letter * 64) for letter in "abc"]
    for at in keys:
        write(one, at)
    long_ago = time.time() - 10_000
    for age, at in enumerate(reversed(keys)):
        os.utime(tmp_path / at.folder, (long_ago - age, long_ago - age))
    assert one.load(keys[2]) is not None
    opened = read_index(tmp_path / keys[0].folder, keys[0])
    assert opened is not None
    size = sum(file.stat().st_size for file in (tmp_path / keys[0].folder).iterdir())
    IndexStore(tmp_path, 2 * size).evict()
    kept = [one.load(at) is not None for at in keys]
    assert kept == [False, True, True], "a was read longest ago"
    assert opened.thumbnails[0][:2] == b"\xff\xd8", "what is open stays readable"


def test_what_was_read_just_now_is_never_evicted(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 1)
    write(store, key())
    store.evict()
    assert store.load(key()) is not None


def test_a_writer_at_work_is_not_swept_away(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 10**9)
    with store.writer(key()) as writer:
        store.evict()
        writer.add(batch(0.0, 1), embeddings(1))
        writer.commit()
    assert store.load(key()) is not None


def test_only_one_builds_at_a_time(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 10**9)
    with store.try_building(key()) as first, store.try_building(key()) as second:
        assert first
        assert not second
    with store.try_building(key()) as third:
        assert third


def test_thumbnails_keep_their_proportion() -> None:
    import cv2

    made = to_thumbnail(np.zeros((1080, 1920, 3), dtype=np.uint8))
    small = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR)
    assert small is not None and small.shape == (144, 256, 3)
    tiny = to_thumbnail(np.zeros((2, 900, 3), dtype=np.uint8))
    assert tiny[:2] == b"\xff\xd8"


def test_thumbnails_are_not_mirrored_in_colour() -> None:
    import cv2

    red = np.zeros((32, 32, 3), dtype=np.uint8)
    red[..., 0] = 255
    bgr = cv2.imdecode(np.frombuffer(to_thumbnail(red), np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None and bgr[16, 16, 2] > 200 > bgr[16, 16, 0]


def test_locks_are_free_again(tmp_path: Path) -> None:
    store = IndexStore(tmp_path, 10**9)
    with store.try_building(key()):
        pass
    lock = next((tmp_path / ".locks").iterdir()).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
