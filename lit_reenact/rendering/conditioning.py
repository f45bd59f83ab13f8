"""The three images that the network sees of a frame: diffuse colour, correspondence, eyes (Deep Video Portraits, section 4)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, normalize

from lit_reenact.face import topology
from lit_reenact.face.model import FaceModel, vertex_normals
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, SKIN
from lit_reenact.geometry import gaze_direction, head_to_camera, project
from lit_reenact.rendering.rasterizer import CHUNK_PIXELS, Fragments, interpolate_at, rasterize
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

_NONE = 255  # region of a pixel without face


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
        self._skin_faces = model.faces[model.region == SKIN]  # lids and lips must not be shaded like the fills beside them
        self._region = torch.cat([model.region.new_tensor([_NONE]), model.region])  # (1 + F,), of the triangle after -1
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
            fine = self._render(parameters[frames])  # (T, 9, SAMPLES * H, SAMPLES * W)
            images[frames] = avg_pool2d(fine.float(), SAMPLES).round().to(torch.uint8)
        return images

    @torch.no_grad()
    def regions(self, parameters: FaceParameters) -> Tensor:
        """What the pixels of T frames show: uint8 (T, H, W) of ``EMPTY``, ``FACE``, ``EYES`` and ``MOUTH``."""
        shape = (len(parameters), self.camera.height, self.camera.width)
        labels = torch.empty(shape, dtype=torch.uint8, device=self.model.faces.device)
        for frames in self._chunks(len(parameters)):
            mesh = self.model.mesh(self.actor, parameters[frames])
            labels[frames] = _of_triangle(self._label, self._rasterize(mesh, parameters[frames], self.camera))
        return labels

    def _render(self, parameters: FaceParameters) -> Tensor:
        mesh = self.model.mesh(self.actor, parameters)  # (T, V, 3)
        fragments = self._rasterize(mesh, parameters, self._fine)
        region = _of_triangle(self._region, fragments)  # (T, H, W)
        skin = (region == SKIN).flatten().nonzero().squeeze(-1)  # (P,)
        eyes = ((region == EYE_LEFT) | (region == EYE_RIGHT)).flatten().nonzero().squeeze(-1)  # (Q,)
        images = region.new_zeros(region.numel(), CONDITIONING_CHANNELS)
        images[skin, :6] = _bytes(self._skin(skin, fragments, mesh, parameters))
        images[eyes, 6:] = _bytes(self._eyes(eyes, region, parameters))
        return images.view(*region.shape, CONDITIONING_CHANNELS).permute(0, 3, 1, 2)

    def _chunks(self, frames: int) -> Iterator[slice]:
        """All frames, a few at a time, so that memory does not grow with the length of a video."""
        step = max(1, CHUNK_PIXELS // (self._fine.height * self._fine.width))
        return (slice(start, start + step) for start in range(0, frames, step))

    def _rasterize(self, mesh: Tensor, parameters: FaceParameters, camera: Camera) -> Fragments:
        points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), camera)
        return rasterize(points, self.model.faces, camera.height, camera.width)

    def _skin(self, pixels: Tensor, fragments: Fragments, mesh: Tensor, parameters: FaceParameters) -> Tensor:
        """Diffuse colour and correspondence in [0, 1] of the pixels (P,) of T meshes (T, V, 3): (P, 6)."""
        unwrapping, correspondence = (v.expand(len(mesh), -1, -1) for v in (self.model.uv, self.model.correspondence))
        # The light is so soft that its value at the vertices can be spread like a colour.
        attributes = torch.cat([unwrapping, correspondence, self._light(mesh, parameters)], -1)  # (T, V, 8)
        values = interpolate_at(pixels, fragments, attributes, self.model.faces)
        uv, colour, light = torch.split(values, [2, 3, 3], dim=1)
        grid = (uv * 2 - 1)[None, None]  # (1, 1, P, 2)
        albedo = grid_sample(self.actor.reflectance[None], grid, padding_mode="border", align_corners=False)[0, :, 0]  # (3, P)
        return torch.cat([(albedo.T * light).clamp(0, 1), colour], 1)

    def _light(self, mesh: Tensor, parameters: FaceParameters) -> Tensor:
        """Light on the vertices (T, V, 3); it stays with the camera when the head turns."""
        normals = vertex_normals(mesh, self._skin_faces)
        normals = head_to_camera(normals, parameters.rotation, torch.zeros_like(parameters.translation))
        return irradiance(normals, parameters.illumination)

    def _eyes(self, pixels: Tensor, region: Tensor, parameters: FaceParameters) -> Tensor:
        """Colours (Q, 3) in [0, 1] of the pixels (Q,) between the lids: white, and on it the iris."""
        frame, position = pixels // region[0].numel(), pixels % region[0].numel()
        right = (region.flatten()[pixels] == EYE_RIGHT).long()
        centres = self.actor.eyeballs.expand(len(parameters), -1, -1)  # (T, 2, 3)
        centres = head_to_camera(centres, parameters.rotation, parameters.translation)
        seen = parameters.gaze - self.actor.gaze_offset  # (T, 4), where the eyes of this very person then are
        gaze = gaze_direction(seen.reshape(len(parameters), 2, 2))  # (T, 2, 3)
        gaze = head_to_camera(gaze, parameters.rotation, torch.zeros_like(parameters.translation))
        iris = self._iris_coverage(position, centres[frame, right], gaze[frame, right])[:, None]
        return (1 - iris) * iris.new_tensor(EYE_WHITE) + iris * iris.new_tensor(IRIS)

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
    """``FACE``, ``EYES`` or ``MOUTH`` of each triangle, uint8 (F,): an opening, and the skin within reach of its rim."""
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
    return labels


def _of_triangle(values: Tensor, fragments: Fragments) -> Tensor:
    """Values (1 + F,) of no triangle and of each, in the pixels (T, H, W)."""
    return values.index_select(0, fragments.triangle.flatten() + 1).view_as(fragments.triangle)


def _bytes(values: Tensor) -> Tensor:
    """[0, 1] to uint8."""
    return (values * 255).round().to(torch.uint8)


def conditioning_to_rgb(conditioning: Tensor) -> Tensor:
    """Conditioning images uint8 (T, 9, H, W) side by side for people to look at: uint8 (T, H, 3 * W, 3)."""
    images = conditioning.view(len(conditioning), 3, 3, *conditioning.shape[2:])
    return images.permute(0, 3, 1, 4, 2).flatten(2, 3)
