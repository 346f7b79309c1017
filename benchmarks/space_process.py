"""The application as a Space runs it: only what is pushed, in a Space's environment, watched.

Nothing of it may leave the machine: a `sitecustomize` beside it writes down, and refuses, every
connection and every look-up of a name that does not stay here.
"""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.space.files import ROOT, copy_files, files_of_space
from benchmarks.start import free_port

UP_WITHIN_S = 180.0
SPACE = "owner/framescry"
HOST = "owner-framescry.hf.space"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
WATCH = """
import os, socket

def _told(what):
    with open(os.environ["REHEARSAL_WENT_OUT"], "a") as file:
        file.write(what + "\\n")
    raise OSError(f"the rehearsal lets nothing out: {what}")

def _stays(host):
    host = host.decode() if isinstance(host, bytes) else host
    return host in (None, "", "localhost", "0.0.0.0", "::", "::1") or str(host).startswith("127.")

_look_up = socket.getaddrinfo
def getaddrinfo(host, *args, **options):
    if not _stays(host):
        _told(f"name {host}")
    return _look_up(host, *args, **options)
socket.getaddrinfo = getaddrinfo

for _name in ("connect", "connect_ex"):
    def _checked(connect):
        def run(self, where):
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _stays(where[0]):
                _told(f"address {where[0]}")
            return connect(self, where)
        return run
    setattr(socket.socket, _name, _checked(getattr(socket.socket, _name)))
"""


@dataclass(frozen=True, slots=True)
class SpaceProcess:
    """`up_s`: from the start of the process to HTTP 200."""

    url: str
    port: int
    process: psutil.Process
    log: Path
    data_dir: Path
    watched: Path
    up_s: float

    def memory_mb(self) -> float:
        """Of it and what it has started, pages that are shared counted once."""
        total = 0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total / 2**20

    def went_out(self) -> list[str]:
        """What it asked of other machines."""
        return self.watched.read_text().splitlines() if self.watched.is_file() else []

    def settled_mb(self, for_s: float = 3.0, at_most_s: float = 60.0) -> tuple[float, float]:
        """The memory once it no longer grows, and the seconds until then."""
        started = changed = time.perf_counter()
        known = self.memory_mb()
        while (now := time.perf_counter()) - changed < for_s and now - started < at_most_s:
            time.sleep(0.2)
            memory = self.memory_mb()
            if abs(memory - known) > 2.0:
                known, changed = memory, time.perf_counter()
        return known, changed - started


def put_together(folder: Path, root: Path = ROOT) -> Path:
    """What would be pushed of a checkout, in a folder of its own, as it is now."""
    program = folder / "space"
    copy_files(files_of_space(root), program, root)
    return program


@contextmanager
def running_space(
    program: Path,
    folder: Path,
    python: str,
    settings: dict[str, str] | None = None,
    entry: Sequence[str] = ("app.py",),
    port: int | None = None,
) -> Iterator[SpaceProcess]:
    """Starts it in `program` and ends it; `folder` takes its home, its log and what is watched."""
    home, watch, log = folder / "home", folder / "watch", folder / "space.log"
    home.mkdir(parents=True, exist_ok=True)
    watch.mkdir(exist_ok=True)
    (watch / "sitecustomize.py").write_text(WATCH)
    port = port or free_port()
    environment = {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "SYSTEM": "spaces",
        "SPACE_ID": SPACE,
        "SPACE_HOST": HOST,
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SSR_MODE": "True",  # as Spaces with Node ask for
        "HOME": str(home),
        "PYTHONPATH": str(watch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "REHEARSAL_WENT_OUT": str(folder / "went-out"),
        **(settings or {}),
    }
    started = time.perf_counter()
    with log.open("ab") as out:
        child = subprocess.Popen(
            [python, "-s", *entry], cwd=program, env=environment, stdout=out, stderr=out
        )
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait(url, child, log)
        yield SpaceProcess(
            url, port, psutil.Process(child.pid), log, home / ".cache" / "framescry",
            folder / "went-out", time.perf_counter() - started,
        )  # fmt: skip
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"it ended with {child.returncode}:\n{log.read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
    raise RuntimeError(f"no page after {UP_WITHIN_S:.0f} s:\n{log.read_text()[-4000:]}")
