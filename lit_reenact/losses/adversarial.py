"""The game of generator and discriminator: what each of them minimises.

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

Game = Literal["vanilla", "least_squares", "hinge"]


@dataclass(frozen=True)
class _Rules:
    """What logits cost: the discriminator, of real and of generated frames, and the generator."""

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


_GAMES: dict[Game, _Rules] = {
    "vanilla": _Rules(real=lambda x: F.softplus(-x), fake=F.softplus, generator=lambda x: F.softplus(-x)),
    "least_squares": _Rules(real=lambda x: (x - 1) ** 2, fake=lambda x: (x + 1) ** 2, generator=lambda x: (x - 1) ** 2),
    "hinge": _Rules(real=lambda x: F.relu(1 - x), fake=lambda x: F.relu(1 + x), generator=lambda x: -x),
}


def discriminator_loss(real: Tensor, fake: Tensor, game: Game = "vanilla") -> Tensor:
    """Mean cost of the discriminator's logits, half of it from real and half from generated frames.

    Args:
        real: logits of real frames.
        fake: logits of generated ones.
        game: ``vanilla``: minus the log-likelihood of calling real real and fake fake (Goodfellow et al. 2014), log 2 when
            undecided; half of the paper's E_cGAN, as in pix2pix. ``least_squares``: squared distances from 1 and -1 (Mao et al.
            2017). ``hinge``: how far logits fall short of 1 and -1 (Lim and Ye 2017).
    """
    rules = _GAMES[game]
    return 0.5 * (rules.real(real).mean() + rules.fake(fake).mean())


def generator_loss(fake: Tensor, game: Game = "vanilla") -> Tensor:
    """Mean cost of the logits of generated frames for the generator, which wants them called real.

    Args:
        fake: logits.
        game: as in ``discriminator_loss``. ``vanilla``: the form whose gradient does not vanish (Goodfellow et al. 2014);
            ``least_squares``: squared distance from 1; ``hinge``: minus the logit, so it may be negative.
    """
    return _GAMES[game].generator(fake).mean()


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of the discriminator's feature maps of generated and real frames, over its layers (Wang et al.
    2018).

    Args:
        real: feature maps of each layer; constants for the generator.
        fake: the same of generated frames.
    """
    return torch.stack([F.l1_loss(made, wanted.detach()) for made, wanted in zip(fake, real, strict=True)]).mean()


def r1_penalty(logits: Tensor, frame: Tensor) -> Tensor:
    """Mean squared length of the gradient of the logits by real frames (Mescheder et al. 2018), without their factor of 1/2.

    Args:
        logits: of the frames.
        frame: (B, 3, H, W) real ones, which require a gradient.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), frame, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
