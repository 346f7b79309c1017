"""How fast the work goes and what it costs, measured where it is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from app.results import Performance


@dataclass(slots=True)
class Meter:
    """Counts seconds of each kind of work; `reading` is the panel of this moment."""

    download_mb: float | None = None
    download_s: float | None = None
    decode_s: float = 0.0
    encode_s: float = 0.0
    select_s: float = 0.0
    frames: int = 0
    video_s: float = 0.0
    first_result_s: float | None = None
    from_index: bool = False
    _started: float = field(default_factory=time.perf_counter)
    _process: psutil.Process = field(default_factory=psutil.Process)
    _cpu_before_s: float = 0.0

    def __post_init__(self) -> None:
        self._cpu_before_s = self._cpu_s()

    def _cpu_s(self) -> float:
        spent = self._process.cpu_times()
        return float(spent.user + spent.system)

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._started

    @contextmanager
    def encoding(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.encode_s += time.perf_counter() - started

    @contextmanager
    def selecting(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.select_s += time.perf_counter() - started
        if self.first_result_s is None:
            self.first_result_s = self.elapsed_s

    def reading(self) -> Performance:
        total_s = self.elapsed_s
        return Performance(
            download_mb_per_s=(
                self.download_mb / self.download_s if self.download_mb and self.download_s else None
            ),
            download_s=self.download_s,
            decode_s=self.decode_s,
            encode_s=self.encode_s,
            select_s=self.select_s,
            total_s=total_s,
            first_result_s=self.first_result_s,
            frames_processed=self.frames,
            frames_per_s=self.frames / total_s if total_s else 0.0,
            times_real_time=self.video_s / total_s if total_s else 0.0,
            cpu_percent=100 * (self._cpu_s() - self._cpu_before_s) / total_s if total_s else 0.0,
            memory_mb=self._process.memory_info().rss / 2**20,
            from_index=self.from_index,
        )
