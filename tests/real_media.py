"""Real videos that tests may use: those in the gradio wheel, and the shared ones where present."""

from importlib.resources import files
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "media"


def gradio_media(name: str) -> Path:
    """A file of gradio's own; it is installed wherever the application is."""
    root = Path(str(files("gradio"))) / "media_assets"
    found = sorted(root.rglob(name))
    assert found, f"gradio no longer ships {name}"
    return found[0]


def shared_media() -> list[Path]:
    """Every shared video; skips the test where there are none."""
    if not SHARED.is_dir():
        pytest.skip("the shared videos are not on this machine")
    return sorted(path for path in SHARED.iterdir() if path.suffix != ".md")


def shared_video(name: str) -> Path:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine")
    return path
