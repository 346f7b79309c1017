"""A scorer that reads an index through the model which it was trained on."""

import numpy as np

from app.pipelines.scoring import ScorerInSpace
from models.types import Floats, Times


class Space:
    name, weights_hash, dim, index_encoder = "space", "b" * 64, 2, "eyes"

    def project(self, features: Floats) -> Floats:
        return features[:, :2] * 2

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} is not asked for")


class Scorer:
    name, weights_hash, index_encoder = "scorer", "a" * 64, "space"

    def score(self, embeddings: Floats, times_s: Times) -> Floats:
        assert embeddings.shape == (len(times_s), 2) and embeddings.dtype == np.float32
        return embeddings.sum(axis=1)


class Index:
    embeddings = np.arange(12, dtype=np.float16).reshape(4, 3)


def test_it_scores_what_the_other_model_makes_of_the_index() -> None:
    through = ScorerInSpace(Scorer(), Space())  # type: ignore[arg-type]
    assert (through.name, through.weights_hash) == ("scorer", "a" * 64)
    assert through.index_encoder == "eyes"
    times_s = np.arange(4.0)
    wanted = [2.0, 14.0, 26.0, 38.0]
    assert through.score(Index(), times_s).tolist() == wanted  # type: ignore[arg-type]
    assert through.score(Index.embeddings.astype(np.float32), times_s).tolist() == wanted
