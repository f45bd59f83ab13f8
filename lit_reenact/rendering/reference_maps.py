"""Maps from wanted frames to reference frames: where each pixel comes from, and how much it can be trusted there."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import Actor, Camera, FaceParameters, ReferenceMaps
from lit_reenact.face.eyelids import gaps
from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import OPENINGS
from lit_reenact.rendering import rasterizer
from lit_reenact.rendering.normals import VertexNormals, VertexSums
from lit_reenact.rendering.spreading import spread
from lit_reenact.rendering.vertices import frame_meshes, project_mesh

MAP_SIZE = 64
"""Default side of the maps in pixels."""

SIGHT_SIZE = 256
"""Side in pixels of the depth images in which reference frames are searched for hidden places."""

HIDDEN = 4.0
"""Depth in mm behind the nearest surface up to which a place counts as seen; at twice that depth it counts as hidden."""

GRAZING = 0.15
"""Cosine of the angle of sight from which on a place counts as fully seen."""

OCTAVES = 2.0
"""Largest stretch or shrinkage that is told apart, as a power of two of the area."""

FEATHER = 2
"""Width in map pixels over which visibility falls to 0, at the silhouette and where something hides the surface."""

SLACK = 2.0
"""Gap in mm that is added to those between lids and lips before they are compared: nothing shows in a slit."""

WIDENED = (1.5, 2.5)
"""Ratio of the wanted gap between lids or lips to the reference's up to which the reference shows the inside, and from which on
its few pixels would be pulled apart into something else."""

TINY_AREA = 1e-9
"""Area in squares of the image's side, far below that of a triangle: keeps logarithms finite."""


