"""GAN losses: what the generator and the discriminator minimise.

Sign conventions: every function returns a loss, so smaller is better and descent minimises it. Logits (B, 1, h, w) are positive
where the discriminator takes a patch for real, 0 where it is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

GanLoss = Literal["vanilla", "least_squares", "hinge"]
"""Kind of GAN loss.

* ``vanilla``: minus the log-likelihood of calling real real and fake fake (Goodfellow et al. 2014), log 2 when undecided; half of
  the paper's E_cGAN, as in pix2pix. The generator's form is the one whose gradient does not vanish.
* ``least_squares``: squared distances from 1 and -1; for the generator from 1 (Mao et al. 2017).
* ``hinge``: distance by which logits fall short of 1 and -1 (Lim and Ye 2017); for the generator minus the logit, so it may be
  negative.
"""


@dataclass(frozen=True)
class _Costs:
    """Cost of each logit: for the discriminator of real and of generated frames, and for the generator."""

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


_COSTS: dict[GanLoss, _Costs] = {
    "vanilla": _Costs(real=lambda x: F.softplus(-x), fake=F.softplus, generator=lambda x: F.softplus(-x)),
    "least_squares": _Costs(real=lambda x: (x - 1) ** 2, fake=lambda x: (x + 1) ** 2, generator=lambda x: (x - 1) ** 2),
    "hinge": _Costs(real=lambda x: F.relu(1 - x), fake=lambda x: F.relu(1 + x), generator=lambda x: -x),
}


def discriminator_loss(real: Tensor, fake: Tensor, gan_loss: GanLoss = "vanilla", counts: Tensor | None = None) -> Tensor:
    """Return the mean cost of the discriminator's logits, half of it from real and half from generated frames.

    Args:
        real: logits of real frames, (B, 1, h, w).
        fake: logits of generated frames, (B, 1, h, w).
        gan_loss: kind of GAN loss.
        counts: bool (B,), False for samples that do not count; None counts all.
    """
    costs = _COSTS[gan_loss]
    return 0.5 * (_mean(costs.real(real), counts) + _mean(costs.fake(fake), counts))


def generator_loss(fake: Tensor, gan_loss: GanLoss = "vanilla", counts: Tensor | None = None) -> Tensor:
    """Return the mean cost of the logits of generated frames for the generator, which wants them called real.

    Args:
        fake: logits of generated frames, (B, 1, h, w).
        gan_loss: kind of GAN loss.
        counts: bool (B,), False for samples that do not count; None counts all.
    """
    return _mean(_COSTS[gan_loss].generator(fake), counts)


def _mean(costs: Tensor, counts: Tensor | None) -> Tensor:
    """Return the mean of (B, 1, h, w) over the samples that count: 0, with gradients of 0, if there is none."""
    if counts is None:
        return costs.mean()
    return (costs.mean((1, 2, 3)) * counts).sum() / counts.sum().clamp_min(1)


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Return the mean absolute difference between the discriminator's feature maps of generated and real frames.

    The mean is over the layers (Wang et al. 2018).

    Args:
        real: feature maps of real frames, one tensor a layer; constants for the generator.
        fake: feature maps of generated frames, one tensor a layer.
    """
    layers = [F.l1_loss(generated, wanted.detach()) for generated, wanted in zip(fake, real, strict=True)]
    return torch.stack(layers).mean()


def r1_penalty(logits: Tensor, frame: Tensor) -> Tensor:
    """Return the mean squared length of the gradient of the logits by real frames, without the factor of 1/2.

    Mescheder et al. 2018.

    Args:
        logits: (B, 1, h, w) logits of ``frame``.
        frame: (B, 3, H, W) real frames, which require a gradient.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), frame, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
