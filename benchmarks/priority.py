"""Keeps this process an ordinary one while it makes videos."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keep_priority() -> Iterator[None]:
    """Puts the thread's scheduling back as it was.

    For root, the AV1 encoder raises the thread that calls it to the highest real-time priority, and
    every process started from it afterwards inherits that: two of them starve all others.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)
