"""The terms of the tracking energy and the derivatives of the projection: pure functions over a batch of frames.

    E(X) = w_photo E_photo(X) + w_land E_land(X) + w_gap E_gap(X) + w_reg E_reg(X)

follows the paper (Kim et al. 2018, section 3, after Garrido et al. 2016 and Thies et al. 2016), except that light and
reflectance, which are linear, are solved separately (``photometric``). E_gap is this project's own: squared residuals of the
vectors between facing points of lips and lids, under ``contact_weight``, and of the vector from the nose to the chin, which the
jaw alone is to explain. Residuals of landmarks are measured in % of the outer-eye distance as the camera sees it, residuals of
brightness in % of the skin's own, so that no weight depends on the size of the image or of the face, or on the exposure.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import flip
from lit_reenact.core.schema import Camera
from lit_reenact.landmarks.measures import outer_eye_axis


def length(vectors: Tensor) -> Tensor:
    """Return the Euclidean length of vectors (..., C): (...)."""
    return vectors.square().sum(-1).sqrt()


def outer_eye_length(points: Tensor) -> Tensor:
    """Return the distance of the outer eye corners of FaceMesh points (..., L, C), over all C coordinates: (...).

    It rounds like ``length``, with which every other distance of the tracker is measured.
    """
    return length(outer_eye_axis(points))


def residual_unit(neutral: Tensor, translation: Tensor, camera: Camera) -> Tensor:
    """Return the pixels per 1 % of the outer-eye distance of a head (L, 3) at places (T, 3), however it is turned: (T,)."""
    return camera.focal / translation[:, 2] * outer_eye_length(neutral) / 100


def deform(neutral: Tensor, basis: Tensor, expression: Tensor) -> Tensor:
    """Move points (L, 3) by shapes (K, L, 3) under coefficients (T, K): (T, L, 3), head axes, mm."""
    return neutral + (expression @ basis.flatten(1)).view(-1, *neutral.shape)


def place(points: Tensor, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    """Turn head points (T, L, 3) by matrices (T, 3, 3): return them in head axes, and placed in the camera."""
    turned = points @ rotation.transpose(-1, -2)
    return turned, turned * flip(points) + translation[:, None]


def project_landmarks(points: Tensor, camera: Camera) -> Tensor:
    """Project camera points (T, L, 3) to pixels (T, L, 2)."""
    return camera.focal * points[..., :2] / points[..., 2:] + points.new_tensor([camera.width / 2, camera.height / 2])


def projection_jacobian(points: Tensor, camera: Camera) -> Tensor:
    """Differentiate the pixel by the camera point (T, L, 3): (T, L, 2, 3)."""
    x, y, z = points.unbind(-1)
    zero = torch.zeros_like(x)
    rows = torch.stack([torch.stack([z, zero, -x], -1), torch.stack([zero, z, -y], -1)], -2)
    return camera.focal * rows / (z * z)[..., None, None]


def brightness_jacobian(gradient: Tensor, by_point: Tensor) -> Tensor:
    """Differentiate the brightness seen at a point by its place in the camera: (T, N, 1, 3).

    Args:
        gradient: (T, N, 2) gradient of the picture at the point's pixel, by x and y.
        by_point: (T, N, 2, 3) derivative of the pixel, from ``projection_jacobian``.
    """
    return gradient[:, :, None] @ by_point


def pose_jacobian(turned: Tensor, by_point: Tensor, translation: Tensor) -> Tensor:
    """Differentiate the pixel (C = 2) or the brightness (C = 1) of each point by the pose.

    Args:
        turned: (T, L, 3) rotated points in head axes.
        by_point: (T, L, C, 3) derivative by the camera point, from ``projection_jacobian`` or ``brightness_jacobian``.
        translation: (T, 3) place of the head, mm. Its step is in units of the depth, so that all columns have similar lengths.

    Returns:
        (T, L, C, 6): by a turn w on top of the rotation, ``exp(w) R``, then by the step of the translation.
    """
    by_turned = by_point * flip(turned)  # (T, L, C, 3)
    by_turn = torch.linalg.cross(turned[:, :, None].expand_as(by_turned), by_turned, dim=-1)
    return torch.cat([by_turn, by_point * translation[:, None, None, 2:]], -1)


def expression_jacobian(by_point: Tensor, rotation: Tensor, basis: Tensor) -> Tensor:
    """Differentiate the pixel (C = 2) or the brightness (C = 1) of each point by the coefficients.

    Args:
        by_point: (T, L, C, 3) derivative by the camera point.
        rotation: (T, 3, 3) matrices of the head.
        basis: (K, L, 3) displacement of the points by each expression.

    Returns:
        (T, L, C, K).
    """
    by_head = (by_point * flip(basis)) @ rotation[:, None]  # (T, L, C, 3)
    per_point = by_head.permute(1, 0, 2, 3).flatten(1, 2) @ basis.permute(1, 2, 0)  # (L, T * C, K)
    return per_point.view(basis.shape[1], -1, by_point.shape[2], len(basis)).permute(1, 0, 2, 3)


def landmark_energy(residual: Tensor, weight: Tensor) -> Tensor:
    """Compute E_land, the sum of squared residuals (T, L, 2) under weights (T, L) or (L,): (T,)."""
    return (weight * residual.square().sum(-1)).sum(-1)


def photometric_energy(residual: Tensor, weight: Tensor) -> Tensor:
    """Compute E_photo, the sum of squared differences in brightness (T, N) under weights (T, N): (T,)."""
    return (weight * residual.square()).sum(-1)


def prior_energy(expression: Tensor, prior: Tensor) -> Tensor:
    """Compute E_reg, the sum of squares and products of coefficients (T, K) under weights (K, K): (T,)."""
    return ((expression @ prior) * expression).sum(-1)


def geman_mcclure_weight(residual: Tensor, scale: float) -> Tensor:
    """Weight residuals (T, L, 2) for iteratively reweighted least squares on r^2 / (1 + (r / scale)^2): (T, L) in (0, 1]."""
    return (1 + residual.square().sum(-1) / scale**2) ** -2


def contact_weight(gap: Tensor, contact: float = 20.0, reach: float = 1.5) -> Tensor:
    """Weight the gap between facing points of lips or lids: 1 when it is wide, ``1 + contact`` when it is closed.

    Contact is certain; the width of an opening is only measured.

    Args:
        gap: observed width, % of the outer-eye distance.
        contact: additional weight of a closed gap.
        reach: width at which half of the additional weight is left, % of the outer-eye distance.
    """
    return 1 + contact / (1 + (gap / reach) ** 2)
