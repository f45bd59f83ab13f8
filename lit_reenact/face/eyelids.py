"""Gaps between lids and lips, and the blink that shuts a person's eyes."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import RIMS

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")

NEVER_SHUT = 0.25
"""Least share of the lids' gap that a blink is taken to close, so that no coefficient grows without bound."""


def gaps(landmarks: Tensor) -> Tensor:
    """Return the mean height of each opening in landmarks (T, 468, 3), mm: left eye, right eye, mouth.

    Returns:
        (T, 3) mm, in the order of ``topology.OPENINGS``; negative where the rims overlap.
    """
    heights = [landmarks[:, list(upper[1:-1]), 1] - landmarks[:, list(lower[1:-1]), 1] for upper, lower in RIMS.values()]
    return torch.stack([height.mean(1) for height in heights], -1)


def lid_gaps(model: FaceModel, neutral: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gaps between the lids of the left and the right eye, at rest and with ``eyeBlink`` at 1: (2,) each, mm.

    Args:
        model: face model with the blinks.
        neutral: (468, 3) landmarks of a person's neutral face, mm.
    """
    blink = model.at_landmarks(model.expression_basis[[model.expression_names.index(name) for name in BLINKS]]).sum(0)
    rest, blinked = gaps(torch.stack([neutral, neutral + blink]))[:, :2]
    return rest, blinked


def closing_blink(model: FaceModel, neutral: Tensor) -> Tensor:
    """Return the coefficients of ``eyeBlink`` at which a person's lids meet, left and right: (2,).

    A blendshape moves all people's lids by as many millimetres: small eyes are shut before it reaches 1, large ones after.

    Args:
        model: face model with the blinks.
        neutral: (468, 3) landmarks of the person's neutral face, mm.
    """
    rest, blinked = lid_gaps(model, neutral)
    return rest / (rest - blinked).clamp_min(NEVER_SHUT * rest)
