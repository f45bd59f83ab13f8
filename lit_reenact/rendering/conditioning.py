"""The paper's three conditioning images: diffuse colour, correspondence, eyes (Deep Video Portraits, section 4).

Eyeballs are spheres seen between the lids, and the inside of the mouth is a mesh of its own seen between the lips. Neither can
show through the skin in front of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import gaze_direction, head_to_camera
from lit_reenact.core.schema import CONDITIONING_CHANNELS, EMPTY, EYES, FACE, MOUTH, Actor, Camera, FaceParameters
from lit_reenact.face import topology
from lit_reenact.face.model import FaceModel, values_at
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, HEAD, SKIN
from lit_reenact.rendering.normals import VertexNormals
from lit_reenact.rendering.openings import Openness
from lit_reenact.rendering.painting import paint
from lit_reenact.rendering.rasterizer import images_per_chunk
from lit_reenact.rendering.scene import SAMPLES, Scene, Surface
from lit_reenact.rendering.vertices import frame_meshes, place_vertices

LID_REACH, LIP_REACH = 6.0, 10.0
"""Width in mm of the skin about an eye, and about the mouth, that gets its label."""

SCENE_FRAMES = 16
"""Least number of frames that are prepared at once: for a single one, an operation takes longer to start than to run."""


class ConditioningRenderer:
    """Renderer of one person, seen by one camera, from the parameters of any frames.

    Args:
        model: face model: triangles, regions, texture coordinates and correspondence colours.
        actor: shape, reflectance and eyeballs of the person.
        camera: camera of the working clip.
        size: side of the square images in pixels; None for the width and height of the camera.

    Example:
        >>> renderer = ConditioningRenderer(model, track.actor, track.camera, size=256)
        >>> images = renderer(track.parameters)  # uint8 (T, 9, 256, 256)
    """

    def __init__(self, model: FaceModel, actor: Actor, camera: Camera, size: int | None = None) -> None:
        self.model = model
        self.actor = actor
        self.camera = camera if size is None else camera.resize(size)
        self.fine = Camera(self.camera.focal * SAMPLES, self.camera.width * SAMPLES, self.camera.height * SAMPLES)
        on_skin = (model.region == SKIN) | (model.region == HEAD)  # lids and lips must not be shaded like the fills beside them
        self.normals = VertexNormals(torch.cat([model.faces[on_skin], model.inner_faces]), len(model.vertices))
        self.openness = Openness(model, actor)
        self._colours = torch.cat([model.correspondence, model.uv], -1)  # (V, 5)
        self._surface = Surface(
            faces=model.faces,
            region=model.region,
            label=label_triangles(model),
            reflectance=actor.reflectance,
            inner_faces=model.inner_faces,
            inner_albedo=model.inner_albedo,
            eye_radius=model.eye_radius,
            iris_radius=model.iris_radius,
        )

    def to(self, device: torch.device | str) -> ConditioningRenderer:
        """Return a copy of the renderer on another device."""
        return ConditioningRenderer(self.model.to(device), self.actor.to(device), self.camera)

    def __call__(self, parameters: FaceParameters) -> Tensor:
        """Draw diffuse colour, correspondence and eyes of T frames: uint8 (T, 9, H, W) on the model's device, 0 where empty."""
        return self.draw(parameters)[:, :CONDITIONING_CHANNELS]

    def regions(self, parameters: FaceParameters) -> Tensor:
        """Draw the region images of T frames: uint8 (T, H, W) of ``EMPTY``, ``FACE``, ``EYES`` and ``MOUTH``."""
        return self.draw(parameters)[:, CONDITIONING_CHANNELS]

    @torch.no_grad()
    def draw(self, parameters: FaceParameters) -> Tensor:
        """Draw conditioning and region images of T frames at once.

        Returns:
            uint8 (T, 10, H, W), the region last. In memory the channels of a pixel lie together.
        """
        parameters = parameters.to(self.model.faces.device)
        shape = (len(parameters), self.camera.height, self.camera.width, CONDITIONING_CHANNELS + 1)
        images = torch.empty(shape, dtype=torch.uint8, device=self.model.faces.device)
        # A few frames at a time, so that memory does not grow with the length of a video.
        step = max(SCENE_FRAMES, images_per_chunk(self.fine.height, self.fine.width, images.device))
        for start in range(0, len(parameters), step):
            paint(self._surface, self._scene(parameters[start : start + step]), images[start : start + step])
        return images.permute(0, 3, 1, 2)

    def _scene(self, parameters: FaceParameters) -> Scene:
        mesh = self.mesh(parameters)
        points, attributes = place_vertices(mesh, parameters, self.fine, self.normals, self._colours)
        eyeballs = eyeball_centres(self.model, self.actor, parameters)
        gaze = (parameters.gaze - self.actor.gaze_offset).view(-1, 2, 2)  # (T, eye, yaw and pitch)
        return Scene(
            camera=self.fine,
            points=points,
            attributes=attributes,
            openness=self.openness(mesh),
            eyeballs=head_to_camera(eyeballs, parameters.rotation, parameters.translation),
            gaze=head_to_camera(gaze_direction(gaze), parameters.rotation, torch.zeros_like(parameters.translation)),
        )

    def mesh(self, parameters: FaceParameters) -> Tensor:
        """Return the meshes of T frames, (T, V, 3) mm, head axes."""
        return frame_meshes(self.model, self.actor, parameters)


