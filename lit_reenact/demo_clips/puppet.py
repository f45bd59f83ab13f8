"""The mesh that carries the photograph: face, hair and neck with depth, and the way it moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import Delaunay
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS, OUTLINE
from lit_reenact.core.geometry import euler_to_matrix
from lit_reenact.demo_clips.portrait import HEIGHT, WIDTH, Image, Mask, Portrait
from lit_reenact.demo_clips.shapes import SHAPES, expression_shapes
from lit_reenact.face.topology import SKIN, build_topology

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DISTANCE = 1000.0
"""Distance from the viewer to the eyes' plane in photograph pixels."""

PIVOT = (134.0, 192.0, 34.0)
"""Centre of the head's rotation in canvas pixels and depth: the top of the neck."""

JAW = 186.0  # row of the canvas in which the jaw has its angles
NECK_FADE = 24.0  # pixels below the jaw's edge where the neck stops following the head
SPACING = 5.0

Reshape = Callable[[Tensor], Tensor]
"""Function from points (N, 3) of the photograph, canvas pixels and depth, to those of a person with another face shape."""


@dataclass(frozen=True)
class Puppet:
    """A photographed head that can be posed.

    Attributes:
        rest: (V, 3) photographed pose in canvas pixels, FaceMesh's 468 points first; z is depth behind the eyes' plane.
        texture_positions: (V, 2) position of each point's colour in the canvas; the projection of ``rest`` without a reshape.
        faces: vertex indices, int64 (F, 3), counter-clockwise for the viewer.
        follow: (V,) in [0, 1], share of the head's motion that a point follows.
        shapes: (S, V, 3) displacements of ``shapes.SHAPES``.
    """

    rest: Tensor
    texture_positions: Tensor
    faces: Tensor
    follow: Tensor
    shapes: Tensor

    def pose(self, weights: Tensor, yaw_pitch_roll: Tensor, shift: Tensor) -> Tensor:
        """Return the mesh (V, 3) of one frame, not yet projected.

        Args:
            weights: (S,) weights of the shapes.
            yaw_pitch_roll: (3,) head pose in radians, with the signs of ``schema``.
            shift: (3,) pixels to the right, down, away.
        """
        points = self.rest + torch.einsum("s,svc->vc", weights, self.shapes)
        return points + self.follow[:, None] * (turn(points, yaw_pitch_roll, shift) - points)


def turn(points: Tensor, yaw_pitch_roll: Tensor, shift: Tensor) -> Tensor:
    """Move points (..., 3) in canvas axes by the head's pose."""
    pivot = points.new_tensor(PIVOT)
    return rotate(points - pivot, yaw_pitch_roll) + pivot + shift


def rotate(vectors: Tensor, yaw_pitch_roll: Tensor) -> Tensor:
    """Rotate vectors (..., 3) in canvas axes by the head's rotation."""
    flip = vectors.new_tensor([1.0, -1.0, -1.0])
    return (vectors * flip) @ euler_to_matrix(yaw_pitch_roll).T * flip


def project(points: Tensor) -> Tensor:
    """Project points (..., 3) to canvas pixels and the distance from the viewer, (..., 3)."""
    centre = points.new_tensor([PIVOT[0], PIVOT[1]])
    distance = DISTANCE + points[..., 2:]
    return torch.cat([(points[..., :2] - centre) * DISTANCE / distance + centre, distance], -1)


def unproject(seen: Tensor) -> Tensor:
    """Return the points (..., 3) that appear at canvas pixels x, y and have depth z."""
    centre = seen.new_tensor([PIVOT[0], PIVOT[1]])
    return torch.cat([(seen[..., :2] - centre) * (DISTANCE + seen[..., 2:]) / DISTANCE + centre, seen[..., 2:]], -1)


