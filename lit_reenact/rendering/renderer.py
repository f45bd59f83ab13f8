"""Other conditioning images than the paper's three, and any selection of them, to find out what each is good for."""

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
from lit_reenact.rendering.landmark_lines import sketch
from lit_reenact.rendering.rasterizer import Hits, find_hits, frames_at_once, interpolate_hits
from lit_reenact.rendering.scene import SAMPLES

NEARER, FARTHER = 100.0, 180.0
"""Millimetres before and behind the head's origin at which depth is white and black. Between them lies what is seen of a head
that nods by up to 40 degrees; a level of 255 is about one of them."""


class AblationRenderer:
    """Draws the conditioning images that are asked for, in that order, as ``ConditioningRenderer`` draws its three.

    Besides these three there are

    * ``normals``: (n + 1) / 2 of the surface's normal n with x to the right, y up and z to the viewer; what faces the viewer is
      (0.5, 0.5, 1);
    * ``depth``: grey, nearer is brighter. It is counted from the head's own distance, for how far away a head is cannot be
      known from landmarks: 0 is ``FARTHER``, 1 ``NEARER``;
    * ``landmarks``: see ``sketch``.

    Args:
        renderer: of the person, the view and the size.
        images: names of the images.
    """

    def __init__(self, renderer: ConditioningRenderer, images: Sequence[ConditioningImage]) -> None:
        self.renderer = renderer
        self.images = tuple(images)
        self.model, self.actor, self.camera = renderer.model, renderer.actor, renderer.camera
        on_cpu = self.model.faces.device.type == "cpu"
        self._on_cpu = renderer if on_cpu else renderer.to("cpu")  # OpenCV draws there

    def to(self, device: torch.device | str) -> AblationRenderer:
        """The same renderer on another device."""
        return AblationRenderer(self.renderer.to(device), self.images)

    def __call__(self, parameters: FaceParameters) -> Tensor:
        """The images of T frames on the renderer's device: uint8 (T, 3 K, H, W), 0 where empty."""
        return self.draw(parameters)[:, :-1]

    def regions(self, parameters: FaceParameters) -> Tensor:
        """As ``ConditioningRenderer.regions``."""
        return self.renderer.regions(parameters)

    @torch.no_grad()
    def draw(self, parameters: FaceParameters) -> Tensor:
        """Both at once, the region last: uint8 (T, 3 K + 1, H, W)."""
        parameters = parameters.to(self.model.faces.device)
        usual = self.renderer.draw(parameters)
        if not len(parameters):
            return usual.new_empty(0, conditioning_channels(self.images) + 1, *usual.shape[2:])
        drawn: dict[str, Tensor] = dict(zip(CONDITIONING, torch.split(usual[:, :CONDITIONING_CHANNELS], 3, dim=1), strict=True))
        if {"normals", "depth"} & set(self.images):
            drawn["normals"], drawn["depth"] = self._surface(parameters)
        if "landmarks" in self.images:
            drawn["landmarks"] = self._landmarks(parameters.to("cpu")).to(usual.device)
        return torch.cat([*(drawn[image] for image in self.images), usual[:, CONDITIONING_CHANNELS:]], 1)

    def _landmarks(self, parameters: FaceParameters) -> Tensor:
        """uint8 (T, 3, H, W) of parameters on the CPU."""
        renderer = self._on_cpu
        return sketch(renderer.model, renderer.actor, self.camera, parameters, renderer.mesh(parameters))

    def _surface(self, parameters: FaceParameters) -> tuple[Tensor, Tensor]:
        """Normals and depth of T frames, uint8 (T, 3, H, W) each."""
        step = frames_at_once(self.renderer.fine.height, self.renderer.fine.width, self.model.faces.device)
        chunks = [self._surface_of(parameters[start : start + step]) for start in range(0, len(parameters), step)]
        images = torch.cat(chunks)
        return images[:, :3], images[:, 3:].expand(-1, 3, -1, -1)

    def _surface_of(self, parameters: FaceParameters) -> Tensor:
        mesh = self.renderer.mesh(parameters)
        points = project(head_to_camera(mesh, parameters.rotation, parameters.translation), self.renderer.fine)
        still = torch.zeros_like(parameters.translation)
        normals = head_to_camera(self.renderer.normals(mesh), parameters.rotation, still)
        behind = points[..., 2:] - parameters.translation[:, None, 2:]  # mm
        attributes = torch.cat([normals * flip(normals), (FARTHER - behind) / (NEARER + FARTHER)], -1)  # (T, V, 4)
        image, hits = self._painted(points, attributes, self.model.faces)
        inside, _ = self._painted(points, attributes, self.model.inner_faces)
        height, width = self.renderer.fine.height, self.renderer.fine.width
        lips = hits.pixel[self.model.region[hits.triangle] == MOUTH]  # samples between them
        openness = self.renderer.openness(mesh)[lips // (height * width), OPENINGS.index(MOUTH), None]
        image[lips] = torch.lerp(image[lips], inside[lips], openness)
        # Sums of whole numbers do not depend on their order.
        samples = (image * 255).round_().view(len(mesh), height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES, 4)
        return samples.sum((2, 4)).div_(SAMPLES**2).round_().to(torch.uint8).permute(0, 3, 1, 2)

    def _painted(self, points: Tensor, attributes: Tensor, faces: Tensor) -> tuple[Tensor, Hits]:
        """Colours in [0, 1] of all samples of T images, (T * H * W, 4), black where nothing is, and where something is."""
        height, width = self.renderer.fine.height, self.renderer.fine.width
        hits = find_hits(points, faces, height, width)
        normal, depth = torch.split(interpolate_hits(hits, attributes, faces, height * width), [3, 1], dim=1)
        colours = torch.cat([normalize(normal, dim=1) / 2 + 0.5, depth.clamp(0, 1)], 1)  # (P, 4)
        return colours.new_zeros(len(points) * height * width, 4).index_copy_(0, hits.pixel, colours), hits


Renderer = ConditioningRenderer | AblationRenderer
"""Draws conditioning images and regions of one person."""


def make_renderer(
    model: FaceModel, actor: Actor, camera: Camera, size: int | None, images: Sequence[ConditioningImage] = CONDITIONING
) -> Renderer:
    """A renderer of some conditioning images; of the usual three, ``ConditioningRenderer`` itself."""
    renderer = ConditioningRenderer(model, actor, camera, size)
    return renderer if tuple(images) == CONDITIONING else AblationRenderer(renderer, images)
