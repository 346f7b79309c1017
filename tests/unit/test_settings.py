"""Settings come from the environment and say which variable is wrong."""

import inspect
from pathlib import Path

import gradio as gr
import pytest

from app.demo import launch_options
from app.settings import Settings


def test_every_kind_of_value_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCRY_DATA_DIR", "/somewhere/else")
    monkeypatch.setenv("FRAMESCRY_MAX_UPLOAD_MB", "12")
    monkeypatch.setenv("FRAMESCRY_ANY_SITE", "yes")
    monkeypatch.setenv("FRAMESCRY_MAX_DURATION_S", "90.5")
    settings = Settings.from_environment()
    assert settings.data_dir == Path("/somewhere/else")
    assert settings.index_dir == Path("/somewhere/else/index")
    assert (settings.max_upload_mb, settings.any_site, settings.max_duration_s) == (12, True, 90.5)


@pytest.mark.parametrize(
    ("key", "text"), [("FRAMESCRY_PORT", "many"), ("FRAMESCRY_MCP", "perhaps")]
)
def test_what_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, key: str, text: str) -> None:
    monkeypatch.setenv(key, text)
    with pytest.raises(ValueError, match=f"{key} is .*{text}"):
        Settings.from_environment()


def test_a_space_is_smaller_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    here = Settings.from_environment()
    monkeypatch.setenv("SPACE_ID", "owner/name")
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7861")
    there = Settings.from_environment()
    assert (there.host, there.port) == ("0.0.0.0", 7861)
    assert here.library and not there.library
    assert here.asks_an_hour == here.queue_length == 0 < there.queue_length < there.asks_an_hour
    for limit in ("max_upload_mb", "max_duration_s", "max_download_mb", "file_age_s"):
        assert getattr(there, limit) < getattr(here, limit), limit
    assert there.preload and not here.preload
    monkeypatch.setenv("FRAMESCRY_MAX_DURATION_S", "60")
    monkeypatch.setenv("FRAMESCRY_LIBRARY", "1")
    told = Settings.from_environment()
    assert told.max_duration_s == 60 and told.library and told.asks_an_hour == there.asks_an_hour


def test_gradio_takes_every_option_of_the_launch(tmp_path: Path) -> None:
    options = launch_options(Settings(data_dir=tmp_path, host="0.0.0.0", port=7861))
    inspect.signature(gr.Blocks.launch).bind(None, prevent_thread_lock=True, **options)
    assert (options["server_name"], options["server_port"]) == ("0.0.0.0", 7861)
