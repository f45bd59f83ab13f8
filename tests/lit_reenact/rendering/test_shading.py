"""Spherical harmonics against quadrature, and their light against a Monte-Carlo integral of Lambert's law."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lit_reenact.rendering.shading import irradiance, shade, spherical_harmonics


def sphere_quadrature(nodes: int = 24) -> tuple[Tensor, Tensor]:
    """Return directions (N, 3) and weights (N,) that integrate polynomials over the sphere exactly (Gauss-Legendre)."""
    z, weight = np.polynomial.legendre.leggauss(nodes)  # type: ignore[no-untyped-call]
    angle = 2 * np.pi * np.arange(2 * nodes) / (2 * nodes)
    z, angle = (grid.ravel() for grid in np.meshgrid(z, angle, indexing="ij"))
    radius = np.sqrt(1 - z**2)
    directions = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1)
    return torch.tensor(directions), torch.tensor(np.repeat(weight, 2 * nodes) * np.pi / nodes)


def test_the_basis_is_orthonormal() -> None:
    directions, weights = sphere_quadrature()
    basis = spherical_harmonics(directions)  # (N, 9)
    torch.testing.assert_close((basis * weights[:, None]).T @ basis, torch.eye(9, dtype=torch.float64))


def test_values_worked_by_hand() -> None:
    x, z = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 0, 1])
    expected_x = [0.282095, 0, 0, 0.488603, 0, 0, -0.315392, 0, 0.546274]
    expected_z = [0.282095, 0, 0.488603, 0, 0, 0, 0.630783, 0, 0]
    torch.testing.assert_close(spherical_harmonics(torch.stack([x, z])), torch.tensor([expected_x, expected_z]))


def test_irradiance_is_the_lambert_integral_of_the_radiance() -> None:
    random = torch.Generator().manual_seed(0)
    illumination = torch.randn(2, 27, generator=random, dtype=torch.float64)
    normals = torch.nn.functional.normalize(torch.randn(2, 5, 3, generator=random, dtype=torch.float64), dim=-1)
    directions = torch.nn.functional.normalize(torch.randn(400_000, 3, generator=random, dtype=torch.float64), dim=-1)
    radiance = spherical_harmonics(directions) @ illumination.view(2, 9, 3)  # (2, N, 3)
    cosine = (normals @ directions.T).clamp_min(0)  # (2, 5, N)
    expected = 4 * math.pi * (cosine @ radiance) / len(directions) / math.pi
    torch.testing.assert_close(irradiance(normals, illumination), expected, atol=0.02, rtol=0)


def test_images_and_lists_of_normals_are_lit_alike() -> None:
    normals = torch.nn.functional.normalize(torch.randn(2, 3, 4, 5), dim=1)
    illumination = torch.randn(2, 27)
    image = irradiance(normals, illumination)
    points = irradiance(normals.flatten(2).transpose(1, 2), illumination)
    torch.testing.assert_close(image.flatten(2).transpose(1, 2), points)


def test_white_light_from_everywhere_shows_the_albedo() -> None:
    illumination = torch.zeros(1, 9, 3)
    illumination[:, 0] = math.sqrt(4 * math.pi)
    albedo = torch.rand(1, 3, 6, 6)
    normals = torch.nn.functional.normalize(torch.randn(1, 3, 6, 6), dim=1)
    torch.testing.assert_close(shade(albedo, normals, illumination.flatten(1)), albedo)
