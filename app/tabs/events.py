"""What nearly every event of the page has in common."""

from typing import Any

# Progress is shown on the timeline, and programs call what is named for them and nothing else.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# A second press while the first is still being answered does nothing.
ONCE: dict[str, Any] = {**QUIET, "trigger_mode": "once"}
# Long work yields about this often: often enough to stop at once, seldom enough to be cheap.
UPDATE_EVERY_S = 0.15


def after_saying(words: str) -> dict[str, Any]:
    """Shows `words` at once, before the server has answered; inputs are passed on as they are."""
    return {"js": f"(...inputs) => {{ window.framescry.starting('{words}'); return inputs; }}"}


def in_browser(script: str) -> dict[str, Any]:
    """An event that never reaches the server."""
    return {"fn": None, "js": f"() => window.framescry.{script}", "api_visibility": "private"}
