"""Light and reflectance of the skin, from the pixels under a tracked mesh: colour = albedo x irradiance (matt skin).

Each is linear given the other, so they are solved in turn. Their common scale is fixed by convention: over the skin of the
training frames the mean irradiance is 1 in each colour.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from lit_reenact.rendering.shading import LAMBERT, irradiance, spherical_harmonics
from lit_reenact.tracking.skin_samples import Samples

MIN_LIGHT = 0.1
"""Lower limit of the irradiance by which colours are divided; the mean irradiance is 1."""


def fit_light(samples: Samples, albedo: Tensor, ridge: float, usual: Tensor | None = None) -> Tensor:
    """Fit the light of each frame by ridge regression: (T, 27).

    Args:
        samples: colours of T frames at N points.
        albedo: (N, 3) reflectance of the points.
        ridge: strength that holds the light towards ``usual``, against the mean squared albedo.
        usual: (1, 27) usual light; None holds all harmonics but the constant one towards 0.
    """
    harmonics = spherical_harmonics(samples.normal) * albedo.new_tensor(LAMBERT)  # (T, N, 9)
    weight = samples.weight / samples.weight.sum(1, keepdim=True).clamp_min(1e-6)
    strength = weight[:, None] * albedo.T.square()  # (T, 3, N)
    weighted = harmonics.transpose(-1, -2)[:, None] * strength[:, :, None]  # (T, 3, 9, N)
    level = strength.sum(-1, keepdim=True)  # (T, 3, 1)
    penalty = (level * ridge).expand(-1, -1, 9).clone()
    centre = torch.zeros_like(penalty)
    if usual is None:
        penalty[..., 0] = 0
    else:
        centre = usual.view(1, 9, 3).transpose(1, 2).expand_as(penalty)
    normal = weighted @ harmonics[:, None] + torch.diag_embed(penalty + 1e-9)  # (T, 3, 9, 9)
    right = (samples.colour * albedo * weight[..., None]).transpose(1, 2) @ harmonics + penalty * centre  # (T, 3, 9)
    light: Tensor = torch.linalg.solve(normal, right)  # (T, 3, 9)
    return light.transpose(1, 2).flatten(1)


def fit_albedo(samples: Samples, light: Tensor) -> tuple[Tensor, Tensor]:
    """Fit the reflectance of each point, the weighted median over all frames of its colour divided by its irradiance.

    Args:
        samples: colours of T frames at N points.
        light: (T, 27) light of the frames.

    Returns:
        albedo (N, 3), and the summed weight of each point (N,).
    """
    lit = irradiance(samples.normal, light)
    ratio = samples.colour / lit.clamp_min(MIN_LIGHT)
    ordered, order = ratio.sort(dim=0)  # (T, N, 3)
    weight = samples.weight[..., None].expand_as(ratio).gather(0, order).cumsum(0)
    middle = (weight < weight[-1] / 2).sum(0, keepdim=True).clamp_max(len(ratio) - 1)
    return ordered.gather(0, middle)[0], samples.weight.sum(0)


def normalise(samples: Samples, light: Tensor) -> Tensor:
    """Scale light (1, 27) so that the mean irradiance of the samples is 1 in each colour."""
    weight = samples.weight[..., None]
    lit = irradiance(samples.normal, light.expand(len(samples.normal), -1))
    mean = (lit * weight).sum((0, 1)) / weight.sum().clamp_min(1e-6)
    return (light.view(1, 9, 3) / mean.clamp_min(1e-6)).flatten(1)


def fill_holes(texture: Tensor, weight: Tensor) -> Tensor:
    """Fill texels of weight 0 of a texture with a smooth continuation of the others (pull-push).

    Args:
        texture: (C, S, S), S a power of two.
        weight: (S, S) weights of the texels.
    """
    weight = weight.clamp(0, 1)
    if weight.shape[-1] == 1:
        return texture
    total = avg_pool2d(weight[None], 2)[0]
    coarse = avg_pool2d((texture * weight)[None], 2)[0] / total.clamp_min(1e-6)
    coarse = fill_holes(coarse, (total * 4).clamp(0, 1))
    spread = interpolate(coarse[None], size=weight.shape, mode="bilinear", align_corners=False)[0]
    return texture * weight + spread * (1 - weight)
