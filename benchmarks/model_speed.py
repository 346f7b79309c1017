"""How many frames a second each model works through on one core of this machine.

    python -m benchmarks.model_speed [--only NAME ...] [--write]

The process stays on one core, and its own processor time is counted, so that others who use the
machine change little. Every model takes turns with ResNet50 as the published systems ran it (torch,
float32, 224 pixels): the ratio is what can be compared between machines. --write puts the figures
into models/model_speed.json, where the application reads them. Two large models that speak are left
out: they take minutes an event on one core.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from models.speed import SPEED_PATH

ROUNDS = 3
AT_LEAST_S = 0.3


def main(arguments: Sequence[str] | None = None) -> int:
    _stay_on_one_core()
    from benchmarks.speed_subjects import REFERENCE, SUBJECTS, resnet50

    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_speed")
    parser.add_argument("--only", nargs="+", choices=tuple(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--write", action="store_true", help=f"into {SPEED_PATH.name}")
    flags = parser.parse_args(arguments)
    reference = resnet50()
    measured: dict[str, dict[str, Any]] = {}
    alone: list[float] = []
    for name in flags.only:
        subject = SUBJECTS[name]()
        pairs = _in_turn(subject, reference)
        alone += [pair[1] for pair in pairs]
        measured[name] = {
            "ratio": statistics.median(own / other for own, other in pairs),
            "weights": subject.weights,
            "engine": subject.engine,
        }
        print(f"{name:24} {measured[name]['ratio']:8.2f} times {REFERENCE}", flush=True)
        del subject
        gc.collect()
    base = statistics.median(alone)
    for row in measured.values():
        row["frames_per_s"] = float(f"{row['ratio'] * base:.3g}")
        row["ratio"] = float(f"{row['ratio']:.3g}")
    print(f"{REFERENCE}: {base:.1f} frames a second of one core")
    if flags.write:
        _write(measured, base, REFERENCE)
    return 0


def _stay_on_one_core() -> None:
    """Before numpy and torch are imported: they count the cores then."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)


def _in_turn(subject: Any, reference: Any) -> list[tuple[float, float]]:
    """Frames a second of both, round by round; what is done once is done before."""
    subject.run()
    reference.run()
    return [(_frames_per_s(subject), _frames_per_s(reference)) for _ in range(ROUNDS)]


def _frames_per_s(subject: Any) -> float:
    began, frames = time.process_time(), 0
    while True:
        subject.run()
        frames += subject.frames
        spent_s = time.process_time() - began
        if spent_s >= AT_LEAST_S:
            return frames / spent_s


def _write(measured: dict[str, dict[str, Any]], base: float, reference: str) -> None:
    known = json.loads(SPEED_PATH.read_text()) if SPEED_PATH.is_file() else {"models": {}}
    written = {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": _machine(),
        "unit": "frames a second of one core, processor time",
        "reference": {"name": reference, "frames_per_s": float(f"{base:.3g}")},
        "models": {**known["models"], **measured},
    }
    SPEED_PATH.write_text(json.dumps(written, indent=2) + "\n")


def _machine() -> str:
    """The processor and what it can, without the name of the machine."""
    name, flags = platform.machine(), ""
    for line in open("/proc/cpuinfo"):  # noqa: PTH123, SIM115 - of this machine's kernel
        key, _, value = line.partition(":")
        name = value.strip() if key.strip() == "model name" else name
        flags = value if key.strip() == "flags" else flags
    able = [said for flag, said in (("avx512_bf16", "AVX-512 bf16"), ("amx_bf16", "AMX bf16"))
            if flag in flags]  # fmt: skip
    return ", ".join([name, *able])


if __name__ == "__main__":
    sys.exit(main())
