"""From `python app.py` to the first page, against an empty Gradio app started in turn with it.

    python -m benchmarks.start [--rounds 5]

Also says which heavy packages were imported by then; there should be none.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "torchvision", "transformers", "timm", "cv2", "matplotlib", "yt_dlp", "openvino")
EMPTY = """
import os, gradio as gr
with gr.Blocks() as demo:
    with gr.Tabs():
        for name in "abcde":
            with gr.Tab(name):
                gr.Markdown(name)
demo.launch(server_name="127.0.0.1", server_port=int(os.environ["FRAMESCRY_PORT"]))
"""
IMPORTED = """
import sys
sys.argv = ["app.py"]
import runpy
runpy.run_path("app.py", run_name="framescry")
print(",".join(name for name in {heavy} if name in sys.modules))
"""


def seconds_to_page(command: list[str], environment: dict[str, str], port: int) -> float:
    """Starts it, waits for HTTP 200, stops it."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended with {process.returncode}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    if answer.status == 200:
                        return time.perf_counter() - started
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.01)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    commands = {"empty": [sys.executable, "-c", EMPTY], "framescry": [sys.executable, "app.py"]}
    took: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as data_dir:
        environment = {
            **os.environ,
            "FRAMESCRY_DATA_DIR": data_dir,
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        for turn in range(rounds + 1):
            for name, command in commands.items():
                port = free_port()
                seconds = seconds_to_page(
                    command, {**environment, "FRAMESCRY_PORT": str(port)}, port
                )
                if turn:  # the first round reads everything from disk
                    took[name].append(seconds)
        imported = subprocess.run(
            [sys.executable, "-c", IMPORTED.format(heavy=HEAVY)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    medians = {name: statistics.median(values) for name, values in took.items()}
    ratios = [a / b for a, b in zip(took["framescry"], took["empty"], strict=True)]
    for name, seconds in medians.items():
        print(f"{name:10} {seconds:.2f} s to the first page (median of {rounds})")
    print(f"ratio      {statistics.median(ratios):.2f} (pairs {min(ratios):.2f}-{max(ratios):.2f})")
    print(f"heavy imports at start: {imported or 'none'}")


if __name__ == "__main__":
    main()
