"""Samples of frames at points on the skin of a tracked mesh: colour, normal, and how well each point is seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, max_pool2d, normalize

from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel, vertex_normals
from lit_reenact.face.topology import HEAD, SKIN
from lit_reenact.rendering.rasterizer import Fragments, rasterize

FACING_LIMIT = 0.25
"""Cosine between normal and view below which skin is seen at too flat an angle to be used."""

OPENING_MARGIN = 1 / 128
"""Margin, in widths of the image, about open eyes and an open mouth in which skin is not used: teeth and whites blur into it."""

OCCLUSION_MARGIN = 3.0
"""Distance (mm) behind the nearest surface up to which a point counts as visible."""


@dataclass(frozen=True)
class SkinPoints:
    """N points on the skin, each in a triangle of the mesh.

    Attributes:
        corners: int64 (N, 3) vertices of the triangles.
        barycentric: (N, 3) places of the points in their triangles.
    """

    corners: Tensor
    barycentric: Tensor

    def __call__(self, attributes: Tensor) -> Tensor:
        """Interpolate vertex attributes (T, V, C) at the points: (T, N, C)."""
        (first, *others), weights = self.corners.T, self.barycentric.T[..., None]
        total = attributes.index_select(1, first) * weights[0]
        for corner, weight in zip(others, weights[1:], strict=True):
            total.addcmul_(attributes.index_select(1, corner), weight)
        return total

    def __getitem__(self, points: slice | Tensor) -> SkinPoints:
        return SkinPoints(self.corners[points], self.barycentric[points])


@dataclass(frozen=True)
class Samples:
    """Colours of T frames at N skin points.

    Attributes:
        colour: (T, N, 3) in [0, 1].
        normal: (T, N, 3) unit normals in camera axes.
        weight: (T, N) cosine between normal and view; 0 where the point is hidden, turned away or outside the image.
    """

    colour: Tensor
    normal: Tensor
    weight: Tensor

    def __getitem__(self, points: slice | Tensor) -> Samples:
        """Select the samples of some of the points."""
        return Samples(self.colour[:, points], self.normal[:, points], self.weight[:, points])

    def pooled(self) -> Samples:
        """Pool all frames into one: T is 1, N is T times as large."""
        return Samples(*(getattr(self, name).flatten(0, 1)[None] for name in ("colour", "normal", "weight")))


def skin_texels(model: FaceModel, size: int) -> tuple[Tensor, SkinPoints]:
    """Find the texels of a square texture that lie on skin: flat indices int64 (N,), and their skin points."""
    layout = torch.cat([model.uv * size, torch.full_like(model.uv[:, :1], 1000.0)], -1)[None]  # flat, at one depth
    skin = model.faces[model.region == SKIN]
    fragments = rasterize(layout, skin, size, size, cull_backfaces=False)
    texels = (fragments.triangle.flatten() >= 0).nonzero().squeeze(-1)
    return texels, SkinPoints(skin[fragments.triangle.flatten()[texels]], fragments.barycentric.flatten(0, 2)[texels])


def sample_skin(
    model: FaceModel, points: SkinPoints, mesh: Tensor, rotation: Tensor, translation: Tensor, camera: Camera, frames: Tensor
) -> Samples:
    """Sample frames at skin points.

    Args:
        model: face model.
        points: N points on the skin.
        mesh: (T, V, 3) meshes in head axes, mm.
        rotation: (T, 3) axis-angle of the head.
        translation: (T, 3) place of the head in the camera, mm.
        camera: camera of the frames.
        frames: uint8 (T, H, W, 3).
    """
    placed = head_to_camera(mesh, rotation, translation)
    normal = head_to_camera(skin_normals(model, points, mesh), rotation, torch.zeros_like(translation))
    colour = look_up(frames.permute(0, 3, 1, 2).float() / 255, project(points(placed), camera))
    return Samples(colour, normal, visibility(model, points, placed, normal, camera))


def skin_normals(model: FaceModel, points: SkinPoints, mesh: Tensor) -> Tensor:
    """Compute unit normals (T, N, 3) of skin points on meshes (T, V, 3), in the axes of the meshes."""
    skin = model.faces[(model.region == SKIN) | (model.region == HEAD)]
    asked = torch.zeros(mesh.shape[1], dtype=torch.bool).index_fill(0, points.corners.flatten(), True)
    return normalize(points(vertex_normals(mesh, skin[asked[skin].any(1)])), dim=-1)


def look_up(images: Tensor, pixel: Tensor) -> Tensor:
    """Sample images (T, C, H, W) bilinearly at pixels (T, N, 2 or more; x and y first): (T, N, C)."""
    height, width = images.shape[-2:]
    grid = pixel[..., :2] / pixel.new_tensor([width, height]) * 2 - 1
    return grid_sample(images, grid[:, :, None], align_corners=False, padding_mode="border")[..., 0].transpose(1, 2)


def visibility(model: FaceModel, points: SkinPoints, placed: Tensor, normal: Tensor, camera: Camera) -> Tensor:
    """Compute ``Samples.weight``, (T, N).

    Args:
        model: face model.
        points: N points on the skin.
        placed: (T, V, 3) meshes in camera axes, mm.
        normal: (T, N, 3) unit normals of the points in camera axes.
        camera: camera of the image that decides what hides what.
    """
    place = points(placed)
    facing = -(normal * normalize(place, dim=-1)).sum(-1)
    fragments = rasterize(project(placed, camera), model.faces, camera.height, camera.width)
    seen = project(place, camera)
    inside = ((seen[..., :2] > 0) & (seen[..., :2] < seen.new_tensor([camera.width, camera.height]))).all(-1)
    x = seen[..., 0].long().clamp(0, camera.width - 1)
    y = seen[..., 1].long().clamp(0, camera.height - 1)
    pixel = y * camera.width + x
    front = fragments.depth.flatten(1).gather(1, pixel)
    clear = ~near_opening(model, fragments).flatten(1).gather(1, pixel)
    return facing * (clear & (facing > FACING_LIMIT) & (seen[..., 2] < front + OCCLUSION_MARGIN) & inside)


def near_opening(model: FaceModel, fragments: Fragments) -> Tensor:
    """Mark the pixels at or close to an opening between lids or lips: bool (T, H, W)."""
    opening = torch.cat([model.region.new_zeros(1), (model.region != SKIN) & (model.region != HEAD)])
    pixels = opening[fragments.triangle + 1].float()[:, None]
    reach = round(OPENING_MARGIN * pixels.shape[-1])
    wide = max_pool2d(pixels, (1, 2 * reach + 1), stride=1, padding=(0, reach))
    return max_pool2d(wide, (2 * reach + 1, 1), stride=1, padding=(reach, 0))[:, 0] > 0
