"""What this machine offers: the accelerator for torch, and how many CPU threads are really free."""

import math
import os
from pathlib import Path

SAMPLE_S = 0.1


def torch_device() -> str:
    """cuda, "mps" or "cpu". Imports torch."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def allowed_cores() -> int:
    """Cores this process may use: by its affinity and the container's quota."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = _container_quota()
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def free_threads(sample_s: float = SAMPLE_S) -> int:
    """Threads for a pool that starts now: the allowed cores less those that others keep busy.

    With one of two cores busy, two spinning threads are slower than one, so a pool is sized from
    what is idle at the moment. Always at least one.
    """
    import psutil

    cores = allowed_cores()
    if cores == 1:
        return 1
    idle = sum(100.0 - busy for busy in psutil.cpu_percent(sample_s, percpu=True)) / 100.0
    return max(1, min(cores, round(idle)))


def _container_quota() -> float | None:
    """Cores of the control group (version 2), or None where there is no limit."""
    try:
        text = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii")
        quota, period = text.split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)
