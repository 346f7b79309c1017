"""Contenders in processes of their own, so that none warms or burdens another."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any


def run_child(module: str, *arguments: str) -> dict[str, Any]:
    """Runs `python -m module --child ...` and reads what it printed, a JSON object."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--child", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cpu_s(who: int = resource.RUSAGE_SELF) -> float:
    """Seconds of processor time so far, of all threads."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def own_peak_mb() -> float:
    """ru_maxrss would count what the parent held when this process was forked from it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
