"""Where the vertices of a mesh are seen, and how they are lit."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, flip, head_to_camera, project
from lit_reenact.core.schema import Camera, FaceParameters
from lit_reenact.rendering import backend
from lit_reenact.rendering.normals import VertexNormals
from lit_reenact.rendering.shading import irradiance, irradiance_polynomial


def place(
    mesh: Tensor, parameters: FaceParameters, camera: Camera, normals: VertexNormals, colours: Tensor
) -> tuple[Tensor, Tensor]:
    """The vertices of T frames.

    The light is so soft that its value at the vertices can be spread like a colour. It stays with the camera when the head turns.

    Args:
        mesh: (T, V, 3) in head axes.
        parameters: bring pose and light.
        camera: that sees them.
        normals: of the mesh.
        colours: (V, 5), what else is spread.

    Returns:
        ``Scene.points`` and ``Scene.attributes``.
    """
    if (compiled := backend.kernels(mesh.device)) is not None:
        rotation = axis_angle_to_matrix(parameters.rotation) * flip(mesh)[:, None]
        light = irradiance_polynomial(parameters.illumination)
        seen: tuple[Tensor, Tensor] = compiled.place_vertices(
            mesh, rotation, parameters.translation, camera, normals.faces, light, colours
        )
        return seen
    still = torch.zeros_like(parameters.translation)
    light = irradiance(head_to_camera(normals(mesh), parameters.rotation, still), parameters.illumination)
    points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), camera)
    return points, torch.cat([light, colours.expand(len(mesh), -1, -1)], -1)
