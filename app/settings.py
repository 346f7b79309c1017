"""Everything the environment can set, in one place. Names in the environment: FRAMESCRY_<FIELD>."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

_OWN_HOSTS = ("127.0.0.1", "localhost", "::1")
# Where anybody may come, and two cores serve them all: shorter, smaller, and gone sooner. The disk
# of a Space is empty after each start, so models are loaded before somebody waits for them.
_ON_A_SPACE: dict[str, Any] = {
    "max_upload_mb": 300,
    "max_duration_s": 1800.0,
    "max_download_mb": 200,
    "max_download_s": 1800.0,
    "index_cache_mb": 2000,
    "media_cache_mb": 8000,
    "file_age_s": 3600,
    "queue_length": 20,
    "asks_an_hour": 60,
    "preload": True,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits, folders and switches. Every field can be set as FRAMESCRY_<FIELD IN CAPITALS>.

    What is not set is as here, and on a Space as in _ON_A_SPACE.
    """

    data_dir: Path = Path.home() / ".cache" / "framescry"
    max_upload_mb: int = 2500
    max_duration_s: float = 4 * 3600.0
    max_download_mb: int = 500
    max_download_s: float = 7200.0
    any_site: bool = False
    allow_private_addresses: bool = False
    index_cache_mb: int = 4000
    media_cache_mb: int = 20000
    file_age_s: int = 86400
    sample_fps: float = 2.0
    concurrency: int = 2
    # How many may wait for their turn, and how often one visitor may ask for what is costly; 0 is
    # no limit.
    queue_length: int = 0
    asks_an_hour: int = 0
    # Whether the shipped models are loaded once the page is up, before somebody asks.
    preload: bool = False
    # Models that nobody uses leave memory beyond these; 0: no such limit.
    models_mb: int = 0
    free_memory_mb: int = 500
    mcp: bool = True
    # Whether videos are kept searchable all at once: only where nobody else sees the page, unless
    # set.
    library: bool = True
    # Whether checkpoints of the hub can be added, likewise.
    add_models: bool = True
    host: str = "127.0.0.1"
    port: int = 7860

    @property
    def index_dir(self) -> Path:
        return self.data_dir / "index"

    @property
    def media_dir(self) -> Path:
        return self.data_dir / "media"

    @property
    def export_dir(self) -> Path:
        return self.data_dir / "exports"

    @classmethod
    def from_environment(cls) -> "Settings":
        """Reads FRAMESCRY_* variables.

        Raises:
            ValueError: a variable cannot be read as its field's type; the message names it.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            key = f"FRAMESCRY_{field.name.upper()}"
            text = os.environ.get(key)
            if text is not None:
                values[field.name] = _parse(key, text, type(getattr(cls(), field.name)))
        # A Space says where to listen in Gradio's words.
        values["host"] = host = os.environ.get("GRADIO_SERVER_NAME", values.get("host", cls().host))
        if "port" not in values and (port := os.environ.get("GRADIO_SERVER_PORT")):
            values["port"] = _parse("GRADIO_SERVER_PORT", port, int)
        for switch in ("library", "add_models"):
            values.setdefault(switch, not on_a_space() and host in _OWN_HOSTS)
        return cls(**{**(_ON_A_SPACE if on_a_space() else {}), **values})


def on_a_space() -> bool:
    return "SPACE_ID" in os.environ


def _parse(key: str, text: str, kind: type) -> Any:
    if kind is bool:
        lowered = text.strip().lower()
        if lowered in ("1", "true", "yes", "on"):
            return True
        if lowered in ("0", "false", "no", "off", ""):
            return False
        raise ValueError(f"{key} is 1 or 0, received {text!r}")
    try:
        return kind(Path(text).expanduser() if kind is not str and issubclass(kind, Path) else text)
    except ValueError:
        raise ValueError(f"{key} is a {kind.__name__}, received {text!r}") from None
