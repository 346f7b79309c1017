"""What this machine offers: the accelerator for torch, and how many CPU threads are really free.

On a ZeroGPU Space torch says that there is a GPU, but only a process that was lent one has it.
"""

import math
import os
import platform
import sys
import time
from pathlib import Path

SAMPLE_S = 0.1
# A pool is judged anew after a rest long enough to see what others do, but not all the time.
REST_S = 0.5
JUDGE_EVERY_S = 30.0
# Of the drivers of NVIDIA, of AMD, and of both under Windows' Linux.
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")
ZERO_GPU_VARIABLE = "SPACES_ZERO_GPU"
_was_lent_gpu = False


def lends_gpu() -> bool:
    """Whether a GPU is lent here call by call (models.gpu_calls)."""
    return os.environ.get(ZERO_GPU_VARIABLE, "").lower() in ("1", "t", "true")


def has_lent_gpu() -> bool:
    """Whether this process is one that was lent the GPU."""
    return _was_lent_gpu


def take_lent_gpu() -> None:
    """From now on this process, which lives for nothing else, computes on the GPU."""
    global _was_lent_gpu
    _was_lent_gpu = True


def torch_device() -> str:
    """cuda, "mps" or "cpu". Imports torch."""
    if lends_gpu() and not _was_lent_gpu:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def may_have_gpu() -> bool:
    """Whether it is worth asking torch for one, which takes seconds to import."""
    if lends_gpu() and not _was_lent_gpu:
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return any(Path(name).exists() for name in GPU_FILES)


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
    if _was_lent_gpu:  # forked: the pool that torch had before is not there, and it would wait
        return 1
    if allowed_cores() == 1:
        return 1
    before_s, began = _idle_core_s(), time.monotonic()
    time.sleep(sample_s)
    return _threads_for((_idle_core_s() - before_s) / (time.monotonic() - began))


class PoolSize:
    """How many threads a pool that lives long should have.

    It is judged while the pool rests, so that its own work does not count as somebody else's: call
    `begin` before the pool works and `end` after.
    """

    def __init__(self) -> None:
        self.threads = free_threads()
        self._judged_at = time.monotonic()
        self.end()

    def begin(self) -> int:
        now = time.monotonic()
        rest_s = now - self._resting_since
        if rest_s >= REST_S and now - self._judged_at >= JUDGE_EVERY_S:
            self.threads = _threads_for((_idle_core_s() - self._idle_before_s) / rest_s)
            self._judged_at = now
        return self.threads

    def end(self) -> None:
        self._resting_since, self._idle_before_s = time.monotonic(), _idle_core_s()


def _threads_for(idle_cores: float) -> int:
    return max(1, min(allowed_cores(), round(idle_cores)))


def _idle_core_s() -> float:
    """Seconds that cores were idle since the machine started, all cores together."""
    import psutil

    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _container_quota() -> float | None:
    """Cores of the control group (version 2), or None where there is no limit."""
    try:
        text = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii")
        quota, period = text.split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)
