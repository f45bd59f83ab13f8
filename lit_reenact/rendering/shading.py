"""Distant light in spherical harmonics on a matt surface (Ramamoorthi and Hanrahan 2001, bands 0 to 2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HARMONICS = tuple(math.sqrt(part / math.pi) for part in (1 / 4, *3 * (3 / 4,), 15 / 4, 15 / 4, 5 / 16, 15 / 4, 15 / 16))
"""What makes the polynomials 1 | y, z, x | xy, yz, 3zz - 1, xz, xx - yy orthonormal over the sphere."""

LAMBERT = (1.0,) + 3 * (2 / 3,) + 5 * (1 / 4,)
"""What the cosine lobe leaves of each harmonic, divided by pi: white light of radiance 1 shows a surface in its albedo."""


def spherical_harmonics(normals: Tensor) -> Tensor:
    """The nine real spherical harmonics of unit vectors: (..., 3) to (..., 9), orthonormal over the sphere.

    Order: 1 | y, z, x | xy, yz, 3z^2 - 1, xz, x^2 - y^2.
    """
    x, y, z = normals.unbind(-1)
    polynomials = [torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return torch.stack(polynomials, -1) * normals.new_tensor(HARMONICS)


def irradiance(normals: Tensor, illumination: Tensor) -> Tensor:
    """Light that arrives on surfaces, over pi; times the albedo it is the colour that is seen.

    Args:
        normals: unit vectors in the axes of the light (here the camera's): (B, 3, H, W), or (B, N, 3).
        illumination: (B, 27), the radiance that comes from each direction: nine harmonics x RGB, flattened (9, 3).

    Returns:
        In the layout of ``normals``, RGB in place of xyz; may be negative where the light has no true counterpart.
    """
    light = illumination.reshape(len(illumination), 9, 3) * illumination.new_tensor(LAMBERT)[:, None]  # (B, 9, 3)
    if normals.dim() == 3:
        return torch.bmm(spherical_harmonics(normals), light)
    pixels = normals.flatten(2).transpose(1, 2)  # (B, H * W, 3)
    return torch.bmm(spherical_harmonics(pixels), light).transpose(1, 2).reshape(normals.shape)


def irradiance_polynomial(illumination: Tensor) -> Tensor:
    """What ``irradiance`` of a unit vector is the sum of: (B, 9, 3), times 1 | y, z, x | xy, yz, zz, xz, xx - yy."""
    factors = illumination.new_tensor(HARMONICS) * illumination.new_tensor(LAMBERT)
    light = illumination.reshape(len(illumination), 9, 3) * factors[:, None]
    light[:, 0] -= light[:, 6]  # 3 zz - 1 is of two powers
    light[:, 6] *= 3
    return light


def shade(albedo: Tensor, normals: Tensor, illumination: Tensor) -> Tensor:
    """Colour of a matt surface: albedo (B, 3, H, W) or (B, N, 3) times ``irradiance`` of the same layout."""
    return albedo * irradiance(normals, illumination)
