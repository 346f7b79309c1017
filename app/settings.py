"""Everything the environment can set, in one place. Names in the environment: FRAMESCRY_<FIELD>."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

_OWN_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits, folders and switches. Every field can be set as FRAMESCRY_<FIELD IN CAPITALS>."""

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
    # Models that nobody uses leave memory beyond these; 0: no such limit.
    models_mb: int = 0
    free_memory_mb: int = 500
    mcp: bool = True
    # Whether videos are kept searchable all at once: only where nobody else sees the page, unless
    # set.
    library: bool = True
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
        host = os.environ.get("GRADIO_SERVER_NAME", values.get("host", cls().host))
        values.setdefault("library", "SPACE_ID" not in os.environ and host in _OWN_HOSTS)
        return cls(**values)


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
