"""What is done beside answering: old files go, whoever asks or not, and models are loaded early."""

import importlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from app.files import drop_older
from app.scratch import sweep
from app.services import Services
from models import registry
from models.errors import UserFacingError

log = logging.getLogger(__name__)

TIDY_EVERY_S = 300.0
# What the first question would otherwise wait for.
_IMPORTED_EARLY = (
    "cv2",
    "models.video.source",
    "models.video.transcode",
    "app.pipelines.summarize",
    "app.pipelines.search",
    "app.pipelines.recognize",
    "app.pipelines.analyze_triggers",
)


def look_after(services: Services) -> None:
    """Starts both, in threads that end with the process; returns at once.

    Called once the page is up: loading would slow it down.
    """
    _start(keep_tidy, services)
    if services.settings.preload:
        _start(preload, shipped_models())


def _start(work: Callable[[Any], None], given: object) -> None:
    threading.Thread(target=work, args=(given,), daemon=True, name=work.__name__).start()


def keep_tidy(services: Services) -> None:
    while True:
        try:
            tidy(services)
        except OSError as error:
            log.warning("Old files could not be removed: %s", error)
        time.sleep(min(TIDY_EVERY_S, max(1.0, services.settings.file_age_s / 4)))


def tidy(services: Services) -> None:
    """Removes what is older than files are kept, and what processes that died have left.

    Where there is a library, indexes stay as long as there is room: it searches them.
    """
    settings = services.settings
    services.media.evict()
    services.files.drop_old()
    services.indexes.evict(unread_s=None if settings.library else settings.file_age_s)
    drop_older(settings.data_dir / "uploads", settings.file_age_s)
    sweep(settings.data_dir / "downloads")


def shipped_models() -> tuple[str, ...]:
    return tuple(name for name, entry in registry.MODELS.items() if entry.hub is None)


def preload(names: Sequence[str]) -> None:
    """One that cannot be loaded says so when somebody chooses it."""
    started = time.monotonic()
    for module in _IMPORTED_EARLY:
        importlib.import_module(module)
    for name in names:
        try:
            registry.load(name)
        except UserFacingError as error:
            log.warning("%s was not loaded early: %s", name, error)
    log.info("%d models loaded in %.1f s", len(names), time.monotonic() - started)
