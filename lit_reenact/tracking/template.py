"""The neutral head of a person: the median of their own landmarks over frames with a closed mouth and open eyes."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import UPPER_LIP_RIM, mirror_indices
from lit_reenact.core.geometry import rigid_alignment
from lit_reenact.face import FaceModel
from lit_reenact.face.spreading import spread
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, RIMS
from lit_reenact.landmarks.measures import DEPTH_SCALE
from lit_reenact.tracking.energy import length, outer_eye_length

TEMPLATE_FRAMES = 200
"""Maximum number of frames that are averaged; more change nothing."""


def gap(points: Tensor, upper: tuple[int, ...], lower: tuple[int, ...]) -> Tensor:
    """Average the distance between two rims of FaceMesh points (T, L, C) that share their corners: (T,)."""
    return length(points[:, list(upper[1:-1])] - points[:, list(lower[1:-1])]).mean(-1)


def opening(points: Tensor, upper: tuple[int, ...], lower: tuple[int, ...]) -> Tensor:
    """Divide the mean gap between two rims of FaceMesh points (T, L, C) by their width: (T,)."""
    return gap(points, upper, lower) / length(points[:, upper[0]] - points[:, upper[-1]])


def eye_openings(points: Tensor) -> Tensor:
    """Measure the opening of the left and the right eye in landmarks (T, L, C): (T, 2)."""
    return torch.stack([opening(points, *RIMS[side]) for side in (EYE_LEFT, EYE_RIGHT)], -1)


def lip_opening(points: Tensor) -> Tensor:
    """Divide the mean gap of the inner lips by the distance of the outer eye corners in landmarks (T, L, C): (T,)."""
    return gap(points, *RIMS[MOUTH]) / outer_eye_length(points)


def neutral_frames(points: Tensor) -> Tensor:
    """Choose the frames nearest to a neutral face: a tenth of (T, 468, 3), but at least 10 and at most ``TEMPLATE_FRAMES``.

    They are ranked by the person's own values: the mouth as closed as it gets, its width and the eyes as usual.
    """
    width = length(points[:, UPPER_LIP_RIM[0]] - points[:, UPPER_LIP_RIM[-1]]) / outer_eye_length(points)
    eyes, mouth = eye_openings(points).mean(-1), lip_opening(points)
    usual_eyes = eyes.quantile(0.6)
    deviations = [(mouth - mouth.quantile(0.05)).clamp_min(0), (width - width.median()).abs(), (eyes - usual_eyes).abs() / 2]
    count = min(max(len(points) // 10, 10), TEMPLATE_FRAMES, len(points))
    return torch.stack(deviations).sum(0).argsort(stable=True)[:count]


def make_frontal(template: Tensor, mirror: Tensor) -> Tensor:
    """Turn a head so that it faces its own mirror image.

    A face is nearly symmetric, so a head that lies on its mirror image has no yaw, roll or sideways offset. A template has them
    from the usual pose of its frames.

    Args:
        template: (L, 3) head, mm.
        mirror: int64 (L,) index of each landmark's counterpart on the other side.
    """
    weight = template.new_ones(len(template))
    for _ in range(5):
        symmetric = (template + template[mirror] * template.new_tensor([-1.0, 1.0, 1.0])) / 2
        rotation, _, _ = rigid_alignment(symmetric[None], template, weight)
        template = template @ rotation[0].T
        template = template - template.new_tensor([1.0, 0.0, 0.0]) * template.mean(0)
    return template


def subject_template(points: Tensor, model: FaceModel) -> Tensor:
    """Estimate the neutral landmarks of a person in head axes and real size, from landmarks (T, 468, 3) in pixels.

    Every frame is aligned with the current template by a similarity, and the median of the frames becomes the next template.
    The last template is aligned with the model's mean face, from which it takes its size, and made frontal.

    Returns:
        (468, 3) mm.

    Raises:
        ReenactError: there is no frame to learn from.
    """
    if not len(points):
        raise ReenactError("no face was seen in the training part of the clip: use a video that shows the face from the start")
    mean = model.landmarks(model.vertices)
    chosen = neutral_frames(points)
    heads = points[chosen] * points.new_tensor([1.0, -1.0, -DEPTH_SCALE])  # head axes, pixels
    weight = points.new_ones(len(mean))
    template = mean
    for _ in range(4):
        rotation, scale, offset = rigid_alignment(heads, template, weight)
        aligned = ((heads - offset[:, None]) @ rotation) / scale[:, None, None]
        template = aligned.median(0).values
    mirror = mirror_indices()
    for _ in range(2):
        rotation, scale, offset = rigid_alignment(template[None], mean, weight)
        template = ((template - offset) @ rotation[0]) / scale
        template = make_frontal(template, mirror)
    return template


def fit_identity(template: Tensor, model: FaceModel, strength: float) -> tuple[Tensor, Tensor]:
    """Fit the model's identity basis to a template, and complete the neutral mesh.

    Args:
        template: (468, 3) neutral landmarks, mm.
        model: face model of V vertices.
        strength: weight of the squared coefficients, in units of their prior deviation, against squared mm.

    Returns:
        identity (K,), and neutral mesh (V, 3) in mm, which passes through the template's landmarks.
    """
    basis = model.at_landmarks(model.identity_basis).flatten(1)  # (K, 3 * 468)
    difference = (template - model.landmarks(model.vertices)).flatten()
    normal = basis @ basis.T + torch.diag(strength / model.identity_scale.square())
    identity = torch.linalg.solve(normal, basis @ difference)
    neutral = model.vertices + (identity @ model.identity_basis.flatten(1)).view(-1, 3)
    opened = model.vertices + model.expression_basis[model.expression_names.index("jawOpen")]
    left_over = template - model.landmarks(neutral)
    return identity, neutral + spread(left_over, opened, model.landmark_corners, model.landmark_weights)
