"""Videos on disk, known by the hash of their content.

    media_dir/<sha256>/source.<ext>   the file as it came
                       playable.mp4   only if a browser cannot play the source
                       meta.json      what it is called and where it came from; its age is the
                                      entry's time of last use

An entry appears by one rename and leaves by one rename, so that a process killed at any moment
leaves a whole entry or none.
"""

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.locks import brief_lock, is_locked, long_lock
from app.progress import Progress, Report, Stop, check_stop, ignore_progress, never_stop
from app.scratch import Scratch, private_folder, sweep
from app.settings import Settings
from app.sources.checks import check_file, check_length
from app.sources.names import NAMELESS, display_name, stored_suffix
from models.errors import VideoOpenError, VideoTooLargeError
from models.types import VideoInfo

META = "meta.json"
PLAYABLE = "playable.mp4"
CONVERTING = "playable.lock"
RECENT_S = 300.0
_BLOCK_BYTES = 4 * 1024 * 1024
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A video in the store; `info.path` is the stored file, `info.name` the name given for it."""

    info: VideoInfo
    source_url: str | None = None


class MediaStore:
    """Keeps each content once, whoever brings it and whatever they call it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.media_dir
        self._probed: dict[str, VideoInfo] = {}

    def inspect(
        self, path: Path, *, name: str, report: Report = ignore_progress, stop: Stop = never_stop
    ) -> VideoInfo:
        """Checks a file and says what it is, where it is; nothing is kept.

        Raises:
            VideoOpenError, VideoTooLargeError, VideoTooLongError: in the words to show.
            CancelledError: `stop` turned true.
        """
        shown = display_name(name)
        size = check_file(path, shown, self._settings.max_upload_mb).st_size
        report(Progress("Checking the video"))
        from models.video.probe import probe

        info = probe(path, name=shown)
        check_length(info, self._settings.max_duration_s)
        check_stop(stop)
        return replace(info, content_hash=_hash_file(path, size, report, stop))

    def adopt(
        self, path: Path, *, name: str, report: Report, stop: Stop, source_url: str | None = None
    ) -> StoredVideo:
        """Checks a file, then keeps it.

        Raises:
            VideoOpenError, VideoTooLargeError, VideoTooLongError: in the words to show.
            CancelledError: `stop` turned true.
        """
        shown = display_name(name)
        before = check_file(path, shown, self._settings.max_upload_mb)
        info = self.inspect(path, name=name, report=report, stop=stop)
        content_hash = info.content_hash
        given = {"name": shown, "source_url": source_url}
        with _room_or_reason():
            stored = self._known(content_hash, given)
            if stored is None:
                source = f"source{stored_suffix(path.name, name)}"
                self._keep(path, before, content_hash, {**given, "file": source}, stop)
                stored = self._known(content_hash, given)
                self.evict()  # something new has come in; what is new stays
        if stored is None:
            raise VideoOpenError(f"“{shown}” could not be kept; open it again.")
        info = replace(info, path=stored)
        self._probed[content_hash] = info
        return StoredVideo(info, source_url)

    def get(self, content_hash: str) -> StoredVideo | None:
        """The entry for a hash, and a sign that it is still in use; None if it is not there."""
        meta = self._read_meta(content_hash) if _HASH.fullmatch(content_hash) else None
        if meta is None:
            return None
        self._touch(content_hash)
        path = self._root / content_hash / meta["file"]
        info = self._probed.get(content_hash)
        if info is None or info.path != path:
            from models.video.probe import probe

            try:
                info = probe(path, content_hash=content_hash)
            except VideoOpenError:  # evicted just now
                return None
            self._probed[content_hash] = info
        info = replace(info, name=meta["name"] or NAMELESS, content_hash=content_hash)
        return StoredVideo(info, meta["source_url"])

    def playable(
        self, stored: StoredVideo, report: Report = ignore_progress, stop: Stop = never_stop
    ) -> Path:
        """A file that a browser plays: the stored one, or its conversion, made once."""
        from models.video.transcode import browser_plays, to_playable

        if self._read_meta(stored.info.content_hash) is None:
            raise VideoOpenError(f"“{stored.info.name}” is no longer kept here; open it again.")
        self._touch(stored.info.content_hash)
        if browser_plays(stored.info.path):
            return stored.info.path
        entry = self._root / stored.info.content_hash
        target = entry / PLAYABLE
        if target.is_file():
            return target
        stage = "Converting for the browser"
        report(Progress(stage))

        def share_done(share: float) -> None:
            report(Progress(stage, share))

        with _room_or_reason(), long_lock(entry / CONVERTING, stop), Scratch(self._root) as scratch:
            if target.is_file():  # another process was faster
                return target
            made = scratch.path / PLAYABLE
            to_playable(stored.info.path, made, report=share_done, stop=stop)
            made.chmod(0o600)
            made.rename(target)
        return target

    def evict(self) -> None:
        """Removes entries not used for `file_age_s`, then the least recently used over the cap."""
        if not self._root.is_dir():
            return
        sweep(self._root)
        now = time.time()
        entries = sorted(self._entries())
        excess = sum(size for _, size, _ in entries) - self._settings.media_cache_mb * 1_000_000
        for used, size, entry in entries:
            idle_s = now - used
            if idle_s > RECENT_S and (idle_s > self._settings.file_age_s or excess > 0):
                excess -= size if self._remove(entry) else 0

    def _known(self, content_hash: str, given: dict[str, Any]) -> Path | None:
        """The stored file if this content is here already.

        A name or address that two people do not share is from then on shown to neither of them.
        """
        private_folder(self._root)
        entry = self._root / content_hash
        with self._one_at_a_time():
            known = self._read_meta(content_hash)
            if known is None:
                return None
            both = {key: value if value == known[key] else None for key, value in given.items()}
            _write_json(entry / META, {**known, **both})
            return entry / str(known["file"])

    def _keep(
        self,
        path: Path,
        before: os.stat_result,
        content_hash: str,
        meta: dict[str, Any],
        stop: Stop,
    ) -> None:
        with Scratch(self._root) as scratch:
            new = scratch.path / content_hash
            new.mkdir(mode=0o700)
            source = new / str(meta["file"])
            _link_or_copy(path.resolve(), source, stop)
            size, modified_ns = _identity(source.stat())
            if _identity(path.stat()) != _identity(before) or size != before.st_size:
                raise VideoOpenError(f"“{meta['name']}” changed while it was read; try it again.")
            meta = {**meta, "size": size, "modified_ns": modified_ns, "created": time.time()}
            _write_json(new / META, meta)
            with self._one_at_a_time():
                if self._read_meta(content_hash) is None:  # else another process was faster
                    self._discard(self._root / content_hash)
                    new.rename(self._root / content_hash)

    def _read_meta(self, content_hash: str) -> dict[str, Any] | None:
        """None unless the stored file is still what it was when it was hashed.

        A hard link shares its content with the file it came from, which its owner may change.
        """
        entry = self._root / content_hash
        try:
            meta: dict[str, Any] = json.loads((entry / META).read_text("utf-8"))
            same = _identity((entry / meta["file"]).stat()) == (meta["size"], meta["modified_ns"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return meta if same and {"name", "source_url"} <= meta.keys() else None

    def _touch(self, content_hash: str) -> None:
        with suppress(FileNotFoundError):
            os.utime(self._root / content_hash / META)

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        for entry in self._root.iterdir():
            if not _HASH.fullmatch(entry.name):
                continue
            with suppress(FileNotFoundError):  # removed by another process meanwhile
                size = sum(file.stat().st_size for file in entry.iterdir())
                meta = entry / META
                yield (meta if meta.exists() else entry).stat().st_mtime, size, entry

    def _remove(self, entry: Path) -> bool:
        with self._one_at_a_time():
            with suppress(FileNotFoundError):
                if time.time() - (entry / META).stat().st_mtime <= RECENT_S:
                    return False
            if is_locked(entry / CONVERTING):
                return False
            return self._discard(entry)

    def _discard(self, entry: Path) -> bool:
        """Out of sight by one rename, then deleted."""
        if not entry.exists():
            return False
        with Scratch(self._root) as scratch:
            entry.rename(scratch.path / entry.name)
        self._probed.pop(entry.name, None)
        return True

    def _one_at_a_time(self) -> AbstractContextManager[None]:
        """Held only around renames and small files, by any thread of any process."""
        return brief_lock(self._root / ".lock")


@contextmanager
def _room_or_reason() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise VideoTooLargeError(
                "There is no room left here to keep this video; try again later or a smaller one."
            ) from error
        raise


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _hash_file(path: Path, size: int, report: Report, stop: Stop) -> str:
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        # No further than the size it had: a file that keeps growing would never end.
        while block := file.read(min(_BLOCK_BYTES, size - done)):
            check_stop(stop)
            digest.update(block)
            done += len(block)
            report(Progress("Reading the file", done / size))
    return digest.hexdigest()


def _link_or_copy(source: Path, target: Path, stop: Stop) -> None:
    """A link costs nothing. Its mode stays as its owner set it: the folder keeps it private."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or a file of someone else
        _copy(source, target, stop)


def _copy(source: Path, target: Path, stop: Stop) -> None:
    with source.open("rb") as read, target.open("xb") as write:
        target.chmod(0o600)
        while block := read.read(_BLOCK_BYTES):
            check_stop(stop)
            write.write(block)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as file:
        unfinished.chmod(0o600)
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
