"""A checkpoint folder is enough to rebuild a model, and one that does not fit is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.checkpoint import load_weights, read_checkpoint, write_checkpoint
from models.errors import CheckpointError


def write_toy_checkpoint(folder: Path, *, half: bool = False) -> nn.Linear:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    write_checkpoint(
        folder,
        model,
        config={"kind": "toy", "architecture": {"inputs": 3}, "preprocessing": {}},
        metrics={"accuracy": 0.5},
        card="# toy\n",
        half=half,
    )
    return model


def change(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    model = write_toy_checkpoint(tmp_path / "toy")
    checkpoint = read_checkpoint(tmp_path / "toy", kind="toy")
    assert (checkpoint.name, checkpoint.metrics) == ("toy", {"accuracy": 0.5})
    other = nn.Linear(3, 2)
    load_weights(checkpoint, other)
    assert torch.equal(other.weight, model.weight)


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    model = write_toy_checkpoint(tmp_path / "toy", half=True)
    checkpoint = read_checkpoint(tmp_path / "toy")
    assert checkpoint.config["weights_dtype"] == "float16"
    other = nn.Linear(3, 2)
    load_weights(checkpoint, other)
    assert other.weight.dtype == torch.float32
    assert torch.allclose(other.weight, model.weight, atol=1e-3)


def spoil_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_weights, "promises"),
        (lambda folder: change(folder, format_version=7), "version 7"),
        (lambda folder: change(folder, kind="scorer"), "holds a scorer"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "metrics.json").write_text("{"), "metrics.json"),
        (lambda folder: (folder / "config.json").write_text("{}"), "format_version"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    spoil: Callable[[Path], Any], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "toy"
    write_toy_checkpoint(folder)
    spoil(folder)
    with pytest.raises(CheckpointError, match=said) as caught:
        read_checkpoint(folder, kind="toy")
    assert "checkpoint toy" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Linear(4, 2), r"weight has the shape \[2, 3\], not \[2, 4\]"),
        (nn.Linear(3, 2, bias=False), "bias is not part of it"),
        (nn.Sequential(nn.Linear(3, 2)), "0.weight is missing"),
    ],
)
def test_other_tensors_are_refused(model: nn.Module, said: str, tmp_path: Path) -> None:
    write_toy_checkpoint(tmp_path / "toy")
    with pytest.raises(CheckpointError, match=said):
        load_weights(read_checkpoint(tmp_path / "toy"), model)


def test_a_broken_export_leaves_nothing_that_looks_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "toy"
    write_toy_checkpoint(folder)

    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.torch.save_file", fails)
    with pytest.raises(OSError, match="disk full"):
        write_toy_checkpoint(folder)
    with pytest.raises(CheckpointError):
        read_checkpoint(folder)


def test_a_folder_is_checked_without_torch(tmp_path: Path) -> None:
    write_toy_checkpoint(tmp_path / "toy")
    code = (
        "import sys, pathlib; from models.checkpoint import read_checkpoint; "
        "read_checkpoint(pathlib.Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "toy")], check=False)
    assert done.returncode == 0
