"""Losses with a gradient, also for the order of scores (ranks by argsort have none)."""

import torch
from torch import Tensor
from torch.nn import functional

PAIRS = 8192


def pairwise_ranking_loss(
    logits: Tensor, annotators: Tensor, pairs: tuple[Tensor, Tensor]
) -> Tensor:
    """Logistic loss over pairs of frames, each weighted by how the annotators order them.

    logits [T], annotators [A, T], pairs: two rows of indices.

    Annotators who put one frame above the other vote for that order; those who see no difference
    do not vote. So it is a smooth form of Kendall's tau against each annotator. 0 where nobody
    tells any two frames apart.
    """
    first, second = pairs
    order = (annotators[:, first] - annotators[:, second]).sign()
    above, below = (order > 0).float().mean(0), (order < 0).float().mean(0)
    margin = logits[first] - logits[second]
    loss = above * functional.softplus(-margin) + below * functional.softplus(margin)
    return loss.sum() / (above + below).sum().clamp(min=1e-6)


def random_pairs(count: int, pairs: int = PAIRS) -> tuple[Tensor, Tensor]:
    """Indices of frames; some pairs may be a frame with itself, which nobody votes on."""
    first, second = torch.randint(count, (2, pairs))
    return first, second


def regression_loss(scores: Tensor, annotators: Tensor) -> Tensor:
    """Squared distance to the annotators' mean; both in [0, 1]."""
    return functional.mse_loss(scores, annotators.mean(0))


def importance_losses(logits: Tensor, annotators: Tensor) -> tuple[Tensor, Tensor]:
    """(ranking over random pairs, regression); logits [T], annotators [A, T] in [0, 1]."""
    first, second = random_pairs(len(logits))
    pairs = first.to(logits.device), second.to(logits.device)
    ranking = pairwise_ranking_loss(logits, annotators, pairs)
    return ranking, regression_loss(logits.sigmoid(), annotators)
