"""Rotations, projection, alignment and optical flow, with the axes and signs of ``schema``."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from lit_reenact.core.schema import Camera


def flip(like: Tensor) -> Tensor:
    """Return the diagonal (3,) that takes rotated head axes to camera axes: x stays, y and z change sign."""
    return like.new_tensor([1.0, -1.0, -1.0])


def axis_angle_to_matrix(rotation: Tensor) -> Tensor:
    """Convert axis-angle (..., 3), radians, to rotation matrices (..., 3, 3) by Rodrigues' formula, smooth at 0."""
    angle2 = (rotation * rotation).sum(-1, keepdim=True)[..., None]
    small = angle2 < 1e-8
    angle = torch.where(small, torch.ones_like(angle2), angle2).sqrt()
    sine = torch.where(small, 1 - angle2 / 6, torch.sin(angle) / angle)
    cosine = torch.where(small, 0.5 - angle2 / 24, (1 - torch.cos(angle)) / angle**2)
    x, y, z = rotation.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*rotation.shape[:-1], 3, 3)
    identity = torch.eye(3, dtype=rotation.dtype, device=rotation.device)
    return identity + sine * skew + cosine * (skew @ skew)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Convert rotation matrices (..., 3, 3) to axis-angle (..., 3) with angles in [0, pi], by way of the quaternion."""
    m = matrix
    trace = m.diagonal(dim1=-2, dim2=-1).sum(-1)
    # Four forms of the same quaternion (times 4q): the one with the largest pivot is the best conditioned (Shepperd 1978).
    w = torch.stack([1 + trace, m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    x = torch.stack([w[..., 1], 1 + 2 * m[..., 0, 0] - trace, m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0]], -1)
    y = torch.stack([w[..., 2], x[..., 2], 1 + 2 * m[..., 1, 1] - trace, m[..., 2, 1] + m[..., 1, 2]], -1)
    z = torch.stack([w[..., 3], x[..., 3], y[..., 3], 1 + 2 * m[..., 2, 2] - trace], -1)
    forms = torch.stack([w, x, y, z], -2)
    pivot = forms.diagonal(dim1=-2, dim2=-1).argmax(-1)
    quaternion = forms.gather(-2, pivot[..., None, None].expand(*pivot.shape, 1, 4)).squeeze(-2)
    quaternion = torch.nn.functional.normalize(quaternion, dim=-1)
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    vector = quaternion[..., 1:]
    sine = vector.norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    return vector * torch.where(sine > 1e-7, angle / sine.clamp_min(1e-12), torch.full_like(angle, 2.0))


def euler_to_matrix(yaw_pitch_roll: Tensor) -> Tensor:
    """Convert yaw, pitch, roll (..., 3), radians, to matrices (..., 3, 3): ``R_y(yaw) R_x(-pitch) R_z(-roll)`` in head axes."""
    yaw, pitch, roll = yaw_pitch_roll.unbind(-1)
    zero = torch.zeros_like(yaw)
    turn = axis_angle_to_matrix(torch.stack([zero, yaw, zero], -1))
    nod = axis_angle_to_matrix(torch.stack([-pitch, zero, zero], -1))
    tilt = axis_angle_to_matrix(torch.stack([zero, zero, -roll], -1))
    return turn @ nod @ tilt


def matrix_to_euler(matrix: Tensor) -> Tensor:
    """Convert matrices (..., 3, 3) to yaw, pitch, roll (..., 3), radians: inverse of ``euler_to_matrix`` for |pitch| < pi / 2."""
    yaw = torch.atan2(matrix[..., 0, 2], matrix[..., 2, 2])
    pitch = torch.asin(matrix[..., 1, 2].clamp(-1, 1))
    roll = -torch.atan2(matrix[..., 1, 0], matrix[..., 1, 1])
    return torch.stack([yaw, pitch, roll], -1)


def gaze_direction(gaze: Tensor) -> Tensor:
    """Convert yaw and pitch (..., 2) of an eye, radians, to unit vectors (..., 3) in head axes; (0, 0) looks along +z."""
    yaw, pitch = gaze.unbind(-1)
    return torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)


def head_to_camera(points: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Move head points (T, V, 3) or (V, 3), mm, by the poses of T frames to camera points (T, V, 3), mm.

    Args:
        points: points in head axes, mm.
        rotation: (T, 3) axis-angle.
        translation: (T, 3) position of the head in camera axes, mm.
    """
    rotated = points @ axis_angle_to_matrix(rotation).transpose(-1, -2)
    return rotated * flip(points) + translation[:, None]


def project(points: Tensor, camera: Camera) -> Tensor:
    """Project camera points (..., 3), mm, to (..., 3): x and y in pixels, and the depth z in mm unchanged."""
    centre = points.new_tensor([camera.width / 2, camera.height / 2])
    pixels = points[..., :2] * (camera.focal / points[..., 2:]) + centre
    return torch.cat([pixels, points[..., 2:]], -1)


def rigid_alignment(points: Tensor, reference: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Fit the similarity ``points = scale R reference + offset`` by least squares (Umeyama 1991).

    Args:
        points: (..., L, 3) points to reach.
        reference: (L, 3) or (..., L, 3) points to move.
        weight: (L,) weight of each point; all equal if None.

    Returns:
        Rotation R (..., 3, 3), scale (...), offset (..., 3).
    """
    weight = points.new_ones(points.shape[-2]) if weight is None else weight
    share = (weight / weight.sum())[:, None]
    middle, reference_middle = (points * share).sum(-2), (reference * share).sum(-2)
    centred, reference_centred = points - middle[..., None, :], reference - reference_middle[..., None, :]
    u, s, vh = torch.linalg.svd((centred * share).transpose(-1, -2) @ reference_centred)
    sign = torch.ones_like(s)
    sign[..., 2] = torch.det(u @ vh)
    rotation = (u * sign[..., None, :]) @ vh
    scale = (s * sign).sum(-1) / (reference_centred.square() * share).sum((-1, -2))
    offset = middle - scale[..., None] * (rotation @ reference_middle[..., None]).squeeze(-1)
    return rotation, scale, offset


def warp_by_flow(images: Tensor, flow: Tensor) -> Tensor:
    """Carry images along a flow, by bilinear interpolation; outside an image the nearest pixel of its border counts.

    Args:
        images: (B, C, H, W).
        flow: (B, 2, H, W) in pixels, right and down: the pixel at x of the result comes from x + flow.

    Returns:
        (B, C, H, W).
    """
    height, width = images.shape[2:]
    right, down = flow.unbind(1)  # (B, H, W)
    x, y = (torch.arange(size, dtype=flow.dtype, device=flow.device) + 0.5 for size in (width, height))
    grid = torch.stack([(x + right) * 2 / width - 1, (y[:, None] + down) * 2 / height - 1], -1)  # (B, H, W, 2)
    return grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)