def eyeball_centres(model: FaceModel, actor: Actor, parameters: FaceParameters) -> Tensor:
    """Return the centres of both eyeballs, (T, 2, 3) mm, head axes.

    They are those of the actor, moved along with the lids where the identity differs from the actor's.
    """
    difference = parameters.identity - actor.identity
    eyeballs = actor.eyeballs.expand(len(difference), -1, -1)
    if not bool(difference.any()):
        return eyeballs
    lids = torch.tensor([topology.around(EYE_LEFT), topology.around(EYE_RIGHT)], device=eyeballs.device)
    moves = values_at(model.identity_basis, model.landmark_corners[lids], model.landmark_weights[lids]).mean(2)  # (K, 2, 3)
    # Frame by frame, like the mesh.
    return eyeballs + torch.stack([moves.flatten(1).T.mv(coefficients).view(2, 3) for coefficients in difference])


def label_triangles(model: FaceModel) -> Tensor:
    """Label the triangles of a face model: uint8 (F,) of ``EMPTY``, ``FACE``, ``EYES`` and ``MOUTH``.

    An opening and the skin within reach of its rim have the label of the opening. The head beyond the face is ``EMPTY``: hair may
    hang before it, and metrics of the face do not count it.
    """
    rims = {
        EYES: (topology.around(EYE_LEFT, EYE_RIGHT), LID_REACH),
        MOUTH: (topology.around(topology.MOUTH), LIP_REACH),
    }
    centres = model.vertices[model.faces].mean(1)
    labels = torch.full_like(model.region, FACE)
    for label, (rim, reach) in rims.items():
        near = torch.cdist(centres, model.at_landmarks(model.vertices)[rim]).amin(1) < reach
        labels[near] = label
    labels[(model.region == EYE_LEFT) | (model.region == EYE_RIGHT)] = EYES
    labels[model.region == topology.MOUTH] = MOUTH
    labels[model.region == HEAD] = EMPTY
    return labels


def conditioning_to_rgb(conditioning: Tensor) -> Tensor:
    """Lay K conditioning images of each frame side by side for people to look at.

    Args:
        conditioning: uint8 (T, 3 K, H, W).

    Returns:
        uint8 (T, H, K * W, 3).
    """
    images = conditioning.view(len(conditioning), -1, 3, *conditioning.shape[2:])
    return images.permute(0, 3, 1, 4, 2).flatten(2, 3)
