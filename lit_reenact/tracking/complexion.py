"""Reflectance of a person's skin points, solved in turn with the light and the usual colour of skin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lit_reenact.rendering.shading import irradiance
from lit_reenact.tracking import photometric
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.skin_colour import Normal, learn_skin_colour, may_be_skin
from lit_reenact.tracking.skin_samples import Samples

ROUNDS = 3
"""Number of rounds in which light, reflectance and the usual colour of skin are solved in turn."""


@dataclass(frozen=True)
class Complexion:
    """Reflectance of N skin points, and the light and colour that were solved with it.

    Attributes:
        albedo: (N, 3) reflectance in [0, 1].
        reliable: bool (N,), points at which most samples belong to the face.
        usual: (1, 27) usual light.
        colour: distribution of the person's bare skin, in logarithms.
    """

    albedo: Tensor
    reliable: Tensor
    usual: Tensor
    colour: Normal


def learn_complexion(samples: Samples, feature: Tensor, settings: TrackerSettings) -> Complexion:
    """Solve light, reflectance and the colour of skin in turn, starting from skin of one colour in an even light.

    While the head stands still, a bright cheek cannot be distinguished from a well lit one: the light explains as much as it can.
    Samples without the colour of the person's skin have no weight in the light, and none in the reflectance except at features.

    Args:
        samples: colours of training frames at N points.
        feature: bool (N,), points that belong to the face whatever their colour.
        settings: settings of the tracker.
    """
    visible = samples.weight > 0
    lit, albedo = torch.ones_like(samples.colour), torch.empty(0)
    for _ in range(ROUNDS):
        reflectance = samples.colour / lit.clamp_min(photometric.MIN_LIGHT)
        colour = learn_skin_colour(reflectance[visible & ~feature])
        skin = replace(samples, weight=samples.weight * may_be_skin(reflectance, colour))
        if not len(albedo):
            albedo = colour.mean.exp().expand(len(feature), 3)
        usual = photometric.fit_light(skin.pooled(), albedo.repeat(len(lit), 1), settings.light_ridge)
        usual = photometric.normalise(skin, usual)
        light = photometric.fit_light(skin, albedo, settings.light_steadiness, usual)
        lit = irradiance(samples.normal, light)
        albedo, reliable = believed_albedo(samples, light, colour, feature)[:2]
    return Complexion(albedo, reliable, usual, colour)


def believed_albedo(samples: Samples, light: Tensor, colour: Normal, feature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit the reflectance of N points to the samples that show skin or a feature.

    Args:
        samples: colours of T frames at N points.
        light: (T, 27) known light of the frames.
        colour: distribution of the person's bare skin, in logarithms.
        feature: bool (N,), points that belong to the face whatever their colour.

    Returns:
        albedo (N, 3) in [0, 1]; bool (N,), whether more than half of the weight was believed; and the believed weight (N,).
    """
    reflectance = samples.colour / irradiance(samples.normal, light).clamp_min(photometric.MIN_LIGHT)
    believed = replace(samples, weight=samples.weight * (may_be_skin(reflectance, colour) | feature))
    albedo, share = photometric.fit_albedo(believed, light)
    return albedo.clamp(0, 1), share > 0.5 * samples.weight.sum(0), share
