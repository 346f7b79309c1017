"""What is refused before any work starts, in the words to show."""

import os
import stat
from pathlib import Path

from models.errors import VideoOpenError, VideoTooLargeError, VideoTooLongError
from models.types import VideoInfo


def check_file(path: Path, name: str, limit_mb: int) -> os.stat_result:
    """Looks at a file without opening it: a pipe or a device would wait for ever.

    Raises:
        VideoOpenError, VideoTooLargeError: it is no file that can be read, or over the limit.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        raise VideoOpenError(f"There is no file “{name}” that can be read.") from None
    if stat.S_ISDIR(found.st_mode):
        raise VideoOpenError(f"“{name}” is a folder; choose a video file.")
    if not stat.S_ISREG(found.st_mode):
        raise VideoOpenError(f"“{name}” is not a regular file; choose a video file.")
    if found.st_size == 0:
        raise VideoOpenError(f"“{name}” is empty; choose a video file.")
    if found.st_size > limit_mb * 1_000_000:
        raise VideoTooLargeError(
            f"“{name}” has {found.st_size / 1e6:,.0f} MB, and at most {limit_mb:,} MB can be "
            "opened; shorten it or save it smaller."
        )
    if not os.access(path, os.R_OK):
        raise VideoOpenError(f"“{name}” may not be read; check its permissions.")
    return found


def check_length(video: VideoInfo, limit_s: float) -> None:
    if video.duration_s > limit_s:
        raise VideoTooLongError(
            f"“{video.name}” runs for {spoken_length(video.duration_s)}, and at most "
            f"{spoken_length(limit_s)} can be opened; cut it and try again."
        )


def spoken_length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
