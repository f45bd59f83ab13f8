"""How far lids and lips are apart, and how strong a blink shuts a person's eyes."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import RIMS

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")

NEVER_SHUT = 0.25
"""A blink that moves the lids by less than this part of their gap does not shut an eye at any strength worth naming."""


def gaps(landmarks: Tensor) -> Tensor:
    """Mean height of each opening in landmarks (T, 468, 3), in the order of ``topology.OPENINGS``.

    Returns:
        (T, 3), mm; negative where the rims overlap.
    """
    heights = [landmarks[:, list(upper[1:-1]), 1] - landmarks[:, list(lower[1:-1]), 1] for upper, lower in RIMS.values()]
    return torch.stack([height.mean(1) for height in heights], -1)


def lid_gaps(model: FaceModel, neutral: Tensor) -> tuple[Tensor, Tensor]:
    """The gaps between the lids of a left and a right eye, (2,) each, mm: at rest, and with ``eyeBlink`` at 1.

    Args:
        model: brings the blinks.
        neutral: (468, 3) landmarks of a person's neutral face, mm.
    """
    blink = model.at_landmarks(model.expression_basis[[model.expression_names.index(name) for name in BLINKS]]).sum(0)
    rest, blinked = gaps(torch.stack([neutral, neutral + blink]))[:, :2]
    return rest, blinked


def shut_at(model: FaceModel, neutral: Tensor) -> Tensor:
    """The coefficient of ``eyeBlink`` at which a person's lids meet, left and right: (2,). Arguments as of ``lid_gaps``.

    A blendshape moves everybody's lids by as many millimetres: small eyes are shut before it reaches 1, large ones after.
    """
    rest, blinked = lid_gaps(model, neutral)
    return rest / (rest - blinked).clamp_min(NEVER_SHUT * rest)
