"""GAN losses of the two networks, against values worked by hand and against the definitions."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lit_reenact.losses.adversarial import GanLoss, discriminator_loss, feature_matching, generator_loss, r1_penalty

GAN_LOSSES = get_args(GanLoss)


def test_an_undecided_discriminator() -> None:
    logits = torch.zeros(2, 1, 6, 6)
    expected = {"vanilla": (math.log(2), math.log(2)), "least_squares": (1.0, 1.0), "hinge": (1.0, 0.0)}
    for gan_loss in GAN_LOSSES:
        of_discriminator, of_generator = expected[gan_loss]
        assert discriminator_loss(logits, logits, gan_loss).item() == pytest.approx(of_discriminator)
        assert generator_loss(logits, gan_loss).item() == pytest.approx(of_generator)


def test_values_by_hand() -> None:
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    # least squares: (1 + 4) / 2 and (2.25 + 4) / 2; hinge: (0 + 2) / 2 and (1.5 + 0) / 2
    assert discriminator_loss(real, fake, "least_squares").item() == pytest.approx((2.5 + 3.125) / 2)
    assert discriminator_loss(real, fake, "hinge").item() == pytest.approx((1 + 0.75) / 2)
    assert generator_loss(fake, "least_squares").item() == pytest.approx((0.25 + 16) / 2)
    assert generator_loss(fake, "hinge").item() == pytest.approx(1.25)


def test_the_vanilla_losses_are_cross_entropies() -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 2, 1, 6, 6, generator=generator) * 3
    one, zero = torch.ones_like(real), torch.zeros_like(real)
    expected = (F.binary_cross_entropy(real.sigmoid(), one) + F.binary_cross_entropy(fake.sigmoid(), zero)) / 2
    assert torch.allclose(discriminator_loss(real, fake), expected, atol=1e-5)
    assert torch.allclose(generator_loss(fake), F.binary_cross_entropy(fake.sigmoid(), one), atol=1e-5)


@pytest.mark.parametrize("gan_loss", GAN_LOSSES)
def test_the_players_want_opposite_logits(gan_loss: GanLoss) -> None:
    fake = torch.zeros(1, 1, 2, 2, requires_grad=True)
    (of_discriminator,) = torch.autograd.grad(discriminator_loss(fake.detach(), fake, gan_loss), fake)
    (of_generator,) = torch.autograd.grad(generator_loss(fake, gan_loss), fake)
    assert (of_discriminator > 0).all()  # descent lowers the logits
    assert (of_generator < 0).all()  # descent raises them


def test_matched_features_cost_nothing_and_only_the_generated_ones_learn() -> None:
    real, fake = (
        [torch.full((1, 2, 4, 4), a, requires_grad=True), torch.full((1, 4, 2, 2), b, requires_grad=True)]
        for a, b in ((0.0, 1.0), (0.5, 4.0))
    )
    assert feature_matching(real, [map_.detach() for map_ in real]).item() == 0
    loss = feature_matching(real, fake)
    assert loss.item() == pytest.approx((0.5 + 3) / 2)  # every layer counts alike
    loss.backward()
    assert all(map_.grad is None for map_ in real)
    assert all(map_.grad is not None for map_ in fake)


def test_the_r1_penalty_of_a_linear_discriminator_is_its_squared_weights() -> None:
    linear = nn.Conv2d(3, 1, kernel_size=4, bias=False)  # one logit for an image of 4 x 4
    frame = torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = r1_penalty(linear(frame), frame)
    assert penalty.item() == pytest.approx(linear.weight.square().sum().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, linear.weight)
    assert torch.allclose(gradient, 2 * linear.weight, rtol=1e-5)
