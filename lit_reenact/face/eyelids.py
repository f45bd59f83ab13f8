"""How far lids and lips are apart, and how strong a blink shuts a person's eyes."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import RIMS
from lit_reenact.schema import Actor

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


def lid_gaps(model: FaceModel, actor: Actor) -> tuple[Tensor, Tensor]:
    """The gaps between the lids of a person's left and right eye, (2,) each, mm: at rest, and with ``eyeBlink`` at 1."""
    blink = model.expression_basis[[model.expression_names.index(name) for name in BLINKS]].sum(0)
    rest, blinked = (gaps(model.landmarks(mesh[None]))[0, :2] for mesh in (actor.neutral, actor.neutral + blink))
    return rest, blinked


def shut_at(model: FaceModel, actor: Actor) -> Tensor:
    """The coefficient of ``eyeBlink`` at which a person's lids meet, left and right: (2,).

    A blendshape moves everybody's lids by as many millimetres: small eyes are shut before it reaches 1, large ones after.
    """
    rest, blinked = lid_gaps(model, actor)
    return rest / (rest - blinked).clamp_min(NEVER_SHUT * rest)
