"""The rehearsal of a Space: a new environment of the requirements alone, the files that would be
pushed, a Space's environment, and every tab asked once. Writes a log.

    python -m benchmarks.space_rehearsal [--python PYTHON3.12] [--environment VENV] [--log FILE]

Without --environment one is made (some 6 GB are fetched). Says how long it is from the start to the
first page, what memory it takes then, with the shipped models loaded, and after each tab; whether
the limits for visitors hold; and that it asks nothing of other machines.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.space.files import LARGEST_BYTES, ROOT, commit_of, files_of_space
from benchmarks.space_process import SpaceProcess, put_together, running_space
from models.device import allowed_cores
from models.errors import UserFacingError

TABS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("summarize", {}),
    ("search", {"query": "a person walks"}),
    ("recognize", {}),
    ("triggers", {"triggers": "a person @ 0.3\nchange of scene"}),
)
OLD_S = 20  # for how long the second run keeps files, to see them go


class Log:
    """To the screen and to a file."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def say(self, text: str) -> None:
        print(text, flush=True)
        print(text, file=self._file, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help="3.12 where there is one, else this one")
    parser.add_argument("--environment", type=Path, help="one made before")
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout")
    parser.add_argument("--log", type=Path, default=Path(".cache/space_rehearsal.log"))
    options = parser.parse_args()
    options.log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, options.log.open("w") as file:
        folder, log = Path(name), Log(file)
        program = put_together(folder, options.root)
        _say_files(options.root, log)
        python = _environment(options, program, folder, log)
        with running_space(program, folder / "first", python) as space:
            _measure(space, log)
            _try_limits(space, folder, log)
            _say_network(space, log)
        settings = {"HF_HUB_OFFLINE": "1", "FRAMESCRY_FILE_AGE_S": str(OLD_S)}
        with running_space(program, folder / "second", python, settings) as space:
            log.say(f"started again with HF_HUB_OFFLINE=1: the first page after {space.up_s:.1f} s")
            _see_files_go(space, log)
            _say_network(space, log)


def _say_files(root: Path, log: Log) -> None:
    files = files_of_space(root)
    largest = max(files, key=lambda file: file.size)
    log.say(
        f"commit {commit_of(root)}: {len(files)} files, {sum(f.size for f in files) / 1e6:.1f} MB; "
        f"the largest {largest.path}, {largest.size / 1e6:.1f} of {LARGEST_BYTES / 1e6:.0f} MB"
    )


def _environment(options: argparse.Namespace, program: Path, folder: Path, log: Log) -> str:
    """The Python of an environment that has the requirements and nothing else."""
    made: Path = options.environment or folder / "environment"
    if options.environment is None:
        python = options.python or shutil.which("python3.12") or sys.executable
        started = time.perf_counter()
        subprocess.run([python, "-m", "venv", str(made)], check=True)
        required = ["--requirement", str(program / "requirements.txt")]
        install = [str(made / "bin/python"), "-m", "pip", "install", "--quiet", *required]
        subprocess.run(install, check=True)
        log.say(f"environment made in {time.perf_counter() - started:.0f} s")
    python = str(made / "bin/python")
    said = subprocess.run([python, "-VV"], capture_output=True, text=True, check=True).stdout
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    ).stdout.split()
    log.say(f"{said.split(' (')[0]}, {len(listed)} packages")
    for name in ("pytest", "playwright", "ruff", "mypy"):
        if any(line.startswith(f"{name}==") for line in listed):
            log.say(f"  {name} is there, which a Space would not have")
    return python


