"""E_photo, the photometric term: the difference of skin points from their known reflectance under the fitted light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lit_reenact.core.geometry import flip
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.rendering.shading import irradiance
from lit_reenact.tracking import energy, photometric, skin_samples
from lit_reenact.tracking.landmark_term import Quadratic
from lit_reenact.tracking.problem import Problem
from lit_reenact.tracking.skin_samples import Samples, SkinPoints
from lit_reenact.tracking.state import State

COARSENESS = 2
"""Pixels of the clip along each side of a pixel in which visibility is decided: cheaper, and safer where skin folds."""

BRIGHTNESS_SCALE = 4.0
"""Difference in brightness, in % of the skin's own, at which a point begins to lose weight: a strand of hair, a highlight."""


@dataclass(frozen=True)
class KnownSkin:
    """Skin points whose reflectance is known.

    Attributes:
        points: place of the N points in the mesh.
        neutral: (N, 3) points of the neutral head, mm.
        basis: (K, N, 3) displacement by each expression at coefficient 1, mm.
        albedo: (N, 3) reflectance in [0, 1].
        reliable: bool (N,), points that may be used.
        usual: (1, 27) usual light, towards which the light of each frame is held.
        steadiness: strength with which it is held there.
        weight: weight of E_photo for each point.
    """

    points: SkinPoints
    neutral: Tensor
    basis: Tensor
    albedo: Tensor
    reliable: Tensor
    usual: Tensor
    steadiness: float
    weight: float


@dataclass(frozen=True)
class Picture:
    """The images of T frames, and the skin that a first fit finds in them.

    Attributes:
        images: (T, 3, H, W) in [0, 1].
        normal: (T, N, 3) normals of the skin points in head axes.
        weight: (T, N) visibility of the skin points, defined by ``Samples.weight``.
    """

    images: Tensor
    normal: Tensor
    weight: Tensor


class PhotoModel(NamedTuple):
    """E_photo, linearised about a state of T frames.

    Attributes:
        quadratic: curvature and slope by pose and coefficients.
        light: (T, 27) light fitted at the state.
        weight: (T, N) weights of the points after a look at their residuals.
    """

    quadratic: Quadratic
    light: Tensor
    weight: Tensor


def sample_picture(
    frames: Tensor, state: State, neutral: Tensor, points: SkinPoints, model: FaceModel, camera: Camera
) -> Picture:
    """Prepare frames for E_photo, with the skin where the state puts it.

    Args:
        frames: uint8 (T, H, W, 3).
        state: pose and expression of the frames.
        neutral: (V, 3) neutral mesh of the person, mm.
        points: N points on the skin.
        model: face model.
        camera: camera of the frames.
    """
    mesh = energy.deform(neutral, model.expression_basis, state.expression)
    normal = skin_samples.skin_normals(model, points, mesh)
    _, placed = energy.place(mesh, state.rotation, state.translation)
    coarse = Camera(camera.focal / COARSENESS, camera.width // COARSENESS, camera.height // COARSENESS)
    weight = skin_samples.visibility(model, points, placed, _in_camera_axes(normal, state), coarse)
    return Picture(frames.permute(0, 3, 1, 2).float() / 255, normal, weight)


def linearise(problem: Problem, skin: KnownSkin, picture: Picture, weight: Tensor, state: State) -> PhotoModel:
    """Linearise E_photo about a state, with light fitted under the given weights (T, N)."""
    turned, placed = energy.place(energy.deform(skin.neutral, skin.basis, state.expression), state.rotation, state.translation)
    colour, gradient = colour_and_gradient(picture.images, energy.project_landmarks(placed, problem.camera))
    normal = _in_camera_axes(picture.normal, state)
    light = photometric.fit_light(Samples(colour, normal, weight), skin.albedo, skin.steadiness, skin.usual)
    unit = skin.albedo[skin.reliable].mean() / 100  # % of the skin's brightness
    residual = (skin.albedo * irradiance(normal, light) - colour).mean(-1) / unit  # (T, N)
    weight = picture.weight * skin.reliable * energy.geman_mcclure_weight(residual[..., None], BRIGHTNESS_SCALE)
    by_point = energy.brightness_jacobian(gradient / unit, energy.projection_jacobian(placed, problem.camera))
    by_pose = energy.pose_jacobian(turned, by_point, state.translation)
    by_expression = energy.expression_jacobian(by_point, state.rotation, skin.basis)
    derivative = torch.cat([by_pose, by_expression], -1).squeeze(2)  # (T, N, 6 + K)
    weighted = (derivative * (skin.weight * weight)[..., None]).transpose(-1, -2)
    slope = (weighted @ residual[..., None]).squeeze(-1)
    return PhotoModel(Quadratic(weighted @ derivative, slope), light, weight)


def colour_and_gradient(images: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor]:
    """Sample images (T, C, H, W) at pixels (T, N, 2).

    Returns:
        colours (T, N, C), and the central differences of their mean by x and y, (T, N, 2).
    """
    steps = pixel.new_tensor([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    values = skin_samples.look_up(images, (pixel + steps[:, None, None]).transpose(0, 1).flatten(1, 2))  # (T, 5 N, C)
    colour, right, left, below, above = values.view(len(images), len(steps), -1, images.shape[1]).unbind(1)
    return colour, torch.stack([right - left, below - above], -1).mean(2) / 2


def _in_camera_axes(normal: Tensor, state: State) -> Tensor:
    """Turn normals (T, N, 3) from head axes to camera axes."""
    return (normal @ state.rotation.transpose(-1, -2)) * flip(normal)
