"""Results as files to take along: each in a folder that only who asked for it knows."""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.action_results import ActionResult
from app.progress import Done, Progress, Report, Stop, run_reporting
from app.results import SearchResult, SummaryResult
from app.scratch import private_folder
from app.settings import Settings
from app.sources.names import file_stem
from app.trigger_results import TriggerResult
from app.wording import clock
from models.types import Shot, VideoInfo

EXPORT_ENDINGS = {
    "json": ".json",
    "csv": ".csv",
    "vtt": ".chapters.vtt",
    "edl": ".edl",
    "fcpxml": ".fcpxml",
    "plot": ".importance.png",
    "sheet": ".moments.jpg",
    "zip": ".keyframes.zip",
    "cut": ".cut.mp4",
}
SEARCH_ENDINGS = {"json": ".search.json", "csv": ".search.csv", "vtt": ".search.vtt"}
ACTION_ENDINGS = {"json": ".actions.json", "csv": ".actions.csv", "vtt": ".actions.vtt"}
TRIGGER_ENDINGS = {
    "json": ".triggers.json",
    "published": ".analysis.json",
    "csv": ".triggers.csv",
    "vtt": ".triggers.vtt",
}
REPORT_ENDING = ".report.wav"
SmallFileOf = SummaryResult | SearchResult | ActionResult | TriggerResult


class ResultFiles:
    """Writes them, and removes those that were written longer ago than files are kept."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def write(self, kind: str, result: SmallFileOf) -> Path:
        """Writes one of the small files, for download; of all but a summary json, csv, vtt."""
        target = self._new_file(result.video, _endings(result)[kind])
        return _writer(kind, result)(result, target)

    def write_moment(self, video: VideoInfo, span: Shot) -> Iterator[Progress | Done[Path]]:
        """The span as a video of its own, with its sound."""

        def work(report: Report, stop: Stop) -> Path:
            from app.export.cut import cut

            at = clock(span.start_s).replace(":", "-")
            target = self._new_file(video, f".{at}.mp4")
            return cut(video, [span], target, report=report, stop=stop)

        return run_reporting(work)

    def write_slowly(self, kind: str, result: SummaryResult) -> Iterator[Progress | Done[Path]]:
        """Writes one of the files that go back to the video: the keyframes' `zip`, or the `cut`."""

        def work(report: Report, stop: Stop) -> Path:
            target = self._new_file(result.video, EXPORT_ENDINGS[kind])
            if kind == "zip":
                from app.export.pictures import write_zip

                return write_zip(result, target, report=report, stop=stop)
            from app.export.cut import cut

            spans = [shot.span for shot in result.shots if shot.chosen]
            return cut(result.video, spans, target, report=report, stop=stop)

        return run_reporting(work)

    def write_frames(self, result: SummaryResult, folder: Path) -> Iterator[Progress | Done[Path]]:
        """The keyframes at the size of the video, as files in `folder`."""

        def work(report: Report, stop: Stop) -> Path:
            from app.export.pictures import write_folder

            return write_folder(result, folder, report=report, stop=stop)

        return run_reporting(work)

    def write_speech(
        self, video: VideoInfo, text: str, voice: str | None, words_a_minute: int | None
    ) -> Path:
        """The text as a WAV file.

        Raises:
            SpeechError: it could not be spoken.
        """
        from models.speech import speak

        target = self._new_file(video, REPORT_ENDING)
        return speak(text, target, voice, words_a_minute)

    def drop_old(self) -> None:
        """Removes downloads that were written longer ago than they are kept."""
        drop_older(self._settings.export_dir, self._settings.file_age_s)

    def _new_file(self, video: VideoInfo, ending: str) -> Path:
        """A new folder each time: whoever does not know its name cannot ask for the file."""
        self.drop_old()
        folder = self._settings.export_dir / secrets.token_hex(16)
        private_folder(folder)
        return folder / f"{file_stem(video.name)}{ending}"


def drop_older(folder: Path, age_s: float) -> None:
    """Removes what in it was written longer ago, folders and files."""
    for old in folder.glob("*"):
        with suppress(FileNotFoundError):  # another request removed it
            if time.time() - old.stat().st_mtime <= age_s:
                continue
            if old.is_dir():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink()


def _endings(result: SmallFileOf) -> dict[str, str]:
    if isinstance(result, ActionResult):
        return ACTION_ENDINGS
    if isinstance(result, TriggerResult):
        return TRIGGER_ENDINGS
    return SEARCH_ENDINGS if isinstance(result, SearchResult) else EXPORT_ENDINGS


def _writer(kind: str, result: SmallFileOf) -> Callable[[Any, Path], Path]:
    """Imported when asked for: drawing alone takes longer to import than the page to answer."""
    if isinstance(result, ActionResult) and kind != "json":
        from app.export import action_documents

        return {"csv": action_documents.write_csv, "vtt": action_documents.write_vtt}[kind]
    if isinstance(result, TriggerResult) and kind != "json":
        from app.export import trigger_documents

        return {
            "published": trigger_documents.write_published,
            "csv": trigger_documents.write_csv,
            "vtt": trigger_documents.write_vtt,
        }[kind]
    if kind in ("plot", "sheet"):
        from app import render

        return render.save_plot if kind == "plot" else render.contact_sheet
    from app.export import documents, editing

    return {
        "json": documents.write_json,
        "csv": documents.write_csv,
        "vtt": documents.write_vtt,
        "edl": editing.write_edl,
        "fcpxml": editing.write_fcpxml,
    }[kind]
