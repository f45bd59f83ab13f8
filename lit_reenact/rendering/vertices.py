"""Vertices of the meshes of frames, their projection and their lighting."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, flip, head_to_camera, project
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering import backend
from lit_reenact.rendering.normals import VertexNormals
from lit_reenact.rendering.shading import irradiance, irradiance_polynomial


def frame_meshes(model: FaceModel, actor: Actor, parameters: FaceParameters) -> Tensor:
    """Return ``FaceModel.mesh`` (T, V, 3), without the sum over identity where it is the actor's, as in all of a track."""
    neutral, expressions = actor.neutral.flatten(), model.expression_basis.flatten(1).T
    # Frame by frame: the rounding of a product depends on its size, and a frame must not depend on its neighbours.
    frames = [torch.addmv(neutral, expressions, coefficients) for coefficients in parameters.expression]
    mesh = torch.stack(frames) if frames else neutral.new_empty(0, len(neutral))
    difference = parameters.identity - actor.identity
    if bool(difference.any()):
        identities = model.identity_basis.flatten(1).T
        mesh += torch.stack([identities.mv(coefficients) for coefficients in difference])
    return mesh.view(len(mesh), *actor.neutral.shape)


def project_mesh(model: FaceModel, actor: Actor, camera: Camera, parameters: FaceParameters) -> Tensor:
    """Return the mesh of T frames in the image, (T, V, 3): x and y in pixels, depth in mm."""
    mesh = frame_meshes(model, actor, parameters)
    return project(head_to_camera(mesh, parameters.rotation, parameters.translation), camera)


def place_vertices(
    mesh: Tensor, parameters: FaceParameters, camera: Camera, normals: VertexNormals, colours: Tensor
) -> tuple[Tensor, Tensor]:
    """Project and light the vertices of T frames.

    The light is so soft that its value at the vertices is spread over the triangles like a colour. It stays with the camera when
    the head turns.

    Args:
        mesh: (T, V, 3), mm, head axes.
        parameters: pose and light of the frames.
        camera: camera whose pixels the points are counted in.
        normals: vertex normals of the mesh.
        colours: (V, 5), attributes that do not depend on the frame.

    Returns:
        ``Scene.points`` (T, V, 3) and ``Scene.attributes`` (T, V, 8).
    """
    if (compiled := backend.kernels(mesh.device)) is not None:
        rotation = axis_angle_to_matrix(parameters.rotation) * flip(mesh)[:, None]
        light = irradiance_polynomial(parameters.illumination)
        vertices: tuple[Tensor, Tensor] = compiled.place_vertices(
            mesh, rotation, parameters.translation, camera, normals.faces, light, colours
        )
        return vertices
    still = torch.zeros_like(parameters.translation)
    light = irradiance(head_to_camera(normals(mesh), parameters.rotation, still), parameters.illumination)
    points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), camera)
    return points, torch.cat([light, colours.expand(len(mesh), -1, -1)], -1)
