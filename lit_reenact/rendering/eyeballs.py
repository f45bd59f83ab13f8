"""The eyes of a face: not a part of the mesh, but spheres that are met by the rays through the gap between the lids."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lit_reenact.rendering.scene import Scene, Surface

EYE_WHITE = (1.0, 1.0, 1.0)
IRIS = (0.0, 0.0, 1.0)
"""Colours of the eye image; what is not eye is black."""


def eye_colours(surface: Surface, scene: Scene, side: int, frame: Tensor, place: Tensor) -> Tensor:
    """The eye image (Q, 3) at points (Q, 2) in samples, of the frames (Q,), between the lids of one eye: white, and the iris.

    Args:
        surface: brings the radii.
        scene: brings eyeballs and gaze.
        side: 0 of the left eye, 1 of the right.
        frame: int64 (Q,).
        place: (Q, 2) x and y.
    """
    iris = iris_coverage(surface, scene, place, scene.eyeballs[frame, side], scene.gaze[frame, side])[:, None]
    white, blue = iris.new_tensor(EYE_WHITE), iris.new_tensor(IRIS)
    return white + iris * (blue - white)


def iris_coverage(surface: Surface, scene: Scene, place: Tensor, centre: Tensor, gaze: Tensor) -> Tensor:
    """How much of each of Q samples the iris covers, 0 to 1: in a small image a hard edge would swallow small movements.

    Args:
        surface: brings the radii.
        scene: brings the camera.
        place: (Q, 2) x and y of the samples.
        centre: (Q, 3) of the eyeball, camera axes, mm.
        gaze: (Q, 3) unit vectors, camera axes.
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