def build_puppet(portrait: Portrait, reshape: Reshape) -> Puppet:
    """Surround the face by a grid over hair and neck, give it depth, and reshape it.

    Args:
        portrait: photograph with landmarks.
        reshape: function from the photograph's geometry to the person's.
    """
    face = portrait.landmarks[:FACE_POINTS]
    topology, region = build_topology()
    skin = topology[region == SKIN]
    outline = face[list(OUTLINE), :2]
    positions = np.concatenate([face[:, :2], _grid(portrait, outline)])
    outer = _triangulate(positions, outline)
    laplacian = _laplacian(outer, len(positions))
    distance = _distance(positions, outline)
    neck = (positions[:, 1] > JAW) & (np.arange(len(positions)) >= FACE_POINTS)
    seen = reshape(torch.from_numpy(np.column_stack([positions, _depth(positions, face, laplacian, neck)])).float())

    shapes = torch.zeros(len(positions), len(SHAPES), 3)
    shapes[:FACE_POINTS] = expression_shapes(seen[:FACE_POINTS], skin).transpose(0, 1)
    fixed = (np.arange(len(positions)) < FACE_POINTS) | (distance < -16) | (neck & (distance < -1))
    smooth = _smooth(laplacian, shapes.flatten(1).double().numpy(), fixed)
    shapes = torch.from_numpy(smooth).float().view_as(shapes).transpose(0, 1)

    follow = np.where(neck, np.clip(1 + distance / NECK_FADE, 0, 1), 1.0)
    return Puppet(
        rest=unproject(seen),
        texture_positions=torch.from_numpy(positions).float(),
        faces=torch.cat([skin, torch.from_numpy(outer)]),
        follow=torch.from_numpy(follow * follow * (3 - 2 * follow)).float(),
        shapes=shapes.contiguous(),
    )


def _grid(portrait: Portrait, outline: Image) -> Image:
    """Return points of a honeycomb, (N, 2), over everything that moves, outside the face."""
    head = cv2.resize(portrait.head, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    moves = cv2.dilate((head > 0.01).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    row, column = np.mgrid[: HEIGHT / (0.866 * SPACING), : WIDTH / SPACING - 0.5]
    x, y = ((column + 0.5 * (row % 2)) * SPACING).ravel(), (row * 0.866 * SPACING).ravel()
    inside = moves[y.astype(int), x.astype(int)] > 0
    grid = np.column_stack([x, y]).astype(np.float32)
    return np.asarray(grid[inside & (_distance(grid, outline) < -0.5 * SPACING)])


def _distance(positions: Image, outline: Image) -> Floats:
    """Return the distances from points (N, 2) to the outline in pixels; negative outside."""
    return np.array([cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in positions])


def _triangulate(positions: Image, outline: Image) -> Integers:
    """Return the triangles (F, 3) between the face's outline and the grid, counter-clockwise for the viewer."""
    vertices = np.concatenate([np.array(OUTLINE), np.arange(FACE_POINTS, len(positions))])
    triangles = vertices[Delaunay(positions[vertices]).simplices].astype(np.int64)
    corners = positions[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=-1).max(1)
    triangles = triangles[(_distance(corners.mean(1), outline) < 0) & (longest < 4 * SPACING)]
    a, b, c = positions[triangles].transpose(1, 0, 2)
    clockwise = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]) > 0
    return np.where(clockwise[:, None], triangles[:, ::-1], triangles)


def _depth(positions: Image, face: Image, laplacian: sparse.csr_matrix, neck: Mask) -> Floats:
    """Return the depth (V,): hair bulges between face and silhouette of the skull; the neck is a cylinder behind the chin."""
    x, y = positions.T
    outer = np.arange(len(positions)) >= FACE_POINTS
    rim = outer & ~neck & (((x - 136) / 74) ** 2 + ((y - 137) / 84) ** 2 > 0.95)
    depth = np.where(neck, 40 - 24 * np.sqrt(np.clip(1 - ((x - 131) / 40) ** 2, 0, 1)), 38.0)
    depth[:FACE_POINTS] = face[:, 2]
    return _smooth(laplacian, depth[:, None], ~outer | rim | neck, bulge=-0.35)[:, 0]


def _smooth(laplacian: sparse.csr_matrix, values: Floats, fixed: Mask, bulge: float = 0.0) -> Floats:
    """Continue the values (V, C) of the fixed points smoothly over the others by Poisson's equation."""
    result = values.copy()
    solver = splu(laplacian[~fixed][:, ~fixed].tocsc())
    result[~fixed] = solver.solve(bulge - laplacian[~fixed][:, fixed] @ values[fixed])
    return result


def _laplacian(triangles: Integers, count: int) -> sparse.csr_matrix:
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    links = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    links = ((links + links.T) > 0).astype(np.float64)
    return sparse.csgraph.laplacian(links).tocsr()
