"""The inner loops of rendering compiled for processors by numba: the rules and sums of the functions in torch.

Torch passes over the memory once for every operation; here a triangle, or a pixel, stays in the registers until it is done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_reenact.face.topology import MOUTH
from lit_reenact.rendering import jit_painting, jit_spans
from lit_reenact.rendering.jit import Floats, array
from lit_reenact.rendering.scene import SAMPLES, Scene, Surface
from lit_reenact.schema import CONDITIONING_CHANNELS


def find_hits(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool) -> tuple[Tensor, ...]:
    """The fields of ``rasterizer.Hits``, for its arguments."""
    corners, planes = array(faces), np.empty((len(faces), jit_spans.PLANE))
    nearest, drawn = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    found: list[tuple[Any, ...]] = [jit_spans.collect(drawn[:0], planes)]  # so that no image is nothing found
    for number, image in enumerate(array(points)):
        jit_spans.draw(image, corners, (0, height, 0, width), cull_backfaces, nearest, drawn, planes)
        pixel, *others = jit_spans.collect(drawn, planes)
        found.append((pixel + number * height * width, *others))
    return tuple(torch.from_numpy(np.concatenate(parts)) for parts in zip(*found, strict=True))


def paint(surface: Surface, scene: Scene) -> Tensor:
    """See ``painting.paint``."""
    height, width = scene.camera.height, scene.camera.width
    faces, region, label = array(surface.faces), array(surface.region), array(surface.label)
    texture = array(surface.reflectance.permute(1, 2, 0))
    inner_faces, inner_albedo = array(surface.inner_faces), array(surface.inner_albedo)
    lips = np.unique(faces[region == MOUTH])
    nearest, drawn = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    inside = np.full((height, width), -1, np.int32)
    planes, inner_planes = (np.empty((len(triangles), jit_spans.PLANE), np.float32) for triangles in (faces, inner_faces))
    radii = np.array([scene.camera.focal, surface.eye_radius, surface.iris_radius], np.float32)
    images = np.zeros((len(scene), height // SAMPLES, width // SAMPLES, CONDITIONING_CHANNELS + 1), np.uint8)
    arrays = [array(part) for part in (scene.points, scene.attributes, scene.openness, scene.eyeballs, scene.gaze)]
    for image, points, attributes, openness, eyeballs, gaze in zip(images, *arrays, strict=True):
        jit_spans.draw(points, faces, (0, height, 0, width), True, nearest, drawn, planes)
        if len(inner_faces) and len(lips) and openness[2] > 0:
            jit_spans.draw(points, inner_faces, _window(points[lips], height, width), True, nearest, inside, inner_planes)
        behind_lips = (inside, inner_planes, inner_faces, inner_albedo)
        eyes = (eyeballs, gaze, radii)
        jit_painting.paint(drawn, planes, attributes, faces, region, label, texture, openness, behind_lips, eyes, image)
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _window(points: Floats, height: int, width: int) -> tuple[int, int, int, int]:
    """The rows and columns of the image that points (N, 3) span: from, to, from, to."""
    if not np.isfinite(points).all():
        return 0, height, 0, width
    (left, top), (right, bottom) = np.floor(points[:, :2].min(0)), np.ceil(points[:, :2].max(0))
    rows, columns = (np.clip(pair, 0, size) for pair, size in (((top, bottom), height), ((left, right), width)))
    return int(rows[0]), int(rows[1]), int(columns[0]), int(columns[1])
