"""Recall is over the whole gallery; in batches of 64 the same embeddings seem far better."""

from collections.abc import Sequence

import numpy as np

from models.types import Floats
from train.data.captions import CaptionedItem
from train.retrieval import Embedded, find_all, in_batch_figures, unit

COUNT = 1024


def made(count: int, noise: float, captions: int = 2) -> tuple[list[CaptionedItem], Embedded]:
    """Items in directions of their own; captions point there, more or less."""
    random = np.random.default_rng(0)
    frames = unit(random.standard_normal((count, 24)).astype(np.float32))
    items = [
        CaptionedItem(
            "x", str(n), "reported", tuple(f"{n} {turn}" for turn in range(captions)),
            np.asarray([n]),
        )
        for n in range(count)
    ]  # fmt: skip

    def encode(texts: Sequence[str]) -> Floats:
        rows = []
        for text in texts:
            number, turn = map(int, text.split())
            seed = np.random.default_rng([number, turn])
            rows.append(frames[number] + noise * seed.standard_normal(24))
        return unit(np.asarray(rows, np.float32))

    return items, Embedded(frames, encode)


def test_the_same_embeddings_seem_better_in_batches() -> None:
    items, embedded = made(COUNT, noise=0.3)
    whole, in_batch = find_all(items, embedded), in_batch_figures(items, embedded)
    assert (whole["gallery"], in_batch["gallery"]) == (COUNT, 64)
    assert whole["queries"] == 2 * COUNT and in_batch["queries"] == 5 * COUNT
    assert in_batch["recall_1"] > whole["recall_1"] + 0.3
    # By hand: whoever is among the first of the gallery, and nobody else.
    texts = [caption for item in items for caption in item.captions]
    scores = embedded.encode(texts) @ embedded.frames.T
    best = scores.argmax(axis=1) == np.repeat(np.arange(COUNT), 2)
    assert whole["recall_1"] == float(best.mean())


def test_it_misleads_more_the_more_there_is_to_search() -> None:
    few, many = (made(count, noise=0.3) for count in (128, 2048))
    whole = [find_all(*each)["recall_10"] for each in (few, many)]
    in_batch = [in_batch_figures(*each)["recall_10"] for each in (few, many)]
    assert whole[0] > whole[1] + 0.2, "harder among more"
    assert abs(in_batch[0] - in_batch[1]) < 0.05, "but not in batches"


def test_a_gallery_smaller_than_a_batch_is_one_batch() -> None:
    items, embedded = made(20, noise=0.3, captions=1)
    assert in_batch_figures(items, embedded)["recall_1"] == find_all(items, embedded)["recall_1"]


def test_batches_are_drawn_alike_each_time() -> None:
    items, embedded = made(200, noise=0.4)
    assert in_batch_figures(items, embedded) == in_batch_figures(items, embedded)
    assert in_batch_figures(items, embedded) != in_batch_figures(items, embedded, seed=1)
