"""Shipped networks run by OpenVINO from the weights of their checkpoint, and by torch alike."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from models import device, engine
from models.checkpoint import Checkpoint, load_weights, read_checkpoint, write_checkpoint
from models.engine import GraphEngine, TorchEngine, batches, open_engine
from models.errors import CheckpointError, ModelUnavailableError
from models.graph import Graph
from train.graphs import agreed, graph_of

SIDE_PX, DIM = 8, 5
SPEC = {"kind": "toy", "architecture": {}, "preprocessing": {}}


class Toy(nn.Module):
    """u8 pictures to numbers; half of the weights come twice, as a conversion may merge them."""

    def __init__(self, dim: int = DIM) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.out = nn.Linear(16, dim)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.first(pixels.permute(0, 3, 1, 2).float() / 255 - 0.5).relu()
        found: Tensor = self.out(self.second(x).relu().mean((2, 3)))
        return found


def pictures(count: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(count)
    return random.integers(0, 255, (count, SIDE_PX, SIDE_PX, 3)).astype(np.uint8)


def write_toy(folder: Path, seed: int = 0) -> Checkpoint:
    torch.manual_seed(seed)
    model = Toy().half().float()
    tensors = model.state_dict()
    made = graph_of(model, torch.from_numpy(pictures(2)), tensors)
    graph, figures = agreed(made, model, tensors, [pictures(40)])
    return write_checkpoint(
        folder, model, config=SPEC, metrics=figures, card="", half=True, graph=graph
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return write_toy(tmp_path_factory.mktemp("checkpoints") / "toy")


def build(checkpoint: Checkpoint) -> nn.Module:
    model = Toy()
    load_weights(checkpoint, model)
    return model


def change_graph(folder: Path, **values: object) -> Checkpoint:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["graph"].update(values)
    path.write_text(json.dumps(config))
    return read_checkpoint(folder)


@pytest.mark.parametrize("count", [0, 1, 7, 45])
def test_both_engines_agree_on_any_number_of_rows(checkpoint: Checkpoint, count: int) -> None:
    fast = GraphEngine(checkpoint).run(pictures(count))
    reference = TorchEngine(build(checkpoint), DIM).run(pictures(count))
    assert fast.shape == reference.shape == (count, DIM)
    assert fast.dtype == reference.dtype == np.float32
    np.testing.assert_allclose(fast, reference, atol=0.02)


def test_the_weights_are_stored_once(checkpoint: Checkpoint) -> None:
    assert checkpoint.graph is not None
    assert checkpoint.metrics["openvino_bf16_cosine"] > 0.999
    largest = max(tensor.numel() for tensor in Toy().state_dict().values()) * 4
    assert len(checkpoint.graph.constants) < largest
    # Other weights of the same shapes, and the same graph gives what torch gives with them.
    folder = checkpoint.folder.parent / "other"
    torch.manual_seed(1)
    other = Toy()
    written = write_checkpoint(
        folder, other, config=SPEC, metrics={}, card="", half=False, graph=checkpoint.graph
    )
    with torch.inference_mode():
        wanted = other(torch.from_numpy(pictures(3))).numpy()
    np.testing.assert_allclose(GraphEngine(written).run(pictures(3)), wanted, atol=0.02)


def test_the_engine_is_chosen(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen() -> str:
        return open_engine(checkpoint, DIM, build).name

    monkeypatch.setattr(engine, "_has_gpu", lambda: False)
    monkeypatch.delenv(engine.ENGINE_VARIABLE, raising=False)
    assert chosen() == "openvino"
    monkeypatch.setenv(engine.ENGINE_VARIABLE, "torch")
    assert chosen() == "torch"
    monkeypatch.setenv(engine.ENGINE_VARIABLE, "onnx")
    with pytest.raises(ModelUnavailableError, match="torch or openvino"):
        chosen()
    monkeypatch.delenv(engine.ENGINE_VARIABLE)
    monkeypatch.setattr(engine, "_has_gpu", lambda: True)
    assert chosen() == "torch"
    monkeypatch.setattr(engine, "_has_gpu", lambda: False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert chosen() == "torch"
    monkeypatch.setenv(engine.ENGINE_VARIABLE, "openvino")
    with pytest.raises(ModelUnavailableError, match="not installed"):
        chosen()


def spoil_graph(folder: Path) -> None:
    path = folder / "graph.xml"
    path.write_bytes(path.read_bytes().replace(b'"0"', b'"1"', 1))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_graph, "graph.xml .* promises"),
        (lambda folder: (folder / "graph.xml").unlink(), "no graph.xml"),
        (lambda folder: change_graph(folder, constants_at=64), "other weights"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused(
    spoil: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "toy"
    write_toy(folder)
    spoil(folder)
    with pytest.raises(CheckpointError, match=said) as caught:
        GraphEngine(read_checkpoint(folder))
    assert "checkpoint toy" in str(caught.value)


def test_a_graph_of_another_network_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="gives 5 numbers"):
        open_engine(checkpoint, DIM + 1, build)


def test_a_graph_with_weights_of_its_own_is_not_made() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(300, 300)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.out(x) + x @ torch.ones(300, 300)
            return found

    model = Doubled()
    with pytest.raises(ValueError, match="no stored tensor"):
        graph_of(model, torch.zeros(2, 300), model.state_dict())


def test_precision_is_given_up_where_it_costs_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Toy()
    made = graph_of(model, torch.from_numpy(pictures(2)), model.state_dict())
    tried: list[str] = []

    def compile_badly(graph: Graph, blob: engine.Blob, precision: str, threads: int) -> object:
        tried.append(precision)
        spoiled = blob.copy()
        if precision == "bf16":
            weights = spoiled[: graph.constants_at].view(np.float32)
            weights[:] = weights[::-1].copy()
        return engine.compile_graph(graph, spoiled, precision, threads)

    monkeypatch.setattr("train.graphs.compile_graph", compile_badly)
    graph, figures = agreed(made, model, model.state_dict(), [pictures(8)])
    assert graph.precision == "f32"
    assert tried == ["bf16", "f32"]
    assert figures["openvino_bf16_cosine"] < 0.999 < figures["openvino_f32_cosine"]


def test_rows_are_divided_into_few_different_sizes() -> None:
    covered = [row for batch in batches(77) for row in range(77)[batch]]
    assert covered == list(range(77))
    assert [b.stop - b.start for b in batches(77)] == [32, 32, 8, 4, 1]


def test_several_threads_share_one_engine(checkpoint: Checkpoint) -> None:
    shared = GraphEngine(checkpoint)
    given = [pictures(count) for count in range(1, 25)]
    wanted = [shared.run(rows) for rows in given]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(shared.run, given))
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_pool_of_another_size_answers_the_same(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = GraphEngine(checkpoint)
    wanted = shared.run(pictures(9))
    shared._pool.threads += 1
    compiled: list[int] = []
    compile_graph = engine.compile_graph

    def watched(graph: Graph, blob: engine.Blob, precision: str, threads: int) -> object:
        compiled.append(threads)
        return compile_graph(graph, blob, precision, threads)

    monkeypatch.setattr(engine, "compile_graph", watched)
    np.testing.assert_allclose(shared.run(pictures(9)), wanted, atol=0.01)
    shared.run(pictures(9))
    assert compiled == [shared._pool.threads]


def test_a_pool_is_judged_while_it_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    now, idle_s = [100.0], [0.0]
    monkeypatch.setattr(device, "allowed_cores", lambda: 4)
    monkeypatch.setattr(device, "_idle_core_s", lambda: idle_s[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(device, "free_threads", lambda: 4)
    pool = device.PoolSize()

    def passes(seconds: float, idle_cores: float) -> None:
        now[0] += seconds
        idle_s[0] += seconds * idle_cores

    passes(40, 1.2)
    assert pool.begin() == 1
    passes(40, 0.0)  # its own work
    pool.end()
    passes(0.1, 4.0)
    assert pool.begin() == 1  # too short a rest to tell
    pool.end()
    passes(5, 3.1)
    assert pool.begin() == 3


def test_torch_is_not_imported_where_openvino_answers(checkpoint: Checkpoint) -> None:
    code = """
import pathlib, sys
import numpy as np
from models.checkpoint import read_checkpoint
from models.engine import open_engine
checkpoint = read_checkpoint(pathlib.Path(sys.argv[1]))
found = open_engine(checkpoint, 5, None).run(np.zeros((3, 8, 8, 3), np.uint8))
assert found.shape == (3, 5), found.shape
loaded = [n for n in ("torch", "timm", "openvino_telemetry.main") if n in sys.modules]
assert not loaded, loaded
"""
    command = [sys.executable, "-c", code, str(checkpoint.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_graph_that_makes_more_than_a_network_does_is_refused_before_it_is_compiled() -> None:
    """Graphs come with checkpoints of others; this one would take 40 GB while it is compiled."""
    openvino = engine.import_openvino()
    from openvino import opset13 as steps

    rows = steps.parameter([-1, 4], np.float32)
    sides = steps.constant(np.array([100_000, 100_000], np.int64))
    large = steps.broadcast(steps.constant(np.float32(1)), sides)
    both = steps.constant(np.array([0, 1], np.int64))
    made = openvino.Model([steps.add(rows, steps.reduce_sum(large, both))], [rows])
    with pytest.raises(RuntimeError, match="makes 10,000,000,000 numbers"):
        engine.check_steps(made)
