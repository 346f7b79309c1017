"""Settings come from the environment and say which variable is wrong."""

from pathlib import Path

import pytest

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
