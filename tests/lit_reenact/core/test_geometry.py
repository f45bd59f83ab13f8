"""Rotations against SciPy's, warps against Kornia's, signs and projection worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from kornia.geometry.transform import remap
from scipy.spatial.transform import Rotation
from torch import Tensor

from lit_reenact.core.geometry import (
    axis_angle_to_matrix,
    euler_to_matrix,
    flip,
    gaze_direction,
    head_to_camera,
    matrix_to_axis_angle,
    matrix_to_euler,
    project,
    rigid_alignment,
    warp_by_flow,
)
from lit_reenact.core.schema import Camera

LEFT, UP, FORWARD = torch.eye(3, dtype=torch.float64)  # the subject's left, up, out of the face


def rotations(angle: float, count: int = 50) -> Tensor:
    """Return axis-angle (count, 3) of one angle about random axes."""
    axes = torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(axes, dim=-1) * angle


@pytest.mark.parametrize("angle", [0.0, 1e-6, 1e-4, 1e-3, 0.5, 2.0, math.pi - 1e-6, math.pi])
def test_axis_angle_agrees_with_scipy(angle: float) -> None:
    matrices = axis_angle_to_matrix(rotations(angle))
    np.testing.assert_allclose(matrices, Rotation.from_rotvec(rotations(angle).numpy()).as_matrix(), atol=1e-8)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 1e-3, 0.5, 2.0, 3.0, math.pi - 1e-4])
def test_a_matrix_gives_its_axis_angle_back(angle: float) -> None:
    torch.testing.assert_close(matrix_to_axis_angle(axis_angle_to_matrix(rotations(angle))), rotations(angle), atol=1e-7, rtol=0)


def test_half_turns_survive_the_way_through_axis_angle() -> None:
    """At pi the axis may come back with the other sign: the matrices must agree."""
    matrices = axis_angle_to_matrix(rotations(math.pi))
    torch.testing.assert_close(axis_angle_to_matrix(matrix_to_axis_angle(matrices)), matrices, atol=1e-6, rtol=0)


def test_rotations_are_differentiable_at_rest() -> None:
    rest = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    moved = axis_angle_to_matrix(rest)[0] @ FORWARD
    jacobian = torch.cat([torch.autograd.grad(moved[i], rest, retain_graph=True)[0] for i in range(3)])
    # a small rotation w moves the vector v by w x v
    expected = torch.stack([torch.linalg.cross(axis, FORWARD) for axis in torch.eye(3, dtype=torch.float64)], -1)
    torch.testing.assert_close(jacobian, expected)


@pytest.mark.parametrize(
    ("angles", "moved", "towards"),
    [
        ((0.1, 0, 0), FORWARD, LEFT),  # positive yaw turns to the subject's left
        ((0, 0.1, 0), FORWARD, UP),  # positive pitch looks up
        ((0, 0, 0.1), UP, LEFT),  # positive roll tilts to the subject's left shoulder
    ],
)
def test_signs_of_yaw_pitch_and_roll(angles: tuple[float, float, float], moved: Tensor, towards: Tensor) -> None:
    result = euler_to_matrix(torch.tensor(angles, dtype=torch.float64)) @ moved
    torch.testing.assert_close(result, math.cos(0.1) * moved + math.sin(0.1) * towards)


def test_euler_angles_agree_with_scipy_and_come_back() -> None:
    angles = (torch.rand(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5) * torch.tensor(
        [6.0, 2.8, 6.0]
    )
    matrices = euler_to_matrix(angles)
    # intrinsic y, x, z; pitch and roll turn the other way about their axes
    expected = Rotation.from_euler("YXZ", (angles * torch.tensor([1.0, -1.0, -1.0])).numpy()).as_matrix()
    np.testing.assert_allclose(matrices, expected, atol=1e-12)
    torch.testing.assert_close(matrix_to_euler(matrices), angles)


def test_gaze_directions() -> None:
    torch.testing.assert_close(gaze_direction(torch.zeros(2, dtype=torch.float64)), FORWARD)
    gaze = torch.tensor([[0.3, 0.2], [-0.4, -0.1]], dtype=torch.float64)
    directions = gaze_direction(gaze)
    assert (directions[0] > 0).all()  # left, up, out of the face
    as_a_head_would = euler_to_matrix(torch.cat([gaze, torch.zeros(2, 1)], -1)) @ FORWARD
    torch.testing.assert_close(directions, as_a_head_would)


def test_a_frontal_face_in_the_camera() -> None:
    """The subject's left is right in the image, up is up (y smaller), and points that stand out of the face are nearer."""
    points = head_to_camera(
        torch.stack([LEFT, UP, FORWARD]), torch.zeros(1, 3).double(), torch.tensor([[10.0, 20, 500]]).double()
    )
    torch.testing.assert_close(points[0], torch.tensor([[11.0, 20, 500], [10, 19, 500], [10, 20, 499]], dtype=torch.float64))


