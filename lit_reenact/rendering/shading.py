"""Distant light in spherical harmonics on a matt surface (Ramamoorthi and Hanrahan 2001, bands 0 to 2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HARMONICS = tuple(math.sqrt(part / math.pi) for part in (1 / 4, *3 * (3 / 4,), 15 / 4, 15 / 4, 5 / 16, 15 / 4, 15 / 16))
"""Factors that make the polynomials 1 | y, z, x | xy, yz, 3zz - 1, xz, xx - yy orthonormal over the sphere."""

LAMBERT = (1.0,) + 3 * (2 / 3,) + 5 * (1 / 4,)
"""Attenuation of each harmonic by the cosine lobe, divided by pi (Ramamoorthi and Hanrahan 2001): white light of radiance 1
shows a surface in its albedo."""


def spherical_harmonics(normals: Tensor) -> Tensor:
    """Return the nine real spherical harmonics of bands 0 to 2, orthonormal over the sphere.

    Args:
        normals: unit vectors (..., 3).

    Returns:
        (..., 9) in the order 1 | y, z, x | xy, yz, 3z^2 - 1, xz, x^2 - y^2.
    """
    x, y, z = normals.unbind(-1)
    polynomials = [torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return torch.stack(polynomials, -1) * normals.new_tensor(HARMONICS)


def irradiance(normals: Tensor, illumination: Tensor) -> Tensor:
    """Return the irradiance of surfaces divided by pi; times the albedo it is the colour of the surface.

    Args:
        normals: unit vectors in the axes of the light (here the camera's), (B, 3, H, W) or (B, N, 3).
        illumination: (B, 27), radiance from each direction: nine harmonics x RGB, flattened (9, 3).

    Returns:
        RGB in the layout of ``normals``. It may be negative where no real light has these coefficients.
    """
    light = illumination.reshape(len(illumination), 9, 3) * illumination.new_tensor(LAMBERT)[:, None]  # (B, 9, 3)
    if normals.dim() == 3:
        return torch.bmm(spherical_harmonics(normals), light)
    pixels = normals.flatten(2).transpose(1, 2)  # (B, H * W, 3)
    return torch.bmm(spherical_harmonics(pixels), light).transpose(1, 2).reshape(normals.shape)


def irradiance_polynomial(illumination: Tensor) -> Tensor:
    """Return the coefficients of ``irradiance`` as a polynomial of a unit vector.

    Args:
        illumination: (B, 27), nine harmonics x RGB, flattened (9, 3).

    Returns:
        (B, 9, 3), factors of 1 | y, z, x | xy, yz, zz, xz, xx - yy for each of RGB.
    """
    factors = illumination.new_tensor(HARMONICS) * illumination.new_tensor(LAMBERT)
    light = illumination.reshape(len(illumination), 9, 3) * factors[:, None]
    light[:, 0] -= light[:, 6]  # 3 zz - 1 has two powers of z
    light[:, 6] *= 3
    return light


def shade(albedo: Tensor, normals: Tensor, illumination: Tensor) -> Tensor:
    """Return the colour of a matt surface: albedo times ``irradiance``.

    Args:
        albedo: (B, 3, H, W) or (B, N, 3), RGB in [0, 1].
        normals: unit vectors in the layout of ``albedo``, axes of the light.
        illumination: (B, 27), nine harmonics x RGB, flattened (9, 3).

    Example:
        >>> white = torch.zeros(1, 9, 3)
        >>> white[:, 0] = math.sqrt(4 * math.pi)
        >>> shade(albedo, normals, white.flatten(1))  # the albedo itself
    """
    return albedo * irradiance(normals, illumination)
