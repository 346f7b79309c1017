"""How well words find pictures: ranks over a whole gallery, and how true a probability is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.frame_text_encoder import Calibration
from models.types import Floats
from train.data.captions import CaptionedItem

BINS = 10
IN_BATCH = 64  # pairs that the published frame search looks among

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Both sides of a trained network over the captioned frames."""

    frames: Floats  # [M, D]
    encode: Callable[[Sequence[str]], Floats]


def unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)


def gallery_of(items: Sequence[CaptionedItem], frames: Floats) -> Floats:
    """[N, D]: the mean of each item's frame embeddings, of length one."""
    return unit(np.stack([frames[item.rows].mean(axis=0) for item in items]))


def ranks_of(queries: Floats, gallery: Floats, truth: Ints) -> Ints:
    """The place of the right one for each query, from 1; equals count as before it."""
    scores = queries @ gallery.T
    own = scores[np.arange(len(queries)), truth]
    return np.asarray((scores >= own[:, None]).sum(axis=1), np.int64)


def recall_figures(ranks: Ints, gallery_size: int) -> dict[str, float]:
    figures = {f"recall_{k}": float((ranks <= k).mean()) for k in (1, 5, 10)}
    figures |= {"median_rank": float(np.median(ranks)), "mrr": float((1.0 / ranks).mean())}
    return {**figures, "queries": len(ranks), "gallery": gallery_size}


def chance_figures(gallery_size: int) -> dict[str, float]:
    recalls = {f"recall_{k}": min(k / gallery_size, 1.0) for k in (1, 5, 10)}
    mrr = float((1.0 / np.arange(1, gallery_size + 1)).mean())
    return {**recalls, "median_rank": (gallery_size + 1) / 2, "mrr": mrr}


def find_all(items: Sequence[CaptionedItem], embedded: Embedded) -> dict[str, float]:
    """Every caption is a query; the whole of `items` is the gallery."""
    queries = embedded.encode([caption for item in items for caption in item.captions])
    truth = np.repeat(np.arange(len(items)), [len(item.captions) for item in items])
    return recall_figures(ranks_of(queries, gallery_of(items, embedded.frames), truth), len(items))


def in_batch_figures(
    items: Sequence[CaptionedItem],
    embedded: Embedded,
    *,
    batch: int = IN_BATCH,
    rounds: int = 5,
    seed: int = 0,
) -> dict[str, float]:
    """What is often published as recall: the right one among the others of a batch of 64.

    It is shown beside the gallery's to say what it is worth: how hard it is to be found among 64
    does not depend on how much there is to search. Batches are drawn anew in each round, with one
    caption of each item; what does not fill the last batch is left out.
    """
    random = np.random.default_rng([seed, 64])
    gallery = gallery_of(items, embedded.frames)
    size = min(batch, len(items))
    ranks = []
    for _ in range(rounds):
        asked = embedded.encode(
            [item.captions[random.integers(len(item.captions))] for item in items]
        )
        order = random.permutation(len(items))
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            ranks.append(ranks_of(asked[chosen], gallery[chosen], np.arange(size)))
    return recall_figures(np.concatenate(ranks), size)


# An item's queries, and the rows of its frames that answer each.
Asks = Callable[[CaptionedItem], Iterator[tuple[Floats, Ints]]]


def by_captions(embedded: Embedded) -> Asks:
    def ask(item: CaptionedItem) -> Iterator[tuple[Floats, Ints]]:
        for query in embedded.encode(item.captions):
            yield query, item.rows

    return ask


def by_frames(embedded: Embedded) -> Asks:
    """Each frame of a video asks for the others of the same video."""

    def ask(item: CaptionedItem) -> Iterator[tuple[Floats, Ints]]:
        for row in item.rows if len(item.rows) > 1 else ():
            yield embedded.frames[row], item.rows[item.rows != row]

    return ask


def match_pairs(
    items: Sequence[CaptionedItem],
    embedded: Embedded,
    asks: Asks | None = None,
    *,
    searched: int = 1,
    seed: int = 0,
) -> tuple[Floats, Bools]:
    """Scores of matched and unmatched searches, as many of one as of the other.

    Each query (a caption, unless `asks` says otherwise) is searched once among `searched` frames
    of different items, one of them its own, and once among as many frames of others only. The
    score is the best frame's. A search matches where the best frame is the query's own: that is
    what a person sees first.
    """
    random = np.random.default_rng([seed, 41, searched])
    scores, matches = list[float](), list[bool]()
    count = len(items)
    asks = asks or by_captions(embedded)
    for own, item in enumerate(items):
        for query, answers in asks(item):
            others = (own + 1 + random.choice(count - 1, 2 * searched - 1, replace=True)) % count
            for owners in ([own, *others[: searched - 1]], others[searched - 1 :].tolist()):
                rows = [
                    int(random.choice(answers if owner == own else items[owner].rows))
                    for owner in owners
                ]
                found = embedded.frames[rows] @ query
                best = int(found.argmax())
                scores.append(float(found[best]))
                matches.append(owners[best] == own)
    return np.asarray(scores, np.float32), np.asarray(matches)


def fit_calibration(pairs: dict[int, tuple[Floats, Bools]]) -> Calibration:
    """Logistic regression on the score and the logarithm of how many were searched.

    `pairs` is by the number searched. Newton's method with a slight pull towards 0, so that parts
    that a score separates completely have a finite answer.
    """
    rows = [
        np.stack([scores, np.ones_like(scores), np.full_like(scores, -np.log(searched))], axis=1)
        for searched, (scores, _) in pairs.items()
    ]
    inputs = np.concatenate(rows).astype(np.float64)
    wanted = np.concatenate([matches for _, matches in pairs.values()]).astype(np.float64)
    if len(pairs) == 1:
        inputs = inputs[:, :2]
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chances = 1 / (1 + np.exp(-(inputs @ weights).clip(-60, 60)))
        slope = inputs.T @ (wanted - chances) - 1e-3 * weights
        curve = (inputs * (chances * (1 - chances))[:, None]).T @ inputs
        step = np.linalg.solve(curve + 1e-3 * np.eye(len(weights)), slope)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    crowd = float(weights[2]) if len(weights) == 3 else 0.0
    return Calibration(slope=float(weights[0]), offset=float(weights[1]), crowd=crowd)


def calibration_figures(probabilities: Floats, matches: Bools) -> dict[str, Any]:
    """Expected calibration error over ten equal bins, and the curve to draw."""
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    curve, error = list[dict[str, float]](), 0.0
    for number in range(BINS):
        chosen = bins == number
        if not chosen.any():
            continue
        said, true = float(probabilities[chosen].mean()), float(matches[chosen].mean())
        error += abs(said - true) * float(chosen.mean())
        curve.append({"said": said, "true": true, "pairs": int(chosen.sum())})
    order = np.argsort(np.argsort(probabilities, kind="stable")) + 1
    positives, negatives = int(matches.sum()), int((~matches).sum())
    area = 0.0
    if positives and negatives:
        above = float(order[matches].sum()) - positives * (positives + 1) / 2
        area = above / (positives * negatives)
    return {
        "ece": error,
        "auc": area,
        "accuracy": float(((probabilities >= 0.5) == matches).mean()),
        "pairs": len(matches),
        "curve": curve,
    }
