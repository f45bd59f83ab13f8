"""The renderer of conditioning images by name: the paper's three, or any selection of these and three others.

A selection shows in an ablation what each image contributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lit_reenact.core.geometry import flip, head_to_camera, project
from lit_reenact.core.schema import (
    CONDITIONING,
    CONDITIONING_CHANNELS,
    Actor,
    Camera,
    ConditioningImage,
    FaceParameters,
    conditioning_channels,
)
from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import MOUTH, OPENINGS
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.landmark_lines import draw_landmarks
from lit_reenact.rendering.rasterizer import Hits, find_hits, images_per_chunk, interpolate_hits
from lit_reenact.rendering.scene import SAMPLES

NEARER, FARTHER = 100.0, 180.0
"""Distances in mm before and behind the head's origin at which depth is white and black. Between them lies the visible part of a
head that nods by up to 40 degrees. One of the 255 levels is about one millimetre."""


class NamedImagesRenderer:
    """Renderer of named conditioning images, in the order of their names.

    ``diffuse``, ``correspondence`` and ``eyes`` are the images of ``ConditioningRenderer``. The others are

    * ``normals``: (n + 1) / 2 of the surface's normal n with x to the right, y up and z to the viewer; a surface that faces the
      viewer is (0.5, 0.5, 1);
    * ``depth``: grey, nearer is brighter: 0 is ``FARTHER``, 1 ``NEARER``. It is counted from the distance of the head, which
      landmarks do not show;
    * ``landmarks``: the lines of ``landmark_lines.draw_landmarks``.

    Args:
        renderer: renderer of the person, with camera and image size.
        images: names of the K images.

    Example:
        >>> renderer = make_renderer(model, track.actor, track.camera, size=256, images=("normals", "eyes"))
        >>> images = renderer(track.parameters)  # uint8 (T, 6, 256, 256)
    """

    def __init__(self, renderer: ConditioningRenderer, images: Sequence[ConditioningImage]) -> None:
        self.renderer = renderer
        self.images = tuple(images)
        self.model, self.actor, self.camera = renderer.model, renderer.actor, renderer.camera
        on_cpu = self.model.faces.device.type == "cpu"
        self._on_cpu = renderer if on_cpu else renderer.to("cpu")  # OpenCV draws there

    def to(self, device: torch.device | str) -> NamedImagesRenderer:
        """Return a copy of the renderer on another device."""
        return NamedImagesRenderer(self.renderer.to(device), self.images)

    def __call__(self, parameters: FaceParameters) -> Tensor:
        """Draw the images of T frames: uint8 (T, 3 K, H, W) on the model's device, 0 where empty."""
        return self.draw(parameters)[:, :-1]

    def regions(self, parameters: FaceParameters) -> Tensor:
        """Draw the region images of T frames: uint8 (T, H, W) of ``EMPTY``, ``FACE``, ``EYES`` and ``MOUTH``."""
        return self.renderer.regions(parameters)

    @torch.no_grad()
    def draw(self, parameters: FaceParameters) -> Tensor:
        """Draw conditioning and region images of T frames at once: uint8 (T, 3 K + 1, H, W), the region last."""
        parameters = parameters.to(self.model.faces.device)
        standard = self.renderer.draw(parameters)
        if not len(parameters):
            return standard.new_empty(0, conditioning_channels(self.images) + 1, *standard.shape[2:])
        images: dict[str, Tensor] = dict(
            zip(CONDITIONING, torch.split(standard[:, :CONDITIONING_CHANNELS], 3, dim=1), strict=True)
        )
        if {"normals", "depth"} & set(self.images):
            images["normals"], images["depth"] = self._draw_surface(parameters)
        if "landmarks" in self.images:
            images["landmarks"] = self._draw_landmarks(parameters.to("cpu")).to(standard.device)
        return torch.cat([*(images[name] for name in self.images), standard[:, CONDITIONING_CHANNELS:]], 1)

    def _draw_landmarks(self, parameters: FaceParameters) -> Tensor:
        """Draw landmarks, uint8 (T, 3, H, W), from parameters on the CPU."""
        renderer = self._on_cpu
        return draw_landmarks(renderer.model, renderer.actor, self.camera, parameters, renderer.mesh(parameters))

    def _draw_surface(self, parameters: FaceParameters) -> tuple[Tensor, Tensor]:
        """Draw normals and depth of T frames, uint8 (T, 3, H, W) each."""
        step = images_per_chunk(self.renderer.fine.height, self.renderer.fine.width, self.model.faces.device)
        chunks = [self._draw_surface_chunk(parameters[start : start + step]) for start in range(0, len(parameters), step)]
        images = torch.cat(chunks)
        return images[:, :3], images[:, 3:].expand(-1, 3, -1, -1)

    def _draw_surface_chunk(self, parameters: FaceParameters) -> Tensor:
        """Draw normals and depth of as many frames as fit in memory, uint8 (T, 4, H, W)."""
        mesh = self.renderer.mesh(parameters)
        points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), self.renderer.fine)
        still = torch.zeros_like(parameters.translation)
        normals = head_to_camera(self.renderer.normals(mesh), parameters.rotation, still)
        behind = points[..., 2:] - parameters.translation[:, None, 2:]  # mm
        attributes = torch.cat([normals * flip(normals), (FARTHER - behind) / (NEARER + FARTHER)], -1)  # (T, V, 4)
        image, hits = self._draw_samples(points, attributes, self.model.faces)
        inside, _ = self._draw_samples(points, attributes, self.model.inner_faces)
        height, width = self.renderer.fine.height, self.renderer.fine.width
        lips = hits.pixel[self.model.region[hits.triangle] == MOUTH]  # samples between them
        openness = self.renderer.openness(mesh)[lips // (height * width), OPENINGS.index(MOUTH), None]
        image[lips] = torch.lerp(image[lips], inside[lips], openness)
        # Sums of whole numbers do not depend on their order.
        samples = (image * 255).round_().view(len(mesh), height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES, 4)
        return samples.sum((2, 4)).div_(SAMPLES**2).round_().to(torch.uint8).permute(0, 3, 1, 2)

    def _draw_samples(self, points: Tensor, attributes: Tensor, faces: Tensor) -> tuple[Tensor, Hits]:
        """Return the colours in [0, 1] of all samples of T images, (T * H * W, 4), 0 where empty, and the covered samples."""
        height, width = self.renderer.fine.height, self.renderer.fine.width
        hits = find_hits(points, faces, height, width)
        normal, depth = torch.split(interpolate_hits(hits, attributes, faces, height * width), [3, 1], dim=1)
        colours = torch.cat([normalize(normal, dim=1) / 2 + 0.5, depth.clamp(0, 1)], 1)  # (P, 4)
        return colours.new_zeros(len(points) * height * width, 4).index_copy_(0, hits.pixel, colours), hits


Renderer = ConditioningRenderer | NamedImagesRenderer
"""A renderer of the conditioning images and regions of one person."""


def make_renderer(
    model: FaceModel, actor: Actor, camera: Camera, size: int | None, images: Sequence[ConditioningImage] = CONDITIONING
) -> Renderer:
    """Return the renderer of named conditioning images: ``ConditioningRenderer`` itself for the paper's three.

    Args:
        model: face model.
        actor: the person.
        camera: camera of the working clip.
        size: side of the square images in pixels; None for the width and height of the camera.
        images: names of the images, in their order.
    """
    renderer = ConditioningRenderer(model, actor, camera, size)
    return renderer if tuple(images) == CONDITIONING else NamedImagesRenderer(renderer, images)