class ReferenceWarp:
    """Maps by which the frames of a person are warped to a wanted pose and expression.

    Args:
        model: face model of the track.
        actor: the person.
        camera: camera of the clip, with a square image.
        references: parameters of the K reference frames.
        size: side of the maps in pixels.

    Raises:
        ReenactError: the camera's image is not square.

    Example:
        >>> warp = ReferenceWarp(model, track.actor, track.camera, track.parameters[key_frames])
        >>> maps = warp(wanted)
        >>> maps.flow.shape  # (N, K, 2, 64, 64)
    """

    def __init__(self, model: FaceModel, actor: Actor, camera: Camera, references: FaceParameters, size: int = MAP_SIZE) -> None:
        self.model, self.actor, self.camera, self.references, self.size = model, actor, camera, references, size
        self._camera = camera.resize(size)
        self._sums = VertexSums(model.faces, len(model.vertices))
        surface = head_to_camera(frame_meshes(model, actor, references), references.rotation, references.translation)
        points = project(surface, self._camera)  # (K, V, 3)
        self._places = points[..., :2].transpose(0, 1) / size  # (V, K, 2)
        self._areas = self._log_area(points).T  # (V, K)
        cosine = self._cosine(surface)
        self._cosines, self._visibility = cosine.T, (self._seen() * (cosine / GRAZING).clamp(max=1)).T  # (V, K)
        self._gaps = gaps(model.landmarks_of(actor, references))  # (K, 3)

    def to(self, device: torch.device | str) -> ReferenceWarp:
        """Return a copy on another device."""
        return ReferenceWarp(self.model.to(device), self.actor.to(device), self.camera, self.references.to(device), self.size)

    @torch.no_grad()
    def __call__(self, parameters: FaceParameters) -> ReferenceMaps:
        """Return the maps of N wanted frames, on the device of the model."""
        parameters = parameters.to(self.model.faces.device)
        step = rasterizer.images_per_chunk(self.size, self.size, self.model.faces.device)
        starts = range(0, max(1, len(parameters)), step)
        chunks = [self._draw(parameters[start : start + step]) for start in starts]
        return ReferenceMaps(*(torch.cat(parts) for parts in zip(*chunks, strict=True)))

    def _draw(self, parameters: FaceParameters) -> ReferenceMaps:
        points = project_mesh(self.model, self.actor, self._camera, parameters)  # (N, V, 3)
        moves = self._places - points[..., None, :2] / self.size  # (N, V, K, 2)
        stretch = (self._log_area(points)[..., None] - self._areas) / (2 * OCTAVES) + 0.5  # (N, V, K)
        validity = [self._visibility.expand_as(stretch), stretch.clamp(0, 1), self._cosines.expand_as(stretch)]
        attributes = torch.cat([moves, torch.stack(validity, -1)], -1)  # (N, V, K, 5)
        fragments = rasterizer.rasterize(points, self.model.faces, self.size, self.size)
        images = rasterizer.interpolate(fragments, attributes.flatten(2), self.model.faces)
        images = images.view(len(points), len(self.references), 5, self.size, self.size)
        covered = (fragments.triangle >= 0)[:, None]  # (N, 1, s, s)
        flow = spread(images[:, :, :2].flatten(1, 2), covered).view_as(images[:, :, :2])
        visibility = feather(images[:, :, 2], covered)[:, :, None]  # (N, K, 1, s, s)
        unseen = self._unseen(parameters, fragments.triangle)[:, :, None]
        return ReferenceMaps(flow, torch.cat([visibility, images[:, :, 3:], unseen], 2))

    def _unseen(self, parameters: FaceParameters, triangle: Tensor) -> Tensor:
        """Return 1 where N wanted frames show an eye or a mouth that is too far open for a reference: (N, K, s, s)."""
        wanted = gaps(self.model.landmarks_of(self.actor, parameters))  # (N, 3)
        ratio = (wanted[:, None].clamp_min(0) + SLACK) / (self._gaps.clamp_min(0) + SLACK)  # (N, K, 3)
        hidden = ((ratio - WIDENED[0]) / (WIDENED[1] - WIDENED[0])).clamp(0, 1)
        region = torch.where(triangle >= 0, self.model.region[triangle.clamp_min(0)], 0)[:, None]  # (N, 1, s, s)
        return reduce(torch.add, (hidden[:, :, k, None, None] * (region == opening) for k, opening in enumerate(OPENINGS)))

    def _log_area(self, points: Tensor) -> Tensor:
        """Return the logarithm (base 2) of the area in the image of the triangles about each vertex that are seen from the front.

        Args:
            points: (T, V, 3), x and y in map pixels.

        Returns:
            (T, V), areas in squares of the image's side.
        """
        a, b, c = (points[..., :2].index_select(1, corner).unbind(-1) for corner in self.model.faces.T)
        areas = (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1])  # (T, F), positive from the front, as y points down
        return (self._sums(areas.clamp_min(0)[..., None])[..., 0] / (2 * self.size**2) + TINY_AREA).log2()

    def _cosine(self, surface: Tensor) -> Tensor:
        """Return the cosine in [0, 1] between surface and line of sight at vertices in camera axes (K, V, 3): (K, V)."""
        normals = VertexNormals(self.model.faces, surface.shape[1])(surface)
        return -(normals * normalize(surface, dim=-1)).sum(-1).clamp(-1, 0)

    def _seen(self) -> Tensor:
        """Return 1 for the vertices that the reference frames show, 0 for hidden ones and those outside of the image: (K, V)."""
        points = project_mesh(self.model, self.actor, self.camera.resize(SIGHT_SIZE), self.references)
        depth = rasterizer.rasterize(points, self.model.faces, SIGHT_SIZE, SIGHT_SIZE).depth.flatten(1)  # (K, S * S)
        column, row = points[..., :2].floor().clamp(-1, SIGHT_SIZE).long().unbind(-1)  # (K, V)
        inside = (column >= 0) & (column < SIGHT_SIZE) & (row >= 0) & (row < SIGHT_SIZE)
        behind = points[..., 2] - depth.gather(1, torch.where(inside, row * SIGHT_SIZE + column, 0))  # -inf beyond the mesh
        return (2 - behind / HIDDEN).clamp(0, 1) * inside


def feather(visibility: Tensor, covered: Tensor) -> Tensor:
    """Let visibility fall to 0 within ``FEATHER`` pixels of where it ends, and close gaps of single pixels.

    Args:
        visibility: (N, K, H, W) in [0, 1], 0 in pixels that are not covered; it does not end at the border of the image.
        covered: bool (N, 1, H, W).

    Returns:
        (N, K, H, W) in [0, 1].
    """
    window = 2 * FEATHER + 1
    around = pad(visibility.contiguous(), (FEATHER,) * 4, mode="replicate")
    for axis in (-1, -2):  # several times as fast as a pooling
        around = reduce(torch.add, (around.narrow(axis, first, visibility.shape[axis]) for first in range(window)))
    return (2 * around / window**2 - 1).clamp(0, 1) * covered
