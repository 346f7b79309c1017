"""The ranking loss has a gradient, and it points to the annotators' order."""

import pytest
import torch
from torch import Tensor

from train.losses import pairwise_ranking_loss, random_pairs, regression_loss


def every_pair(count: int) -> tuple[Tensor, Tensor]:
    first, second = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
    return first.flatten(), second.flatten()


def test_ranking_loss_has_a_gradient_towards_the_order() -> None:
    annotators = torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.25, 0.5]])
    logits = torch.zeros(3, requires_grad=True)
    pairwise_ranking_loss(logits, annotators, every_pair(3)).backward()
    assert logits.grad is not None
    # Down the slope the first frame falls and the last rises.
    assert logits.grad[0] > 0.1
    assert logits.grad[2] < -0.1
    assert logits.grad[1].abs() < 1e-6


def test_ranking_loss_sorts_by_descent() -> None:
    annotators = torch.rand(1, 20, generator=torch.Generator().manual_seed(0))
    logits = torch.zeros(20, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        pairwise_ranking_loss(logits, annotators, every_pair(20)).backward()
        optimizer.step()
    assert torch.equal(logits.argsort(), annotators[0].argsort())


def test_ranking_loss_of_one_pair_by_hand() -> None:
    # Two annotators put frame 1 above, one puts frame 0 above, one sees no difference.
    annotators = torch.tensor([[0.0, 1.0], [0.2, 0.4], [1.0, 0.0], [0.5, 0.5]])
    pair = torch.tensor([0]), torch.tensor([1])
    loss = pairwise_ranking_loss(torch.tensor([0.0, 2.0]), annotators, pair)
    up, down = torch.log1p(torch.exp(torch.tensor([-2.0, 2.0])))
    assert loss.item() == pytest.approx(((2 * up + down) / 3).item(), rel=1e-5)


def test_ranking_loss_is_zero_where_nobody_tells_frames_apart() -> None:
    logits = torch.randn(4, requires_grad=True)
    loss = pairwise_ranking_loss(logits, torch.full((3, 4), 0.5), every_pair(4))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros(4))


def test_ranking_loss_does_not_care_for_a_shift() -> None:
    annotators = torch.rand(5, 30)
    logits, pairs = torch.randn(30), random_pairs(30)
    one = pairwise_ranking_loss(logits, annotators, pairs)
    assert pairwise_ranking_loss(logits + 3, annotators, pairs).item() == pytest.approx(
        one.item(), abs=1e-4
    )


def test_regression_is_smallest_at_the_mean() -> None:
    annotators = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    assert regression_loss(torch.tensor([0.25, 0.75]), annotators).item() == 0
    assert regression_loss(torch.tensor([0.25, 0.25]), annotators).item() == pytest.approx(0.125)
