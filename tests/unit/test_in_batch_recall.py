"""Recall is over the whole gallery; in batches of 64 the same embeddings seem far better."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models import registry
from models.types import Floats, Pixels
from tests.unit import frame_text_toys
from train.data.captioned_sources import open_captioned
from train.data.captions import CaptionedData, CaptionedItem
from train.frame_text_config import load_config
from train.retrieval import Embedded, find_all, in_batch_figures, unit
from train.retrieval_report import as_markdown, captioned_data, embedded_by_name, in_batch_rows

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


def test_the_report_counts_in_four_ways() -> None:
    items, embedded = made(400, noise=0.3)
    parts = [
        CaptionedItem("msrvtt", i.name, "train" if n % 2 else "reported", i.captions, i.rows)
        for n, i in enumerate(items)
    ]
    rows = in_batch_rows(CaptionedData(tuple(parts)), embedded)
    assert set(rows) == {"msrvtt"}, "what has no part to report on is left out"
    found = rows["msrvtt"]
    assert [row["gallery"] for row in found.values()] == [200, 64, 200, 64]
    assert (
        found["held out, in batches of 64"]["recall_1"]
        > (found["held out, whole gallery"]["recall_1"])
    )
    report = {
        "protocol": "", "galleries": {}, "in_batch": rows, "calibration": {"searched": {}},
    }  # fmt: skip
    assert "| trained on, in batches of 64 | 64 |" in as_markdown(report)


class Eyes:
    """Any model that searches; it sees how bright a frame is."""

    dim = 2

    def __init__(self) -> None:
        self.seen = 0

    def encode_frames(self, frames: Pixels) -> Floats:
        self.seen += len(frames)
        return unit(np.stack([[1.0, frame.mean() / 255] for frame in frames]).astype(np.float32))

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        return unit(np.asarray([[1.0, len(text) / 50] for text in texts], np.float32))


def test_any_model_is_measured_on_the_same_galleries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_text_toys.write_toy(tmp_path)
    config = load_config(frame_text_toys.toy_config(tmp_path))
    items = captioned_data(config).part("reported")
    eyes = Eyes()
    monkeypatch.setattr(registry, "load", lambda name: {"eyes": eyes}[name])
    embedded = embedded_by_name(config, "eyes", items)
    assert eyes.seen == sum(len(item.rows) for item in items), "no other frame is looked at"
    assert find_all(items, embedded)["gallery"] == len(items) > 10
    # The same pictures are there to train the published frame search on.
    stored = open_captioned("stored", tmp_path / "data", tmp_path / "cache", 1)
    again = {item.name: item for item in stored.part("reported")}
    assert set(again) == {item.name for item in items}
    frame = again[items[0].name].frames[0]
    np.testing.assert_allclose(
        eyes.encode_frames(stored.picture(frame)[None])[0], embedded.frames[items[0].rows[0]]
    )
