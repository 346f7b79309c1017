"""Which loaded models stay in memory: shared while they are wanted, let go when memory gets short.

Whoever holds a model uses it, so nothing has to be handed back: a model is let go by forgetting it
here, and it leaves memory at once where nobody holds it, else when its last user is done. Those
that were asked for longest ago go first. Each model is loaded by itself: waiting for one is never
waiting for another.
"""

import gc
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Report = Callable[[str, float | None], None]
WAIT_S = 0.5
# Letting a smaller model go brings back nothing that anybody would notice.
WORTH_MB = 50.0
_CGROUP = Path("/sys/fs/cgroup")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`most_mb`: of all models together; `free_mb`: what stays free of the machine's memory, and of
    the GPU's. None: no such limit."""

    most_mb: float | None = None
    free_mb: float | None = None


def free_memory_mb() -> float:
    """Of the machine or of the container, whichever has less."""
    import psutil

    free = psutil.virtual_memory().available / 2**20
    allowed = _container_free_mb()
    return free if allowed is None else min(free, allowed)


def _container_free_mb() -> float | None:
    try:
        most = (_CGROUP / "memory.max").read_text().strip()
        if most == "max":
            return None
        used = int((_CGROUP / "memory.current").read_text())
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    # What was read from disk is kept as long as nobody needs the place.
    kept = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    return (int(most) - used + kept) / 2**20


def free_gpu_mb() -> float | None:
    """None where no network was put on a GPU by this process: asking would open it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    torch.cuda.empty_cache()  # what it keeps for itself counts as used
    return float(torch.cuda.mem_get_info()[0] / 2**20)


@dataclass(slots=True)
class _Seat:
    """One name's model. `model` holds it; `seen` finds it while anybody else does."""

    loading: threading.Lock = field(default_factory=threading.Lock)
    model: Any = None
    seen: Callable[[], Any] = lambda: None
    stamp: object = None
    megabytes: float = 0.0
    used_s: float = 0.0

    def put(self, model: Any, stamp: object, megabytes: float) -> None:
        self.model, self.stamp, self.megabytes = model, stamp, megabytes
        try:
            self.seen = weakref.ref(model)
        except TypeError:  # it cannot be watched, so it stays
            self.seen = lambda: model

    def taken(self, stamp: object) -> Any:
        """The model, held again, if it is still there and made of what `stamp` says."""
        found = self.seen()
        if found is None or self.stamp != stamp:
            return None
        self.model, self.used_s = found, time.monotonic()
        return found


class Residents:
    """The models that are loaded, by name."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - it cannot be changed
        free_mb: Callable[[], float] = free_memory_mb,
        gpu_mb: Callable[[], float | None] = free_gpu_mb,
    ) -> None:
        self.limits = limits
        self._free_mb = free_mb
        self._gpu_mb = gpu_mb
        self._seats: dict[str, _Seat] = {}
        self._guard = threading.Lock()  # held for moments only, never while a model is loaded

    def get(
        self,
        name: str,
        build: Callable[[], Any],
        *,
        megabytes: float = 0.0,
        stamp: object = None,
        report: Report = lambda _words, _share: None,
    ) -> Any:
        """The model, built where it is not there; by one of those who ask, the others wait.

        `megabytes`: about what it will take. `stamp`: of what it is built from; one that was built
        from something else is not given. `report` may raise to stop waiting.
        """
        with self._guard:
            seat = self._seats.setdefault(name, _Seat())
            found = seat.taken(stamp)
        if found is not None:
            return found
        while not seat.loading.acquire(timeout=WAIT_S):
            report(f"Waiting for {name}, which is being loaded", None)
        try:
            with self._guard:
                found = seat.taken(stamp)
            if found is None:
                self.make_room(megabytes)
                found = build()
                with self._guard:
                    seat.put(found, stamp, megabytes)
                    seat.taken(stamp)
            return found
        finally:
            seat.loading.release()

    def put(self, name: str, model: Any, *, megabytes: float = 0.0, stamp: object = None) -> None:
        """A model that was built elsewhere."""
        with self._guard:
            seat = self._seats.setdefault(name, _Seat())
            seat.put(model, stamp, megabytes)
            seat.taken(stamp)

    def names(self) -> tuple[str, ...]:
        """Those that are in memory, also while only a user still holds them."""
        with self._guard:
            return tuple(name for name, seat in self._seats.items() if seat.seen() is not None)

    def is_loading(self, name: str) -> bool:
        seat = self._seats.get(name)
        return seat is not None and seat.loading.locked()

    def let_go(self, name: str) -> None:
        """It leaves memory when nobody uses it any more."""
        with self._guard:
            if name in self._seats:
                self._seats[name].model = None

    def make_room(self, wanted_mb: float) -> tuple[str, ...]:
        """Lets go what is needed for so much more, and no more than that; gives their names."""
        gone = []
        for name in self._in_order():
            short = self._short_of(wanted_mb)
            if short is None:
                break
            with self._guard:
                seat = self._seats[name]
                model, seat.model = seat.model, None
                del model
                is_in_use = seat.seen() is not None
            if is_in_use:
                is_in_use = self._still_used(seat)
            if not is_in_use:
                _log.info("%s left memory, which is short of %s", name, short)
                gone.append(name)
        return tuple(gone)

    def _still_used(self, seat: _Seat) -> bool:
        """Networks may hold themselves in circles; whoever else holds one keeps it."""
        gc.collect()
        with self._guard:
            if seat.seen() is None:
                return False
            seat.model = seat.seen()
            return True

    def _in_order(self) -> list[str]:
        with self._guard:
            held = [
                (seat.used_s, name)
                for name, seat in self._seats.items()
                if seat.model is not None and seat.megabytes >= WORTH_MB
            ]
        return [name for _, name in sorted(held)]

    def _short_of(self, wanted_mb: float) -> str | None:
        """What there is not enough of for so much more, in words."""
        most, free = self.limits.most_mb, self.limits.free_mb
        if most is not None and self.megabytes() + wanted_mb > most:
            return f"room for models ({most:,.0f} MB)"
        if free is None:
            return None
        if self._free_mb() - wanted_mb < free:
            return "memory"
        gpu = self._gpu_mb()
        return "the GPU's memory" if gpu is not None and gpu - wanted_mb < free else None

    def megabytes(self) -> float:
        """Of everything that is in memory."""
        with self._guard:
            seats = [seat for seat in self._seats.values() if seat.seen() is not None]
        return sum(seat.megabytes for seat in seats)
