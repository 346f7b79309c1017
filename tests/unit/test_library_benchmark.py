"""The benchmark of the library builds what it says, once, and finds all of it when it is small."""

from pathlib import Path

import numpy as np
import pytest

from app.index import IndexStore
from app.library import Library
from app.pipelines.library import space_of
from benchmarks import library as benchmark
from tests.unit.library_toys import ToyModel, moments


def test_a_small_library_is_built_once_and_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "HOUR_S", 200)
    model, library = ToyModel(), Library(tmp_path)
    frames = moments(50).vectors
    assert benchmark.build(library, model, 3, frames) > 0
    assert benchmark.build(library, model, 3, frames) == 0
    facts = library.facts(space_of(model))
    assert (facts.videos, facts.moments) == (3, 600)
    asked = ["dog", "sea", "car"]
    assert benchmark.recalls(library, model, asked, (10, 100)) == {10: 1.0, 100: 1.0}
    took = benchmark.latency(library, model, IndexStore(tmp_path / "index", 1), asked, "hour 1")
    assert 0 < took.median_ms <= took.p95_ms
    likeness = (library.table(space_of(model)).nearest(frames[0], 1, exact=True)[1].vectors) @ (
        frames[0]
    )
    assert 0.8 < float(np.max(likeness)) < 0.999, "the copies are noisy, and still alike"
