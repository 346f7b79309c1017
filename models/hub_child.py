"""Has models.hub_worker fetch from the hub: its own process, which can be ended at any moment."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_REPORT_EVERY_S = 0.3
_ENDING_S = 3.0


def asked_of_worker(
    arguments: Sequence[str], words: str, report: Callable[[str, float | None], None]
) -> dict[str, Any]:
    """What the worker said at its end; `report` hears `words` with the share that is done.

    The worker is ended where `report` raises.

    Raises:
        OSError: it did not come to its end.
    """
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "models.hub_worker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_pass_on, args=(child, lines), daemon=True).start()
    share: float | None = None
    try:
        while True:
            report(words, share)
            try:
                line = lines.get(timeout=_REPORT_EVERY_S)
            except queue.Empty:
                continue
            if line is None:
                raise OSError(f"its process ended with {child.wait()}")
            said: dict[str, Any] = json.loads(line)
            if "error" in said:
                raise OSError(said["error"])
            if "total" not in said:
                return said
            share = said["done"] / said["total"]
    finally:
        _end(child)


def _pass_on(child: "subprocess.Popen[bytes]", lines: "queue.SimpleQueue[bytes | None]") -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put(None)


def _environment() -> dict[str, str]:
    """Plain HTTP: the hub's other way of giving files tells twice what arrived, or not at all."""
    root = str(Path(__file__).resolve().parents[1])
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_DISABLE_XET": "1",
    }


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Politely first: it removes what it has half written."""
    child.terminate()
    try:
        child.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
