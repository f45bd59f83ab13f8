"""The inner loops of rendering compiled for processors by numba: the rules and sums of the functions in torch.

Torch passes over the memory once for every operation; here a triangle, or a pixel, stays in the registers until it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_reenact.core.schema import Camera
from lit_reenact.face.topology import MOUTH
from lit_reenact.rendering.compiled import painting as jit_painting
from lit_reenact.rendering.compiled import spans as jit_spans
from lit_reenact.rendering.compiled import vertices as jit_vertices
from lit_reenact.rendering.compiled.numba_types import Bytes, Floats, Indices, array, indices
from lit_reenact.rendering.scene import SAMPLES, Scene, Surface


@dataclass(frozen=True)
class _Surface:
    """``Surface`` as the kernels take it."""

    faces: Indices
    region: Bytes
    label: Bytes
    texture: Floats
    inner_faces: Indices
    inner_albedo: Floats
    lips: Indices

    @classmethod
    def of(cls, surface: Surface) -> _Surface:
        return cls(
            faces=indices(surface.faces),
            region=array(surface.region),
            label=array(surface.label),
            texture=array(pad(surface.reflectance[None], (0, 1, 0, 1), mode="replicate")[0].permute(1, 2, 0)),
            inner_faces=indices(surface.inner_faces),
            inner_albedo=array(surface.inner_albedo),
            lips=np.unique(indices(surface.faces[surface.region == MOUTH])),
        )


_surfaces: WeakKeyDictionary[Surface, _Surface] = WeakKeyDictionary()


def find_hits(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool) -> tuple[Tensor, ...]:
    """The fields of ``rasterizer.Hits``, for its arguments."""
    corners, images = indices(faces), array(points)
    nearest, drawn = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    found: list[tuple[Any, ...]] = [jit_spans.collect(drawn[:0], np.empty((0, 3), np.float32), corners)]  # if there are no images
    for number, image in enumerate(images):
        jit_spans.draw(image, corners, (0, height, 0, width), cull_backfaces, nearest, drawn)
        pixel, *others = jit_spans.collect(drawn, image, corners)
        found.append((pixel + number * height * width, *others))
    return tuple(torch.from_numpy(np.concatenate(parts)) for parts in zip(*found, strict=True))


def place(
    mesh: Tensor, rotation: Tensor, translation: Tensor, camera: Camera, faces: Tensor, light: Tensor, colours: Tensor
) -> tuple[Tensor, Tensor]:
    """The vertices of T frames.

    Args:
        mesh: (T, V, 3) in head axes.
        rotation: (T, 3, 3) from the head's to the camera's axes.
        translation: (T, 3).
        camera: that sees them.
        faces: int64 (F, 3), those that make the normals.
        light: (T, 9, 3) of ``shading.irradiance_polynomial``.
        colours: (V, 5).

    Returns:
        ``Scene.points`` and ``Scene.attributes``.
    """
    points, attributes = mesh.new_empty(mesh.shape), mesh.new_empty(*mesh.shape[:2], 3 + colours.shape[1])
    focal, centre = np.float32(camera.focal), (np.float32(camera.width / 2), np.float32(camera.height / 2))
    frames = zip(*(array(part) for part in (mesh, rotation, translation, light, points, attributes)), strict=True)
    corners, others = indices(faces), array(colours)
    for vertices, turn, move, shine, seen, shown in frames:
        jit_vertices.place(vertices, turn, move, focal, centre, corners, shine, others, seen, shown)
    return points, attributes


def paint(surface: Surface, scene: Scene, images: Tensor) -> None:
    """See ``painting.paint``."""
    height, width = scene.camera.height, scene.camera.width
    if (fixed := _surfaces.get(surface)) is None:
        fixed = _surfaces[surface] = _Surface.of(surface)
    nearest, drawn = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    inside = np.full((height, width), -1, np.int32)
    radii = (np.float32(scene.camera.focal), np.float32(surface.eye_radius), np.float32(surface.iris_radius))
    eyes = torch.cat([scene.eyeballs, scene.gaze], -1)
    frames = zip(*(array(part) for part in (scene.points, scene.attributes, scene.openness, eyes)), images.numpy(), strict=True)
    for points, attributes, openness, eyes_of, image in frames:
        window = jit_spans.bounds(points, SAMPLES, height, width)
        jit_spans.draw(points, fixed.faces, window, True, nearest, drawn)
        if len(fixed.inner_faces) and len(fixed.lips) and openness[2] > 0:
            mouth = jit_spans.bounds(points[fixed.lips], 1, height, width)
            jit_spans.draw(points, fixed.inner_faces, mouth, True, nearest, inside)
        jit_painting.paint(
            drawn,
            points,
            attributes,
            openness,
            eyes_of,
            fixed.faces,
            fixed.region,
            fixed.label,
            fixed.texture,
            inside,
            fixed.inner_faces,
            fixed.inner_albedo,
            radii,
            window,
            image,
        )
