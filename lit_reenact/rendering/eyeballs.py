"""The eyes of a face. They are no part of the mesh: a ray through the gap between the lids meets a sphere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lit_reenact.rendering.scene import Scene, Surface

EYE_WHITE = (1.0, 1.0, 1.0)
IRIS = (0.0, 0.0, 1.0)
"""Colours of the eye image, RGB in [0, 1]; everything else is black."""


def eye_colours(surface: Surface, scene: Scene, side: int, frame: Tensor, place: Tensor) -> Tensor:
    """Return the eye image at points between the lids of one eye: white, and the colour of the iris.

    Args:
        surface: radii of eyeball and iris.
        scene: eyeballs, gaze and camera.
        side: 0 for the left eye, 1 for the right.
        frame: int64 (Q,), frame of each point.
        place: (Q, 2), x and y in samples.

    Returns:
        RGB in [0, 1], (Q, 3).
    """
    iris = iris_coverage(surface, scene, place, scene.eyeballs[frame, side], scene.gaze[frame, side])[:, None]
    white, blue = iris.new_tensor(EYE_WHITE), iris.new_tensor(IRIS)
    return white + iris * (blue - white)


def iris_coverage(surface: Surface, scene: Scene, place: Tensor, centre: Tensor, gaze: Tensor) -> Tensor:
    """Return the share of each sample that the iris covers, (Q,) in [0, 1]: a hard edge would swallow small movements.

    Args:
        surface: radii of eyeball and iris.
        scene: camera.
        place: (Q, 2), x and y in samples.
        centre: (Q, 3), centre of the eyeball, mm, camera axes.
        gaze: (Q, 3), unit vector of the line of sight, camera axes.
    """
    camera, radius = scene.camera, surface.eye_radius
    ray = (place - place.new_tensor([camera.width / 2, camera.height / 2])) / camera.focal
    ray = normalize(torch.cat([ray, torch.ones_like(ray[:, :1])], -1), dim=-1)
    nearest = (ray * centre).sum(-1)  # along the ray
    half_chord = (radius**2 - (centre - nearest[:, None] * ray).square().sum(-1)).clamp_min(0).sqrt()  # 0: passes by
    distance = nearest - half_chord
    outward = normalize(distance[:, None] * ray - centre, dim=-1)
    cosine = (outward * gaze).sum(-1)
    off_axis = radius * (1 - cosine.square()).clamp_min(0).sqrt()  # mm
    sample = distance / camera.focal  # mm
    coverage = ((surface.iris_radius - off_axis) / sample + 0.5).clamp(0, 1)
    return torch.where(cosine > 0, coverage, 0)
