"""How often each visitor may ask for what is costly, where anybody may come."""

import threading
import time
from collections import deque
from collections.abc import Callable

from models.errors import UserFacingError

HOUR_S = 3600.0
_MOST_KEPT = 10_000


class TooOftenError(UserFacingError):
    """Somebody asks more often than there is room for."""


class Visitors:
    """Counts what each of them asked in the last hour; nothing else is known of them."""

    def __init__(self, an_hour: int, now: Callable[[], float] = time.monotonic) -> None:
        """`an_hour`: 0 is no limit."""
        self._an_hour = an_hour
        self._now = now
        self._lock = threading.Lock()
        self._asked: dict[str, deque[float]] = {}

    def admit(self, who: str) -> None:
        """Counts one more.

        Raises:
            TooOftenError: this one has asked as often as may be.
        """
        if not self._an_hour:
            return
        now = self._now()
        with self._lock:
            times = self._asked.setdefault(who, deque())
            while times and now - times[0] >= HOUR_S:
                times.popleft()
            if len(times) >= self._an_hour:
                minutes = max(1, round((HOUR_S - (now - times[0])) / 60))
                raise TooOftenError(
                    f"Each visitor can ask {self._an_hour} times an hour here, and you have; try "
                    f"again in {minutes} minute{'s' if minutes > 1 else ''}."
                )
            times.append(now)
            if len(self._asked) > _MOST_KEPT:
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Those who have not asked for an hour, and at least a tenth, longest silent first."""
        silent = sorted(self._asked, key=lambda who: self._asked[who][-1])
        for at, who in enumerate(silent):
            if at >= len(silent) // 10 and now - self._asked[who][-1] < HOUR_S:
                break
            del self._asked[who]