def test_head_to_camera_of_many_poses_and_meshes() -> None:
    random = torch.Generator().manual_seed(0)
    meshes, rotation, translation = (torch.randn(*shape, generator=random) for shape in ((4, 7, 3), (4, 3), (4, 3)))
    together = head_to_camera(meshes, rotation, translation)
    for t in range(4):
        matrix = torch.tensor(Rotation.from_rotvec(rotation[t].numpy()).as_matrix(), dtype=torch.float32)
        expected = torch.stack([torch.diag(flip(matrix)) @ (matrix @ point) + translation[t] for point in meshes[t]])
        torch.testing.assert_close(together[t], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(head_to_camera(meshes[0], rotation, translation)[0], together[0])


def test_projection_by_hand() -> None:
    camera = Camera(focal=100.0, width=40, height=20)
    points = torch.tensor([[0.0, 0, 500], [50, -25, 500], [50, -25, 1000]])
    torch.testing.assert_close(project(points, camera), torch.tensor([[20.0, 10, 500], [30, 5, 500], [25, 7.5, 1000]]))


def test_a_resized_camera_sees_the_same_scene() -> None:
    camera = Camera(focal=450.0, width=100, height=100)
    points = torch.tensor([[30.0, -20, 600], [-40, 10, 700]])
    torch.testing.assert_close(project(points, camera.resize(256))[:, :2], project(points, camera)[:, :2] * 2.56)


def test_rigid_alignment_of_known_similarity() -> None:
    points = torch.randn(30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turn = axis_angle_to_matrix(torch.tensor([[0.3, -0.5, 0.2]], dtype=torch.float64))
    offset = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    moved = 2.5 * points @ turn[0].T + offset
    rotation, scale, found = rigid_alignment(moved[None], points, torch.rand(30, dtype=torch.float64))
    torch.testing.assert_close(rotation, turn)
    torch.testing.assert_close(scale, torch.tensor([2.5], dtype=torch.float64))
    torch.testing.assert_close(found, offset)


def test_warp_agrees_with_kornia() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 12, 20, generator=generator)
    flow = torch.randn(2, 2, 12, 20, generator=generator) * 4
    x, y = torch.arange(20) + flow[:, 0], torch.arange(12)[:, None] + flow[:, 1]
    expected = remap(images, x, y, padding_mode="border", align_corners=True)
    assert torch.allclose(warp_by_flow(images, flow), expected, atol=1e-5)


def test_warp_by_whole_pixels_is_a_shift() -> None:
    images = torch.arange(24.0).view(1, 1, 4, 6)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 4, 6)
    warped = warp_by_flow(images, flow)
    assert torch.allclose(warped[..., 1:, :4], images[..., :3, 2:], atol=1e-5)
    assert torch.allclose(warped[..., 1:, 4:], images[..., :3, 5:].expand(1, 1, 3, 2), atol=1e-5)  # the border continues
