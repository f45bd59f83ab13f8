"""The three images that the network sees of a frame: diffuse colour, correspondence, eyes (Deep Video Portraits, section 4).

Between the lids one sees eyeballs, which are computed, and between the lips the inside of the mouth, a mesh of its own: neither
can show through the skin in front of it.
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
from lit_reenact.rendering.rasterizer import frames_at_once
from lit_reenact.rendering.scene import SAMPLES, Scene, Surface
from lit_reenact.rendering.vertices import place

LID_REACH, LIP_REACH = 6.0, 10.0
"""Millimetres of skin about the opening of an eye, and of the mouth, that belong to it."""

SCENE_FRAMES = 16
"""Frames that are prepared at once, at least: of a single one, each operation takes longer to start than to do."""


class ConditioningRenderer:
    """Draws one person, seen by one camera, from the parameters of any frames.

    Args:
        model: face model; brings triangles, regions, unwrapping and correspondence colours.
        actor: brings shape, reflectance and eyeballs.
        camera: of the working clip.
        size: side of the square images in pixels; None for the camera's own width and height.
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
            model.faces,
            model.region,
            triangle_labels(model),
            actor.reflectance,
            model.inner_faces,
            model.inner_albedo,
            model.eye_radius,
            model.iris_radius,
        )

    def to(self, device: torch.device | str) -> ConditioningRenderer:
        """The same renderer on another device."""
        return ConditioningRenderer(self.model.to(device), self.actor.to(device), self.camera)

    def __call__(self, parameters: FaceParameters) -> Tensor:
        """Diffuse RGB, correspondence, eyes of T frames on the renderer's device: uint8 (T, 9, H, W), 0 where empty."""
        return self.draw(parameters)[:, :CONDITIONING_CHANNELS]

    def regions(self, parameters: FaceParameters) -> Tensor:
        """What the pixels of T frames show of the face: uint8 (T, H, W) of ``EMPTY``, ``FACE``, ``EYES`` and ``MOUTH``."""
        return self.draw(parameters)[:, CONDITIONING_CHANNELS]

    @torch.no_grad()
    def draw(self, parameters: FaceParameters) -> Tensor:
        """Both at once, the region last: uint8 (T, 10, H, W). In memory the channels of a pixel lie together."""
        parameters = parameters.to(self.model.faces.device)
        shape = (len(parameters), self.camera.height, self.camera.width, CONDITIONING_CHANNELS + 1)
        images = torch.empty(shape, dtype=torch.uint8, device=self.model.faces.device)
        # A few at a time, so that memory does not grow with the length of a video.
        step = max(SCENE_FRAMES, frames_at_once(self.fine.height, self.fine.width, images.device))
        for start in range(0, len(parameters), step):
            paint(self._surface, self._scene(parameters[start : start + step]), images[start : start + step])
        return images.permute(0, 3, 1, 2)

    def _scene(self, parameters: FaceParameters) -> Scene:
        mesh = self.mesh(parameters)
        points, attributes = place(mesh, parameters, self.fine, self.normals, self._colours)
        seen = (parameters.gaze - self.actor.gaze_offset).view(-1, 2, 2)  # where the eyes of this very person then are
        return Scene(
            camera=self.fine,
            points=points,
            attributes=attributes,
            openness=self.openness(mesh),
            eyeballs=head_to_camera(eyeballs_of(self.model, self.actor, parameters), parameters.rotation, parameters.translation),
            gaze=head_to_camera(gaze_direction(seen), parameters.rotation, torch.zeros_like(parameters.translation)),
        )

    def mesh(self, parameters: FaceParameters) -> Tensor:
        """``FaceModel.mesh`` (T, V, 3). The sum over identity is left out where that is the actor's own, as in all of a track."""
        neutral, expressions = self.actor.neutral.flatten(), self.model.expression_basis.flatten(1).T
        # Each frame by itself: how a product is rounded depends on its size, and a frame looks the same in any company.
        frames = [torch.addmv(neutral, expressions, coefficients) for coefficients in parameters.expression]
        mesh = torch.stack(frames) if frames else neutral.new_empty(0, len(neutral))
        difference = parameters.identity - self.actor.identity
        if bool(difference.any()):
            identities = self.model.identity_basis.flatten(1).T
            mesh += torch.stack([identities.mv(coefficients) for coefficients in difference])
        return mesh.view(len(mesh), -1, 3)


def eyeballs_of(model: FaceModel, actor: Actor, parameters: FaceParameters) -> Tensor:
    """Centres of both eyeballs in head axes, (T, 2, 3) mm: the actor's, going along where another identity moves the lids."""
    difference = parameters.identity - actor.identity
    eyeballs = actor.eyeballs.expand(len(difference), -1, -1)
    if not bool(difference.any()):
        return eyeballs
    lids = torch.tensor([topology.around(EYE_LEFT), topology.around(EYE_RIGHT)], device=eyeballs.device)
    moves = values_at(model.identity_basis, model.landmark_corners[lids], model.landmark_weights[lids]).mean(2)  # (K, 2, 3)
    # Each frame by itself, as in a mesh.
    return eyeballs + torch.stack([moves.flatten(1).T.mv(coefficients).view(2, 3) for coefficients in difference])


def triangle_labels(model: FaceModel) -> Tensor:
    """``FACE``, ``EYES`` or ``MOUTH`` of each triangle, uint8 (F,): an opening, and the skin within reach of its rim.

    What lies beyond the face is ``EMPTY``: hair may hang before it, and what is measured in faces is not measured there.
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
    """K conditioning images of T frames, uint8 (T, 3 K, H, W), side by side for people to look at: uint8 (T, H, K * W, 3)."""
    images = conditioning.view(len(conditioning), -1, 3, *conditioning.shape[2:])
    return images.permute(0, 3, 1, 4, 2).flatten(2, 3)
