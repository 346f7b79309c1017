"""How many frames a second our backbone encodes on this CPU, beside what the demos used.

    python -m benchmarks.encode [--rounds 5] [--json results.json]

Every contender sits in a process of its own and is asked in turn within each round, on one thread
and then on all that are free; medians are compared. Each encodes batches of 16 pictures of its own
size: that of the checkpoint for ours, 224 for ResNet50 and ViT-B/32, whose weights are random,
which costs the same. Ours includes turning u8 pixels into numbers. The network for OpenVINO comes
from checkpoints/backbone, or from torch once and is kept in .cache/benchmarks.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.children import own_peak_mb
from benchmarks.clips import CACHE

BATCH = 16
MEASURED_S = 1.0
BACKBONE = Path("checkpoints/backbone")
TIMM_NAMES = {"ResNet50": "resnet50", "ViT-B/32": "vit_base_patch32_224"}
TIMM_PX = 224

Encode = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Contender:
    network: str
    engine: str

    @property
    def name(self) -> str:
        return f"{self.network}, {self.engine}"


OURS = Contender("ours", "OpenVINO bf16")
TORCH_FP32 = "torch float32, eager"
CONTENDERS = (
    OURS,
    Contender("ours", "OpenVINO f32"),
    Contender("ours", TORCH_FP32),
    Contender("ours", "torch bf16, channels last"),
    Contender("ResNet50", TORCH_FP32),
    Contender("ResNet50", "OpenVINO bf16"),
    Contender("ViT-B/32", TORCH_FP32),
    Contender("ViT-B/32", "OpenVINO bf16"),
)


def _prepare(contender: Contender, threads: int) -> Encode:
    openvino = contender.engine.startswith("OpenVINO")
    if contender.network == "ours":
        return (_our_graph if openvino else _our_torch)(contender.engine, threads)
    return (_timm_graph if openvino else _timm_torch)(contender.network, threads)


def _our_graph(engine: str, threads: int) -> Encode:
    from models.checkpoint import read_checkpoint, stored_arrays
    from models.engine import compile_graph, infer
    from models.graph import blob_of

    checkpoint = read_checkpoint(BACKBONE)
    if checkpoint.graph is None:
        raise SystemExit(f"{BACKBONE} has no graph: export it again")
    blob = blob_of(stored_arrays(checkpoint), checkpoint.graph.constants)
    compiled = compile_graph(checkpoint.graph, blob, engine.split()[1], threads)
    pixels = _pixels(int(checkpoint.preprocessing["side_px"]))
    return lambda: infer(compiled, pixels)


def _our_torch(engine: str, threads: int) -> Encode:
    import torch

    from models.backbones import build_network
    from models.checkpoint import read_checkpoint

    torch.set_num_threads(threads)
    checkpoint = read_checkpoint(BACKBONE)
    network: Any = build_network(checkpoint).eval()
    pixels = torch.from_numpy(_pixels(int(checkpoint.preprocessing["side_px"])))
    half = "bf16" in engine
    if half:
        network = network.to(memory_format=torch.channels_last)

    def encode() -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return network(pixels)

    return encode


def _timm_torch(network: str, threads: int) -> Encode:
    import timm
    import torch

    torch.set_num_threads(threads)
    model = timm.create_model(TIMM_NAMES[network], pretrained=False, num_classes=0).eval()
    pixels = torch.from_numpy(_numbers())

    def encode() -> object:
        with torch.inference_mode():
            return model(pixels)

    return encode


def _timm_graph(network: str, threads: int) -> Encode:
    from models.engine import import_openvino

    core = import_openvino().Core()
    options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads}
    compiled = core.compile_model(_timm_xml(network), "CPU", options)
    pixels = _numbers()
    return lambda: compiled([pixels])


def _timm_xml(network: str) -> Path:
    return CACHE / f"{TIMM_NAMES[network]}.xml"


def _convert(network: str) -> None:
    import timm
    import torch

    from models.engine import import_openvino

    openvino = import_openvino()
    model = timm.create_model(TIMM_NAMES[network], pretrained=False, num_classes=0).eval()
    example = torch.from_numpy(_numbers())
    CACHE.mkdir(parents=True, exist_ok=True)
    openvino.save_model(openvino.convert_model(model, example_input=example), _timm_xml(network))


def _pixels(side_px: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    random = np.random.default_rng(0)
    return random.integers(0, 255, (BATCH, side_px, side_px, 3)).astype(np.uint8)


def _numbers() -> np.ndarray[Any, np.dtype[np.float32]]:
    random = np.random.default_rng(0)
    return random.standard_normal((BATCH, 3, TIMM_PX, TIMM_PX)).astype(np.float32)


def _serve(name: str, threads: int) -> None:
    """In the child: for each line read, encodes for a while and says how fast it was."""
    encode = _prepare(next(c for c in CONTENDERS if c.name == name), threads)
    for _ in range(2):
        encode()
    print("ready", flush=True)
    for _ in sys.stdin:
        frames, began = 0, time.perf_counter()
        while (spent_s := time.perf_counter() - began) < MEASURED_S:
            encode()
            frames += BATCH
        print(json.dumps([frames / spent_s, own_peak_mb()]), flush=True)


class Child:
    """A contender that waits to be asked."""

    def __init__(self, contender: Contender, threads: int) -> None:
        command = [sys.executable, "-m", "benchmarks.encode", "--child", contender.name]
        self._process = subprocess.Popen(
            [*command, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._name = contender.name
        self._answer()

    def ask(self) -> tuple[float, float]:
        """Frames a second, and the most memory so far, in MB."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return cast(tuple[float, float], tuple(json.loads(self._answer())))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._name} failed")
        return line

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _measure(threads: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Per contender the median frames a second and the peak of its memory."""
    children = {contender.name: Child(contender, threads) for contender in CONTENDERS}
    answers: dict[str, list[tuple[float, float]]] = {name: [] for name in children}
    for turn in range(rounds):
        names = list(children)
        for name in names if turn % 2 == 0 else names[::-1]:
            answers[name].append(children[name].ask())
    for child in children.values():
        child.close()
    return {
        name: (statistics.median(rate for rate, _ in found), found[-1][1])
        for name, found in answers.items()
    }


def _print_table(results: dict[int, dict[str, tuple[float, float]]]) -> None:
    title = " | ".join(f"{threads} thread(s), frames/s | ours is" for threads in results)
    print(f"| network | run by | {title} |")
    print("|---|---|" + "---|---|" * len(results))
    for contender in CONTENDERS:
        cells = []
        for found in results.values():
            rate = found[contender.name][0]
            cells.append(f"{rate:,.0f} | {found[OURS.name][0] / rate:.1f} x")
        print(f"| {contender.network} | {contender.engine} | {' | '.join(cells)} |")
    last = list(results.values())[-1]
    memory = ", ".join(f"{name} {peak_mb:.0f}" for name, (_, peak_mb) in last.items())
    print(f"\nPeak memory, MB: {memory}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--convert", choices=TIMM_NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _serve(options.child[0], int(options.child[1]))
        return
    if options.convert:
        _convert(options.convert)
        return
    for network in TIMM_NAMES:
        if not _timm_xml(network).exists():
            command = [sys.executable, "-m", "benchmarks.encode", "--convert", network]
            subprocess.run(command, check=True)
    from models.device import free_threads

    counts = dict.fromkeys((1, free_threads()))
    results = {threads: _measure(threads, options.rounds) for threads in counts}
    _print_table(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
