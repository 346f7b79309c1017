"""The key frames themselves, at source size."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from app.export.documents import as_json
from app.progress import Progress, Report, Stop, check_stop
from app.results import Keyframe, SummaryResult
from app.whole_file import whole_file
from models.errors import ExportError
from models.types import Pixels
from models.video.source import VideoSource

JPEG_QUALITY = 92


def write_zip(result: SummaryResult, dst: Path, *, report: Report, stop: Stop) -> Path:
    """One upright JPEG for each keyframe, and summary.json.

    Raises:
        CancelledError: `stop` turned true; nothing is left behind.
        UserFacingError: there is no keyframe, or the video cannot be read.
    """
    with whole_file(dst) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, picture in keyframe_pictures(result, report=report, stop=stop):
            archive.writestr(name, picture)
        archive.writestr("summary.json", as_json(result), compress_type=zipfile.ZIP_DEFLATED)
    return dst


def write_folder(result: SummaryResult, folder: Path, *, report: Report, stop: Stop) -> Path:
    """The same JPEGs as files of a folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"The folder “{folder.name}” cannot be made; choose another one."
        ) from error
    for name, picture in keyframe_pictures(result, report=report, stop=stop):
        with whole_file(folder / name) as file:
            file.write(picture)
    return folder


def keyframe_pictures(
    result: SummaryResult, *, report: Report, stop: Stop
) -> Iterator[tuple[str, bytes]]:
    """(file name, JPEG) of each keyframe, in order of time."""
    keyframes = sorted(result.keyframes, key=lambda keyframe: keyframe.time_s)
    if not keyframes:
        raise ExportError("There are no keyframes to save; summarize the video first.")
    video = result.video
    times_s = [keyframe.time_s for keyframe in keyframes]
    with VideoSource(
        video.path, name=video.name, content_hash=video.content_hash, stop=stop
    ) as source:
        for number, batch in enumerate(source.frames_at(times_s, short_side_px=None)):
            check_stop(stop)
            report(Progress("Saving pictures", number / len(keyframes)))
            if number < len(keyframes):
                yield picture_name(number + 1, keyframes[number]), as_jpeg(batch.pixels[0])
    check_stop(stop)
    report(Progress("Saving pictures", 1.0))


def picture_name(number: int, keyframe: Keyframe) -> str:
    """01_00m42.500s_0.87.jpg: sorts by time, says when and how good."""
    ms = round(max(keyframe.time_s, 0.0) * 1000)
    minutes, ms = divmod(ms, 60_000)
    return f"{number:02d}_{minutes:02d}m{ms // 1000:02d}.{ms % 1000:03d}s_{keyframe.score:.2f}.jpg"


def as_jpeg(pixels: Pixels) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue()
