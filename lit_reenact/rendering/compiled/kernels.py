"""Rendering on CPUs by compiled loops: with the arguments and results of the torch functions of ``rendering``.

Torch passes over the memory once for every operation. Here a triangle, or a pixel, stays in the registers until it is finished.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_reenact.core.schema import Camera
from lit_reenact.face.topology import MOUTH
from lit_reenact.rendering.compiled import painting, rasterizer, spreading, vertices
from lit_reenact.rendering.compiled.jit import Indices, as_array, as_indices
from lit_reenact.rendering.compiled.records import Frame, Person
from lit_reenact.rendering.scene import SAMPLES, Scene, Surface

_persons: WeakKeyDictionary[Surface, tuple[Person, Indices]] = WeakKeyDictionary()


def find_hits(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool) -> tuple[Tensor, ...]:
    """Return the fields of ``rasterizer.Hits`` of (B, V, 3) points; the arguments are those of ``rasterizer.find_hits``."""
    corners, images = as_indices(faces), as_array(points)
    nearest, drawn = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    hits: list[tuple[Any, ...]] = [rasterizer.collect(drawn[:0], np.empty((0, 3), np.float32), corners)]  # if there are no images
    for number, image in enumerate(images):
        rasterizer.draw(image, corners, (0, height, 0, width), cull_backfaces, nearest, drawn)
        pixel, *others = rasterizer.collect(drawn, image, corners)
        hits.append((pixel + number * height * width, *others))
    return tuple(torch.from_numpy(np.concatenate(parts)) for parts in zip(*hits, strict=True))


def place_vertices(
    mesh: Tensor, rotation: Tensor, translation: Tensor, camera: Camera, faces: Tensor, light: Tensor, colours: Tensor
) -> tuple[Tensor, Tensor]:
    """Project and light the vertices of T frames.

    Args:
        mesh: (T, V, 3), mm, head axes.
        rotation: (T, 3, 3), from head axes to camera axes.
        translation: (T, 3), mm, camera axes.
        camera: camera whose pixels the points are counted in.
        faces: int64 (F, 3), corners of the triangles that the vertex normals are computed from.
        light: (T, 9, 3), ``shading.irradiance_polynomial``.
        colours: (V, 5), attributes that do not depend on the frame.

    Returns:
        ``Scene.points`` (T, V, 3) and ``Scene.attributes`` (T, V, 8).
    """
    points, attributes = mesh.new_empty(mesh.shape), mesh.new_empty(*mesh.shape[:2], 3 + colours.shape[1])
    attributes[..., 3:] = colours
    corners = as_indices(faces)
    lens = np.float32(camera.focal), np.float32(camera.width / 2), np.float32(camera.height / 2)
    frames = zip(*(as_array(part) for part in (mesh, rotation, translation, light, points, attributes)), strict=True)
    for head, turn, move, shine, places, values in frames:
        vertices.place(head, vertices.View(turn, move, *lens), corners, shine, places, values)
    return points, attributes


def paint(surface: Surface, scene: Scene, images: Tensor) -> None:
    """Paint uint8 images (T, H, W, CONDITIONING_CHANNELS + 1) in place, like ``painting.paint``."""
    height, width = scene.camera.height, scene.camera.width
    if surface not in _persons:
        _persons[surface] = _person(surface), np.unique(as_indices(surface.faces[surface.region == MOUTH]))
    person, lips = _persons[surface]
    nearest, drawn = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    inside = np.full((height, width), -1, np.int32)
    focal = np.float32(scene.camera.focal)
    eyes = torch.cat([scene.eyeballs, scene.gaze], -1)
    frames = zip(
        *(as_array(part) for part in (scene.points, scene.attributes, scene.openness, eyes)), images.numpy(), strict=True
    )
    for points, attributes, openness, eyes_of, image in frames:
        window = rasterizer.bounds(points, SAMPLES, height, width)
        rasterizer.draw(points, person.faces, window, True, nearest, drawn)
        if len(person.inner_faces) and len(lips) and openness[2] > 0:
            mouth = rasterizer.bounds(points[lips], 1, height, width)
            rasterizer.draw(points, person.inner_faces, mouth, True, nearest, inside)
        frame = Frame(points, attributes, openness, eyes_of, focal, drawn, inside)
        painting.paint(person, frame, window, image)


def relax(values: Tensor, known: Tensor, sweeps: int) -> Tensor:
    """Return ``spreading.relax`` of float32 values (N, C, H, W), with the arguments of that function."""
    result = values.clone(memory_format=torch.contiguous_format)
    for image, mask in zip(as_array(result), as_array(known[:, 0]), strict=True):
        spreading.relax(image, mask, sweeps)
    return result


def _person(surface: Surface) -> Person:
    return Person(
        faces=as_indices(surface.faces),
        region=as_array(surface.region),
        label=as_array(surface.label),
        texture=as_array(pad(surface.reflectance[None], (0, 1, 0, 1), mode="replicate")[0].permute(1, 2, 0)),
        inner_faces=as_indices(surface.inner_faces),
        inner_albedo=as_array(surface.inner_albedo),
        eye_radius=np.float32(surface.eye_radius),
        iris_radius=np.float32(surface.iris_radius),
    )
