"""The media store: checks first, each content once, whole entries or none."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.progress import Progress, ignore_progress, never_stop
from app.scratch import Scratch, sweep
from app.settings import Settings
from app.sources import store as store_module
from app.sources.store import MediaStore, StoredVideo
from models.errors import (
    CancelledError,
    UserFacingError,
    VideoOpenError,
    VideoTooLargeError,
    VideoTooLongError,
)
from models.video.probe import probe
from tests.unit.clips import write_clip

LONG_AGO_S = 100_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", max_upload_mb=50, max_duration_s=60.0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4")


def adopt(store: MediaStore, path: Path, name: str = "clip.mp4", **more: str) -> StoredVideo:
    return store.adopt(path, name=name, report=ignore_progress, stop=never_stop, **more)


def entries(settings: Settings) -> list[Path]:
    return [path for path in settings.media_dir.iterdir() if path.is_dir()]


def age(settings: Settings, content_hash: str, idle_s: float) -> None:
    then = time.time() - idle_s
    os.utime(settings.media_dir / content_hash / "meta.json", (then, then))


def test_a_video_is_kept_under_its_content_hash(settings: Settings, clip: Path) -> None:
    name = 'my "secret"\n\u202efilm.mp4'
    stored = adopt(MediaStore(settings), clip, name, source_url="https://example.org/v")
    content_hash = hashlib.sha256(clip.read_bytes()).hexdigest()
    assert stored.info.content_hash == content_hash
    assert stored.info.path == settings.media_dir / content_hash / "source.mp4"
    assert stored.info.path.read_bytes() == clip.read_bytes()
    assert stored.info.name == 'my "secret" film.mp4'
    assert stored.source_url == "https://example.org/v"
    assert stored.info.duration_s == pytest.approx(probe(clip).duration_s)
    assert MediaStore(settings).get(content_hash) == stored
    assert not [p for p in settings.media_dir.rglob("*") if "secret" in p.name]


def test_nobody_else_can_look_inside(settings: Settings, clip: Path) -> None:
    before = clip.stat().st_mode
    stored = adopt(MediaStore(settings), clip)
    for path in (settings.data_dir, settings.media_dir, stored.info.path.parent):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (stored.info.path.parent / "meta.json").stat().st_mode & 0o777 == 0o600
    assert clip.stat().st_mode == before


def test_a_copy_is_made_where_no_link_can_be(
    settings: Settings, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    stored = adopt(MediaStore(settings), clip)
    assert stored.info.path.read_bytes() == clip.read_bytes()
    assert stored.info.path.stat().st_mode & 0o777 == 0o600
    assert stored.info.path.stat().st_ino != clip.stat().st_ino
    assert MediaStore(settings).get(stored.info.content_hash) is not None


def test_the_same_content_is_kept_once_and_tells_nobody_the_other_name(
    settings: Settings, clip: Path, tmp_path: Path
) -> None:
    store = MediaStore(settings)
    first = adopt(store, clip, "Anna's birthday.mp4", source_url="https://example.org/anna")
    again = tmp_path / "again.mp4"
    again.write_bytes(clip.read_bytes())
    second = adopt(store, again, "b.mp4")
    assert second.info.path == first.info.path
    assert (second.info.name, second.source_url) == ("b.mp4", None)
    assert len(entries(settings)) == 1
    by_address = MediaStore(settings).get(first.info.content_hash)
    assert by_address is not None
    assert (by_address.info.name, by_address.source_url) == ("video", None)


def bad_folder(folder: Path) -> Path:
    (folder / "bad.mp4").mkdir()
    return folder / "bad.mp4"


def bad_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "bad.mp4")
    return folder / "bad.mp4"


def bad_text(folder: Path) -> Path:
    (folder / "bad.mp4").write_text("not a video\n" * 100)
    return folder / "bad.mp4"


def bad_empty(folder: Path) -> Path:
    (folder / "bad.mp4").touch()
    return folder / "bad.mp4"


def bad_half(folder: Path) -> Path:
    whole = write_clip(folder / "whole.mp4").read_bytes()
    (folder / "bad.mp4").write_bytes(whole[: len(whole) // 3])
    return folder / "bad.mp4"


@pytest.mark.parametrize("make", [bad_folder, bad_pipe, bad_text, bad_empty, bad_half])
def test_bad_input_is_one_sentence_and_leaves_nothing(
    settings: Settings, tmp_path: Path, make: object
) -> None:
    assert callable(make)
    path = make(tmp_path)
    with pytest.raises(VideoOpenError) as caught:
        adopt(MediaStore(settings), path, "bad\n.mp4")
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and str(tmp_path) not in text
    assert not settings.media_dir.exists() or not entries(settings)


@pytest.mark.parametrize("name", ["missing.mp4", "nul\x00.mp4", "n" * 300])
def test_a_path_that_leads_nowhere_is_said_so(settings: Settings, name: str) -> None:
    with pytest.raises(VideoOpenError, match="There is no file"):
        adopt(MediaStore(settings), Path("/nowhere") / name, name)


def test_three_sparse_gigabytes_are_refused_at_once_with_the_limit(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)
    started = time.monotonic()
    with pytest.raises(VideoTooLargeError, match=r"3,000 MB.*at most 50 MB"):
        adopt(MediaStore(settings), path)
    assert time.monotonic() - started < 0.2


def test_a_long_video_is_refused_before_it_is_read(tmp_path: Path, clip: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", max_duration_s=0.5)
    seen: list[Progress] = []
    with pytest.raises(VideoTooLongError, match="at most"):
        MediaStore(settings).adopt(clip, name="a", report=seen.append, stop=never_stop)
    assert "Reading the file" not in [progress.stage for progress in seen]
    assert not settings.media_dir.exists()


def test_reading_reports_and_stops(
    settings: Settings, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_BLOCK_BYTES", 256)
    seen: list[Progress] = []
    with pytest.raises(CancelledError):
        MediaStore(settings).adopt(clip, name="a", report=seen.append, stop=lambda: len(seen) > 5)
    shares = [p.fraction for p in seen if p.stage == "Reading the file"]
    assert shares == sorted(shares, key=lambda share: share or 0.0) and len(shares) > 2
    assert not settings.media_dir.exists() or not entries(settings)


def test_a_file_that_is_still_being_written_is_not_kept(settings: Settings, clip: Path) -> None:
    def grow(progress: Progress) -> None:
        if progress.stage == "Reading the file":
            with clip.open("ab") as file:
                file.write(b"more")

    with pytest.raises(VideoOpenError, match="changed while"):
        MediaStore(settings).adopt(clip, name="a", report=grow, stop=never_stop)
    assert entries(settings) == []


@pytest.mark.parametrize(
    "text", ["", "..", "../" + "a" * 64, "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "a" * 64]
)
def test_only_a_hash_that_is_there_is_found(settings: Settings, clip: Path, text: str) -> None:
    store = MediaStore(settings)
    stored = adopt(store, clip)
    elsewhere = (settings.media_dir / text).resolve()
    if text and not elsewhere.exists() and text != "a" * 64:
        elsewhere.parent.mkdir(exist_ok=True)
        stored.info.path.parent.rename(elsewhere)  # a whole entry, under a wrong name
    assert store.get(text) is None


def test_an_entry_whose_file_was_changed_is_not_read(settings: Settings, clip: Path) -> None:
    store = MediaStore(settings)
    stored = adopt(store, clip)
    whole = clip.read_bytes()
    with clip.open("ab") as file:  # the same inode as the stored file
        file.write(b"x")
    assert store.get(stored.info.content_hash) is None
    clip.write_bytes(whole)
    assert adopt(store, clip).info.content_hash == stored.info.content_hash
    assert store.get(stored.info.content_hash) is not None


def test_half_an_entry_is_not_read_and_is_made_whole(settings: Settings, clip: Path) -> None:
    content_hash = hashlib.sha256(clip.read_bytes()).hexdigest()
    half = settings.media_dir / content_hash
    half.mkdir(parents=True)
    (half / "source.mp4").write_bytes(b"half")
    store = MediaStore(settings)
    assert store.get(content_hash) is None
    assert adopt(store, clip).info.path.read_bytes() == clip.read_bytes()


def test_work_of_a_killed_process_is_swept_and_of_a_living_one_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from app.scratch import Scratch;"
        "s = Scratch(pathlib.Path(sys.argv[1])); print(s.path, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    theirs = Path(child.stdout.readline().strip())
    try:
        with Scratch(tmp_path) as ours:
            sweep(tmp_path)
            assert theirs.is_dir() and ours.path.is_dir()
            child.send_signal(signal.SIGKILL)
            child.wait()
            sweep(tmp_path)
            assert not theirs.exists() and ours.path.is_dir()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_kill_during_adoption_leaves_a_whole_entry_or_none(
    settings: Settings, clip: Path
) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from app.progress import ignore_progress, never_stop\n"
        "from app.settings import Settings\n"
        "from app.sources.store import MediaStore\n"
        "count, at = 0, int(sys.argv[3])\n"
        "def counted(frame, event, arg):\n"
        "    global count\n"
        "    if 'sources' in frame.f_code.co_filename:\n"
        "        count += 1\n"
        "        if count == at: os.kill(os.getpid(), 9)\n"
        "    return counted\n"
        "from models.video.probe import probe\n"
        "store = MediaStore(Settings(data_dir=pathlib.Path(sys.argv[1])))\n"
        "sys.settrace(counted)\n"
        "store.adopt(pathlib.Path(sys.argv[2]), name='a', report=ignore_progress,"
        " stop=never_stop)\n"
        "sys.settrace(None); print(count)\n"
    )

    def run(folder: Path, at: int) -> "subprocess.CompletedProcess[str]":
        arguments = [sys.executable, "-c", code, str(folder), str(clip), str(at)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    lines = int(run(settings.data_dir / "whole", 0).stdout)
    content_hash = hashlib.sha256(clip.read_bytes()).hexdigest()
    for step in range(1, 10):
        killed = Settings(data_dir=settings.data_dir / f"killed-{step}")
        assert run(killed.data_dir, lines * step // 10).returncode == -signal.SIGKILL
        found = MediaStore(killed).get(content_hash)
        assert found is None or found.info.path.read_bytes() == clip.read_bytes()
        adopt(MediaStore(killed), clip)
        MediaStore(killed).evict()
        assert [path.name for path in entries(killed)] == [content_hash]


def test_eviction_goes_by_age_then_by_size_and_spares_what_is_in_use(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", media_cache_mb=1, file_age_s=50_000)
    store = MediaStore(settings)
    hashes = []
    for shade in range(4):
        path = write_clip(tmp_path / f"{shade}.mp4", shade=40 * shade)
        with path.open("ab") as file:
            file.write(bytes(400_000))  # bytes after the last box are nobody's
        hashes.append(adopt(store, path).info.content_hash)
    old, idle, less_idle, in_use = hashes
    age(settings, old, LONG_AGO_S)
    age(settings, idle, 2_000.0)
    age(settings, less_idle, 1_000.0)
    store.evict()
    assert {path.name for path in entries(settings)} == {less_idle, in_use}
    age(settings, less_idle, LONG_AGO_S)
    assert store.get(less_idle) is not None  # being asked for is being used
    store.evict()
    assert {path.name for path in entries(settings)} == {less_idle, in_use}
    full = MediaStore(Settings(data_dir=tmp_path / "data", media_cache_mb=0, file_age_s=0))
    full.evict()
    assert {path.name for path in entries(settings)} == {less_idle, in_use}
    age(settings, less_idle, 60_000.0)
    MediaStore(Settings(data_dir=tmp_path / "data", file_age_s=50_000)).evict()
    assert {path.name for path in entries(settings)} == {in_use}


def test_what_comes_in_pushes_out_what_is_long_unused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", media_cache_mb=0)
    store = MediaStore(settings)
    first = adopt(store, write_clip(tmp_path / "1.mp4", shade=10))
    age(settings, first.info.content_hash, LONG_AGO_S)
    second = adopt(store, write_clip(tmp_path / "2.mp4", shade=200))
    assert [path.name for path in entries(settings)] == [second.info.content_hash]


def test_what_a_browser_plays_is_played_as_it_is(settings: Settings, clip: Path) -> None:
    store = MediaStore(settings)
    stored = adopt(store, clip)
    assert store.playable(stored, ignore_progress, never_stop) == stored.info.path


def test_the_rest_is_converted_once_also_by_two_at_a_time(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.video import transcode

    clip = write_clip(tmp_path / "clip.avi", codec="mpeg4")
    runs: list[Path] = []
    convert = transcode.to_playable

    def counted(src: Path, dst: Path, **more: object) -> None:
        runs.append(dst)
        time.sleep(0.3)
        convert(src, dst, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(transcode, "to_playable", counted)
    stores = [MediaStore(settings), MediaStore(settings)]
    stored = adopt(stores[0], clip)
    made: list[Path] = []

    def play(store: MediaStore) -> None:
        made.append(store.playable(stored, ignore_progress, never_stop))

    threads = [threading.Thread(target=play, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert made == [stored.info.path.with_name("playable.mp4")] * 2
    assert made[0].stat().st_mode & 0o777 == 0o600
    assert probe(made[0]).codec == "h264"


def test_waiting_for_a_conversion_can_be_stopped_and_it_is_not_evicted(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.video import transcode

    release = threading.Event()

    def slow(src: Path, dst: Path, **_: object) -> None:
        release.wait(10.0)
        dst.write_bytes(b"made")

    monkeypatch.setattr(transcode, "to_playable", slow)
    monkeypatch.setattr(transcode, "browser_plays", lambda _: False)
    store = MediaStore(settings)
    stored = adopt(store, write_clip(tmp_path / "clip.avi", codec="mpeg4"))
    worker = threading.Thread(target=lambda: store.playable(stored))
    worker.start()
    try:
        while not (stored.info.path.parent / "playable.lock").exists():
            time.sleep(0.01)
        started = time.monotonic()
        with pytest.raises(CancelledError):
            store.playable(stored, ignore_progress, lambda: time.monotonic() - started > 0.2)
        assert time.monotonic() - started < 0.7
        age(settings, stored.info.content_hash, LONG_AGO_S)
        MediaStore(Settings(data_dir=settings.data_dir, file_age_s=0)).evict()
        assert stored.info.path.exists()
    finally:
        release.set()
        worker.join()
    assert stored.info.path.with_name("playable.mp4").read_bytes() == b"made"


def test_a_full_disk_is_a_sentence(
    settings: Settings, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "_link_or_copy", full)
    with pytest.raises(UserFacingError, match="no room left"):
        adopt(MediaStore(settings), clip)
    assert entries(settings) == []


def test_a_playable_of_an_evicted_video_says_so(settings: Settings, clip: Path) -> None:
    store = MediaStore(settings)
    stored = adopt(store, clip)
    meta = json.loads((stored.info.path.parent / "meta.json").read_text())
    assert set(meta) == {
        *("name", "source_url", "created", "file", "size", "modified_ns"),
    }
    (stored.info.path.parent / "meta.json").unlink()
    with pytest.raises(VideoOpenError, match="no longer kept"):
        store.playable(stored)
