"""The three images that the network sees of a frame: diffuse colour, correspondence, eyes (Deep Video Portraits, section 4).

Between the lids one sees eyeballs, which are computed, and between the lips the inside of the mouth, a mesh of its own: neither
can show through the skin in front of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lit_reenact.face import topology
from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, HEAD, OPENINGS, SKIN
from lit_reenact.geometry import gaze_direction, head_to_camera, project
from lit_reenact.rendering.normals import VertexNormals
from lit_reenact.rendering.openings import Openness, inside_mouth
from lit_reenact.rendering.painting import pooled, textured
from lit_reenact.rendering.rasterizer import find_hits, frames_at_once, rasterize
from lit_reenact.rendering.shading import irradiance
from lit_reenact.schema import CONDITIONING_CHANNELS, EMPTY, EYES, FACE, MOUTH, Actor, Camera, FaceParameters

EYE_WHITE = (1.0, 1.0, 1.0)
IRIS = (0.0, 0.0, 1.0)
"""Colours of the eye image; what is not eye is black."""

LID_REACH, LIP_REACH = 6.0, 10.0
"""Millimetres of skin about the opening of an eye, and of the mouth, that belong to it."""

SAMPLES = 2
"""Samples along each side of a pixel, which shows their mean: a gap between lips or lids is seldom wider than a pixel or two,
and without this a closed mouth and one ajar look the same.
"""


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
        self.camera = camera if size is None else camera.resized(size)
        self._fine = Camera(self.camera.focal * SAMPLES, self.camera.width * SAMPLES, self.camera.height * SAMPLES)
        on_skin = (model.region == SKIN) | (model.region == HEAD)  # lids and lips must not be shaded like the fills beside them
        self._normals = VertexNormals(torch.cat([model.faces[on_skin], model.inner_faces]), len(model.vertices))
        self._openness = Openness(model, actor)
        self._label = torch.cat([model.region.new_tensor([EMPTY]), triangle_labels(model)])  # (1 + F,)

    def to(self, device: torch.device | str) -> ConditioningRenderer:
        """The same renderer on another device."""
        return ConditioningRenderer(self.model.to(device), self.actor.to(device), self.camera)

    @torch.no_grad()
    def __call__(self, parameters: FaceParameters) -> Tensor:
        """Diffuse RGB, correspondence, eyes of T frames on the renderer's device: uint8 (T, 9, H, W), 0 where empty."""
        shape = (len(parameters), CONDITIONING_CHANNELS, self.camera.height, self.camera.width)
        images = torch.empty(shape, dtype=torch.uint8, device=self.model.faces.device)
        for frames in self._chunks(len(parameters)):
            images[frames] = self._render(parameters[frames])
        return images

    @torch.no_grad()
    def regions(self, parameters: FaceParameters) -> Tensor:
        """What the pixels of T frames show of the face: uint8 (T, H, W) of ``EMPTY``, ``FACE``, ``EYES`` and ``MOUTH``."""
        shape = (len(parameters), self.camera.height, self.camera.width)
        labels = torch.empty(shape, dtype=torch.uint8, device=self.model.faces.device)
        for frames in self._chunks(len(parameters)):
            mesh = self.model.mesh(self.actor, parameters[frames])
            points = self._project(mesh, parameters[frames], self.camera)
            fragments = rasterize(points, self.model.faces, self.camera.height, self.camera.width)
            labels[frames] = self._label[fragments.triangle + 1]
        return labels

    def _render(self, parameters: FaceParameters) -> Tensor:
        mesh = self.model.mesh(self.actor, parameters)  # (T, V, 3)
        points = self._project(mesh, parameters, self._fine)
        hits = find_hits(points, self.model.faces, self._fine.height, self._fine.width)
        shape = (len(mesh), self._fine.height, self._fine.width)
        attributes = self._attributes(mesh, parameters)
        values = textured(hits, attributes, self.model.faces, self.actor.reflectance, shape[1] * shape[2])  # (P, 9)
        openness = self._openness(mesh)  # (T, 3)
        region = self.model.region.index_select(0, hits.triangle)  # (P,)
        for opening, label in enumerate(OPENINGS):
            seen = (region == label).nonzero().squeeze(-1)  # (Q,)
            if len(seen):
                pixels, shut = hits.pixel[seen], values[seen]
                if label == topology.MOUTH:
                    behind = self._mouth(pixels, shut, shape, points, attributes)
                else:
                    behind = self._eye(pixels, opening, shape, parameters)
                values[seen] = torch.lerp(shut, behind, openness[pixels // (shape[1] * shape[2]), opening, None])
        return pooled(values, hits.pixel, (len(mesh), self.camera.height, self.camera.width), SAMPLES)

    def _chunks(self, frames: int) -> Iterator[slice]:
        """All frames, a few at a time, so that memory does not grow with the length of a video."""
        step = frames_at_once(self._fine.height, self._fine.width, self.model.faces.device)
        return (slice(start, start + step) for start in range(0, frames, step))

    def _project(self, mesh: Tensor, parameters: FaceParameters, camera: Camera) -> Tensor:
        """Pixels and depth (T, V, 3) of meshes (T, V, 3)."""
        return project(head_to_camera(mesh, parameters.rotation, parameters.translation), camera)

    def _attributes(self, mesh: Tensor, parameters: FaceParameters) -> Tensor:
        """Light, correspondence colour and texture coordinates of the vertices: (T, V, 8)."""
        fixed = torch.cat([self.model.correspondence, self.model.uv], -1).expand(len(mesh), -1, -1)
        # The light is so soft that its value at the vertices can be spread like a colour. It stays with the camera when the head
        # turns.
        normals = self._normals(mesh)
        normals = head_to_camera(normals, parameters.rotation, torch.zeros_like(parameters.translation))
        return torch.cat([irradiance(normals, parameters.illumination), fixed], -1)

    def _mouth(self, pixels: Tensor, closed: Tensor, shape: tuple[int, int, int], points: Tensor, attributes: Tensor) -> Tensor:
        """All channels (Q, 9) in [0, 1] of the pixels (Q,) between the lips, which show ``closed`` (Q, 9) if those meet.

        A model without an inside of the mouth shows nothing there, in black.
        """
        behind = torch.cat([torch.zeros_like(closed[:, :3]), closed[:, 3:]], 1)
        shown, values = inside_mouth(pixels, shape, points, attributes[..., :6], self.model)
        behind[shown, :6] = values.clamp(0, 1)
        return behind

    def _eye(self, pixels: Tensor, side: int, shape: tuple[int, int, int], parameters: FaceParameters) -> Tensor:
        """All channels (Q, 9) in [0, 1] of the pixels (Q,) between the lids of one eye: white, and on it the iris.

        Args:
            pixels: int64 flat indices among those of T images.
            side: 0 of the left eye, 1 of the right.
            shape: of the images, (T, H, W).
            parameters: of the T frames.
        """
        frame, position = pixels // (shape[1] * shape[2]), pixels % (shape[1] * shape[2])
        centre = self.actor.eyeballs[side].expand(len(parameters), 1, -1)
        centre = head_to_camera(centre, parameters.rotation, parameters.translation)[:, 0]  # (T, 3)
        seen = parameters.gaze - self.actor.gaze_offset  # (T, 4), where the eyes of this very person then are
        gaze = gaze_direction(seen[:, None, 2 * side : 2 * side + 2])  # (T, 1, 3)
        gaze = head_to_camera(gaze, parameters.rotation, torch.zeros_like(parameters.translation))[:, 0]
        iris = self._iris_coverage(position, centre[frame], gaze[frame])[:, None]
        colour = (1 - iris) * iris.new_tensor(EYE_WHITE) + iris * iris.new_tensor(IRIS)
        return torch.cat([torch.zeros(len(pixels), 6, device=colour.device), colour], 1)

    def _iris_coverage(self, position: Tensor, centre: Tensor, gaze: Tensor) -> Tensor:
        """How much of each of Q pixels the iris covers, 0 to 1: in a small image a hard edge would swallow small movements.

        Args:
            position: int64 (Q,) flat index of the pixel in its image.
            centre: (Q, 3) of the eyeball, camera axes, mm.
            gaze: (Q, 3) unit vectors, camera axes.
        """
        camera, radius = self._fine, self.model.eye_radius
        x = (position % camera.width + 0.5 - camera.width / 2) / camera.focal
        y = (position // camera.width + 0.5 - camera.height / 2) / camera.focal
        ray = normalize(torch.stack([x, y, torch.ones_like(x)], -1), dim=-1)
        nearest = (ray * centre).sum(-1)  # along the ray
        half_chord = (radius**2 - (centre - nearest[:, None] * ray).square().sum(-1)).clamp_min(0).sqrt()  # 0: passes by
        distance = nearest - half_chord
        outward = normalize(distance[:, None] * ray - centre, dim=-1)
        cosine = (outward * gaze).sum(-1)
        off_axis = radius * (1 - cosine.square()).clamp_min(0).sqrt()  # mm
        pixel = distance / camera.focal  # mm
        coverage = ((self.model.iris_radius - off_axis) / pixel + 0.5).clamp(0, 1)
        return torch.where(cosine > 0, coverage, 0)


def triangle_labels(model: FaceModel) -> Tensor:
    """``FACE``, ``EYES`` or ``MOUTH`` of each triangle, uint8 (F,): an opening, and the skin within reach of its rim.

    What lies beyond the face is ``EMPTY``: hair may hang before it, and what is measured in faces is not measured there.
    """
    right = topology.RIGHT_UPPER_LID + topology.RIGHT_LOWER_LID
    rims = {
        EYES: (right + topology.mirrored(right), LID_REACH),
        MOUTH: (topology.UPPER_LIP_RIM + topology.LOWER_LIP_RIM, LIP_REACH),
    }
    centres = model.vertices[model.faces].mean(1)
    labels = torch.full_like(model.region, FACE)
    for label, (rim, reach) in rims.items():
        near = torch.cdist(centres, model.at_landmarks(model.vertices)[list(rim)]).amin(1) < reach
        labels[near] = label
    labels[(model.region == EYE_LEFT) | (model.region == EYE_RIGHT)] = EYES
    labels[model.region == topology.MOUTH] = MOUTH
    labels[model.region == HEAD] = EMPTY
    return labels


def conditioning_to_rgb(conditioning: Tensor) -> Tensor:
    """Conditioning images uint8 (T, 9, H, W) side by side for people to look at: uint8 (T, H, 3 * W, 3)."""
    images = conditioning.view(len(conditioning), 3, 3, *conditioning.shape[2:])
    return images.permute(0, 3, 1, 4, 2).flatten(2, 3)