def _measure(space: SpaceProcess, log: Log) -> None:
    log.say(f"load of this machine {os.getloadavg()[0]:.1f}, {allowed_cores()} cores")
    up_cpu_s = _cpu_s(space)
    log.say(
        f"first page (HTTP 200) after {space.up_s:.1f} s, {up_cpu_s:.1f} s of a core, "
        f"{space.memory_mb():.0f} MB"
    )
    memory, seconds = space.settled_mb()
    log.say(
        f"shipped models loaded {seconds:.1f} s later, {_cpu_s(space) - up_cpu_s:.1f} s of a core, "
        f"{memory:.0f} MB"
    )
    client = Client(space.url, verbose=False)
    for turn in ("first", "second"):
        for tab, options in TABS:
            started, before_s = time.perf_counter(), _cpu_s(space)
            client.predict(video=handle_file(_video()), api_name=f"/{tab}", **options)
            seconds, cores_s = time.perf_counter() - started, _cpu_s(space) - before_s
            log.say(
                f"{turn} {tab}: {seconds:.2f} s, {cores_s:.2f} s of a core, "
                f"{space.memory_mb():.0f} MB"
            )


def _cpu_s(space: SpaceProcess) -> float:
    """What it worked so far, which other programs beside it hardly change."""
    spent = space.process.cpu_times()
    return float(spent.user + spent.system)


def _try_limits(space: SpaceProcess, folder: Path, log: Log) -> None:
    log.say(f"an upload of 330 MB: {_refusal(lambda: _upload(space, 330))}")
    client = Client(space.url, verbose=False)
    long = _long_video(folder / "long.mp4", seconds=1900)

    def ask(path: str) -> Any:
        return client.predict(video=handle_file(path), api_name="/recognize")

    log.say(f"a video of {1900 / 60:.0f} minutes: {_refusal(lambda: ask(str(long)))}")

    def ask_often() -> None:
        for _ in range(200):
            ask(_video())

    log.say(f"asked over and over: {_refusal(ask_often)}")


def _say_network(space: SpaceProcess, log: Log) -> None:
    out = space.went_out()
    log.say(f"asked of other machines: {', '.join(sorted(set(out))) or 'nothing'}")


def _see_files_go(space: SpaceProcess, log: Log) -> None:
    client = Client(space.url, verbose=False)
    client.predict(video=handle_file(_video()), api_name="/summarize")
    kept = _files_in(space.data_dir)
    started = time.perf_counter()
    # What somebody may still be looking at stays for minutes, however short files are kept.
    while time.perf_counter() - started < 420 and len(_files_in(space.data_dir)) > 0:
        time.sleep(1)
    left = _files_in(space.data_dir)
    log.say(
        f"of {len(kept)} files kept of a video {len(left)} are left after "
        f"{time.perf_counter() - started:.0f} s in which nobody asked"
        + "".join(f"; {path.relative_to(space.data_dir)}" for path in left)
    )


def _files_in(folder: Path) -> list[Path]:
    hidden = (".lock", ".locks")
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part in hidden for part in path.parts)
    ]


def _refusal(ask: Callable[[], Any]) -> str:
    try:
        ask()
    except urllib.error.HTTPError as error:
        return f"refused with {error.code}"
    except urllib.error.URLError as error:  # it stops listening before all is sent
        return f"cut off ({error.reason})"
    except (AppError, UserFacingError, ValueError) as error:
        return f"refused: {error}"
    return "NOT REFUSED"


def _upload(space: SpaceProcess, megabytes: int) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'

    def parts() -> Iterator[bytes]:
        yield head
        for _ in range(megabytes):
            yield b"0" * 1_000_000
        yield b"\r\n--x--\r\n"

    length = len(head) + megabytes * 1_000_000 + len(b"\r\n--x--\r\n")
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(length)}
    urllib.request.urlopen(
        urllib.request.Request(f"{space.url}gradio_api/upload", parts(), headers)
    )


def _video() -> str:
    """A video that is installed with Gradio."""
    from importlib.resources import files

    root = Path(str(files("gradio"))) / "media_assets"
    return str(sorted(root.rglob("world.mp4"))[0])


def _long_video(path: Path, seconds: int) -> Path:
    """Grey, one small frame a second."""
    import av
    import numpy as np

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=1, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = np.full((64, 64, 3), 128, np.uint8)
        for _ in range(seconds):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode())
    return path


if __name__ == "__main__":
    main()
